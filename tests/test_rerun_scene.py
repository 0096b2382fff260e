"""The 3-D arm in Rerun stands where MuJoCo says, for simulated and for plain robots."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.scene3d import Scene3D, SceneUnreadable
from studio.sim.scene import build_scene
from studio.sim.world import STATE_PARTS

TWO_LINKS = """
<mujoco>
  <asset>
    <mesh name="wedge" vertex="0 0 0  .1 0 0  0 .1 0  0 0 .1"/>
    <material name="orange" rgba="1 .5 0 1"/>
  </asset>
  <worldbody>
    <geom type="plane" size="0 0 1"/>
    <body name="mount" pos="0 0 .1">
      <geom type="box" size=".1 .1 .1"/>
      <body name="arm/link1" pos="0 0 .1">
        <joint name="arm/joint1" axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 0 0 .3" size=".03" material="orange"/>
        <geom type="sphere" size=".05" rgba="0 0 0 0"/>
        <geom type="cylinder" size=".05 .02" group="3"/>
        <body name="arm/hand" pos="0 0 .3">
          <geom type="mesh" mesh="wedge"/>
          <body name="arm/left"><joint name="arm/finger_left" type="slide" axis="0 1 0"
            range="0 .04"/><geom type="ellipsoid" size=".01 .01 .03"/></body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


class Memory:
    """Stands where a recording would and keeps what is logged, by entity path."""

    def __init__(self) -> None:
        self.logged: dict[str, list[object]] = {}

    def log(self, entity: str, *what: object, static: bool = False) -> None:
        assert static
        self.logged.setdefault(entity, []).extend(what)


def names(logged: list[object]) -> list[str]:
    return [type(item).__name__ for item in logged]


def test_every_visible_geom_is_drawn_under_its_body_and_hidden_ones_are_not() -> None:
    memory = Memory()
    Scene3D(TWO_LINKS).log_geometry(memory)     # type: ignore[arg-type]
    assert names(memory.logged["world/mount/boxes"]) == ["Boxes3D"]
    assert names(memory.logged["world/planes"]) == ["Boxes3D"]
    assert names(memory.logged["world/arm/link1/capsules"]) == ["Capsules3D"]
    assert names(memory.logged["world/arm/left/ellipsoids"]) == ["Ellipsoids3D"]
    assert any(names(logged) == ["Mesh3D"] for path, logged in memory.logged.items()
               if path.startswith("world/arm/hand/"))
    drawn = set(memory.logged)
    assert not {"world/arm/link1/spheres", "world/arm/link1/cylinders"} & drawn


def test_only_bodies_that_can_move_get_a_transform_per_frame() -> None:
    assert Scene3D(TWO_LINKS).moving_entities == ["world/arm/link1", "world/arm/hand",
                                                  "world/arm/left"]


@settings(max_examples=25, deadline=None)
@given(angle=st.floats(-3, 3), opening=st.floats(0, 1))
def test_joint_positions_place_every_body_where_kinematics_puts_it(angle: float,
                                                                  opening: float) -> None:
    motion = Scene3D(TWO_LINKS).motion(("joint1", "gripper"), np.array([[angle, opening]]))
    model = mujoco.MjModel.from_xml_string(TWO_LINKS)
    data = mujoco.MjData(model)
    data.qpos[:] = angle, 0.04 * opening
    mujoco.mj_kinematics(model, data)
    for body in motion:
        expected = data.body(body.entity.removeprefix("world/"))
        np.testing.assert_allclose(body.translations[0], expected.xpos, atol=1e-12)
        np.testing.assert_allclose(body.quaternions[0], expected.xquat, atol=1e-12)


def test_a_body_that_stands_still_is_not_logged_again() -> None:
    scene = Scene3D(TWO_LINKS)
    frames = np.array([[0.1, 0.0], [0.1, 0.0], [0.1, 0.5]])
    moved = {body.entity: body.frames.tolist() for body in scene.motion(("joint1", "gripper"),
                                                                        frames)}
    assert moved == {"world/arm/link1": [0], "world/arm/hand": [0], "world/arm/left": [0, 2]}
    assert scene.motion(("joint1", "gripper"), frames[-1:]) == []


def test_a_body_at_rest_is_logged_again_for_those_who_come_late() -> None:
    scene = Scene3D(TWO_LINKS)
    rest = np.array([[0.1, 0.0]])
    everything = {body.entity for body in scene.motion(("joint1", "gripper"), rest)}
    scene.forget()
    assert {body.entity for body in scene.motion(("joint1", "gripper"), rest)} == everything


def test_a_recorded_state_places_furniture_and_cubes_too() -> None:
    spec = build_scene()
    model = spec.compile()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(3)
    data.mocap_pos[:] = rng.normal(size=data.mocap_pos.shape)
    mujoco.mj_integratePos(model, data.qpos, rng.normal(size=model.nv), 1.0)
    mujoco.mj_kinematics(model, data)
    state = np.empty(mujoco.mj_stateSize(model, STATE_PARTS))
    mujoco.mj_getState(model, data, state, STATE_PARTS)

    placed = {body.entity: body for body in Scene3D(spec.to_xml()).motion_of_states(state[None])}

    for name in ("cube_red", "bin", "chest", "drawer", "arm/link7", "arm/finger_left"):
        np.testing.assert_allclose(placed[f"world/{name}"].translations[0], data.body(name).xpos,
                                   atol=1e-9)
        # A quaternion and its negative are one rotation; to_xml rounds what it writes.
        turn = abs(float(placed[f"world/{name}"].quaternions[0] @ data.body(name).xquat))
        assert turn == pytest.approx(1.0, abs=1e-9)


def test_a_state_of_another_model_is_refused() -> None:
    with pytest.raises(SceneUnreadable, match="has 7 numbers, not 5"):
        Scene3D(TWO_LINKS).motion_of_states(np.zeros((1, 5)))


def test_a_model_that_needs_other_files_is_refused_with_the_reason() -> None:
    broken = TWO_LINKS.replace('vertex="0 0 0  .1 0 0  0 .1 0  0 0 .1"', 'file="no-such.stl"')
    with pytest.raises(SceneUnreadable, match=r"no-such\.stl"):
        Scene3D(broken)

"""The simulated world: exact repetition, exact return, and physics that a person would believe."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.clock import NS_PER_S, ManualClock
from studio.devices.interfaces import DeviceError
from studio.sim.arm_model import HOME_RAD, add_arm
from studio.sim.furniture import BUTTON_PRELOAD_N, BUTTON_STIFFNESS_N_PER_M, CUBE_HALF_M
from studio.sim.scene import MOVABLE_NAMES, OBJECT_NAMES, build_scene
from studio.sim.tasks import TASKS
from studio.sim.world import STEP_NS, SimWorld

MS = 1_000_000


class Hand:
    """Moves a world's tool along straight lines with the tool pointing down."""

    def __init__(self, world: SimWorld) -> None:
        self.world = world
        self.opening = 1.0

    def move(self, x_m: float, y_m: float, z_m: float, duration_s: float = 1.0) -> None:
        goal, start = self._joints(np.array([x_m, y_m, z_m])), self.world.target[:7]
        steps = int(duration_s * 100)
        for step in range(1, steps + 1):
            share = step / steps
            share = share * share * (3 - 2 * share)
            self.world.command(np.append(start + (goal - start) * share, self.opening))
            self.wait(0.01)

    def grip(self, opening: float) -> None:
        self.opening = opening
        self.world.command(np.append(self.world.target[:7], opening))
        self.wait(0.6)

    def wait(self, duration_s: float) -> None:
        self.world.advance_to(self.world.stamp_ns + int(duration_s * NS_PER_S))

    def _joints(self, place_m: np.ndarray) -> np.ndarray:
        """(7,) by damped least squares from a posture that already looks that way."""
        model = self.world.model
        data, tool = mujoco.MjData(model), model.site("arm/tool").id
        data.qpos[:7] = HOME_RAD
        data.qpos[0] = data.qpos[6] = np.arctan2(place_m[1], place_m[0])
        down = np.diag([1.0, -1.0, -1.0])
        error = np.ones(6)
        linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        for _ in range(80):
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_jacSite(model, data, linear, angular, tool)
            now = data.site_xmat[tool].reshape(3, 3)
            turn = 0.5 * np.cross(now, down, axis=0).sum(axis=1)
            error = np.concatenate([place_m - data.site_xpos[tool], turn])
            jacobian = np.vstack([linear[:, :7], angular[:, :7]])
            damped = jacobian @ jacobian.T + 1e-4 * np.eye(6)
            data.qpos[:7] += jacobian.T @ np.linalg.solve(damped, error)
        assert np.abs(error).max() < 1e-3
        return data.qpos[:7].copy()


@pytest.fixture
def world() -> SimWorld:
    return SimWorld(ManualClock())


@pytest.fixture
def hand(world: SimWorld) -> Hand:
    return Hand(world)


def wander(world: SimWorld, seed: int, ticks: int) -> None:
    """Drive somewhere, hitting things on the way."""
    rng = np.random.default_rng(seed)
    target = world.target
    for _ in range(ticks):
        target = np.clip(target + rng.normal(0, 0.02, 8), -2.5, 2.5)
        world.command(target)
        world.advance_to(world.stamp_ns + 10 * MS)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_same_task_and_seed_give_the_same_world_to_the_last_bit(task: str) -> None:
    def play() -> np.ndarray:
        world = SimWorld(ManualClock())
        world.reset(task, seed=5)
        wander(world, seed=1, ticks=60)
        return world.state

    assert play().tobytes() == play().tobytes()


def test_a_used_world_resets_to_what_a_fresh_one_resets_to(world: SimWorld) -> None:
    world.reset("stack-cubes", 9)
    wander(world, seed=2, ticks=50)
    fresh = SimWorld(ManualClock(start_ns=123 * MS))
    assert world.reset("push-button", 4) == fresh.reset("push-button", 4)
    assert world.state.tobytes() == fresh.state.tobytes()


def test_different_seeds_give_different_worlds(world: SimWorld) -> None:
    world.reset("push-button", 1)
    first = world.state
    world.reset("push-button", 2)
    assert not np.array_equal(first, world.state)


@settings(max_examples=8, deadline=None)
@given(before=st.integers(0, 40), away=st.integers(1, 40), seed=st.integers(0, 999))
def test_a_saved_moment_comes_back_and_goes_on_as_it_did(before: int, away: int,
                                                         seed: int) -> None:
    world = SimWorld(ManualClock())
    world.reset("bin-then-button", seed)
    wander(world, seed, before)
    saved = world.save()
    wander(world, seed + 1, away)
    ended, judged = world.state, world.run.saved()
    world.reset("push-button", 0)
    world.restore(saved)
    assert world.state.tobytes() == saved.state.tobytes()
    wander(world, seed + 1, away)
    assert world.state.tobytes() == ended.tobytes()
    np.testing.assert_equal(world.run.saved(), judged)      # NaN stands for "not held"


def test_a_recorded_state_restores_in_a_world_that_never_saw_the_episode(world: SimWorld) -> None:
    world.reset("open-drawer", 3)
    wander(world, 7, 30)
    state, target = world.state, world.target
    wander(world, 8, 20)
    other = SimWorld(ManualClock())
    other.restore_state(state, target)
    wander(other, 8, 20)
    assert other.state.tobytes() == world.state.tobytes()


def test_a_state_of_another_scene_is_refused_by_its_length(world: SimWorld) -> None:
    with pytest.raises(DeviceError, match="recorded in another scene"):
        world.restore_state(np.zeros(7))


def test_an_unknown_task_is_refused_with_the_valid_names(world: SimWorld) -> None:
    with pytest.raises(DeviceError, match=r"unknown task 'fly'.*put-cube-in-bin"):
        world.reset("fly", 0)


def test_an_edited_instruction_is_what_is_saved_and_judged(world: SimWorld) -> None:
    with pytest.raises(DeviceError, match="reset it first"):
        world.set_instruction("push the button")
    world.reset("put-cube-in-bin", 3, "put the red cube in the bin")
    world.set_instruction("put the blue cube in the bin")
    saved = world.save()
    world.reset("push-button", 3)
    world.restore(saved)
    assert world.run.instruction == "put the blue cube in the bin"
    assert world.run.goal.colour == "blue"


def test_the_recorded_xml_compiles_to_the_same_model(world: SimWorld) -> None:
    again = mujoco.MjModel.from_xml_string(world.model_xml)
    assert [again.body(i).name for i in range(again.nbody)] == [
        world.model.body(i).name for i in range(world.model.nbody)]
    np.testing.assert_allclose(again.body_mass, world.model.body_mass, rtol=1e-6)
    np.testing.assert_allclose(again.jnt_range, world.model.jnt_range, rtol=1e-6)
    assert mujoco.mj_stateSize(again, mujoco.mjtState.mjSTATE_INTEGRATION) == mujoco.mj_stateSize(
        world.model, mujoco.mjtState.mjSTATE_INTEGRATION)


def test_everything_a_task_may_move_is_part_of_the_state(world: SimWorld) -> None:
    for name in MOVABLE_NAMES:
        body = world.model.body(name)
        free = body.jntnum[0] == 1 and world.model.jnt_type[body.jntadr[0]] == 0
        assert free or body.mocapid[0] >= 0, name


def test_a_second_arm_can_be_attached_under_its_own_name() -> None:
    spec = build_scene()
    add_arm(spec, "other", world_from_base=np.array([1.2, 0, 0, 0, 0, 0, 1]))
    model = spec.compile()
    assert model.site("arm/tool").id != model.site("other/tool").id
    assert model.nu == 16


def test_the_world_never_runs_ahead_of_the_clock(world: SimWorld) -> None:
    stamps: list[int] = []
    world.advance_to(9_999_999, lambda: stamps.append(world.stamp_ns))
    assert stamps == [STEP_NS, 2 * STEP_NS, 3 * STEP_NS, 4 * STEP_NS]


def test_the_arm_holds_against_gravity_without_drift(world: SimWorld) -> None:
    world.advance_to(10 * NS_PER_S)
    assert np.abs(world.position[:7] - HOME_RAD).max() < 1e-5
    assert np.abs(world.velocity).max() < 1e-6


def test_poses_and_velocities_belong_to_the_present_state(world: SimWorld) -> None:
    places, twists = [], []

    def look() -> None:
        places.append(world.tool_pose[:3])
        twists.append(world.tool_twist[:3])

    world.command(np.array([*(np.array(HOME_RAD) + 0.05), 0.2]))
    world.advance_to(60 * MS, look)
    travelled = places[-1] - places[0]
    speeds = np.array(twists)
    # The trapezoidal rule is good to a few per cent here; a twist one step old is not.
    integrated = 0.002 * (speeds[1:] + speeds[:-1]).sum(axis=0) / 2
    assert np.linalg.norm(travelled) > 0.005
    np.testing.assert_allclose(integrated, travelled, atol=0.01 * float(np.linalg.norm(travelled)))


def test_the_gripper_lifts_a_cube_and_keeps_it_for_five_seconds(hand: Hand) -> None:
    world, cube = hand.world, OBJECT_NAMES.index("cube_red")
    x, y, _ = world.objects[cube, :3]
    hand.move(x, y, 0.15)
    hand.move(x, y, 0.02)
    hand.grip(0.0)
    hand.move(x, y, 0.20)
    lifted = world.objects[cube, :3]
    hand.wait(5.0)
    assert lifted[2] > 0.19
    assert np.linalg.norm(world.objects[cube, :3] - lifted) < 0.001
    hand.grip(1.0)
    hand.wait(0.5)
    assert world.objects[cube, 2] < 1.5 * CUBE_HALF_M


def test_the_button_pushes_back_as_its_spring_says_and_returns(hand: Hand) -> None:
    world = hand.world
    x, y, z = world.objects[OBJECT_NAMES.index("button_cap"), :3]
    force = world.model.sensor("button_force").adr[0]
    hand.grip(0.0)
    hand.move(x, y, z + 0.08)
    assert world.measured[force] == 0.0
    hand.move(x, y, z + 0.004)      # the tips are 14 mm ahead of the tool's point
    hand.wait(0.5)
    depth_m = -float(world.data.joint("button_press").qpos[0])
    assert 0.005 < depth_m < 0.014
    expected_n = BUTTON_PRELOAD_N + BUTTON_STIFFNESS_N_PER_M * depth_m
    assert world.measured[force] == pytest.approx(expected_n, rel=0.02)
    hand.move(x, y, z + 0.08)
    assert abs(float(world.data.joint("button_press").qpos[0])) < 0.0005


def test_the_drawer_opens_by_its_handle_and_stays_open(hand: Hand) -> None:
    world, handle = hand.world, OBJECT_NAMES.index("drawer_handle")
    x, y, z = world.objects[handle, :3]
    hand.move(x, y, z + 0.1)
    hand.move(x, y, z)
    hand.grip(0.0)
    hand.move(x - 0.12, y, z, duration_s=1.5)
    hand.grip(1.0)
    hand.move(x - 0.12, y, z + 0.15)
    assert float(world.data.joint("drawer_slide").qpos[0]) > 0.11
    assert world.objects[handle, 0] < x - 0.11

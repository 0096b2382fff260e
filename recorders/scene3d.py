"""The robot and its surroundings in three dimensions, for Rerun.

Knows MJCF: every visible geom is logged once under its body, and a moving body gets a transform
per frame. The bodies are placed by kinematics alone: from the joint positions that every robot
records, or, where a simulator recorded its whole state, from that, because it also says where the
objects are.

Knows nothing about time, streams or episodes, and logs no camera pictures. MuJoCo is imported when
a scene is made, because most users of `recorders` never draw one.

Letters: B moving bodies, J named joints, S numbers of a state, N frames. Quaternions are
(w, x, y, z).
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import rerun as rr

WORLD = "world"
SHOWN_GEOM_GROUPS = 3       # groups 0..2 are what MuJoCo's own viewer shows; higher ones collide
PLANE_HALF_M = 1.5          # an endless plane is drawn this large
PLANE_HALF_THICKNESS_M = 0.001
STILL = 1e-5                # m, and in a quaternion: smaller motions are not worth a row


class BodyMotion(msgspec.Struct, frozen=True):
    """Where one body was in those frames in which it had moved.

    Attributes:
        entity: its Rerun entity path.
        frames: (M,) indices of the frames, M <= N.
        translations: (M, 3) m, in the world.
        quaternions: (M, 4) (w, x, y, z), in the world.
    """

    entity: str
    frames: np.ndarray
    translations: np.ndarray
    quaternions: np.ndarray


class SceneUnreadable(ValueError):
    """The recorded model cannot be drawn; the message says why."""


class Scene3D:
    """An MJCF model as Rerun entities under `world/`.

    Args:
        model_xml: MJCF that needs no other files.

    Raises:
        SceneUnreadable: if MuJoCo cannot compile it.
    """

    def __init__(self, model_xml: str) -> None:
        import mujoco

        self._mujoco: Any = mujoco
        try:
            self._model: Any = mujoco.MjModel.from_xml_string(model_xml)
        except ValueError as error:
            raise SceneUnreadable(f"the recorded robot model does not compile: {error}") from error
        self._data: Any = mujoco.MjData(self._model)
        self._moving = self._moving_bodies()
        self._last: dict[int, np.ndarray] = {}      # body -> (7,) pose as logged last

    @property
    def moving_entities(self) -> list[str]:
        """Entity paths of the bodies that get a transform per frame."""
        return [self._entity(body) for body in self._moving]

    def log_geometry(self, recording: rr.RecordingStream) -> None:
        """Log the geoms of all bodies, and where every body rests, once and for all times."""
        recording.log(WORLD, rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        self._mujoco.mj_kinematics(self._model, self._data)
        for body in range(self._model.nbody):
            if body not in self._moving:
                recording.log(self._entity(body), rr.Transform3D(
                    translation=self._data.xpos[body],
                    quaternion=rr.Quaternion(xyzw=_xyzw(self._data.xquat[body]))), static=True)
            for name, shape in self._shapes(body):
                recording.log(f"{self._entity(body)}/{name}", shape, static=True)

    def motion(self, joint_names: Sequence[str], positions: np.ndarray) -> list[BodyMotion]:
        """Place the bodies of any robot in consecutive frames, from its joint positions.

        Args:
            joint_names: J names, as in the recording; "gripper" (or "…/gripper") is an opening
                from 0 (closed) to 1 and moves the slides whose names contain "finger".
            positions: (N, J) rad, or opening.

        Returns:
            The motion of every body that moved since the frame before, earlier calls included.
        """
        moves = self._joint_moves(joint_names)

        def place(row: np.ndarray) -> None:
            for column, address, at_zero, at_one in moves:
                self._data.qpos[address] = at_zero + (at_one - at_zero) * row[column]

        return self._motion(place, positions)

    def motion_of_states(self, states: np.ndarray) -> list[BodyMotion]:
        """Place the bodies in consecutive frames of a simulator that recorded its state.

        Args:
            states: (N, S) as MuJoCo's `mj_getState` packs it: time and qpos first, the positions
                and the quaternions of the mocap bodies last.

        Raises:
            SceneUnreadable: if a state of this length does not belong to the model.
        """
        model, mocap = self._model, 3 * self._model.nmocap
        if states.shape[1] not in self.state_sizes:
            raise SceneUnreadable(f"a state of this model has {self.state_sizes[1]} numbers, "
                                  f"not {states.shape[1]}")

        def place(state: np.ndarray) -> None:
            self._data.qpos[:] = state[1:1 + model.nq]
            if mocap:
                places = state[-7 * model.nmocap:]
                self._data.mocap_pos[:] = places[:mocap].reshape(-1, 3)
                self._data.mocap_quat[:] = places[mocap:].reshape(-1, 4)

        return self._motion(place, states)

    def forget(self) -> None:
        """Let every body count as moved in the next frame."""
        self._last.clear()

    @property
    def state_sizes(self) -> tuple[int, int]:
        """How many numbers a state of this model has: without the controls, and with them."""
        model = self._model
        least = 1 + model.nq + 2 * model.nv + model.na + 7 * model.nmocap
        return least, least + model.nu

    def _motion(self, place: Callable[[np.ndarray], None], rows: np.ndarray) -> list[BodyMotion]:
        poses = np.empty((len(rows), len(self._moving), 7))                       # (N, B, 7)
        for frame, row in enumerate(rows):
            place(row)
            self._mujoco.mj_kinematics(self._model, self._data)
            poses[frame, :, :3] = self._data.xpos[self._moving]
            poses[frame, :, 3:] = self._data.xquat[self._moving]
        return [moved for index, body in enumerate(self._moving)
                if len((moved := self._moved(body, poses[:, index])).frames)]

    def _moved(self, body: int, poses: np.ndarray) -> BodyMotion:
        """Keep of a body's poses (N, 7) those that differ from the one kept before."""
        kept, last = [], self._last.get(body)
        for frame, pose in enumerate(poses):
            if last is None or np.abs(pose - last).max() > STILL:
                kept.append(frame)
                last = self._last[body] = pose.copy()
        frames = np.asarray(kept, int)
        return BodyMotion(self._entity(body), frames, poses[frames, :3], poses[frames, 3:])

    def _moving_bodies(self) -> list[int]:
        model, moving = self._model, set()
        for body in range(1, model.nbody):
            if (model.body_jntnum[body] > 0 or model.body_mocapid[body] >= 0
                    or int(model.body_parentid[body]) in moving):
                moving.add(body)
        return sorted(moving)

    def _joint_moves(self, names: Sequence[str]) -> list[tuple[int, int, float, float]]:
        """(column, address in qpos, value at 0, value at 1) of everything that the names move."""
        model = self._model
        known = {model.joint(i).name: i for i in range(model.njnt)}
        moves = []
        for column, name in enumerate(names):
            prefix, _, last = name.rpartition("/")
            if last == "gripper":
                fingers = [i for joint, i in known.items() if "finger" in joint
                           and joint.startswith(prefix)]
                moves += [(column, int(model.jnt_qposadr[i]), *_closed_and_open(model.jnt_range[i]))
                          for i in fingers]
                continue
            matches = [i for joint, i in known.items()
                       if joint == name or joint.endswith(f"/{name}")]
            if len(matches) == 1:
                moves.append((column, int(model.jnt_qposadr[matches[0]]), 0.0, 1.0))
        return moves

    def _entity(self, body: int) -> str:
        name = self._model.body(body).name or f"body{body}"
        return WORLD if body == 0 else f"{WORLD}/{name}"

    def _shapes(self, body: int) -> list[tuple[str, Any]]:
        """The body's visible geoms, one archetype for all of a kind."""
        first, count = int(self._model.body_geomadr[body]), int(self._model.body_geomnum[body])
        kinds: dict[str, list[int]] = {}
        for geom in range(first, first + count):
            if self._model.geom_group[geom] < SHOWN_GEOM_GROUPS and self._colour(geom)[3] > 0:
                kinds.setdefault(self._kind(geom), []).append(geom)
        return [shape for kind, geoms in kinds.items() for shape in self._archetypes(kind, geoms)]

    def _archetypes(self, kind: str, geoms: list[int]) -> list[tuple[str, Any]]:
        model = self._model
        size, centers = model.geom_size[geoms], model.geom_pos[geoms]             # (G, 3)
        quaternions = [_xyzw(quat) for quat in model.geom_quat[geoms]]
        colours = [self._colour(geom) for geom in geoms]
        solid = rr.components.FillMode.Solid
        if kind in ("box", "plane"):
            if kind == "plane":
                flat = np.where(size[:, :2] > 0, size[:, :2], PLANE_HALF_M)
                size = np.column_stack([flat, np.full(len(geoms), PLANE_HALF_THICKNESS_M)])
            return [("boxes" if kind == "box" else "planes", rr.Boxes3D(
                half_sizes=size, centers=centers, colors=colours, quaternions=quaternions,
                fill_mode=solid))]
        if kind in ("sphere", "ellipsoid"):
            half = np.repeat(size[:, :1], 3, axis=1) if kind == "sphere" else size
            return [(f"{kind}s", rr.Ellipsoids3D(
                half_sizes=half, centers=centers, colors=colours, quaternions=quaternions,
                fill_mode=solid))]
        if kind == "cylinder":
            return [("cylinders", rr.Cylinders3D(
                lengths=2 * size[:, 1], radii=size[:, 0], centers=centers, colors=colours,
                quaternions=quaternions, fill_mode=solid))]
        if kind == "capsule":
            # Rerun's capsule starts at its origin, MuJoCo's is centred on it.
            starts = [centre - size[i, 1] * _z_axis(model.geom_quat[geom])
                      for i, (centre, geom) in enumerate(zip(centers, geoms, strict=True))]
            return [("capsules", rr.Capsules3D(
                lengths=2 * size[:, 1], radii=size[:, 0], translations=starts, colors=colours,
                quaternions=quaternions, fill_mode=solid))]
        if kind == "mesh":
            return [(f"mesh{geom}", self._mesh(geom)) for geom in geoms]
        return []       # height fields and signed distance fields: no robot of ours has one

    def _mesh(self, geom: int) -> rr.Mesh3D:
        model, mesh = self._model, int(self._model.geom_dataid[geom])
        vertices = slice(model.mesh_vertadr[mesh],
                         model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh])
        faces = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
        rotation = np.empty(9)
        self._mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
        points = model.mesh_vert[vertices] @ rotation.reshape(3, 3).T + model.geom_pos[geom]
        return rr.Mesh3D(vertex_positions=points, triangle_indices=model.mesh_face[faces],
                         albedo_factor=self._colour(geom))

    def _kind(self, geom: int) -> str:
        geom_type = self._mujoco.mjtGeom(int(self._model.geom_type[geom]))
        return geom_type.name.removeprefix("mjGEOM_").lower()

    def _colour(self, geom: int) -> tuple[int, int, int, int]:
        material = int(self._model.geom_matid[geom])
        rgba = self._model.mat_rgba[material] if material >= 0 else self._model.geom_rgba[geom]
        red, green, blue, alpha = (round(255 * float(part)) for part in np.clip(rgba, 0, 1))
        return red, green, blue, alpha


def _xyzw(quaternion_wxyz: np.ndarray) -> np.ndarray:
    """Rerun's order of a quaternion's parts."""
    return np.roll(quaternion_wxyz, -1, axis=-1)


def _z_axis(quaternion_wxyz: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternion_wxyz
    return np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])


def _closed_and_open(limits: np.ndarray) -> tuple[float, float]:
    """A finger is closed at the end of its range that is nearer to zero."""
    low, high = float(limits[0]), float(limits[1])
    return (low, high) if abs(low) <= abs(high) else (high, low)

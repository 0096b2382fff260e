"""A robot's URDF or MJCF as the station needs it: one text, its joints' limits, and its tool.

Reads a file, keeps the kinematics and drops what needs other files (meshes, textures); links that
are bare then get a thin capsule, so that a viewer still shows an arm. Knows MuJoCo; refuses to
know which robot it is, units on a bus, and how fast anything may move.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import mujoco
import numpy as np

from studio.devices.interfaces import DeviceError

TOOL = "tool"
_TOOL_NAMES = (TOOL, "gripperframe", "gripper_frame_link", "tcp", "grasp_frame", "end_effector")
_THIN_M, _SHORT_M = 0.008, 0.005
_MODELS = Path(__file__).parent / "models"
_OWN = {"so101_follower": "so101.xml"}


class RobotModel(msgspec.Struct, frozen=True):
    """What a model says about an arm of D - 1 joints.

    Attributes:
        xml: MJCF that needs no other files.
        joints: names in it, in the robot's order.
        lower, upper: (D - 1,) rad.
        home: (D - 1,) the posture that inverse kinematics prefers: the keyframe "home", or the
            middle of every range.
        tool_site: name in it.
        low, high: corners of the box that the tool can reach, in m, from the base.
    """

    xml: str
    joints: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    home: tuple[float, ...]
    tool_site: str
    low: tuple[float, float, float]
    high: tuple[float, float, float]


def own_model(robot: str) -> Path | None:
    """The file that comes with the studio for a LeRobot type; None if there is none."""
    return _MODELS / _OWN[robot] if robot in _OWN else None


def load_model(path: Path, joints: Sequence[str], tool: str = "") -> RobotModel:
    """Read a robot's model.

    Args:
        path: URDF or MJCF.
        joints: names in the file, from the base to the tool.
        tool: a site, body or link in the file; empty looks for one by its usual names.

    Raises:
        DeviceError: no such file, not a model, or a name that it has not; lists those it has.
    """
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except (ValueError, OSError) as error:
        raise DeviceError(f"{path} is no URDF or MJCF that can be read: "
                          f"{' '.join(str(error).split())}") from error
    spec.compiler.fusestatic = False        # a URDF's tool is often a link without a joint
    known = [joint.name for joint in spec.joints]
    if missing := [name for name in joints if name not in known]:
        raise DeviceError(f"{path.name} has no joint {', '.join(missing)}: it has "
                          f"{', '.join(known)}; say which is which with the field joints")
    site = _tool_site(spec, path.name, tool)
    _drop_what_needs_files(spec)
    _give_every_body_a_shape(spec)
    try:
        model = spec.compile()
    except ValueError as error:
        raise DeviceError(f"{path} cannot be used: {' '.join(str(error).split())}") from error
    indices = [model.joint(name).id for name in joints]
    if unlimited := [name for name, i in zip(joints, indices, strict=True)
                     if not model.jnt_limited[i]]:
        raise DeviceError(f"{path.name} says not how far {', '.join(unlimited)} may turn: give "
                          "these joints a range")
    lower, upper = model.jnt_range[indices].T
    addresses = model.jnt_qposadr[indices]
    home = _home(model, addresses, lower, upper)
    low, high = _reach(model, addresses, lower, upper, site)
    return RobotModel(
        xml=spec.to_xml(), joints=tuple(joints), lower=tuple(lower.tolist()),
        upper=tuple(upper.tolist()), home=tuple(home.tolist()), tool_site=site,
        low=(low[0], low[1], low[2]), high=(high[0], high[1], high[2]))


class ToolFrame:
    """Where the tool is, and how fast: forward kinematics for the robot's own samples."""

    def __init__(self, model: RobotModel) -> None:
        self._model = mujoco.MjModel.from_xml_string(model.xml)
        self._data = mujoco.MjData(self._model)
        self._addresses = [self._model.joint(name).qposadr[0] for name in model.joints]
        self._dofs = [self._model.joint(name).dofadr[0] for name in model.joints]
        self._site = self._model.site(model.tool_site).id
        self._moves, self._turns = np.zeros((2, 3, self._model.nv))

    def at(self, angles: np.ndarray, velocities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pose (7,) world_from_tool and twist (6,) in the world frame, of joints (D - 1,)."""
        self._data.qpos[self._addresses] = angles
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, self._moves, self._turns, self._site)
        pose = np.empty(7)
        pose[:3] = self._data.site_xpos[self._site]
        mujoco.mju_mat2Quat(pose[3:], self._data.site_xmat[self._site])
        twist = np.concatenate((self._moves[:, self._dofs] @ velocities,
                                self._turns[:, self._dofs] @ velocities))
        return pose, twist


def _tool_site(spec: mujoco.MjSpec, file: str, tool: str) -> str:
    sites = [site.name for site in spec.sites if site.name]
    bodies = [body.name for body in spec.bodies if body.name not in ("", "world")]
    for name in (tool,) if tool else _TOOL_NAMES:
        if name in sites:
            return name
        if name in bodies:
            spec.body(name).add_site(name=f"{name}_site", size=(_SHORT_M, 0, 0))
            return f"{name}_site"
    named = f"has no site or link '{tool}'" if tool else "does not say where its tool is"
    raise DeviceError(f"{file} {named}: name one with the field tool; it has "
                      f"{', '.join(sites + bodies)}")


def _drop_what_needs_files(spec: mujoco.MjSpec) -> None:
    needy = (mujoco.mjtGeom.mjGEOM_MESH, mujoco.mjtGeom.mjGEOM_HFIELD)
    for geom in list(spec.geoms):
        if geom.type in needy:
            spec.delete(geom)
        else:
            geom.material = ""
    for group in (spec.meshes, spec.hfields, spec.skins, spec.materials, spec.textures):
        for element in list(group):
            spec.delete(element)


def _give_every_body_a_shape(spec: mujoco.MjSpec) -> None:
    """A capsule from a bare link to each of its children; a short one at the end of the arm."""
    for body in spec.bodies:
        if body.name == "world" or body.geoms:
            continue
        ends = [child.pos for child in body.bodies if np.linalg.norm(child.pos) > _SHORT_M]
        for end in ends or [np.array([0.0, 0.0, 2 * _SHORT_M])]:
            body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=(_THIN_M, 0, 0),
                          fromto=(0, 0, 0, *end), contype=0, conaffinity=0)


def _home(model: mujoco.MjModel, addresses: np.ndarray, lower: np.ndarray, upper: np.ndarray
          ) -> np.ndarray:
    keys = [model.key(i).name for i in range(model.nkey)]
    found = model.key_qpos[keys.index("home")][addresses] if "home" in keys else (lower + upper) / 2
    return np.clip(found, lower, upper)


def _reach(model: mujoco.MjModel, addresses: np.ndarray, lower: np.ndarray, upper: np.ndarray,
           site: str) -> tuple[list[float], list[float]]:
    """Corners of the box around where the tool comes in ten thousand postures; the floor is the
    base's."""
    data, found = mujoco.MjData(model), np.empty((10_000, 3))
    index = model.site(site).id
    for row, share in zip(found, np.random.default_rng(0).random((len(found), len(lower))),
                          strict=True):
        data.qpos[addresses] = lower + share * (upper - lower)
        mujoco.mj_kinematics(model, data)
        row[:] = data.site_xpos[index]
    return ([*found.min(axis=0)[:2].tolist(), max(0.0, float(found[:, 2].min()))],
            found.max(axis=0).tolist())

"""From tool poses to joints and back, for any robot that comes with an MJCF.

Forward kinematics is MuJoCo's; inverse kinematics is mink's differential QP (a frame task, a weak
posture task towards home, joint limits). Knows nothing of time limits or safety: what it returns
is a wish that the safety layer may slow down or refuse.
"""

import warnings

import mink
import mujoco
import numpy as np

from studio.devices.interfaces import RobotInfo

SOLVER = "daqp"
POSITION_COST = 1.0          # per metre
ORIENTATION_COST = 0.3       # per rad: a tool 3 cm off matters as much as one 6 degrees off
FREE_JOINTS = 6              # an arm with fewer cannot have both: where the tool is goes before …
YIELDING_COST = 0.02         # … how it is turned, which then costs less than a millimetre
OUT_OF_REACH_DAMPING = 10.0  # of such an arm, per square of its error: keeps a stretched elbow calm
POSTURE_COST = 3e-3          # only decides what the task leaves open (the elbow)
DAMPING = 1e-6


def arm_only_model(info: RobotInfo) -> mujoco.MjModel:
    """The robot's MJCF without what its joints do not carry: furniture, cubes, cameras on stands.

    Raises:
        ValueError: if a joint or the tool's site is not in the model.
    """
    spec = mujoco.MjSpec.from_string(info.model_xml)
    names = {joint.name for joint in spec.joints}
    if missing := [name for name in info.arm_joints if name not in names]:
        raise ValueError(f"joints {missing} are not in the robot's model; it has {sorted(names)}")
    for group in (spec.keys, spec.sensors, spec.actuators, spec.equalities, spec.tendons,
                  spec.excludes, spec.pairs):
        for element in list(group):
            spec.delete(element)
    for body in list(spec.worldbody.bodies):
        carried = {joint.name for joint in body.find_all("joint")}
        if carried.isdisjoint(info.arm_joints):
            spec.delete(body)
    return spec.compile()


class ArmKinematics:
    """Forward and inverse kinematics of one arm.

    Poses are world_from_tool as (7,): x y z in metres, then qw qx qy qz. Joint vectors are (D,)
    with the gripper last; it takes no part in kinematics.
    """

    def __init__(self, info: RobotInfo) -> None:
        model = arm_only_model(info)
        self._configuration = mink.Configuration(model)
        self._addresses = np.array([model.joint(name).qposadr[0] for name in info.arm_joints])
        self._dofs = np.array([model.joint(name).dofadr[0] for name in info.arm_joints])
        self._site = model.site(info.tool_site).id
        free = len(info.arm_joints) >= FREE_JOINTS
        self._tool = mink.FrameTask(info.tool_site, "site", position_cost=POSITION_COST,
                                    orientation_cost=ORIENTATION_COST if free else YIELDING_COST,
                                    lm_damping=0.0 if free else OUT_OF_REACH_DAMPING)
        self.max_velocity = np.asarray(info.max_velocity[:-1])
        """(D - 1,) of the joints, as the robot declares."""
        self._posture = mink.PostureTask(model, cost=POSTURE_COST)
        self._limits = [mink.ConfigurationLimit(model)]
        self._home = np.asarray(info.home[:-1])
        self._set(np.asarray(info.home))
        self._posture.set_target(self._configuration.q)
        self._jacobian_p = np.zeros((3, model.nv))

    def forward(self, position: np.ndarray) -> np.ndarray:
        """The tool's pose (7,) at joint positions (D,)."""
        self._set(position)
        return self._pose()

    def inverse(self, near: np.ndarray, pose: np.ndarray, dt_s: float) -> np.ndarray:
        """Joint positions (D,) a small step from `near` whose tool is as close to `pose` as one
        step brings it; the gripper is copied. If no step exists, `near` itself.
        """
        self._set(near)
        self._tool.set_target(mink.SE3(np.concatenate((pose[3:], pose[:3]))))
        try:
            with warnings.catch_warnings():     # daqp says so when it stops early: we just go on
                warnings.simplefilter("ignore")
                velocity = mink.solve_ik(self._configuration, [self._tool, self._posture], dt_s,
                                         SOLVER, damping=DAMPING, limits=self._limits)
        except mink.NoSolutionFound:
            return near.copy()
        wanted = near.copy()
        wanted[:-1] += velocity[self._dofs] * dt_s
        return wanted

    def tool_speed(self, position: np.ndarray, velocity: np.ndarray) -> float:
        """Speed of the tool in m/s at joint positions and velocities (D,)."""
        self._set(position)
        model, data = self._configuration.model, self._configuration.data
        mujoco.mj_jacSite(model, data, self._jacobian_p, None, self._site)
        return float(np.linalg.norm(self._jacobian_p[:, self._dofs] @ velocity[:-1]))

    def _set(self, position: np.ndarray) -> None:
        q = self._configuration.q.copy()
        q[self._addresses] = position[:-1]
        self._configuration.update(q)

    def _pose(self) -> np.ndarray:
        data = self._configuration.data
        pose = np.empty(7)
        pose[:3] = data.site_xpos[self._site]
        mujoco.mju_mat2Quat(pose[3:], data.site_xmat[self._site])
        return pose


def turn(quaternion: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """A quaternion (4,) turned by a rotation vector (3,) in rad, given in the world frame."""
    angle = float(np.linalg.norm(rotation))
    if angle < 1e-12:
        return quaternion
    step, turned = np.empty(4), np.empty(4)
    mujoco.mju_axisAngle2Quat(step, rotation / angle, angle)
    mujoco.mju_mulQuat(turned, step, quaternion)
    return turned / np.linalg.norm(turned)


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    """The angle in rad between two orientations, quaternions (4,)."""
    return 2.0 * float(np.arccos(np.clip(abs(a @ b), 0.0, 1.0)))


def between(here: np.ndarray, there: np.ndarray, share: float) -> np.ndarray:
    """The pose (7,) that lies a share of the way from one pose (7,) to another."""
    if share >= 1.0:
        return there.copy()
    back, way, rotation = np.empty(4), np.empty(4), np.empty(3)
    mujoco.mju_negQuat(back, here[3:])
    mujoco.mju_mulQuat(way, there[3:], back)
    mujoco.mju_quat2Vel(rotation, way, 1.0)
    return np.concatenate((here[:3] + share * (there[:3] - here[:3]),
                           turn(here[3:], share * rotation)))

"""What can be read off the simulated scene: the arm's joints, its tool, and where things lie.

Knows the names in the model and MuJoCo's data. Refuses to step the physics, to judge, and to know
about time. Everything is computed anew from `data`, so it belongs to whatever state that is in.
"""

import mujoco
import numpy as np

from studio.sim.arm_model import FINGER_TRAVEL_M, N_JOINTS
from studio.sim.scene import ARM_NAME, OBJECT_NAMES


class SceneReadings:
    """The scene's proprioception and the poses of its objects.

    Attributes:
        model, data: MuJoCo's.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        joints = [model.joint(f"{ARM_NAME}/joint{i + 1}") for i in range(N_JOINTS)]
        self._arm_qpos = np.array([joint.qposadr[0] for joint in joints])
        self._arm_dof = np.array([joint.dofadr[0] for joint in joints])
        fingers = [model.joint(f"{ARM_NAME}/finger_{side}") for side in ("left", "right")]
        self._finger_qpos = np.array([finger.qposadr[0] for finger in fingers])
        self._finger_dof = np.array([finger.dofadr[0] for finger in fingers])
        self._tool = model.site(f"{ARM_NAME}/tool").id
        self._object_bodies = [model.body(name).id for name in OBJECT_NAMES[:-1]]
        self._handle = model.site(OBJECT_NAMES[-1]).id

    @property
    def position(self) -> np.ndarray:
        """(8,) joints in rad, then the gripper's opening 0..1."""
        opening = self.data.qpos[self._finger_qpos].mean() / FINGER_TRAVEL_M
        return np.append(self.data.qpos[self._arm_qpos], opening)

    @property
    def velocity(self) -> np.ndarray:
        """(8,) rad/s, and 1/s for the gripper."""
        opening_rate = self.data.qvel[self._finger_dof].mean() / FINGER_TRAVEL_M
        return np.append(self.data.qvel[self._arm_dof], opening_rate)

    @property
    def effort(self) -> np.ndarray:
        """(8,) what the motors gave in the last step: N·m, and N for the gripper."""
        return self.data.actuator_force.copy()

    @property
    def tool_pose(self) -> np.ndarray:
        """(7,) x y z in m and w x y z of the tool in the world."""
        pose = _site_pose(self.data, self._tool)
        # Pointing down, w is zero and its sign would flicker: x >= 0 is as good a half.
        return pose if pose[4] >= 0 else np.concatenate([pose[:3], -pose[3:]])

    @property
    def tool_twist(self) -> np.ndarray:
        """(6,) linear m/s, then angular rad/s, of the tool in the world."""
        twist = np.empty(6)
        mujoco.mj_objectVelocity(self.model, self.data, mujoco.mjtObj.mjOBJ_SITE, self._tool,
                                 twist, 0)
        return np.concatenate([twist[3:], twist[:3]])

    @property
    def objects(self) -> np.ndarray:
        """(n, 7) poses in the order of `OBJECT_NAMES`: x y z in m, w x y z."""
        poses = np.empty((len(OBJECT_NAMES), 7))
        poses[:-1, :3] = self.data.xpos[self._object_bodies]
        poses[:-1, 3:] = self.data.xquat[self._object_bodies]
        poses[-1] = _site_pose(self.data, self._handle)
        return poses


def _site_pose(data: mujoco.MjData, site: int) -> np.ndarray:
    pose = np.empty(7)
    pose[:3] = data.site_xpos[site]
    mujoco.mju_mat2Quat(pose[3:], data.site_xmat[site])
    return pose

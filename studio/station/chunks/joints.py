"""Targets of either action space on one arm: what it was told, as a target, and back as joints.

Knows an arm's kinematics and workspace; knows no chunk, no time and no mode.
"""

import numpy as np

from policy import rotations
from policy.interfaces import ActionSpace
from studio.station.chunks.ways import POSE
from studio.station.loop.kinematics import ArmKinematics, angle_between
from studio.station.loop.safety import SafetyLimits

STEPS_OF_IK = 4             # at most, per tick; one is enough while a chunk runs smoothly
NEAR_M, NEAR_RAD = 2e-4, 2e-3


class ChunkJoints:
    """Leads one arm to targets.

    Args:
        kinematics: of that arm.
        limits: the workspace that tool targets are kept in.
        dt_s: the control loop's period.
    """

    def __init__(self, kinematics: ArmKinematics, limits: SafetyLimits, dt_s: float) -> None:
        self._kinematics, self._dt_s = kinematics, dt_s
        self._low, self._high = np.array(limits.workspace_low), np.array(limits.workspace_high)
        self._solution: np.ndarray | None = None

    def release(self) -> None:
        """The next target is looked for from what is commanded."""
        self._solution = None

    def in_space(self, space: ActionSpace, joints: np.ndarray) -> np.ndarray:
        """Joints (D,) as a target of a space: (8,) or (D,)."""
        if space == "joints":
            return joints.copy()
        return np.append(self._kinematics.forward(joints), joints[-1])

    def bounded(self, space: ActionSpace, targets: np.ndarray, base: np.ndarray) -> np.ndarray:
        """Targets (H, A) inside the workspace; from a base (A,) outside it they may lead in."""
        targets = np.array(targets, dtype=float)
        targets[:, -1] = np.clip(targets[:, -1], 0.0, 1.0)
        if space == "tool":
            targets[:, :3] = np.clip(targets[:, :3], np.minimum(self._low, base[:3]),
                                     np.maximum(self._high, base[:3]))
            targets[:, 3:POSE] = rotations.normalised(targets[:, 3:POSE])
        return targets

    def at(self, space: ActionSpace, target: np.ndarray, commanded: np.ndarray) -> np.ndarray:
        """Joint positions (D,) at a target, found from the last ones."""
        if space == "joints":
            return target
        near = commanded if self._solution is None else self._solution
        for _ in range(STEPS_OF_IK):
            near = self._kinematics.inverse(near, target[:POSE], self._dt_s)
            tool = self._kinematics.forward(near)
            if (np.linalg.norm(tool[:3] - target[:3]) < NEAR_M
                    and angle_between(tool[3:], target[3:POSE]) < NEAR_RAD):
                break
        self._solution = near
        return np.append(near[:-1], target[-1])

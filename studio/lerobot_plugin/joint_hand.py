"""From a hand's twist to joint targets, for programs whose robots know joints alone.

LeRobot's commands give a teleoperator nothing of the robot, so the targets go on from the last
ones, and begin where the arm rests after a reset. Knows kinematics; knows no device.
"""

import numpy as np

from recorders.clock import NS_PER_S
from studio.devices.interfaces import HumanInput, RobotInfo
from studio.station.loop.kinematics import ArmKinematics, turn

LONGEST_S = 0.1             # a program that paused does not make the arm jump


class JointHand:
    """Joint targets that follow a hand.

    Args:
        info: of the robot.

    Attributes:
        target: (D,) rad, the gripper 0..1.
    """

    def __init__(self, info: RobotInfo) -> None:
        self._kinematics = ArmKinematics(info)
        self._lower, self._upper = np.asarray(info.lower), np.asarray(info.upper)
        self.target = np.asarray(info.home, float).copy()
        self._stamp_ns: int | None = None

    def follow(self, given: HumanInput, now_ns: int) -> np.ndarray:
        """(D,) targets after what the hand does now."""
        since_s = 0.0 if self._stamp_ns is None else (now_ns - self._stamp_ns) / NS_PER_S
        self._stamp_ns, since_s = now_ns, min(since_s, LONGEST_S)
        if given.enabled and since_s > 0:
            pose = self._kinematics.forward(self.target)
            pose[:3] += given.twist[:3] * since_s
            pose[3:] = turn(pose[3:], given.twist[3:] * since_s)
            wanted = self._kinematics.inverse(self.target, pose, since_s)
            most = self._kinematics.max_velocity * since_s
            step = np.clip(wanted[:-1] - self.target[:-1], -most, most)
            self.target[:-1] = self.target[:-1] + step
        if given.gripper is not None:
            self.target[-1] = given.gripper
        self.target = np.clip(self.target, self._lower, self._upper)
        return self.target

"""From a person's hand to a wish in joints, without a jump when the hand takes hold.

A twist device (SpaceMouse, gamepad, keys) steers a tool target that starts, each time the clutch
closes, where the arm was last *commanded* to be; a leader arm's absolute joints are followed with
an offset that decays. Open clutch: no wish, the arm holds. Knows no device and no mode.
"""

import numpy as np

from studio.devices.interfaces import HumanInput
from studio.station.loop.kinematics import ArmKinematics, angle_between, between, turn
from studio.station.loop.safety import SafetyLimits

LEAD_M = 0.05               # how far the target may run ahead of the arm: a blocked arm must not
LEAD_RAD = 0.35             # store up a lunge
LEADER_DECAY_S = 0.4        # in which a leader's offset falls to 1/e
PACE = 0.9                  # of a joint's fastest motion: the share that a hand may ask for
SLACK_M, SLACK_RAD = 0.01, 0.1      # how far the target may be from what the arm can reach at all


class Clutch:
    """Keeps what a hand has asked for since it took hold."""

    def __init__(self, kinematics: ArmKinematics, limits: SafetyLimits, dt_s: float) -> None:
        self._kinematics, self._dt_s = kinematics, dt_s
        self._low, self._high = np.array(limits.workspace_low), np.array(limits.workspace_high)
        self._solution: np.ndarray | None = None
        self._leader_offset: np.ndarray | None = None
        self._gripper: float | None = None
        self.target: np.ndarray | None = None
        """world_from_tool (7,) that a twist device steers; None while the clutch is open."""

    def release(self) -> None:
        """Forget the target; the next input starts from the command of that moment."""
        self.target = self._solution = self._leader_offset = self._gripper = None

    def wish(self, human: HumanInput, commanded: np.ndarray) -> np.ndarray | None:
        """Joint wish (D,) for this tick, or None if the hand asks for nothing.

        Args:
            human: the newest input, already checked for age.
            commanded: (D,) what the robot was last told.
        """
        if human.gripper is not None:
            self._gripper = human.gripper
        if not human.enabled:
            self.target = self._solution = self._leader_offset = None
            moving = self._gripper is not None and abs(self._gripper - commanded[-1]) > 1e-3
            return self._with_gripper(commanded) if moving else None
        if human.joints is not None:
            return self._follow_leader(human.joints, commanded)
        return self._follow_twist(human.twist, commanded)

    def _follow_twist(self, twist: np.ndarray, commanded: np.ndarray) -> np.ndarray:
        here = self._kinematics.forward(commanded)
        if self.target is None or self._solution is None:
            self.target, self._solution = here, commanded.copy()
        target = self.target.copy()
        target[:3] += twist[:3] * self._dt_s
        target[:3] = np.clip(target[:3], np.minimum(self._low, here[:3]),
                             np.maximum(self._high, here[:3]))
        target[3:] = turn(target[3:], twist[3:] * self._dt_s)
        target = self._keep_lead(target, here)
        step = self._kinematics.inverse(self._solution, target, self._dt_s) - self._solution
        slower = self._slowdown(step)
        self._solution = self._solution + slower * step
        self.target = self._reachable(between(self.target, target, slower),
                                      self._kinematics.forward(self._solution))
        return self._with_gripper(self._solution)

    def _slowdown(self, step: np.ndarray) -> float:
        """The factor by which the whole motion slows down, because a joint cannot keep up.

        The nearer a posture is to a singular one, the more its joints must turn for the same motion
        of the tool: so the tool slows down as it gets there, and stays on its way.
        """
        pace = float(np.max(np.abs(step[:-1]) / (self._kinematics.max_velocity * self._dt_s)))
        return min(1.0, PACE / pace) if pace > 0.0 else 1.0

    def _reachable(self, target: np.ndarray, reached: np.ndarray) -> np.ndarray:
        """The target, held back to what the arm reaches: a hand that goes on pushing against the
        end of its reach must not have to come back the same way."""
        ahead = target[:3] - reached[:3]
        if (distance := float(np.linalg.norm(ahead))) > SLACK_M:
            target[:3] = reached[:3] + ahead * (SLACK_M / distance)
        if (angle := angle_between(target[3:], reached[3:])) > SLACK_RAD:
            target[3:] = between(reached, target, SLACK_RAD / angle)[3:]
        return target

    def _keep_lead(self, target: np.ndarray, here: np.ndarray) -> np.ndarray:
        """The target, held back to within reach of where the arm is commanded to be."""
        ahead = target[:3] - here[:3]
        distance = float(np.linalg.norm(ahead))
        if distance > LEAD_M:
            target[:3] = here[:3] + ahead * (LEAD_M / distance)
        if self.target is not None and angle_between(target[3:], here[3:]) > LEAD_RAD:
            target[3:] = self.target[3:]
        return target

    def _follow_leader(self, joints: np.ndarray, commanded: np.ndarray) -> np.ndarray:
        if self._leader_offset is None:
            self._leader_offset = commanded - joints
        self._leader_offset = self._leader_offset * np.exp(-self._dt_s / LEADER_DECAY_S)
        wish = joints + self._leader_offset
        wish[-1] = joints[-1]
        return wish

    def _with_gripper(self, position: np.ndarray) -> np.ndarray:
        wish = position.copy()
        if self._gripper is not None:
            wish[-1] = self._gripper
        return wish

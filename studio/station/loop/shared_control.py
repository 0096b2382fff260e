"""One arm, two drivers: which axes of the tool the person moves, which the policy, and which both.

Shares are per axis of the tool in the world frame: 1 is the person's alone, 0 the policy's alone.
An axis that the policy owns goes where the policy's plan is; an axis that both move is moved by the
weighted sum of both motions (linear blending, after Dragan & Srinivasa 2013, "A policy-blending
formalism for shared control"), because a plan is a place that would pull back against the hand. The
gripper is never blended: it is the policy's until the person presses it.
Knows poses and joints; knows no mode, no device and no chunk.
"""

import msgspec
import mujoco
import numpy as np

from studio.devices.interfaces import HumanInput
from studio.station.loop.clutch import LEAD_M
from studio.station.loop.kinematics import ArmKinematics, turn
from studio.station.loop.safety import SafetyLimits

AXES = ("x", "y", "z", "roll", "pitch", "yaw")
ALONE = (1.0,) * len(AXES)


class Sharing(msgspec.Struct, frozen=True):
    """What a person gets when they step in while a policy drives.

    Attributes:
        human: share of the person in each of AXES, 0 to 1; all ones: the whole arm.
        hand_back: the policy goes on by itself once the device is let go; otherwise the arm holds
            until it is told to.
    """

    human: tuple[float, ...] = ALONE
    hand_back: bool = True

    @property
    def whole(self) -> bool:
        """Whether the person takes the whole arm."""
        return min(self.human) >= 1.0


def refusal_of_sharing(sharing: Sharing) -> str:
    """Why it cannot be; empty if it can."""
    if len(sharing.human) != len(AXES) or not all(0.0 <= s <= 1.0 for s in sharing.human):
        return f"shares are {len(AXES)} numbers from 0 (the policy's) to 1 (yours): {AXES}"
    if not any(sharing.human):
        return "no axis is yours: to let the policy drive alone, let go of the device"
    return ""


class SharedControl:
    """Moves one target for two drivers, from where the arm was commanded when they began."""

    def __init__(self, kinematics: ArmKinematics, limits: SafetyLimits, dt_s: float) -> None:
        self._kinematics, self._dt_s = kinematics, dt_s
        self._low, self._high = np.array(limits.workspace_low), np.array(limits.workspace_high)
        self.release()

    def release(self) -> None:
        """Forget the target; the next wish starts from the command of that moment."""
        self.solution: np.ndarray | None = None     # (D,) where both together asked the arm to be
        self._target = self._planned = self._led = self._gripper = None
        self._plan: object = None

    def wish(self, human: HumanInput, led: np.ndarray | None, planned: np.ndarray | None,
             plan: object, commanded: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Joint wish (D,) of both for this tick.

        Args:
            human: what the person does; its twist counts unless it speaks in joints, …
            led: … when this counts: (D,) where the person's leader arm leads.
            planned: (D,) where the policy wants the arm to be now; None: it has no plan yet.
            plan: to which chunk that belongs; between two of them there is no motion.
            commanded: (D,) what the robot was last told.
            share: (6,) of the person, per axis.
        """
        here = self._kinematics.forward(commanded)
        if self._target is None or self.solution is None:
            self._target, self.solution = here, commanded.copy()
        if human.gripper is not None:
            self._gripper = human.gripper
        hand = self._hand(human, led)
        towards, motion = self._policy(planned, plan)
        moved = np.where(share > 0.0, share * hand + (1.0 - share) * motion, towards)
        self._target = self._bounded(self._target, moved, here)
        self.solution = self._kinematics.inverse(self.solution, self._target, self._dt_s)
        self.solution[-1] = (self._gripper if self._gripper is not None else
                             commanded[-1] if planned is None else planned[-1])
        return self.solution.copy()

    def _hand(self, human: HumanInput, led: np.ndarray | None) -> np.ndarray:
        """(6,) how far the person moves the tool in this tick: m, rad."""
        if human.joints is None or led is None:
            return human.twist * self._dt_s
        before, self._led = self._led, self._kinematics.forward(led)
        return np.zeros(6) if before is None else leads(before, self._led)

    def _policy(self, planned: np.ndarray | None, plan: object) -> tuple[np.ndarray, np.ndarray]:
        """(6,) from the target to the plan, and (6,) how far the plan itself moved on."""
        if planned is None or self._target is None:
            self._planned = None
            return np.zeros(6), np.zeros(6)
        pose = self._kinematics.forward(planned)
        before = self._planned if plan is self._plan else None
        self._planned, self._plan = pose, plan
        return leads(self._target, pose), np.zeros(6) if before is None else leads(before, pose)

    def _bounded(self, target: np.ndarray, moved: np.ndarray, here: np.ndarray) -> np.ndarray:
        """The target moved on, inside the workspace and within reach of the arm."""
        moved_on = target.copy()
        moved_on[:3] = np.clip(target[:3] + moved[:3], np.minimum(self._low, here[:3]),
                               np.maximum(self._high, here[:3]))
        ahead = moved_on[:3] - here[:3]
        if (distance := float(np.linalg.norm(ahead))) > LEAD_M:
            moved_on[:3] = here[:3] + ahead * (LEAD_M / distance)
        moved_on[3:] = turn(target[3:], moved[3:])
        return moved_on


def leads(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(6,) what leads from a pose (7,) to another: m, and a rotation vector in rad, both in the
    world frame."""
    back, between, way = np.empty(4), np.empty(4), np.empty(6)
    mujoco.mju_negQuat(back, here[3:])
    mujoco.mju_mulQuat(between, there[3:], back)
    mujoco.mju_quat2Vel(way[3:], between, 1.0)
    way[:3] = there[:3] - here[:3]
    return way

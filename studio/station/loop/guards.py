"""What can go wrong while the arm is driven, looked at once per tick.

Each check turns measurements into a guard flag and, if it must, into an event for the ownership
table with a sentence for the operator. The numbers S2…S13 are those of docs/safety.md. Knows
ages, forces and errors; commands nothing.
"""

from collections import deque

import msgspec
import numpy as np

from recorders.clock import NS_PER_S
from studio.devices.interfaces import DeviceStatus, HumanInput, idle_input
from studio.station.loop.ownership import Event
from studio.station.loop.safety import SafetyLimits
from studio.station.messages import Guard

STALE_HOLD_S = 0.5          # a blip makes the arm brake; half a second of silence needs a person
BACK_OFF_S = 0.3            # how far back along its path the arm goes at once from a hard contact
PATH_S = 3.0                # how far back it goes if that does not help
STUCK_S = 1.0               # pressed for so long with nowhere to go back to: a person must look


class Finding(msgspec.Struct, frozen=True):
    """What the guards say about a tick.

    Attributes:
        flags: all that applies.
        brake: the arm must not follow anybody in this tick.
        back_off: (D,) a posture to retreat to instead, or None.
        event, reason: for the ownership table, or None.
    """

    flags: Guard
    brake: bool
    back_off: np.ndarray | None = None
    event: Event | None = None
    reason: str = ""


class Guards:
    """The checks and the little memory that they need."""

    def __init__(self, limits: SafetyLimits, rate_hz: float, joints: tuple[str, ...]) -> None:
        self._limits, self._period_ns, self._joints = limits, int(NS_PER_S / rate_hz), joints
        self._path: deque[np.ndarray] = deque(maxlen=max(1, int(PATH_S * rate_hz)))
        self._back_off_ticks = int(BACK_OFF_S * rate_hz)
        self._retreat: np.ndarray | None = None
        self._stuck_ns = 0
        self._excused = False
        self._off_track_ns = 0
        self._stale_ns = 0

    def trust(self, human: HumanInput, now_ns: int) -> tuple[HumanInput, Guard]:
        """The human's input, or rest if its device is lost (S4), silent (S2) or mad (S8)."""
        if human.status is not DeviceStatus.OK:
            return idle_input(human.stamp_ns, human.status), Guard.DEVICE_LOST
        if not self._sane(human):
            return idle_input(human.stamp_ns), Guard.REJECTED
        if human.enabled and now_ns - human.stamp_ns > self._limits.input_age_s * NS_PER_S:
            return idle_input(human.stamp_ns), Guard.COMMAND_TIMEOUT
        return human, Guard.NONE

    def inspect(self, now_ns: int, *, fault: str, arm: np.void | None, wrench: np.ndarray | None,
                sent: np.ndarray, driven: bool) -> Finding:
        """Look at a tick before anything is sent.

        Args:
            now_ns: the tick's monotonic stamp.
            fault: the robot's own word; empty if it is well (S11).
            arm: the newest row of the stream `arm`, if any.
            wrench: (6,) of the newest contact row, or None without such a sensor.
            sent: (D,) the previous command.
            driven: whether commands are being sent at all.
        """
        if fault:
            return Finding(Guard.ROBOT_FAULT, True, event=Event.FAULT, reason=fault)
        if stale := self._stale(now_ns, arm, driven):
            return stale
        assert arm is not None
        if lost := self._off_track(arm["position"], sent, driven):
            return lost
        return self._forced(wrench, sent)

    def _sane(self, human: HumanInput) -> bool:
        """S8: finite numbers of the right shape."""
        joints = np.zeros(len(self._joints)) if human.joints is None else human.joints
        gripper = 0.0 if human.gripper is None else human.gripper
        shapes = np.shape(human.twist) == (6,) and np.shape(joints) == (len(self._joints),)
        return shapes and all(bool(np.all(np.isfinite(n))) for n in (human.twist, joints, gripper))

    def forget_path(self) -> None:
        """Start a new history: after a reset the old path leads nowhere."""
        self._path.clear()
        self._retreat, self._excused = None, False
        self._off_track_ns = self._stale_ns = self._stuck_ns = 0

    def _stale(self, now_ns: int, arm: np.void | None, driven: bool) -> Finding | None:
        """S10: no motion on an old picture of the arm."""
        age_ns = now_ns - int(arm["t_mono_ns"]) if arm is not None else NS_PER_S
        if age_ns <= self._limits.observation_age_s * NS_PER_S:
            return None
        if driven and age_ns > STALE_HOLD_S * NS_PER_S:
            return Finding(Guard.STALE_OBSERVATION, True, event=Event.TROUBLE, reason=
                           f"the arm has said nothing for {age_ns / NS_PER_S:.1f} s: check its "
                           "cable and power, then arm again")
        return Finding(Guard.STALE_OBSERVATION, True)

    def _off_track(self, measured: np.ndarray, sent: np.ndarray, driven: bool) -> Finding | None:
        """S13: the arm does not go where it is told."""
        error = np.abs(measured[:-1] - sent[:-1])
        if not driven or float(error.max()) <= self._limits.tracking_error:
            self._off_track_ns = 0
            return None
        self._off_track_ns += self._period_ns
        if self._off_track_ns < self._limits.tracking_time_s * NS_PER_S:
            return None
        self._off_track_ns = 0
        joint = self._joints[int(error.argmax())]
        return Finding(Guard.TRACKING_ERROR, True, event=Event.STOP, reason=
                       f"{joint} is {error.max():.2f} rad from its command: look for an obstacle "
                       "or a motor without torque, then re-arm")

    def _forced(self, wrench: np.ndarray | None, sent: np.ndarray) -> Finding:
        """S9: stop at a hard contact and go back the way the arm came until it eases.

        If the whole way back does not help, a person is asked; once they arm again they may move
        the arm free, and the check sleeps until the force has gone.
        """
        if wrench is None:
            return Finding(Guard.NONE, False)
        force = float(np.linalg.norm(wrench[:3]))
        if force <= self._limits.force_n * self._limits.force_release:
            if self._retreat is not None:
                self._path.clear()
            self._retreat, self._stuck_ns, self._excused = None, 0, False
        elif self._excused:
            return Finding(Guard.FORCE_LIMIT, False)
        elif self._retreat is not None:
            return self._further_back(force)
        elif force > self._limits.force_n:
            back = min(self._back_off_ticks, len(self._path))
            for _ in range(back):
                self._retreat = self._path.pop()
            self._retreat = sent.copy() if self._retreat is None else self._retreat
            return Finding(Guard.FORCE_LIMIT, True, back_off=self._retreat)
        self._path.append(sent.copy())
        return Finding(Guard.NONE, False)

    def _further_back(self, force: float) -> Finding:
        """One tick's worth of the path further, or a person's help at its end."""
        if self._path:
            self._retreat = self._path.pop()
        else:
            self._stuck_ns += self._period_ns
        if self._stuck_ns < STUCK_S * NS_PER_S:
            return Finding(Guard.FORCE_LIMIT, True, back_off=self._retreat)
        self._retreat, self._stuck_ns, self._excused = None, 0, True
        return Finding(Guard.FORCE_LIMIT, True, event=Event.TROUBLE, reason=
                       f"the wrist feels {force:.0f} N and going back does not ease it: look what "
                       "holds the arm, then arm again and move it free")


def wrench_in(contact: np.void | None) -> np.ndarray | None:
    """(6,) of a row of the stream `contact`, or None for a robot that feels none at its wrist."""
    if contact is None or "wrench" not in (contact.dtype.names or ()):
        return None
    return np.asarray(contact["wrench"], dtype=float)

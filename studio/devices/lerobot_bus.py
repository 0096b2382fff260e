"""A LeRobot robot's own thread: reads it, tells it the newest target, and outlives its faults.

A dead servo makes LeRobot's read block for 155 ms and a silent bus for 230 ms, so nobody else may
call it. Newest target in, readings out, neither side waits. When nothing has been read for a while
it says so in one sentence, names the motor where the robot can be asked, and goes on trying; a port
that is gone is opened anew. Knows LeRobot's `Robot`; refuses to know what its numbers are for.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, Clock
from studio.devices.interfaces import DeviceError
from studio.devices.joint_units import POSITION, JointUnits
from studio.devices.reader import RETRY_S

FAULT_NS = 3 * NS_PER_S // 10   # two reads of a bus with a dead servo, which may both be bad luck
KEPT = 64                       # readings that wait for whoever takes them
ANSWER_S = 0.001                # waited for bytes at a time, asleep


class Reading(msgspec.Struct, frozen=True):
    """One reading of the robot.

    Attributes:
        stamp_ns, wall_ns: when it was here.
        seq: counts readings that were tried, so that a gap is one that failed.
        position: (D,) rad, gripper 0..1.
        goal: (D,) what the motors were last told, after the driver's own limits; NaN: nothing yet.
    """

    stamp_ns: int
    wall_ns: int
    seq: int
    position: np.ndarray
    goal: np.ndarray


class LerobotBus:
    """One LeRobot robot; `step` is one round of its thread.

    Args:
        clock: stamps what arrives.
        make: LeRobot's robot, not connected; called again when the port is to be opened anew.
        units: of its joints.
        title: what messages call it.
        remedy: what to do when it cannot be opened, as a clause.
        uncalibrated: what to do when it is not calibrated.
        rate_hz: how often it is read.

    Attributes:
        fault: empty, or one sentence on what is wrong and what to do.
        connected: whether it is open.
        refused: whether trying again to open it is of no use.
    """

    def __init__(self, clock: Clock, make: Callable[[], Any], units: JointUnits, *, title: str,
                 remedy: str, uncalibrated: str, rate_hz: float) -> None:
        self.fault, self.connected, self.refused = "", False, False
        self._clock, self._make, self._units = clock, make, units
        self._title, self._remedy, self._uncalibrated = title, remedy, uncalibrated
        self._period_ns = round(NS_PER_S / rate_hz)
        self._robot: Any = None
        self._target: np.ndarray | None = None      # (D,) replaced whole: no lock is needed
        self._news = threading.Event()
        self._readings: deque[Reading] = deque(maxlen=KEPT)
        self._goal = np.full(len(units.keys), np.nan)
        self._seq = self._due_ns = 0
        self._read_ns = clock.now_ns()              # when it was last read
        self._newest: np.ndarray | None = None
        self._suspicion = ""                        # which motors do not answer, while none is read

    # ---- from any thread -------------------------------------------------------------------------

    def send(self, target: np.ndarray) -> None:
        """Let the robot be told a target (D,) at once; one that was not told yet is forgotten."""
        self._target = target.copy()
        self._news.set()

    def take(self) -> list[Reading]:
        """What was read since the last call."""
        return [self._readings.popleft() for _ in range(len(self._readings))]

    # ---- in its own thread -----------------------------------------------------------------------

    def step(self) -> float:
        """One round: open it, tell it what is new, read it when it is time.

        Returns:
            The pause in s until the next round; the round itself waits for a target or its time.
        """
        try:
            if self._robot is None:
                self._open()
            self._news.wait(max(0, self._due_ns - self._clock.now_ns()) / NS_PER_S)
            self._news.clear()
            self._tell()
            self._read()
            return 0.0
        except Exception as error:      # the worker's outermost edge: drivers raise what they like
            return self._survive(error)

    def release(self) -> None:
        """Hold where it is, and let go of the port; its motors keep their torque."""
        if self._robot is not None and self._newest is not None:
            with suppress(Exception):       # a bus that is gone raises what it likes
                self._robot.send_action(self._units.theirs(self._holding()))
        self._let_go(self._robot)

    def _let_go(self, robot: Any) -> None:
        self._robot, self.connected = None, False
        if robot is not None:
            with suppress(Exception):       # an unplugged bus raises; it is gone either way
                robot.disconnect()

    def _holding(self) -> np.ndarray:
        """(D,) the present posture; the gripper keeps what it grips."""
        assert self._newest is not None
        held = self._newest.copy()
        if np.isfinite(self._goal[-1]):
            held[-1] = self._goal[-1]
        return held

    def _open(self) -> None:
        robot = self._make()
        try:
            robot.connect(calibrate=False)      # calibrating asks questions; there is nobody here
            if not robot.is_calibrated:
                raise DeviceError(f"{self._title} is not calibrated, or its motors hold another "
                                  f"calibration: {self._uncalibrated}")
            let_sleep(robot)
            self._newest = self._units.ours(robot.get_observation())
            robot.send_action(self._units.theirs(self._newest))
        except Exception:
            self._let_go(robot)
            raise
        self._robot, self._target = robot, None     # targets of before it was lost mean nothing
        self._read_ns = self._due_ns = self._clock.now_ns()
        self.connected, self.fault = True, ""

    def _tell(self) -> None:
        target, self._target = self._target, None
        if target is not None:
            sent = self._robot.send_action(self._units.theirs(target))
            self._goal = self._units.ours(sent)

    def _read(self) -> None:
        if self._clock.now_ns() < self._due_ns:
            return
        self._seq += 1
        position = self._units.ours(self._robot.get_observation())
        now_ns = self._clock.now_ns()
        self._due_ns = max(self._due_ns + self._period_ns, now_ns)
        self._read_ns, self._newest = now_ns, position
        self.fault = self._suspicion = ""
        self._readings.append(Reading(now_ns, self._clock.wall_ns(), self._seq, position,
                                      self._goal))

    def _survive(self, error: Exception) -> float:
        """Say what is wrong once it has lasted; a port that is gone is closed and looked for."""
        if self._robot is None:
            self.refused = isinstance(error, DeviceError)
            self.fault = str(error) if self.refused else (
                f"{self._title} cannot be opened ({_one_line(error)}): {self._remedy}")
            return RETRY_S
        # LeRobot's word for a motor without answer is ConnectionError, and the SDK stumbles over a
        # damaged packet with whatever comes; a port that is gone is the system's own error.
        if _port_is_gone(error):
            self.fault = f"{self._title} is gone ({_one_line(error)}): {self._remedy}"
            self._let_go(self._robot)
            return RETRY_S
        self._suspicion = self._suspicion or self._silent_motors()
        if self._clock.now_ns() - self._read_ns > FAULT_NS:
            self.fault = f"{self._title}: {self._suspicion}"
        return 0.0

    def _silent_motors(self) -> str:
        """Which motors do not answer, where the robot has a bus that can be asked."""
        bus = getattr(self._robot, "bus", None)
        names = [key.removesuffix(POSITION) for key in self._units.keys if key]
        if bus is None or not hasattr(bus, "ping"):
            return f"it does not answer: {self._remedy}"
        silent = [name for name in names if not _answers(bus, name)]
        if not silent:
            return "its motors answer one by one but not together: look for a loose cable"
        if len(silent) == len(names):
            return f"no motor answers: {self._remedy}"
        return (f"{', '.join(silent)} {'does' if len(silent) == 1 else 'do'} not answer: check "
                "the cable from the motor before, and let it cool down")


def _port_is_gone(error: Exception) -> bool:
    of_the_system = isinstance(error, OSError) and not isinstance(error, ConnectionError)
    return of_the_system or type(error).__module__ == "termios"     # which only Unix has


def _answers(bus: Any, name: str) -> bool:
    try:
        return bus.ping(name) is not None
    except (IndexError, TypeError, ValueError):     # a damaged answer is one
        return True


def let_sleep(device: Any) -> None:
    """Let a bus sleep while it waits for an answer.

    The Feetech and Dynamixel SDKs open their port without a timeout and spin until the answer is
    there. On a busy machine a spinning thread is suspended while it holds Python's lock, and the
    threads that must keep time wait for it.
    """
    serial = getattr(getattr(getattr(device, "bus", None), "port_handler", None), "ser", None)
    if serial is not None and serial.timeout == 0:
        serial.timeout = ANSWER_S


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

"""The process that hosts a LeRobot teleoperator: `python -m studio.devices.leader_process`.

A process of its own, because importing LeRobot costs seconds of a busy interpreter and its bus
reads block for up to a quarter of a second when a servo dies, while the control loop may not be
late by a millisecond. Knows LeRobot. Refuses to know units, clutches and robots: it says what the
teleoperator said.

First line of stdin: a `LeaderRequest` as JSON. On stdout one JSON `LeaderReport` a line: a
reading, or what is wrong, and then it tries again by itself. Ends when stdin ends, that is, with
its parent.
"""

import os
import select
import sys
from typing import Any

import msgspec

from recorders.clock import NS_PER_S, Clock, SystemClock
from studio.devices.interfaces import DeviceError
from studio.devices.lerobot_bus import let_sleep
from studio.devices.lerobot_types import DISCOVER, decode_config, module_names, one_line

RETRY_S = 0.5
_PERCENT = "range_m100_100"             # LeRobot's MotorNormMode


class LeaderRequest(msgspec.Struct, frozen=True):
    """What to open."""

    teleop_type: str                    # as registered in LeRobot: "so101_leader"
    fields: dict[str, Any] = {}         # of its config: {"port": "/dev/ttyACM0", "id": "mine"}
    rate_hz: float = 60.0


class LeaderReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing the process has to say; exactly one field is set, but for `percent`."""

    action: dict[str, float] = {}       # a reading, in LeRobot's names and units
    features: tuple[str, ...] = ()      # connected; the names that readings will have
    percent: tuple[str, ...] = ()       # of these, those read in -100..100 of a range
    lost: str = ""                      # not readable now; it keeps trying
    refused: str = ""                   # never will be: an unknown type or field; the end


class Refused(Exception):
    """The request can never be met."""


def make_teleoperator(request: LeaderRequest) -> Any:
    """LeRobot's teleoperator for a request, not yet connected.

    Raises:
        Refused: naming the valid types or what is wrong with the fields.
    """
    fields = dict(request.fields)
    try:
        plugins = module_names(fields.pop(DISCOVER, ()))
        config = decode_config("teleoperator", request.teleop_type, fields, plugins)
        return _made(request, config)
    except DeviceError as error:
        raise Refused(str(error)) from error
    except (TypeError, ValueError, ImportError) as error:
        raise Refused(f"LeRobot teleoperator '{request.teleop_type}' cannot be had with the fields "
                      f"{request.fields}: {error}") from error


def _made(request: LeaderRequest, config: Any) -> Any:
    from draccus.utils import DraccusException
    from lerobot.teleoperators.utils import make_teleoperator_from_config

    try:
        return make_teleoperator_from_config(config)
    except DraccusException as error:       # it reads its calibration as it is made
        raise Refused(f"{request.teleop_type}: its calibration cannot be read "
                      f"({one_line(error)}): {_calibrating(request)}") from error


def _calibrating(request: LeaderRequest) -> str:
    return f"run lerobot-calibrate --teleop.type={request.teleop_type} with the same port and id"


class LeaderHost:
    """Reads one teleoperator at a rate and reports, through every fault of its bus."""

    def __init__(self, request: LeaderRequest, clock: Clock, report_fd: int) -> None:
        self._request = request
        self._clock = clock
        self._report_fd = report_fd

    def run(self) -> None:
        """Serve until stdin ends."""
        try:
            self._serve()
        except Refused as error:
            self._say(LeaderReport(refused=str(error)))

    def _serve(self) -> None:
        teleop: Any = None
        due_ns = self._clock.now_ns()
        while not self._parent_left(due_ns):
            try:
                if teleop is None:
                    teleop = self._open()
                action = {key: float(value) for key, value in teleop.get_action().items()}
                self._say(LeaderReport(action=action))
            except Refused:
                raise
            except BrokenPipeError:
                break                   # nobody listens any more
            except Exception as error:  # the worker's outermost edge: drivers raise what they like
                self._say(LeaderReport(lost=f"{type(error).__name__}: {error}"))
                self._let_go(teleop)
                teleop = None
            now_ns = self._clock.now_ns()
            pause_s = 1.0 / self._request.rate_hz if teleop is not None else RETRY_S
            due_ns = max(due_ns + int(pause_s * NS_PER_S), now_ns)
        self._let_go(teleop)

    def _open(self) -> Any:
        teleop = make_teleoperator(self._request)
        teleop.connect(calibrate=False)     # calibrating asks questions; there is nobody here
        if not teleop.is_calibrated:
            self._let_go(teleop)
            raise Refused(f"{self._request.teleop_type} is not calibrated: "
                          f"{_calibrating(self._request)}")
        let_sleep(teleop)
        motors = getattr(getattr(teleop, "bus", None), "motors", {})
        self._say(LeaderReport(features=tuple(teleop.action_features), percent=tuple(
            f"{name}.pos" for name, motor in motors.items()
            if motor.norm_mode.value == _PERCENT)))
        return teleop

    def _let_go(self, teleop: Any) -> None:
        if teleop is None:
            return
        try:
            teleop.disconnect()
        except Exception as error:  # closing an unplugged bus raises; it is gone either way
            print(f"while closing: {error}", file=sys.stderr)

    def _parent_left(self, due_ns: int) -> bool:
        """Wait for the next reading's time; True as soon as stdin ends."""
        wait_s = max(0.0, (due_ns - self._clock.now_ns()) / NS_PER_S)
        ready, _, _ = select.select([sys.stdin], [], [], wait_s)
        return bool(ready) and not os.read(sys.stdin.fileno(), 1)

    def _say(self, report: LeaderReport) -> None:
        os.write(self._report_fd, msgspec.json.encode(report) + b"\n")


def main() -> None:
    """Serve the request on the first line of stdin."""
    # Drivers print; stdout carries reports. What they print goes to stderr.
    report_fd = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=LeaderRequest)
    LeaderHost(request, SystemClock(), report_fd).run()


if __name__ == "__main__":
    main()

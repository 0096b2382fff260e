"""The inside of every supervised process: `python -m studio.station.processes.worker NAME ROLE`.

Reads its configuration as one line of JSON from standard input, which then stays open: when it
closes, the supervisor wants the worker to end, or has died; both mean the same here. Standard
output is the wire back to the supervisor (one JSON line a report), so whatever a library prints
goes to standard error instead, where the operator sees it. This file knows no work; it refuses to
restart or to repair anything.
"""

import ctypes
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec

from policy.errors import CheckpointError, TrainingError
from recorders.clock import NS_PER_S, Clock, SystemClock
from recorders.store_errors import StoreError
from studio.devices.interfaces import DeviceError

# A role is a function run(config: bytes, life: Life); its file is imported in its process only.
ROLES = {
    "robot": "studio.station.processes.robot_host:run",
    "station": "studio.station.station_worker:run",
    "recorder": "studio.station.recording.recorder:run",
    "policy": "studio.station.serving.policy_worker:run",
    "rerun": "studio.station.processes.rerun_worker:run",
    "rrd": "studio.station.recording.rrd_worker:run",
    "trainer": "studio.station.training.trainer_worker:run",
    "gate": "studio.station.training.gate_worker:run",
    "console": "studio.console.app:run",
    "web": "studio.web.app:run",
}

_BEAT_NS = NS_PER_S // 5
_PATIENCE_S = 15.0          # a worker that was told to end and does not may not outlive this
_PR_SET_NAME = 15           # prctl; Linux shows up to 15 characters


class Report(msgspec.Struct, frozen=True):
    """What a worker says to its supervisor.

    Attributes:
        kind: "ready" (serving), "beat" (alive), or "failed" (ends, `text` says why).
        text: for the operator.
    """

    kind: Literal["ready", "beat", "failed"]
    text: str = ""


class Life:
    """A worker's tie to its supervisor: whether to go on, and a way to say how it goes.

    Args:
        clock: of this process.
        report: takes one encoded report; must not block.
    """

    def __init__(self, clock: Clock, report: Callable[[bytes], None]) -> None:
        self.clock = clock
        self._report = report
        self._stop = threading.Event()
        self._last_beat_ns = -_BEAT_NS

    @property
    def stopping(self) -> bool:
        """Whether to end: finish what is begun, leave everything safe, return."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask this worker to end."""
        self._stop.set()

    def wait_for_stop(self, timeout_s: float) -> bool:
        """Block until asked to end or the time has passed; whether to end."""
        return self._stop.wait(timeout_s)

    def ready(self, text: str = "") -> None:
        """Say that this worker serves from now on."""
        self._say(Report("ready", text))

    def beat(self) -> None:
        """Say that this worker is alive; to be called every turn of its loop, costs nothing."""
        if self.clock.now_ns() - self._last_beat_ns >= _BEAT_NS:
            self._last_beat_ns = self.clock.now_ns()
            self._say(Report("beat"))

    def failed(self, reason: str) -> None:
        """Say why this worker ends."""
        self._say(Report("failed", reason))

    def _say(self, report: Report) -> None:
        self._report(msgspec.json.encode(report) + b"\n")


def resolve(entry: str) -> Callable[..., object]:
    """The function or class named by "module:name".

    Raises:
        ValueError: there is none such; says what was found.
    """
    module_name, _, name = entry.partition(":")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise ValueError(f"'{entry}' names nothing: {error}; expected module:function") from error


def main() -> int:
    """Process entry point; returns the exit code."""
    name, role = sys.argv[1:]
    reports = _take_standard_output()
    life = Life(SystemClock(), lambda line: _write(reports, line))
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # Ctrl-C is for the supervisor to order
    signal.signal(signal.SIGTERM, lambda *_: life.stop())
    _name_process(f"tandem-{name}")
    config = _read_line(sys.stdin.fileno())
    finished = threading.Event()
    threading.Thread(target=_watch_supervisor, args=(life, finished), name="supervisor-watch",
                     daemon=True).start()
    try:
        resolve(ROLES.get(role, role))(config, life)
    except (CheckpointError, DeviceError, StoreError, TrainingError) as error:  # says what to do
        life.failed(str(error))
        return 1
    except Exception as error:      # outermost edge: the operator gets the reason, then the trace
        traceback.print_exc()
        life.failed(f"{type(error).__name__}: {error}")
        return 1
    finally:
        finished.set()
    return 0


def _take_standard_output() -> int:
    """The pipe to the supervisor; printing goes to standard error from here on."""
    reports = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.set_blocking(reports, False)
    return reports


def _write(pipe: int, line: bytes) -> None:
    """A supervisor that does not read (or is dead) must not hold a worker up."""
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(pipe, line)


def _read_line(pipe: int) -> bytes:
    """One line and no byte more: a thread goes on reading where this stops."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(pipe, 1)
        if not piece:
            break
        line += piece
    return bytes(line)


def _watch_supervisor(life: Life, finished: threading.Event) -> None:
    """Whatever is said after the config asks for the end, in the worker's own time; an input that
    is closed wants it soon."""
    while os.read(sys.stdin.fileno(), 1):
        life.stop()
    life.stop()
    if not finished.wait(_PATIENCE_S):
        os._exit(70)


def _name_process(name: str) -> None:
    """Let `ps` and `top` show who this is; only Linux knows how."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name[:15].encode(), 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())

"""Commands of the studio as processes: their answer, their last line, and a way to stop them all.

Each has a session of its own, so that it is told to stop once, from here. Knows processes and files
of output; knows no experiment.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil

PATIENCE_S = 30.0       # for a process that was asked to stop: a training saves a checkpoint


class CommandFailed(Exception):
    """A command did not do; the message is the last that it said."""


class Stopped(Exception):
    """All was asked to stop."""


class Ran(NamedTuple):
    """What a command answered, and how much time of a core it got, its processes included."""

    answer: dict[str, Any]
    cpu_s: float


class Launcher:
    """Runs commands, from any number of threads.

    Args:
        root: the checkout, where commands begin.
        logs: folder for what they say.
    """

    def __init__(self, root: Path, logs: Path) -> None:
        self._root, self._logs = root, logs
        self._turn, self._stopping = threading.Lock(), False
        self._running: dict[str, tuple[int, threading.Event]] = {}      # process, has ended

    def tandem(self, name: str, words: Sequence[str]) -> Ran:
        """`tandem WORDS --json`; see `python`."""
        return self.python(name, ["-m", "studio.cli", *words])

    def python(self, name: str, words: Sequence[str]) -> Ran:
        """Run `python WORDS`, which prints one JSON object, to its end.

        Args:
            name: of the job, for its log; one command of a name at a time.
            words: behind `python`.

        Raises:
            CommandFailed: it ended with another code than 0, or without its object.
            Stopped: `stop` was called.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        log, out = self.log(name), self.log(name).with_suffix(".out")
        with log.open("wb") as err, out.open("wb") as answer:
            with self._turn:
                if self._stopping:
                    raise Stopped(name)
                process = subprocess.Popen(
                    [sys.executable, *words], cwd=self._root, stdout=answer, stderr=err,
                    stdin=subprocess.DEVNULL, start_new_session=True,
                    env=os.environ | {"OMP_NUM_THREADS": "1"})
                ended = threading.Event()
                self._running[name] = process.pid, ended
            # Ended but not yet waited for: the system still knows what it used.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            cpu_s = sum(psutil.Process(process.pid).cpu_times()[:4])
            with self._turn:
                code = process.wait()
                del self._running[name]
                ended.set()
                if self._stopping:
                    raise Stopped(name)
        if code != 0:
            raise CommandFailed(f"exit code {code}: {_problem(out) or last_line(log)}")
        try:
            return Ran(msgspec.json.decode(out.read_bytes(), type=dict[str, Any]), cpu_s)
        except msgspec.DecodeError as error:
            raise CommandFailed(f"no JSON in {out}: {error}") from None

    def log(self, name: str) -> Path:
        """Where a job's messages go."""
        return self._logs / f"{name.replace('/', '-')}.log"

    def stop(self) -> None:
        """Ask all that runs to stop, as Ctrl-C does; end what does not within a while."""
        with self._turn:
            self._stopping = True
            running = list(self._running.items())
            for _, (pid, _) in running:
                os.kill(pid, signal.SIGTERM)    # SIGINT a shell may have told us to ignore
        for name, (pid, ended) in running:
            if ended.wait(PATIENCE_S):
                continue
            with self._turn:
                if name in self._running:
                    os.killpg(pid, signal.SIGKILL)


def last_line(log: Path) -> str:
    """What a job said last."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _problem(out: Path) -> str:
    try:
        said = msgspec.json.decode(out.read_bytes())
    except (OSError, msgspec.DecodeError):
        return ""
    return str(said.get("error") or said.get("problem") or "") if isinstance(said, dict) else ""

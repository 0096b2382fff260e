"""Long work that a page started: a `tandem` command in a process of its own, and how far it is.

The command is the one a person could type, and is shown. It goes on when the page is closed; it is
ended with the web desk, and what it had not finished leaves nothing behind (the commands see to
that). Knows processes and lines of progress; refuses to know what a command does.
"""

import os
import re
import shlex
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import Literal

import msgspec

from recorders.clock import NS_PER_S, Clock

_STEP = re.compile(r"\[(\d+)/(\d+)\] (.*)")
_LAST_LINES = 3
_PATIENCE_S = 5.0
_KEPT = 20              # finished jobs that are still listed
NICE = 10               # an export must not make the arm's processes wait

JobState = Literal["running", "done", "failed", "cancelled"]


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands.

    Attributes:
        number: counted from 1.
        title: what a person called for.
        command: the same, to be typed.
        done, total: steps; 0 of 0 until the first one is finished.
        said: the newest line.
        seconds: how long it has run, or ran.
    """

    number: int
    title: str
    command: str
    state: JobState
    done: int
    total: int
    said: str
    seconds: float


class Job:
    """One running command. Use `Jobs.start`."""

    def __init__(self, number: int, title: str, words: Sequence[str], steps: int,
                 clock: Clock) -> None:
        self.number, self.title = number, title
        self._command = shlex.join(["tandem", *words])
        self._clock, self._begun_ns, self._ended_ns = clock, clock.now_ns(), 0
        self._done, self._total, self._cancelled = 0, steps, False
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "studio.cli", *words], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
            preexec_fn=_be_nice)
        self._thread = threading.Thread(target=self._hear, name=f"job-{number}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the command works."""
        return self._ended_ns == 0

    def view(self) -> JobView:
        """How far it is."""
        code = self._process.poll()
        state: JobState = ("running" if self.running else "cancelled" if self._cancelled
                           else "done" if code == 0 else "failed")
        end_ns = self._ended_ns or self._clock.now_ns()
        return JobView(
            number=self.number, title=self.title, command=self._command, state=state,
            done=self._done, total=self._total, said=self._lines[-1] if self._lines else "",
            seconds=(end_ns - self._begun_ns) / NS_PER_S)

    def cancel(self) -> None:
        """Ask the command to end as Ctrl-C does; it tidies up."""
        if self.running:
            self._cancelled = True
            self._process.terminate()

    def end(self) -> None:
        """Cancel, and see to it."""
        self.cancel()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._thread.join(_PATIENCE_S)

    def wait(self, timeout_s: float) -> bool:
        """Block until the command has ended or the time has passed; whether it has ended."""
        self._thread.join(timeout_s)
        return not self.running

    def _hear(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if step := _STEP.match(line):
                    self._done, self._total = int(step[1]), int(step[2])
                if line.strip():
                    self._lines.append(step[3] if step else line.strip())
        self._process.wait()
        self._ended_ns = self._clock.now_ns()


class Jobs:
    """All of them; a context manager that ends what still runs.

    Args:
        clock: real time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: list[Job] = []
        self._started = 0

    def __enter__(self) -> "Jobs":
        return self

    def __exit__(self, *_: object) -> None:
        for job in self._jobs:
            job.end()

    def start(self, title: str, words: Sequence[str], steps: int = 0) -> Job:
        """Run `tandem WORDS`.

        Args:
            title: what a person called for.
            words: of the command line, without `tandem`.
            steps: how many are expected, as far as that is known.
        """
        with self._lock:
            self._started += 1
            job = Job(self._started, title, words, steps, self._clock)
            finished = [one for one in self._jobs if not one.running]
            for old in finished[:max(0, len(finished) - _KEPT)]:
                self._jobs.remove(old)
            self._jobs.append(job)
            return job

    def views(self) -> list[JobView]:
        """All, the newest first."""
        return [job.view() for job in reversed(self._jobs)]

    def cancel(self, number: int) -> bool:
        """Cancel a job by its number; whether it was running."""
        found = next((job for job in self._jobs if job.number == number and job.running), None)
        if found is not None:
            found.cancel()
        return found is not None


def _be_nice() -> None:
    """Runs in the child."""
    os.nice(NICE)

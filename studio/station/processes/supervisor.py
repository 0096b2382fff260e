"""Starts the station's processes, watches them, and ends them: every worker has one owner.

A worker ends when its standard input closes, so it ends also when this process is killed; nothing
outlives its supervisor for long. What may be restarted is (a recorder, a viewer), unless its work
was done; what holds or drives an arm never is without a person. This file knows processes and
pipes; it refuses to know what they do.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from recorders.clock import NS_PER_S, Clock
from studio.station.processes.worker import Report

TAIL_LINES = 40             # of a worker's standard error: a traceback and what came before it
RESTARTS = 5                # within a minute; more is no accident
RESTART_WINDOW_NS = 60 * NS_PER_S
DONE = "its work is done"     # the reason of a worker that ended of its own will
SILENT_NS = 5 * NS_PER_S    # a worker beats five times a second


class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A process to run.

    Attributes:
        name: what `ps` and the operator see.
        role: a name in `worker.ROLES`, or "module:function".
        config: anything msgspec can write as JSON; the role reads it.
        restart: start it again when it dies after it was ready; not when its work is done.
        patience_s: between asking it to end and killing it.
        environment: added to ours.
    """

    name: str
    role: str
    config: Any = None
    restart: bool = False
    patience_s: float = 5.0
    environment: dict[str, str] = {}


class WorkerState(msgspec.Struct, frozen=True):
    """How a worker is doing.

    Attributes:
        running: its process lives.
        ready: it said that it serves.
        silent_s: since its last sign of life.
        restarts: how often it was started again.
        reason: why it ended; empty while it runs or when it was asked to end.
        tail: its last lines on standard error.
        said: what it said when it was ready, such as where it listens.
    """

    name: str
    pid: int
    running: bool
    ready: bool
    silent_s: float
    restarts: int
    reason: str
    tail: tuple[str, ...]
    said: str = ""


class WorkerFailed(RuntimeError):
    """A worker ended or did not start; the message holds its own reason."""


class _Child:
    """One process and what it said; `_listen` runs in a thread because reading a pipe blocks."""

    def __init__(self, spec: WorkerSpec, clock: Clock, news: Callable[[str], None]) -> None:
        self.clock, self.news, self.name = clock, news, spec.name
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.ready = threading.Event()
        self.reason = self.said = ""
        self.asked = False              # to end when it can
        self.beat_ns = clock.now_ns()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-X", "faulthandler", "-m", "studio.station.processes.worker",
             spec.name, spec.role],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | spec.environment,
            process_group=0)    # Ctrl-C in the terminal reaches us only, and we end all in order
        self.threads = [threading.Thread(target=listen, name=f"{spec.name}-{what}", daemon=True)
                        for what, listen in (("reports", self._hear_reports),
                                             ("messages", self._hear_messages))]
        for thread in self.threads:
            thread.start()
        self._say(msgspec.json.encode(spec.config) + b"\n")

    def _say(self, line: bytes) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):     # it died at once; its exit tells more
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def _hear_reports(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with suppress(msgspec.MsgspecError):    # half a line of a worker killed while writing
                report = msgspec.json.decode(line, type=Report)
                self.beat_ns = self.clock.now_ns()
                if report.kind == "ready":
                    self.said = report.text
                    self.ready.set()
                elif report.kind == "failed":
                    self.reason = report.text

    def _hear_messages(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            text = line.decode(errors="replace").rstrip()
            self.tail.append(text)
            self.news(f"{self.name}: {text}")

    def ended(self) -> str:
        """Why it ended, once it has; empty while it lives."""
        code = self.process.poll()
        if code is None:
            return ""
        for thread in self.threads:         # its last words
            thread.join(timeout=1.0)
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return self.reason or (f"ended with exit code {code}" if code else DONE)

    def let_end(self) -> None:
        """Ask it to end as soon as its work allows; at once if it has fallen silent over that."""
        if self.asked and self.clock.now_ns() - self.beat_ns > SILENT_NS:
            self.ask_to_end()
        elif not self.asked:
            self.asked = True
            self._say(b"\n")

    def ask_to_end(self) -> None:
        """Close its standard input; it knows what that means, and does not outlive it for long."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def end(self, patience_s: float) -> bool:
        """Ask it to end, kill it if it does not; whether it ended by itself."""
        self.ask_to_end()
        willing = True
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            willing = False
        with suppress(ProcessLookupError):  # also what it may have started itself
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for thread in self.threads:
            thread.join(timeout=1.0)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return willing


class Supervisor:
    """Owns workers; a context manager that ends them in the reverse order of their start.

    Args:
        clock: real time.
        news: is told, from any thread, each line a worker writes and each thing that happens.
    """

    def __init__(self, clock: Clock, news: Callable[[str], None] = lambda line: None) -> None:
        self._clock, self._news = clock, news
        self._specs: dict[str, WorkerSpec] = {}
        self._children: dict[str, _Child] = {}
        self._ended: dict[str, str] = {}
        self._restarts_ns: dict[str, list[int]] = {}

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    @property
    def ended(self) -> dict[str, str]:
        """Workers that ended without being asked and were not restarted, with their reasons."""
        return dict(self._ended)

    def start(self, spec: WorkerSpec) -> None:
        """Start a worker; `wait_ready` tells when it serves.

        Raises:
            ValueError: a worker of that name runs already.
        """
        if spec.name in self._children:
            raise ValueError(f"a worker named '{spec.name}' runs already; names must differ")
        self._specs[spec.name] = spec
        self._restarts_ns.setdefault(spec.name, [])
        self._ended.pop(spec.name, None)
        self._children[spec.name] = _Child(spec, self._clock, self._news)

    def wait_ready(self, *names: str, timeout_s: float = 30.0) -> None:
        """Block until workers serve.

        Raises:
            WorkerFailed: one ended first, or is not ready in time; says its reason.
        """
        deadline_ns = self._clock.now_ns() + round(timeout_s * NS_PER_S)
        for name in names:
            child = self._children[name]
            while not self.serves(name):
                child.ready.wait(0.02)
                if self._clock.now_ns() > deadline_ns:
                    raise WorkerFailed(f"the {name} is not ready after {timeout_s:g} s: "
                                       + (child.tail[-1] if child.tail else "it says nothing"))

    def serves(self, name: str) -> bool:
        """Whether a worker that was started serves.

        Raises:
            WorkerFailed: it ended first; says its reason.
        """
        child = self._children.get(name)
        reason = child.ended() if child else self._ended.get(name, "it was told to end")
        if child is not None and child.ready.is_set():
            return True
        if reason:
            raise WorkerFailed(f"the {name} did not start: {reason}")
        return False

    def poll(self) -> None:
        """Look after the workers: notice ends, restart what may be; several times a second."""
        for name, child in list(self._children.items()):
            if not (reason := child.ended()):
                continue
            self._release(name)
            spec = self._specs[name]
            if (spec.restart and reason != DONE and child.ready.is_set()
                    and self._may_restart(name)):
                self._news(f"the {name} has died ({reason}); it is started again")
                self._restarts_ns[name].append(self._clock.now_ns())
                self._children[name] = _Child(spec, self._clock, self._news)
            else:
                self._news(f"the {name} has ended: {reason}")
                self._ended[name] = reason

    def _may_restart(self, name: str) -> bool:
        horizon_ns = self._clock.now_ns() - RESTART_WINDOW_NS
        return sum(stamp > horizon_ns for stamp in self._restarts_ns[name]) < RESTARTS

    def _release(self, name: str) -> None:
        self._children.pop(name).end(patience_s=0.0)

    def states(self) -> list[WorkerState]:
        """How the running workers are doing, in the order of their first start."""
        now_ns = self._clock.now_ns()
        return [WorkerState(name, child.process.pid, child.process.poll() is None,
                            child.ready.is_set(), (now_ns - child.beat_ns) / NS_PER_S,
                            len(self._restarts_ns[name]), child.reason, tuple(child.tail),
                            child.said)
                for name in self._specs if (child := self._children.get(name))]

    def problems(self) -> list[str]:
        """Sentences for the operator: who ended, who is silent."""
        said = [f"the {name} has ended: {reason}" for name, reason in self._ended.items()]
        said += [f"the {state.name} has said nothing for {state.silent_s:.0f} s: it is stuck"
                 for state in self.states()
                 if state.ready and state.silent_s * NS_PER_S > SILENT_NS]
        return said

    def forget(self, name: str) -> None:
        """Nobody needs to know any more that a worker has ended."""
        self._ended.pop(name, None)

    def let_end(self, name: str) -> None:
        """Ask one worker to end when its work allows; `poll` notices when it has.

        Whoever asks again does not wait for one that has been silent since.
        """
        if (child := self._children.get(name)) is not None:
            child.let_end()

    def revise(self, spec: WorkerSpec) -> None:
        """Start a worker that runs otherwise, should it have to be started again."""
        if spec.name in self._specs:
            self._specs[spec.name] = spec

    def stop(self, name: str) -> None:
        """End one worker; an unknown or ended name is no error."""
        self.forget(name)
        if (child := self._children.pop(name, None)) is None:
            return
        patience_s = self._specs[name].patience_s
        if not child.end(patience_s):
            self._news(f"the {name} did not end within {patience_s:g} s and was killed")

    def stop_all(self, first: Sequence[str] = ()) -> None:
        """End every worker; a second Ctrl-C does not interrupt this.

        Args:
            first: these are ended first, in this order; then the others, the last started first.
        """
        with _without_interrupt():
            for name in (*first, *reversed(self._specs)):
                self.stop(name)


@contextmanager
def _without_interrupt() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

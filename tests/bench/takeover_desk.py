"""Taking an arm from a policy at a desk of real processes, again and again, while something hangs.

A person's SpaceMouse is a socket behind the HID library that the real driver opens; the policy is a
rule in a process of its own; all ticks are recorded, and all figures are of what was recorded.
A report's time is taken just before it is written into the socket. Knows the desk and its
processes; makes no table.
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from doubles.hid_sockets import HidSocket, build_library
from doubles.rule_policy_files import LOADER, write
from doubles.seat import Seat, seated, window_worker

from recorders.clock import NS_PER_S, SystemClock
from recorders.episode_reader import EpisodeReader
from studio.station.commands import Arm, EndEpisode, Rearm, StartEpisode, StartPolicy, Stop
from studio.station.messages import Mode, Owner
from studio.station.processes.supervisor import WorkerSpec

TASK = "put-cube-in-bin"
SMALL = {"image_size": [48, 64], "cameras": ["front"], "depth": False}
REPORT_NS = 8_000_000           # a deflected SpaceMouse speaks so often
HOLD_S = (0.15, 0.3)            # a person pushes for so long
BETWEEN_S = (0.15, 0.5)         # the policy drives for so long
WEAK, STRONG = 90, 200          # counts of 350 on the device
Span = tuple[float, float]


class Fault(msgspec.Struct, frozen=True):
    """What hangs while the arm is taken.

    Attributes:
        words: for the table.
        process: that is stopped by a signal; empty: none.
        lasts_s: until it may go on.
    """

    words: str
    process: str = ""
    lasts_s: float = 0.0


FAULTS = (Fault("quiet"), Fault("policy hangs 2 s", "policy", 2.0),
          Fault("console hangs 1 s", "console", 1.0), Fault("recorder hangs 2 s", "recorder", 2.0))


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and what was recorded of it.

    Attributes:
        episode: of the store.
        taken_ns, released_ns: when the first report and the report of rest were written.
        last_ns: of hands that fell silent: when the last report was written.
        stopped_ns: when a stop was asked for.
        refused: attempts that could not be made, because the arm held.
    """

    episode: EpisodeReader
    taken_ns: list[int] = []
    released_ns: list[int] = []
    last_ns: list[int] = []
    stopped_ns: list[int] = []
    refused: int = 0


class Hand:
    """Holds the device's cap; a thread reports for it as long as it is deflected."""

    def __init__(self, mouse: HidSocket) -> None:
        self._mouse, self._clock = mouse, SystemClock()
        self._pushing, self._ended = threading.Event(), threading.Event()
        self._guard, self._x, self._y, self._last_ns = threading.Lock(), 0, 0, 0
        self._thread = threading.Thread(target=self._run, name="hand")
        self._thread.start()

    def push(self, x: int, y: int = 0) -> int:
        """Deflect it; returns when the first report was written."""
        with self._guard:
            self._x, self._y = x, y
            now_ns = self._clock.now_ns()
            self._say(x, y)
            self._pushing.set()
        return now_ns

    def rest(self) -> int:
        """Let go; returns when that was written."""
        with self._guard:
            self._pushing.clear()
            now_ns = self._clock.now_ns()
            self._say()
        return now_ns

    def fall_silent(self) -> int:
        """Say nothing more while deflected; returns when the last report was written."""
        with self._guard:
            self._pushing.clear()
            return self._last_ns

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._pushing.set()
        self._thread.join()

    def _say(self, x: int = 0, y: int = 0) -> None:
        self._mouse.forget_written()    # or the driver would wait for room to switch its light
        self._mouse.move(x, y)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._pushing.wait()
            with self._guard:
                if self._pushing.is_set() and not self._ended.is_set():
                    self._last_ns = self._clock.now_ns()
                    self._say(self._x, self._y)
            self._clock.wait_until(self._clock.now_ns() + REPORT_NS)


class Person:
    """Sits at a desk, takes the arm and gives it back."""

    def __init__(self, seat: Seat, hand: Hand, seed: int) -> None:
        self.seat, self.hand, self.refused = seat, hand, 0
        self._clock, self._rng, self._side = SystemClock(), random.Random(seed), 1

    def wait(self, span: Span | float) -> None:
        """Some time, or so many seconds."""
        seconds = self._rng.uniform(*span) if isinstance(span, tuple) else span
        self._clock.wait_until(self._clock.now_ns() + round(seconds * NS_PER_S))

    def let_drive(self) -> None:
        """The policy drives, from wherever the station is by now."""
        asked_ns = self._clock.now_ns()

        def drives() -> bool:
            if self.seat.snapshot.stamp_ns <= asked_ns:
                return False
            mode = self.seat.snapshot.mode
            if mode in (Mode.STOP, Mode.FAULT):
                self.seat.client.ask(Rearm(), timeout_s=5.0)
            elif mode in (Mode.IDLE, Mode.HOLD):
                self.seat.client.ask(Arm(), timeout_s=5.0)
            elif mode is Mode.ARMED:
                self.seat.client.ask(StartPolicy(), timeout_s=5.0)
            return mode is Mode.AUTO
        self.seat.until(drives)

    def _mode_now(self) -> Mode:
        now_ns = self._clock.now_ns()
        self.seat.until(lambda: self.seat.snapshot.stamp_ns > now_ns)
        return self.seat.snapshot.mode

    def take(self) -> int:
        """Push, to the left and to the right in turns."""
        self._side = -self._side
        return self.hand.push(self._side * self._rng.randint(WEAK, STRONG),
                              self._rng.randint(-WEAK, WEAK))

    def take_over(self, fault: Fault, taken: list[int], released: list[int]) -> None:
        """Once: something hangs, the arm is taken, let go, and what hung goes on."""
        self.let_drive()
        self.wait(BETWEEN_S)
        began_ns, pid = self._clock.now_ns(), self.seat.pid(fault.process) if fault.process else 0
        if pid:
            os.kill(pid, signal.SIGSTOP)
        try:
            if pid:
                self.wait((0.05, 0.8))
            if self._mode_now() is not Mode.AUTO:
                self.refused += 1
                return
            taken.append(self.take())
            self.wait(HOLD_S)
            released.append(self.hand.rest())
            if pid:
                self._clock.wait_until(began_ns + round(fault.lasts_s * NS_PER_S))
        finally:
            if pid:
                os.kill(pid, signal.SIGCONT)

    def let_the_device_fall_silent(self, last: list[int]) -> None:
        """Once: in the middle of a motion."""
        self.let_drive()
        self.wait(BETWEEN_S)
        self.take()
        self.wait(HOLD_S)
        last.append(self.hand.fall_silent())
        self.wait(0.3)
        self.hand.rest()

    def stop(self, stopped: list[int]) -> None:
        """Once: while a hand drives."""
        self.let_drive()
        self.take()
        self.wait((0.3, 0.5))
        stopped.append(self._clock.now_ns())
        self.seat.do(Stop("bench"))
        self.hand.rest()
        self.wait(0.5)
        self.seat.do(Rearm())


@contextmanager
def seat_with_mouse(folder: Path, store: Path) -> Iterator[tuple[Seat, Hand]]:
    """A desk with a policy, a console that looks, and a hand at a SpaceMouse.

    Raises:
        RuntimeError: there is no C compiler for the stand-in of the HID library.
    """
    library = build_library(folder)
    if library is None:
        raise RuntimeError("no C compiler for the stand-in of the HID library: install gcc")
    sockets = Path(tempfile.mkdtemp(prefix="hid"))      # short, as paths of sockets must be
    before = {name: os.environ.get(name) for name in ("LD_LIBRARY_PATH", "FAKEHID_DIR",
                                                      "PYTHONPATH")}
    os.environ |= {"LD_LIBRARY_PATH": str(library), "FAKEHID_DIR": str(sockets),
                   "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    mouse = HidSocket(sockets, 0x256F, 0xC635)
    mouse.plug()
    try:
        with seated(task=TASK, robot_options=SMALL, teleop="spacemouse", store=str(store),
                    policy=str(write(folder / "rule", 1)),
                    policy_options={"loader": LOADER}) as seat:
            seat.ready()
            seat.desk._supervisor.start(_console(seat, folder))
            mouse.opened()
            hand = Hand(mouse)
            seat.until(lambda: seat.client.snapshot is not None
                       and seat.snapshot.policy is not None and seat.snapshot.policy.alive)
            try:
                yield seat, hand
            except BaseException:
                for process in seat.desk._supervisor.states():
                    print(process.name, process.pid, *process.tail, sep="\n  ", file=sys.stderr)
                raise
            finally:
                hand.close()
    finally:
        mouse.unplug()
        shutil.rmtree(sockets)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _console(seat: Seat, folder: Path) -> WorkerSpec:
    (folder / "window").mkdir(exist_ok=True)
    return window_worker(seat.links, folder / "window")


def record(seat: Seat, hand: Hand, store: Path, seed: int, what: Callable[[Person, Run], None]
           ) -> Run:
    """Do something in an episode of its own, and read what was recorded."""
    person = Person(seat, hand, seed)
    seat.until(lambda: seat.snapshot.recorder.alive)
    if seat.snapshot.mode in (Mode.IDLE, Mode.HOLD):
        seat.arm()
    episode = seat.do(StartEpisode(TASK, seed=seed))
    done = Run(episode=None)                            # type: ignore[arg-type]
    what(person, done)
    hand.rest()
    seat.do(EndEpisode("partial"))
    seat.until(lambda: seat.snapshot.recorder.last_episode == episode)
    return msgspec.structs.replace(done, refused=person.refused,
                                   episode=EpisodeReader(store / "data.zarr" / episode))


# ---- what the recording says ---------------------------------------------------------------------


def takeovers(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """For each: ticks (1: the next one), and ms to the tick, until a command is the person's.

    One that did not come while the device was surely moved counts as infinite.
    """
    tick = run.episode["tick"]
    stamps_ns = np.asarray(tick["t_mono_ns"])
    theirs = np.logical_and(np.asarray(tick["mode"]) == Mode.HUMAN,
                            np.asarray(tick["owner"])[:, 0] == Owner.HUMAN)
    next_ = np.searchsorted(stamps_ns, run.taken_ns)
    first = np.array([at + int(np.argmax(theirs[at:])) for at in next_])
    after_ms = (stamps_ns[first] - np.array(run.taken_ns)) / 1e6
    came = np.logical_and(theirs[first], after_ms < 1e3 * HOLD_S[0])
    return np.where(came, first - next_ + 1, np.inf), np.where(came, after_ms, np.inf)


def hand_backs(run: Run) -> dict[str, np.ndarray]:
    """Of each time that the policy had the arm back by itself.

    Returns:
        "release": ms from the report of rest to HANDBACK; "ticks": from HANDBACK until the first
        command of the policy; "inference": ms from what its chunk was planned from to that tick;
        "whole": ms from the report of rest to that tick.
    """
    tick, chunks = run.episode["tick"], run.episode["chunk"]
    stamps_ns, mode = np.asarray(tick["t_mono_ns"]), np.asarray(tick["mode"])
    begun = np.flatnonzero((mode[1:] == Mode.HANDBACK) & (mode[:-1] == Mode.HUMAN)) + 1
    looked_ns = dict(zip(chunks["chunk_id"].tolist(), chunks["observation_ns"].tolist(),
                         strict=True))
    found: dict[str, list[float]] = {"release": [], "ticks": [], "inference": [],
                                     "whole": []}
    rests_ns = np.array(run.released_ns)
    for at in begun.tolist():
        rest = int(np.searchsorted(rests_ns, stamps_ns[at])) - 1
        after = np.flatnonzero(mode[at:] != Mode.HANDBACK)
        if rest < 0 or not len(after) or mode[(first := at + int(after[0]))] != Mode.AUTO:
            continue
        found["release"].append((stamps_ns[at] - rests_ns[rest]) / 1e6)
        found["ticks"].append(first - at)
        found["whole"].append((stamps_ns[first] - rests_ns[rest]) / 1e6)
        chunk = int(tick["chunk_id"][first])
        if chunk in looked_ns:
            found["inference"].append((stamps_ns[first] - looked_ns[chunk]) / 1e6)
    return {name: np.array(values) for name, values in found.items()}


def silences(run: Run) -> np.ndarray:
    """(N,) ms from the last report of a deflected device to the first tick that hears none."""
    tick = run.episode["tick"]
    stamps_ns = np.asarray(tick["t_mono_ns"])
    still = np.asarray(np.all(np.asarray(tick["human_twist"]) == 0.0, axis=1))
    found = []
    for last_ns in run.last_ns:
        at = int(np.searchsorted(stamps_ns, last_ns)) + 1       # a tick in which it is heard
        found.append((stamps_ns[at + int(np.argmax(still[at:]))] - last_ns) / 1e6)
    return np.array(found)


def stops(run: Run) -> dict[str, np.ndarray]:
    """Of each stop: "ticks" until STOP, "slower": ticks more until it slows down, "stands": ms."""
    tick = run.episode["tick"]
    stamps_ns, mode = np.asarray(tick["t_mono_ns"]), np.asarray(tick["mode"])
    speed = np.abs(np.asarray(tick["sent_velocity"])).max(axis=1)
    found: dict[str, list[float]] = {"ticks": [], "slower": [], "stands": []}
    for asked_ns in run.stopped_ns:
        next_ = int(np.searchsorted(stamps_ns, asked_ns))
        at = next_ + int(np.argmax(mode[next_:] == Mode.STOP))
        found["ticks"].append(at - next_ + 1)
        if speed[at - 1] > 1e-3:
            found["slower"].append(int(np.argmax(speed[at:] < speed[at - 1])))
        found["stands"].append(
            (stamps_ns[at + int(np.argmax(speed[at:] < 1e-6))] - asked_ns) / 1e6)
    return {name: np.array(values) for name, values in found.items()}


def ticks_lost(run: Run) -> tuple[int, int]:
    """Ticks that ran between the first and the last that are recorded, and how many are missing."""
    numbers = np.asarray(run.episode["tick"]["seq"])
    ran = int(numbers[-1] - numbers[0]) + 1
    return ran, ran - len(numbers)


def faults(run: Run) -> int:
    """How often the station found the robot's process silent, or something else broken."""
    mode = np.asarray(run.episode["tick"]["mode"])
    return int(np.count_nonzero((mode[1:] == Mode.FAULT) & (mode[:-1] != Mode.FAULT)))


def pauses_ms(run: Run) -> np.ndarray:
    """(T-1,) between two ticks, each of which commands."""
    return np.diff(np.asarray(run.episode["tick"]["t_mono_ns"])) / 1e6

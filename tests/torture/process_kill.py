"""Kill each process of a running station at random moments, many times, and count what is lost.

    python tests/torture/process_kill.py [TRIALS] [SEED]

Each trial starts the real station (supervisor, robot's process with the simulated arm, recorder,
control loop with the scripted operator recording short episodes), kills one process with SIGKILL
at a random moment, and then looks: does the arm come to a stand and stay there, does the store
open, is every committed episode there, how much of the interrupted one is missing. Two trials run
side by side. Ends with 1 if an arm moved on, or data was lost that should not be.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.append(str(Path(__file__).parent.parent))

from doubles.traced_arm import read_trace
from torture.desk import Roster

from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.station.messages import Mode, Snapshot
from studio.station.processes.bus import open_context
from studio.station.processes.watch import Watcher

DESK = Path(__file__).parent / "desk.py"
VICTIMS = ("station", "robot", "recorder", "supervisor")
TRIALS = 200
SIDE_BY_SIDE = 2
EPISODE_S = 0.4             # short, so that a kill meets every phase of an episode's life
LONG_EPISODE_S = 30.0       # so that the station must notice a dead recorder during the episode
LONGEST_LIFE_S = 1.2        # after the first episode began
STAND_RAD_S = 0.02
STOPPING_S = 0.5            # 100 ms of silence, then braking from at most 2 rad/s
STAY_S = 0.1                # and it must stand for so long
TAIL_S = 0.5                # the most that an interrupted episode may miss
PATIENCE_S = 30.0           # a broken trial ends, too


class Finding(msgspec.Struct, frozen=True):
    """What one trial showed.

    Attributes:
        held: the arm came to a stand and stayed; None where there was nothing to see (the
            simulated arm dies with its process, and a station whose episode ends by itself
            need not stop for a dead recorder).
        speed_rad_s: of the arm when the kill fell; None where the arm died, too.
        committed, lost: episodes that were committed before the kill; how many are missing.
        recovered: interrupted episodes that were recovered.
        tail_s: what the last of them misses before the kill; None if there was none.
        problems: sentences.
    """

    held: bool | None
    speed_rad_s: float | None
    committed: int
    lost: int
    recovered: int
    tail_s: float | None
    problems: tuple[str, ...]


@contextmanager
def desk(folder: Path, episode_s: float = EPISODE_S) -> Iterator[Roster]:
    """A running station; at the end nothing of it is left."""
    with (folder / "messages").open("wb") as messages:
        process = subprocess.Popen([sys.executable, DESK, str(folder), str(episode_s)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=messages)
    assert process.stdin is not None and process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the station did not start: {(folder / 'messages').read_text()}")
    roster = msgspec.json.decode(line, type=Roster)
    workers = [psutil.Process(pid) for pid in roster.pids.values() if psutil.pid_exists(pid)]
    try:
        yield roster
    finally:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()
        _, stuck = psutil.wait_procs(workers, timeout=PATIENCE_S)
        if stuck:
            raise RuntimeError(f"{stuck} outlived the station")


class Onlooker:
    """Keeps the newest snapshot of a station."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._newest: Snapshot | None = None
        self._held = False

    @property
    def newest(self) -> Snapshot | None:
        """What the station last said of itself."""
        self._newest = self._watcher.snapshot() or self._newest
        self._held = self._held or (self._newest is not None and self._newest.mode is Mode.HOLD)
        return self._newest

    @property
    def recording(self) -> bool:
        """Whether an episode is open."""
        return self.newest is not None and bool(self.newest.episode)

    @property
    def holds(self) -> bool:
        """Whether the station held the arm at any time."""
        return self.newest is not None and self._held

    @property
    def gave_up(self) -> bool:
        """Whether the session has ended."""
        report = self._watcher.report(10)
        return report is not None and report.done


def trial(folder: Path, victim: str, life_s: float, episode_s: float = EPISODE_S) -> Finding:
    """Start a station, kill one of its processes, and look.

    Args:
        folder: empty; for the store and the trace.
        victim: one of VICTIMS.
        life_s: from the beginning of the first episode to the kill.
        episode_s: after which episodes end.
    """
    with desk(folder, episode_s) as roster, open_context() as context:
        onlooker = Onlooker(Watcher(context, roster.links))
        wait_for(lambda: onlooker.recording, "an episode")
        time.sleep(life_s)
        with DemoStore.open(folder / "store") as store:
            committed = {one.episode for one in store.episodes()}
        os.kill(roster.pids[victim], signal.SIGKILL)
        killed_ns = time.monotonic_ns()
        held = was_held(victim, folder / "trace", killed_ns, onlooker, episode_s)
    stamps_ns, speeds = read_trace(folder / "trace").T
    speed = None if victim == "robot" else float(speeds[stamps_ns <= killed_ns][-1])
    return look_at_store(folder / "store", victim, committed, killed_ns, held, speed)


def was_held(victim: str, trace: Path, killed_ns: int, onlooker: Onlooker,
             episode_s: float) -> bool | None:
    """Whether the arm stood still soon after the kill and stayed so."""
    if victim == "robot":
        wait_for(lambda: onlooker.gave_up, "the station to give up a dead robot")
        return None
    if victim == "recorder":
        if episode_s < LONG_EPISODE_S:
            return None
        wait_for(lambda: onlooker.holds or onlooker.gave_up, "the station to hold, or to end")
        return True if onlooker.holds else None     # the kill fell between two episodes
    end_ns = killed_ns + round((STOPPING_S + STAY_S) * NS_PER_S)
    if victim == "station":
        wait_for(lambda: read_trace(trace)[-1, 0] > end_ns, "the arm's trace to go on")
    else:       # the robot's process brakes, then ends by itself; its trace ends where it stood
        wait_for(lambda: time.monotonic_ns() > end_ns, "time to pass")
    stamps_ns, speeds = read_trace(trace).T
    late = speeds[stamps_ns > killed_ns + STOPPING_S * NS_PER_S]
    return bool(speeds[-1] < STAND_RAD_S and np.all(late < STAND_RAD_S))


def look_at_store(path: Path, victim: str, committed: set[str], killed_ns: int,
                  held: bool | None, speed_rad_s: float | None) -> Finding:
    """Open the store as the studio would, recover what was interrupted, and compare."""
    problems: list[str] = []
    tail_s: float | None = None
    with DemoStore.open(path, write=True) as store:
        interrupted = store.interrupted()
        for one in interrupted:
            report = store.recover(one.episode)
            problems += report.problems
            if report.kept and victim != "robot":
                ticks = EpisodeReader(store.episode_path(one.episode))["tick"]
                tail_s = max(0.0, (killed_ns - int(ticks.stamps_ns[-1])) / NS_PER_S)
        problems += [f"{p.episode} {p.path}: {p.what}" for p in store.check()]
        found = {one.episode for one in store.episodes()}
    return Finding(held, speed_rad_s, len(committed), len(committed - found), len(interrupted),
                   tail_s, tuple(problems))


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Look again every 10 ms until it holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"waited {PATIENCE_S:.0f} s for {what}")
        time.sleep(0.01)


def run_trial(number: int, seed: int) -> Finding:
    """Trial number `number` of a series: the same victim and delay for the same seed."""
    chance = random.Random(f"{seed} {number}")
    with tempfile.TemporaryDirectory(prefix="tandem-torture-") as folder:
        return trial(Path(folder), VICTIMS[number % len(VICTIMS)],
                     chance.uniform(0.0, LONGEST_LIFE_S),
                     chance.choice((EPISODE_S, LONG_EPISODE_S)))


def count(counts: Counter[str], victim: str, finding: Finding) -> bool:
    """Add a finding to the counts; whether it is a bad one."""
    counts[f"{victim} killed"] += 1
    counts["stores opened"] += 1
    counts["arm was moving when the kill fell"] += (finding.speed_rad_s or 0.0) > STAND_RAD_S
    counts["arm held"] += finding.held is True
    counts["arm not to be seen"] += finding.held is None
    counts["committed episodes"] += finding.committed
    counts["interrupted episodes recovered"] += finding.recovered
    bad = {"arm NOT held": finding.held is False,
           "committed episodes LOST": finding.lost,
           "problems in stores": len(finding.problems),
           f"recovered episodes short by more than {TAIL_S} s": (finding.tail_s or 0.0) > TAIL_S}
    counts.update(bad)
    return any(bad.values())


def main() -> int:
    """Run the trials and print the counts; returns 1 if anything was lost."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    counts: Counter[str] = Counter()
    tails_s: list[float] = []
    bad = 0
    began_s = time.monotonic()
    console = Console(stderr=True)
    with ThreadPoolExecutor(SIDE_BY_SIDE, "trial") as pool:
        findings = pool.map(lambda number: run_trial(number, seed), range(trials))
        for number, finding in enumerate(track(findings, "killing", trials, console=console,
                                               disable=not console.is_terminal)):
            victim = VICTIMS[number % len(VICTIMS)]
            if count(counts, victim, finding):
                bad += 1
                console.print(f"trial {number} ({victim}): {finding}")
            if finding.tail_s is not None:
                tails_s.append(finding.tail_s)
    table = Table("what", "count", title=f"{trials} trials in {time.monotonic() - began_s:.0f} s")
    for what, number in counts.items():
        table.add_row(what, str(number))
    if tails_s:
        table.add_row("missing at the end, median", f"{np.median(tails_s):.3f} s")
        table.add_row("missing at the end, worst", f"{max(tails_s):.3f} s")
    Console().print(table)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

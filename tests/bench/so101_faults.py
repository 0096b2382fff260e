"""An SO-101 that breaks while a leader drives it at 100 Hz: our station beside lerobot-teleoperate.

    python tests/bench/so101_faults.py                 # all of it, in at most six minutes
    python tests/bench/so101_faults.py --print         # the table of what lies there

Both sides drive LeRobot's own follower from LeRobot's own leader (`so101_driving.py`) on emulated
servos that move (`doubles/servo_arm.py`); one after the other, each fault from a fresh start. Every
run is kept as soon as it is over, and what lies there is not run again: a second call goes on where
the first one ended. Lateness is each side's own word: ours counts ticks more than a period behind
their deadline, LeRobot prints how long each turn of its loop took, and turns of more than two
periods count. Emulated: no USB latency, no gravity, no load.
"""

import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import psutil
import tyro
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))     # the doubles, as pytest finds them

from doubles.servo_arm import RAD  # noqa: E402
from so101_driving import Driving, Side  # noqa: E402

SIDES: tuple[Side, ...] = ("ours", "LeRobot")
WATCH_S = 2.5
TRIES = 3                               # of a side that does not come up
JUMP_STEPS = 683                        # 60 degrees


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one fault did to one side.

    Attributes:
        number: counts the repetitions from 0.
        turns_late: of the loop, from the fault on while it ran, at most `WATCH_S`.
        longest_ms: the longest turn (LeRobot), or the worst lateness (ours).
        noticed_s: until the side said that something is wrong, or ended; None: it never did.
        travelled_rad: how far the swaying joint went on after the fault.
        torque: whether that joint still holds.
        said: its words, or how it ended.
        load: of the machine, over the last minute.
        took_s: of the whole run.
    """

    side: Side
    fault: str
    number: int
    turns_late: int
    longest_ms: float
    noticed_s: float | None
    travelled_rad: float
    torque: bool
    said: str
    load: float
    took_s: float


class Kept(msgspec.Struct):
    """The file of runs."""

    machine: str
    runs: list[Run] = []


def jump_and_kill(driving: Driving, whom: Callable[[], psutil.Process]) -> None:
    """The leader is 60 degrees ahead, and a tenth of a second later nobody drives any more."""
    driving.leader.call("rest")
    time.sleep(1.0)
    victim = whom()
    at = driving.leader.call("position", 1)
    driving.leader.call("place", {"1": round(at + JUMP_STEPS if at < 2000 else at - JUMP_STEPS)})
    time.sleep(0.1)
    victim.kill()


FAULTS: dict[str, Callable[[Driving], object]] = {
    "none": lambda d: None,
    "noise (20 packets)": lambda d: d.follower.call("set", "noise", 20),
    "a dead servo": lambda d: d.follower.call("set", "silent", [3]),
    "a servo that turns no more": lambda d: d.follower.call("set", "stuck", [1]),
    "a silent bus": lambda d: d.follower.call("set", "silent", [1, 2, 3, 4, 5, 6]),
    "the port is gone": lambda d: d.follower.call("unplug"),
    "killed, 60° behind": lambda d: jump_and_kill(d, d.station),
    "all killed, 60° behind": lambda d: jump_and_kill(d, lambda: psutil.Process(d.process.pid)),
}


@dataclass(frozen=True)
class Config:
    """Break an SO-101 under both sides, keep every run, and print a table."""

    repeats: int = 1
    """Of every fault and side, in turn."""
    faults: tuple[str, ...] = tuple(FAULTS)
    """Which."""
    minutes: float = 6.0
    """No run begins that would not be over by then; the next call goes on."""
    to: Path = ROOT / "docs/results/interop/so101_faults.json"
    """Where the runs are kept."""
    fresh: bool = False
    """Forget the runs that lie there."""
    show: Annotated[bool, tyro.conf.arg(name="print")] = False
    """Print what lies there; run nothing."""


def measure(side: Side, fault: str, number: int) -> Run:
    """One run from a fresh start.

    Raises:
        RuntimeError: the side does not come up.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        driving = Driving(side, Path(folder))
        try:
            driving.start()
            before = driving.heard()
            FAULTS[fault](driving)
            since, at = time.monotonic(), driving.follower.call("position", 1)
            ended_s, farthest = None, 0.0
            while (passed := time.monotonic() - since) < WATCH_S:
                farthest = max(farthest, abs(driving.follower.call("position", 1) - at))
                if driving.ended and ended_s is None:
                    ended_s = passed
                time.sleep(0.01)
            torque, said = driving.follower.call("torque", 1), driving.said(before, since)
        finally:
            driving.close()
    noticed_s = said.noticed_s
    if noticed_s is None and "killed" not in fault:     # to be killed is not to notice
        noticed_s = ended_s
    return Run(side=side, fault=fault, number=number, turns_late=said.turns_late,
               longest_ms=said.longest_ms, torque=torque, travelled_rad=farthest / RAD,
               noticed_s=noticed_s, said=plain(said.words.replace(folder, "…")),
               load=os.getloadavg()[0], took_s=time.monotonic() - began)


def plain(words: str) -> str:
    """Without what moves a terminal's cursor."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", words).strip()


def run_all(config: Config, kept: Kept, console: Console) -> bool:
    """Run what does not lie there yet, as far as the time goes; whether that was all."""
    until = time.monotonic() + 60 * config.minutes
    wanted: list[tuple[str, Side, int]] = [
        (fault, side, number) for number in range(config.repeats) for fault in config.faults
        for side in SIDES]
    there = {(run.fault, run.side, run.number) for run in kept.runs}
    left = [one for one in wanted if one not in there]
    for count, (fault, side, number) in enumerate(left):
        longest_s = max((run.took_s for run in kept.runs), default=20.0)
        if time.monotonic() + longest_s > until:
            console.print(f"{len(left) - count} runs are left: call it again")
            return False
        for tries in range(1, TRIES + 1):
            try:
                kept.runs.append(measure(side, fault, number))
                break
            except RuntimeError as silent:
                console.print(f"[dim]{fault}, {side}, try {tries}: {silent}", markup=True)
        else:
            console.print(f"{side} did not come up for '{fault}': call it again")
            return False
        config.to.parent.mkdir(parents=True, exist_ok=True)
        partial = config.to.with_suffix(".partial")
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
        partial.replace(config.to)
        console.print(f"[dim]{count + 1}/{len(left)}  {fault}, {side}: "
                      f"{kept.runs[-1].took_s:.0f} s")
    return True


def table_of(kept: Kept) -> Table:
    """A line for every fault and side; medians."""
    table = Table("fault", "side", "late turns", "longest ms", "noticed after s", "travelled rad",
                  "torque", "load", "said", title="SO-101 at 100 Hz; a joint sways by 0.61 rad")
    for fault in dict.fromkeys(run.fault for run in kept.runs):
        for side in SIDES:
            if of := [run for run in kept.runs if (run.fault, run.side) == (fault, side)]:
                noticed = [run.noticed_s for run in of if run.noticed_s is not None]
                table.add_row(
                    fault, side, f"{statistics.median(run.turns_late for run in of):.0f}",
                    f"{statistics.median(run.longest_ms for run in of):.0f}",
                    f"{statistics.median(noticed):.2f}" if noticed else "–",
                    f"{statistics.median(run.travelled_rad for run in of):.3f}",
                    "on" if all(run.torque for run in of) else "off",
                    f"{max(run.load for run in of):.1f}", of[-1].said[:70])
    return table


def main(config: Config) -> int:
    """Run what is left, print what lies there."""
    console = Console(width=170)
    if unknown := set(config.faults) - set(FAULTS):
        console.print(f"there is no fault {min(unknown)!r}: there are {', '.join(FAULTS)}")
        return 2
    machine = f"{os.cpu_count()} x {platform.machine()}, Python {platform.python_version()}"
    kept = Kept(machine=machine)
    if config.to.exists() and not config.fresh:
        kept = msgspec.json.decode(config.to.read_bytes(), type=Kept)
        if kept.machine != machine and not config.show:
            console.print(f"{config.to} is of another machine ({kept.machine}): --fresh forgets it")
            return 2
    whole = config.show or run_all(config, kept, console)
    console.print(table_of(kept))
    console.print(kept.machine)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Config)))

"""Taking the arm from a policy and giving it back: how soon, how smoothly, and what LeRobot's does.

At a desk of real processes with a SpaceMouse (a stand-in behind the real HID driver) a person
takes the arm from a policy that is a rule, while nothing hangs, and while the policy's process, a
console or the recorder is stopped by a signal. Then the device falls silent in mid-motion, and the
arm is stopped in mid-motion. Under the virtual clock: when other words act, with a trained policy
if one is given, and how smooth random changes of the owner are. And LeRobot's DAgger strategy,
where it is installed, on an arm in memory, with keys pressed as fast as it allows.

A takeover counts from just before the first report of a moved device is written to the stamp of the
first tick whose command is the person's; ticks count from the next one, which is 1.

Run it as `python tests/bench/takeover.py [--takeovers 60] [--run RUN] [--json]`. Writes
out/bench/takeover.json, or where --to says.
"""

import json
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")   # before NumPy
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.append(str(Path(__file__).resolve().parents[1]))      # stand-ins for hardware: doubles/

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from smoothness import differences, shares
from takeover_desk import (
    FAULTS,
    Person,
    Run,
    faults,
    hand_backs,
    pauses_ms,
    record,
    seat_with_mouse,
    silences,
    stops,
    takeovers,
    ticks_lost,
)
from takeover_virtual import edits, flips

from policy.driving.two_speeds import Delays
from studio.station.messages import Mode

PERIOD_S = 0.01
SIXTY_MS = 60.0             # a deflected device that is silent for longer is not believed


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure."""

    takeovers: int = 60
    """In each of the four conditions."""
    others: int = 20
    """Silences of the device, stops, and handovers of each kind on LeRobot's side."""
    flips: int = 1000
    """Random changes of the owner."""
    edits: int = 40
    """Of the words, hard and soft; needs a run."""
    run: Path | None = None
    """Folder of a training run, for edits of the words."""
    delay_ms: tuple[float, float] = (100.0, 20.0)
    """How long System 2 and System 1 of that run are made to take."""
    lerobot: bool = True
    """Measure LeRobot's side, too."""
    json: bool = False
    """Print what is written, instead of tables."""
    to: Path = Path("out/bench/takeover.json")
    """Where it is written."""


def main(options: Options) -> int:
    """Measure, print, and write."""
    found: dict[str, Any] = {
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{os.cpu_count()} x {platform.machine()}",
        "load_before": os.getloadavg()[0], **at_the_desk(options)}
    found["load_after_desk"] = os.getloadavg()[0]
    found["flips"] = _flips(options.flips)
    if options.run is not None:
        found["edits"] = {kind: _edits(options, options.run, kind == "hard")
                          for kind in ("hard", "soft")}
    if options.lerobot:
        found["lerobot"] = _lerobot(options.others)
    found["load_after"] = os.getloadavg()[0]
    options.to.parent.mkdir(parents=True, exist_ok=True)
    options.to.write_text(json.dumps(found, indent=1) + "\n")
    if options.json:
        print(json.dumps(found))
    else:
        show(found)
    return 0


# ---- measuring -----------------------------------------------------------------------------------


def at_the_desk(options: Options) -> dict[str, Any]:
    """Everything that needs real processes."""
    conditions, quiet = {}, None
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder, store = Path(name), Path(name) / "store"
        with seat_with_mouse(folder, store) as (seat, hand):
            for number, fault in enumerate(FAULTS):
                def take(person: Person, done: Run, fault=fault) -> None:
                    for _ in range(options.takeovers):
                        person.take_over(fault, done.taken_ns, done.released_ns)
                run = record(seat, hand, store, 5000 + number, take)
                conditions[fault.words] = _condition(run)
                print(f"{fault.words}: {len(run.taken_ns)} takeovers", file=sys.stderr, flush=True)
                quiet = quiet or run

            def fall_silent(person: Person, done: Run) -> None:
                for _ in range(options.others):
                    person.let_the_device_fall_silent(done.last_ns)

            def stop(person: Person, done: Run) -> None:
                for _ in range(options.others):
                    person.stop(done.stopped_ns)

            silent = silences(record(seat, hand, store, 5010, fall_silent))
            stopped = stops(record(seat, hand, store, 5011, stop))
            info = seat.client.robot or (seat.client.learn_robot() and seat.client.robot)
            assert info and quiet is not None
            bounds = tuple(map(np.array, (info.max_velocity, info.max_acceleration,
                                          info.max_jerk)))
            return {"conditions": conditions, "silence_ms": _spread(silent),
                    "stop": {name: _spread(values) for name, values in stopped.items()},
                    "smooth": _smooth(quiet, bounds)}


def _condition(run: Run) -> dict[str, Any]:
    ticks, after_ms = takeovers(run)
    ran, lost = ticks_lost(run)
    return {"takeovers": len(ticks), "not_possible": run.refused, "ticks": _spread(ticks),
            "within_2": int((ticks <= 2).sum()), "ms": _spread(after_ms), "ran": ran, "lost": lost,
            "faults": faults(run), "came": int(np.isfinite(ticks).sum()),
            "pause_ms": _spread(pauses_ms(run)),
            "hand_back": {name: _spread(values) for name, values in hand_backs(run).items()}}


def _smooth(run: Run, bounds: tuple[np.ndarray, ...]) -> dict[str, Any]:
    """Of all that was sent, and at handovers: without the gripper, which is not an angle."""
    tick = run.episode["tick"]
    sent, mode = np.asarray(tick["sent"]), np.asarray(tick["mode"])
    arm = tuple(bound[:-1] for bound in bounds)
    _, acceleration, _ = differences(sent[:, :-1], PERIOD_S)
    jumps = {}
    for name, before, after in (("take", (Mode.AUTO,), Mode.HUMAN),
                                ("give", (Mode.HANDBACK,), Mode.AUTO)):
        at = np.flatnonzero(np.isin(mode[:-1], before) & (mode[1:] == after)) + 1
        near = [np.abs(acceleration[max(0, k - 5):k + 5]).max() for k in at]
        jumps[name] = _spread(np.array(near))
    return {"shares": shares(sent, PERIOD_S, bounds), "near_rad_s2": jumps,
            "bound_rad_s2": float(arm[1].max())}


def _flips(count: int) -> dict[str, Any]:
    found = flips(count)
    return {"flips": found.flips, "ticks": found.ticks, "shares": found.shares,
            "jump": found.jump}


def _edits(options: Options, run: Path, hard: bool) -> dict[str, Any]:
    think_ms, act_ms = options.delay_ms
    found = edits(run, hard=hard, count=options.edits,
                  delays=Delays(think_s=think_ms / 1e3, act_s=act_ms / 1e3))
    return {"ticks": _spread(np.array(found.ticks)), "still": _spread(np.array(found.still)),
            "wrong": found.wrong}


def _lerobot(count: int) -> dict[str, Any]:
    try:
        from takeover_lerobot import LEADERS, handovers
    except ImportError as error:
        return {"absent": str(error)}
    found = {}
    for kind in LEADERS:
        taken, given = handovers(kind, count)
        found[kind] = {side: {
            "ms": _spread(1e3 * np.array([one.until_s for one in done])),
            "gap_ms": _spread(1e3 * np.array([one.gap_s for one in done])),
            "jump_rad_s2": _spread(np.array([one.jump for one in done]))}
            for side, done in (("take", taken), ("give", given))}
    return found


def _spread(values: np.ndarray) -> dict[str, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return {"n": 0}
    p50, p99 = np.percentile(values, (50, 99)).tolist()
    return {"n": len(values), "p50": p50, "p99": p99, "max": float(values.max())}


# ---- printing ------------------------------------------------------------------------------------


def show(found: dict[str, Any]) -> None:
    """Four tables."""
    console = Console(width=110)
    table = _table("Taking the arm at a desk of processes", "while", "n", "ticks p50", "p99", "max",
                   "within 2", "ms p50", "p99", "max", "ticks ran", "lost", "longest pause")
    for name, one in found["conditions"].items():
        ticks, after = one["ticks"], one["ms"]
        table.add_row(name, str(one["takeovers"]), *_numbers(ticks, "{:.0f}"),
                      f"{one['within_2']}/{one['takeovers']}", *_numbers(after, "{:.1f}"),
                      str(one["ran"]), str(one["lost"]), f"{one['pause_ms']['max']:.0f} ms")
    console.print(table)
    table = _table("More at the desk", "what", "n", "p50", "p99", "max")
    quiet = found["conditions"][FAULTS[0].words]["hand_back"]
    for what, of in (
            ("ms from the last report of a hand to the policy's planning", quiet["release"]),
            ("ticks from there to the policy's first command", quiet["ticks"]),
            ("ms from what it was planned from to that command", quiet["inference"]),
            (f"ms until a device that fell silent is not followed ({SIXTY_MS:.0f} and a tick)",
             found["silence_ms"]),
            ("ticks from asking for a stop to STOP", found["stop"]["ticks"]),
            ("more ticks until it slows down", found["stop"]["slower"]),
            ("ms from asking for a stop to standstill", found["stop"]["stands"])):
        table.add_row(what, str(of["n"]), *_numbers(of, "{:.1f}"))
    console.print(table)
    smooth, flipped = found["smooth"], found["flips"]
    table = _table("What was sent, as a share of the robot's bounds", "where", "changes of owner",
                   "velocity", "acceleration", "jerk")
    taken = found["conditions"][FAULTS[0].words]["takeovers"]
    table.add_row("desk, quiet", str(2 * taken), *(f"{s:.4f}" for s in smooth["shares"]))
    table.add_row("virtual clock, random", str(flipped["flips"]),
                  *(f"{s:.4f}" for s in flipped["shares"]))
    console.print(table)
    _show_edits(console, found)
    _show_lerobot(console, found)
    console.print(f"{found['machine']}, load {found['load_before']:.1f} before, "
                  f"{found['load_after_desk']:.1f} after the desk, {found['load_after']:.1f} at "
                  "the end")


def _show_edits(console: Console, found: dict[str, Any]) -> None:
    if "edits" not in found:
        return
    table = _table("Other words until a plan for them is followed", "edit", "n", "ticks p50", "p99",
                   "max", "of which still, p50", "ticks with a wrong number")
    for kind, one in found["edits"].items():
        table.add_row(kind, str(one["ticks"]["n"]), *_numbers(one["ticks"], "{:.0f}"),
                      f"{one['still']['p50']:.0f}", str(one["wrong"]))
    console.print(table)


def _show_lerobot(console: Console, found: dict[str, Any]) -> None:
    table = _table("Both sides: until the next driver commands, time without any command, largest "
                   "acceleration of the commands", "side", "n", "ms p50", "max", "gap ms p50",
                   "max", "rad/s² p50", "max")
    conditions = found["conditions"][FAULTS[0].words]
    near, pause = found["smooth"]["near_rad_s2"], _two(conditions["pause_ms"], "{:.0f}")
    table.add_row("ours, take", str(conditions["takeovers"]), *_two(conditions["ms"], "{:.0f}"),
                  *pause, *_two(near["take"], "{:.1f}"))
    back = conditions["hand_back"]
    table.add_row("ours, give back", str(back["ticks"]["n"]), *_two(back["whole"], "{:.0f}"),
                  *pause, *_two(near["give"], "{:.1f}"))
    for kind, sides in found.get("lerobot", {}).items():
        if kind == "absent":
            console.print(f"LeRobot's side is missing: {sides}")
            continue
        for side, words in (("take", "take"), ("give", "give back")):
            one = sides[side]
            table.add_row(f"LeRobot, {kind}, {words}", str(one["ms"]["n"]),
                          *_two(one["ms"], "{:.0f}"), *_two(one["gap_ms"], "{:.0f}"),
                          *_two(one["jump_rad_s2"], "{:.1f}"))
    console.print(table)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _numbers(of: dict[str, float], form: str) -> list[str]:
    return [form.format(of[name]) if name in of else "–" for name in ("p50", "p99", "max")]


def _two(of: dict[str, float], form: str) -> list[str]:
    return [form.format(of[name]) if name in of else "–" for name in ("p50", "max")]


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Options)))

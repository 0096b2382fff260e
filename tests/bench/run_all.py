"""Every benchmark, one after the other, and one table against what the project promises.

Each benchmark is a program of its own that prints its own table and writes out/bench/NAME.json;
here they are only run, read and judged. A promise is kept if the median of the repetitions keeps
it, and for lost data if the worst repetition does. A benchmark that fails is said to have failed,
and the others still run. Timings on a machine that does something else are not worth reading: the
load before the start is printed above the table.

Run it with `make bench`, or `python tests/bench/run_all.py [--quick] [--only recording loop]`.
"""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import tyro
from rich.console import Console
from rich.table import Table
from scripted_operator import Config, print_table, run_in_workers, wilson

HERE = Path(__file__).parent
OUT = Path("out/bench")
SIZES = ("640x480", "224x224", "128x128")
RECORDED = SIZES[0]         # what a camera gives, as in the promises about recording

# Name, arguments, and arguments for --quick.
PROGRAMS: tuple[tuple[str, list[str], list[str]], ...] = (
    ("opening", [], []),
    ("recording", [], ["--seconds", "10", "--repetitions", "1"]),
    ("handover", [], ["--seconds", "5", "--repetitions", "1"]),
    ("reading", [], []),
    ("simulator", [], ["--seconds", "3", "--repetitions", "3"]),
    ("rerun_costs", [], []),
    ("loop", [], ["--seconds", "8", "--repetitions", "1"]),
)
OPERATOR_SEEDS, OPERATOR_SEEDS_QUICK = "3000:3200", "3000:3010"


class Check(msgspec.Struct, frozen=True):
    """A promise and what was measured.

    Attributes:
        benchmark: whose JSON file holds the figures.
        values: takes them out of it, one per repetition.
        at_least: whether more is better.
        worst: judge the worst repetition, not the median.
    """

    benchmark: str
    what: str
    limit: float
    unit: str
    values: Callable[[Any], list[float]]
    at_least: bool = False
    worst: bool = False

    def kept(self, values: list[float]) -> bool:
        """Whether the promise is kept."""
        if self.worst:
            judged = min(values) if self.at_least else max(values)
        else:
            judged = statistics.median(values)
        return judged >= self.limit if self.at_least else judged <= self.limit


def of_side(side: str, field: str, scale: float = 1.0) -> Callable[[Any], list[float]]:
    """A figure of the recording benchmark."""
    return lambda found: [scale * run[field] for run in found["runs"][side]]


def cpu_ratio(found: Any) -> list[float]:
    """Our CPU share over that of LeRobot's default, run by run."""
    ours, theirs = found["runs"]["tandem"], found["runs"]["lerobot"]
    return [a["cpu_share"] / b["cpu_share"] for a, b in zip(ours, theirs, strict=True)]


def times_faster(size: str, rival: str, kind: str) -> Callable[[Any], list[float]]:
    """How many times as long a rival takes for a window, repetition by repetition."""
    def values(found: Any) -> list[float]:
        readers = found["windows"][size]
        return [theirs / ours for theirs, ours in zip(readers[rival][kind],
                                                      readers["tandem"][kind], strict=True)]
    return values


def of_loop(case: str, field: str, scale: float = 1.0) -> Callable[[Any], list[float]]:
    """A figure of the control loop's benchmark."""
    return lambda found: [scale * run[field] for run in found["runs"][case]]


def simulator_speed(found: Any) -> list[float]:
    """Times real time with two 128-px colour cameras."""
    case = next(result for result in found["results"]
                if result["case"]["size"] == 128 and result["case"]["cameras"]
                and not result["case"]["depth"])
    return case["speed"]


CHECKS: tuple[Check, ...] = (
    Check("recording", "pictures dropped", 0, "", of_side("tandem", "dropped"), worst=True),
    Check("recording", "late control ticks", 0.5, "%", of_side("tandem", "late_share", 100)),
    Check("recording", "hand-over p99", 0.3, "ms", of_side("tandem", "hand_over_p99_ms")),
    Check("handover", "hand-over p99, two 120 kB pictures every tick", 0.3, "ms",
          lambda found: [run["p99_ms"] for run in found["runs"]]),
    Check("recording", "CPU, share of LeRobot's default", 0.25, "", cpu_ratio),
    Check("recording", "stop to committed", 0.3, "s", of_side("tandem", "commit_s")),
    *(Check("reading", f"{what}, {kind} time, times faster than {rival}", limit, "x",
            times_faster(what, rival, f"{kind}_ms"), at_least=True)
      for what, lerobot in ((f"{RECORDED} at 128x96", "lerobot"),
                            *((f"training on {size}", "lerobot uint8") for size in SIZES))
      for rival, limit in ((lerobot, 8.0), ("zarr-python", 3.0)) for kind in ("wall", "cpu")),
    Check("opening", "open and list 10,000 episodes", 0.5, "s",
          lambda found: found["seconds"]["DemoStore.open + episodes"]),
    Check("loop", "lateness p99, alone", 3.0, "ms", of_loop("alone", "p99_ms")),
    Check("simulator", "two 128-px cameras, times real time", 3.0, "x", simulator_speed,
          at_least=True),
    Check("scripted_operator", "success of the worst task", 98.0, "%", lambda found: [
        min(100 * task["successes"] / task["episodes"] for task in found.values())],
          at_least=True),
)

# Promised without a limit: measured and shown.
SHOWN: tuple[tuple[str, str, str, Callable[[Any], list[float]]], ...] = (
    ("loop", "lateness p99 with cameras, recorder and Rerun", "ms",
     of_loop("with cameras, recorder and Rerun", "p99_ms")),
    ("loop", "lateness p99, the same beside a trainer", "ms",
     of_loop("the same beside a trainer", "p99_ms")),
    *(("reading", f"{what}, CPU time, times faster than {rival}", "x",
       times_faster(what, rival, "cpu_ms"))
      for what in (*(f"{size} at 128x96" for size in SIZES if size != RECORDED),
                   *(f"{size}, full" for size in SIZES))
      for rival in ("lerobot", "zarr-python")),
    ("recording", "stop to committed, LeRobot's default", "s", of_side("lerobot", "commit_s")),
    ("recording", "stop to committed, LeRobot streaming", "s",
     of_side("lerobot streaming", "commit_s")),
    ("rerun_costs", "Rerun: publishing a tick in the control loop, p50", "ms",
     lambda found: found["milliseconds"]["control loop: publish a tick, p50 ms"]),
    ("rerun_costs", "Rerun: logging a tick in the live view, CPU", "ms",
     lambda found: found["milliseconds"]["live view: log a tick, 10 at a time, CPU ms"]),
)


def run_program(name: str, arguments: list[str]) -> str:
    """Run a benchmark; returns why it failed, or nothing."""
    result = OUT / f"{name}.json"
    result.unlink(missing_ok=True)      # an old figure is worse than none
    code = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *arguments],
                          check=False).returncode
    return "" if code == 0 and result.is_file() else f"ended with exit code {code}"


def run_operator(seeds: str) -> str:
    """Run the scripted operator on many seeds and keep the successes per task."""
    config = Config(seeds=seeds, workers=os.cpu_count() or 1)
    try:
        episodes = run_in_workers(config)
    except SystemExit as error:
        return str(error)
    print_table(episodes, config)
    tasks: dict[str, dict[str, Any]] = {}
    for task in dict.fromkeys(episode.task for episode in episodes):
        mine = [episode for episode in episodes if episode.task == task]
        successes = sum(episode.success_s is not None for episode in mine)
        tasks[task] = {"episodes": len(mine), "successes": successes,
                       "wilson_95": wilson(successes, len(mine))}
    (OUT / "scripted_operator.json").write_bytes(msgspec.json.encode(tasks))
    return ""


def spread(values: list[float]) -> str:
    """min / median / max, with as many digits as say something."""
    digits = 3 if max(values) < 1 else 2 if max(values) < 10 else 1
    return " / ".join(f"{value:.{digits}f}"
                      for value in (min(values), statistics.median(values), max(values)))


def figures(name: str) -> Any:
    """What a benchmark of this run wrote, or None."""
    path = OUT / f"{name}.json"
    return msgspec.json.decode(path.read_bytes()) if path.is_file() else None


def summary(ran: list[str], failed: dict[str, str], load_before: float) -> tuple[Table, int]:
    """The table, and how many promises are not kept."""
    table = Table("", "what", "promised", "measured: min / median / max", "n",
                  title=f"{platform.machine()}, {os.cpu_count()} cores, Python "
                        f"{platform.python_version()}, load {load_before:.1f} before the start")
    missed = 0
    for check in CHECKS:
        if check.benchmark not in ran:
            continue
        sign = "≥" if check.at_least else "≤"
        promised = f"{sign} {check.limit:g} {check.unit}".strip()
        if check.benchmark in failed:
            table.add_row("FAILED", check.what, promised, failed[check.benchmark], "")
            missed += 1
            continue
        values = check.values(figures(check.benchmark))
        kept = check.kept(values)
        missed += not kept
        table.add_row("PASS" if kept else "MISS", check.what, promised,
                      f"{spread(values)} {check.unit}".strip(), str(len(values)))
    for benchmark, what, unit, take in SHOWN:
        if benchmark in failed:
            table.add_row("FAILED", what, "", failed[benchmark], "")
        elif benchmark in ran:
            values = take(figures(benchmark))
            table.add_row("", what, "", f"{spread(values)} {unit}", str(len(values)))
    return table, missed


def main(quick: bool = False, only: tuple[str, ...] = ()) -> int:
    """Run the benchmarks and print the table; the exit code is 1 if a promise is not kept.

    Args:
        quick: shorter runs, to see that everything works; the figures mean less.
        only: names of benchmarks; all if none is given.
    """
    names = [*(name for name, _, _ in PROGRAMS), "scripted_operator"]
    if unknown := [name for name in only if name not in names]:
        print(f"unknown benchmark '{unknown[0]}': valid are {', '.join(names)}", file=sys.stderr)
        return 2
    OUT.mkdir(parents=True, exist_ok=True)
    load_before, begun = os.getloadavg()[0], time.monotonic()
    ran = [name for name in names if not only or name in only]
    failed: dict[str, str] = {}
    for name, arguments, quick_arguments in PROGRAMS:
        if name in ran:
            print(f"\n== {name}", flush=True)
            if problem := run_program(name, quick_arguments if quick else arguments):
                failed[name] = problem
    if "scripted_operator" in ran:
        print("\n== scripted_operator", flush=True)
        if problem := run_operator(OPERATOR_SEEDS_QUICK if quick else OPERATOR_SEEDS):
            failed["scripted_operator"] = problem
    table, missed = summary(ran, failed, load_before)
    console = Console(width=118)
    console.print(table)
    minutes = (time.monotonic() - begun) / 60
    console.print(f"{missed} promises not kept; {minutes:.0f} minutes; figures in {OUT}/",
                  highlight=False)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))

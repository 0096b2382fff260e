"""`make experiments`: run what is missing of the tables about the policy, and print them.

    python tests/experiments/run.py                          everything; hours, but it resumes
    python tests/experiments/run.py --quick                  one row of each table; a sample
    python tests/experiments/run.py --only competence/bin rates --jobs 2
    python tests/experiments/run.py --print                  only what is there already

Ctrl-C leaves no half result; the next call goes on. See docs/experiments.md.
"""

import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))          # `experiments`, as the tests name it

from experiments.definitions import HOME, Row
from experiments.jobs import Job, Schedule, Workshop, run_all
from experiments.launching import Launcher, last_line
from experiments.results import FULL, QUICK, ROOT
from experiments.rows import BOOK
from experiments.tables import table
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from studio.station.robots import tasks_of

MISTAKE, STOPPED = 2, 130


@dataclass(frozen=True, kw_only=True)
class Experiments:
    """Run what is missing of the tables about the dual-system policy, and print them."""

    quick: bool = False
    """One row of each table, small: a sample that shows how it is done, not a result."""
    only: tuple[str, ...] = ()
    """Names of tables, or of rows as TABLE/ROW."""
    jobs: int = 1
    """Jobs of one thread side by side; no more than the machine has quiet cores."""
    again: bool = False
    """Train and judge the chosen rows anew, also those that have a result."""
    list: bool = False
    """List the chosen rows and what is missing; run nothing."""
    print: Annotated[bool, tyro.conf.arg(name="print")] = False
    """Print the tables from the results that there are; run nothing."""


def main(words: Sequence[str] | None = None) -> int:
    """Do as the options say; returns an exit code."""
    chosen = tyro.cli(Experiments, args=words, config=(tyro.conf.FlagCreatePairsOff,))
    console = Console(stderr=True)
    try:
        rows = select(BOOK.rows, chosen.only, quick=chosen.quick)
    except ValueError as mistake:
        console.print(f"experiments: {mistake}", style="red", markup=False)
        return MISTAKE
    results = QUICK if chosen.quick else FULL
    launcher = Launcher(ROOT, ROOT / HOME / "logs")
    workshop = Workshop(BOOK, launcher, ROOT, results, chosen.jobs)
    missing = workshop.missing(rows, again=chosen.again)
    if chosen.list:
        show_list(rows, missing)
        return 0
    failed: dict[str, str] = {}
    if not chosen.print and missing:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        try:
            failed = work(console, missing, chosen.jobs, launcher)
        except KeyboardInterrupt:
            console.print("stopped: what was finished is kept, the next call goes on")
            return STOPPED
    for name in dict.fromkeys(row.table for row in rows):
        sys.stdout.write(table(BOOK, name, ROOT / results, quick=chosen.quick) + "\n\n")
    for name, problem in failed.items():
        console.print(f"{name}: {problem}", style="red", markup=False)
    return 1 if failed else 0


def select(rows: Sequence[Row], only: Sequence[str], *, quick: bool) -> list[Row]:
    """The rows that are meant.

    Raises:
        ValueError: a name is neither a table nor TABLE/ROW; lists the valid ones.
    """
    rows = [row for row in rows if row.quick == quick]
    for name in only:
        if not any(name in (row.table, row.key) for row in rows):
            table = name.partition("/")[0]
            near = [row.key for row in rows if row.table == table]
            raise ValueError(f"there is no row or table {name!r}; valid are "
                             f"{', '.join(near or dict.fromkeys(row.table for row in rows))}")
    return [row for row in rows if not only or row.table in only or row.key in only]


def show_list(rows: Sequence[Row], missing: Sequence[Job]) -> None:
    """Every chosen row, and the jobs that are left."""
    left = {job.name for job in missing}
    for row in rows:
        for seed in row.seeds:
            state = f"blocked: {row.blocked}" if row.blocked else \
                "missing" if f"{row.key}-seed{seed}" in left else "done"
            sys.stdout.write(f"{row.key}-seed{seed}  {state}\n")
    minutes = sum(BOOK.trainings[training].minutes for training in
                  (name.removeprefix("train/").rpartition("-seed")[0] for name in left
                   if name.startswith("train/")))
    trials_min = sum(tasks_of("sim")[each.task].max_duration_s * len(range(*each.seeds))
                     for row in rows for seed in row.seeds if f"{row.key}-seed{seed}" in left
                     for each in row.evaluations) / 60
    kinds = {kind: sum(name.startswith(kind) for name in left) for kind in ("record/", "train/")}
    sys.stdout.write(f"left: {kinds['record/']} stores to record, {kinds['train/']} trainings of "
                     f"together {minutes:g} minutes, {len(left) - sum(kinds.values())} results; "
                     f"trials of {trials_min:.0f} minutes of robot time, if all of them fail\n")


def work(console: Console, jobs: Sequence[Job], workers: int, launcher: Launcher
         ) -> dict[str, str]:
    """Do the jobs while one watches; returns what failed, and why."""
    begun: dict[str, float] = {}
    told: set[str] = set()

    def on_change(schedule: Schedule) -> None:
        for job in schedule.running:
            if job.name not in begun:
                begun[job.name] = time.monotonic()
                console.print(f"{job.name} …", markup=False, highlight=False)
        for name in (*schedule.done, *schedule.failed):
            if name not in told:
                told.add(name)
                took = _minutes(time.monotonic() - begun.get(name, time.monotonic()))
                how = schedule.failed.get(name, "done")
                console.print(f"{name}: {how} ({took})", markup=False, highlight=False)
        live.update(_view(schedule, len(jobs), begun, launcher))

    with Live(console=console, transient=True, auto_refresh=console.is_terminal,
              refresh_per_second=2) as live:
        return run_all(jobs, workers, launcher, on_change).failed


def _view(schedule: Schedule, total: int, begun: dict[str, float], launcher: Launcher) -> Group:
    over = len(schedule.done) + len(schedule.failed)
    running = Table.grid(padding=(0, 2))
    for job in schedule.running:
        running.add_row(Text(job.name), _minutes(time.monotonic() - begun[job.name]),
                        Text(last_line(launcher.log(job.name)), overflow="ellipsis", no_wrap=True))
    return Group(running, Text(f"{over} of {total} jobs over"),
                 ProgressBar(total=total, completed=over, width=60))


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

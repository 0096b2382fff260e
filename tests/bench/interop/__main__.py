"""`make interop`: every path of data in and out, run for real, in one table.

Each path is a file beside this one (see row.py) and a process of its own, so that one that fails,
hangs or dies is said to have failed and the others still run. `--to FOLDER` keeps every path's rows
as JSON; with `--resume` those that lie there and went well are not run again, and `--print` only
prints what lies there. `--only lerobot_killed` runs some. Exit code 1 if a check failed.
"""

import contextlib
import importlib
import os
import platform
import signal
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parent))

import msgspec
import tyro
from rich import box
from rich.console import Console
from rich.table import Table
from row import RUN, Row, failed

PATHS = ("lerobot_export", "lerobot_import", "lerobot_killed", "lerobot_train", "lerobot_drives",
         "lerobot_commands", "lerobot_policy", "openpi_protocol", "replay_buffers", "robomimic")
LONGEST_S, INSIDE = 1800, "inside"      # how a path's own process is called


@dataclass(frozen=True)
class Config:
    """Run every path of data in and out, and print one table."""

    only: tuple[str, ...] = ()
    """Files to run; none means all."""
    to: Path = Path("out/interop")
    """A folder for the rows as JSON, for example docs/results/interop."""
    resume: bool = False
    """Leave out paths whose rows lie there and went well."""
    show: Annotated[bool, tyro.conf.arg(name="print")] = False
    """Print the rows that lie there; run nothing."""
    run: Path | None = None
    """A trained dual-system run, for lerobot-eval beside tandem eval on seeds 5000 to 5019."""


class Kept(msgspec.Struct):
    """A file of rows."""

    machine: str
    rows: list[Row]


def main(config: Config) -> int:
    """Run, print, judge."""
    paths = config.only or PATHS
    if unknown := [name for name in paths if name not in PATHS]:
        sys.stderr.write(f"there is no path {unknown[0]!r}: there are {', '.join(PATHS)}\n")
        return 2
    if config.run is not None:
        os.environ[RUN] = str(config.run.absolute())
    with tempfile.TemporaryDirectory(prefix="interop-") as work:
        for name in () if config.show else paths:
            kept = _kept(config.to / f"{name}.json")
            if not (config.resume and kept is not None and all(row.ok for row in kept.rows)):
                sys.stderr.write(f"{name} …\n")
                _run(name, Path(work), config.to)
    found = {name: kept for name in paths
             if (kept := _kept(config.to / f"{name}.json")) is not None}
    _print(found)
    missing = [name for name in paths if name not in found]
    if missing:
        sys.stdout.write(f"not run yet: {', '.join(missing)}\n")
    return 0 if not missing and all(row.ok for kept in found.values() for row in kept.rows) else 1


def _run(name: str, work: Path, to: Path) -> None:
    """One path in a process of its own; its rows lie in `to` afterwards, whatever became of it."""
    path = to / f"{name}.json"
    path.unlink(missing_ok=True)
    words = [sys.executable, str(Path(__file__).parent), INSIDE, name, str(work), str(path)]
    child = subprocess.Popen(words, start_new_session=True)
    try:
        why = f"its process ended with {child.wait(LONGEST_S)}"
    except subprocess.TimeoutExpired:
        why = f"it was not done after {LONGEST_S} s"
    finally:
        with contextlib.suppress(ProcessLookupError):       # and those that it started
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if not path.exists():
        _keep(path, [failed(name, why)], work)


def _rows_of(name: str, work: Path) -> list[Row]:
    try:
        return importlib.import_module(name).run(work)
    except Exception as error:      # the edge: a path that fails is a row, and no end
        traceback.print_exc()
        return [failed(name, error)]


def _print(found: dict[str, Kept]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("path", "rows", "frames", "seconds", "check", "well"):
        table.add_column(title, justify="right" if title in ("rows", "frames", "seconds") else
                         "left", overflow="fold")
    for row in (row for kept in found.values() for row in kept.rows):
        table.add_row(row.path, str(row.rows), str(row.frames), f"{row.seconds:.1f}", row.check,
                      "yes" if row.ok else "NO")
    screen = Console(width=None if sys.stdout.isatty() else 160)
    screen.print(table)
    for machine in dict.fromkeys(kept.machine for kept in found.values()):
        screen.print(machine, highlight=False)


def _kept(path: Path) -> Kept | None:
    return msgspec.json.decode(path.read_bytes(), type=Kept) if path.exists() else None


def _keep(path: Path, rows: list[Row], work: Path) -> None:
    """As JSON that names no folder of this machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    text = msgspec.json.encode(Kept(machine, rows)).replace(f"{work}/".encode(), b"")
    path.write_bytes(msgspec.json.format(text, indent=2) + b"\n")


if __name__ == "__main__":
    if sys.argv[1:2] == [INSIDE]:
        name, work, path = sys.argv[2:]
        _keep(Path(path), _rows_of(name, Path(work)), Path(work))
        sys.exit(0)
    sys.exit(main(tyro.cli(Config, config=(tyro.conf.FlagCreatePairsOff,))))

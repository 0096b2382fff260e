"""`make interop`: every path of data in and out, run for real, in one table.

Each path is a file beside this one (see row.py). One that fails is said to have failed, and the
others still run. `--to FOLDER` also writes every path's rows as JSON; `--only lerobot_killed` runs
some. Exit code 1 if a check failed.
"""

import importlib
import os
import platform
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parent))

import msgspec
import tyro
from rich import box
from rich.console import Console
from rich.table import Table
from row import Row

PATHS = ("lerobot_export", "lerobot_import", "lerobot_killed", "lerobot_train", "lerobot_drives",
         "lerobot_commands", "openpi_protocol", "replay_buffers", "robomimic")


@dataclass(frozen=True)
class Config:
    """Run every path of data in and out, and print one table."""

    only: tuple[str, ...] = ()
    """Files to run; none means all."""
    to: Path | None = None
    """A folder for the rows as JSON, for example docs/results/interop."""


def main(config: Config) -> int:
    """Run, print, judge."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="interop-") as work:
        for name in config.only or PATHS:
            sys.stderr.write(f"{name} …\n")
            try:
                found = importlib.import_module(name).run(Path(work))
            except Exception as error:      # the edge: a path that fails is a row, and no end
                traceback.print_exc()
                found = [Row(path=name, rows=0, frames=0, seconds=0, ok=False,
                             check=f"failed: {type(error).__name__}: {error}")]
            rows += found
            if config.to is not None:
                _keep(config.to / f"{name}.json", found)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("path", "rows", "frames", "seconds", "check", "well"):
        table.add_column(title, justify="right" if title in ("rows", "frames", "seconds") else
                         "left", overflow="fold")
    for row in rows:
        table.add_row(row.path, str(row.rows), str(row.frames), f"{row.seconds:.1f}", row.check,
                      "yes" if row.ok else "NO")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0 if all(row.ok for row in rows) else 1


def _keep(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    told = {"machine": machine, "rows": rows}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Config)))

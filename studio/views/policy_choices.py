"""Which training runs there are to choose from: on the disk, and chosen before.

A run is a folder with a description that says so and a checkpoint that is named as its newest.
Reads a few small files and no weights. Knows where runs usually lie; refuses to know networks.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

FORMAT = "tandem-run"
DEPTH = 3                   # folders below a place that are looked into
MOST = 40                   # runs that are offered
_MOST_FOLDERS = 2000        # that are looked at: a place may be anything


class _Config(msgspec.Struct, frozen=True):
    format: str = ""
    kind: str = ""


class RunChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A run that may drive.

    Attributes:
        folder: its path.
        name: as it is called where it lies.
        step: of its newest checkpoint.
    """

    folder: str
    name: str
    step: int

    @property
    def words(self) -> str:
        """As it is offered."""
        return f"{self.name}, step {self.step:,}"


def run_at(folder: Path) -> RunChoice | None:
    """The run in a folder; None if there is none that could drive."""
    try:
        config = msgspec.json.decode((folder / "config.json").read_bytes(), type=_Config)
        newest = (folder / "latest").read_text().strip()
        step = int(Path(newest).name)
    except (OSError, ValueError, msgspec.DecodeError):
        return None
    return RunChoice(folder=str(folder), name=folder.name, step=step) \
        if config.format == FORMAT else None


def find_runs(places: Iterable[Path], remembered: Iterable[str] = ()) -> tuple[RunChoice, ...]:
    """Runs that may drive: those chosen before first, then what lies in some places, newest first.

    Args:
        places: folders that may hold runs, or folders of runs.
        remembered: folders of runs.
    """
    before = [run for folder in remembered if (run := run_at(Path(folder))) is not None]
    found: dict[str, tuple[float, RunChoice]] = {}
    left = _MOST_FOLDERS
    for place in places:
        for folder in _folders(place, DEPTH):
            if (left := left - 1) < 0:
                break
            if (run := run_at(folder)) is not None:
                found[run.folder] = ((folder / "latest").stat().st_mtime, run)
    newest = [run for _, run in sorted(found.values(), key=lambda one: -one[0])]
    every = {run.folder: run for run in (*before, *newest)}
    return tuple(every.values())[:MOST]


def _folders(place: Path, depth: int) -> Iterable[Path]:
    """A folder and those below it, runs' own insides left out."""
    try:
        if not place.is_dir():
            return
        yield place
        if depth == 0 or (place / "config.json").exists():
            return
        below = sorted(one for one in place.iterdir()
                       if one.is_dir() and not one.name.startswith("."))
    except OSError:
        return
    for one in below:
        yield from _folders(one, depth - 1)

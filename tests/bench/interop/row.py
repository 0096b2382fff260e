"""What every path of data, in or out, says of itself in the table of `make interop`.

A path is a file beside this one with a function `run(work: Path) -> list[Row]`. It makes what it
needs under `work`, runs the other program for real, and looks whether what came out is what went
in. To add one, put a file here and its name into PATHS of __main__.py.
"""

import contextlib
import time
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from recorders.episode_reader import EpisodeReader
from recorders.frames_at_rate import Frames, frames_at_rate
from recorders.store import DemoStore

TASK, EPISODES, FPS = "put-cube-in-bin", 3, 30
RUN = "INTEROP_RUN"         # a trained run, from `--run` to the paths that have a use for it


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    Attributes:
        path: what goes where.
        rows, frames: of numbers and of pictures, counted where they arrived.
        seconds: of the step itself, imports and preparation left out.
        check: what was looked at.
        ok: whether it was as it should be.
        figures: more that was measured, by name.
    """

    path: str
    rows: int
    frames: int
    seconds: float
    check: str
    ok: bool
    figures: dict[str, float | str] = {}


def failed(path: str, error: Exception | str) -> Row:
    """The row of a path that could not be run to its end."""
    why = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return Row(path=path, rows=0, frames=0, seconds=0, ok=False, check=f"failed: {why}")


def one_by_one(*makers: "partial[Row] | partial[list[Row]]") -> list[Row]:
    """The rows of several steps of a path; one that fails ends no other."""
    rows: list[Row] = []
    for maker in makers:
        try:
            made = maker()
            rows += made if isinstance(made, list) else [made]
        except Exception as error:      # the edge: a step that fails is a row, and no end
            traceback.print_exc()
            words = [maker.func.__module__, maker.func.__name__.strip("_"),
                     *(one for one in maker.args if isinstance(one, str))]
            rows.append(failed(", ".join(words), error))
    return rows


class Timer:
    """Seconds of the block that `timed` gave it to, and of all cores in it."""

    seconds = cpu_s = 0.0


@contextlib.contextmanager
def timed() -> Iterator[Timer]:
    """Measure a block."""
    timer, began, used = Timer(), time.perf_counter(), time.process_time()
    yield timer
    timer.seconds, timer.cpu_s = time.perf_counter() - began, time.process_time() - used


def recorded(work: Path) -> Path:
    """A store of scripted demonstrations on the simulated arm; recorded once."""
    from studio import cli

    store = work / "recorded"
    if not store.exists():
        code = cli.main(["record", "--teleop", "scripted", "--task", TASK, "--episodes",
                         str(EPISODES), "--to", str(store), "--fast"])
        assert code == 0, "the demonstrations were not recorded"
    return store


def episodes_of(store: Path) -> list[str]:
    """The ids of a store's episodes."""
    with DemoStore.open(store) as opened:
        return [episode.episode for episode in opened.episodes()]


def frames_of(store: Path, cameras: tuple[str, ...] = ("front", "wrist"), fps: float = FPS
              ) -> list[tuple[EpisodeReader, Frames]]:
    """Every episode with the frames that exports are made of."""
    with DemoStore.open(store) as opened:
        readers = [EpisodeReader(opened.episode_path(one)) for one in episodes_of(store)]
    return [(reader, frames_at_rate(reader, cameras, fps)) for reader in readers]

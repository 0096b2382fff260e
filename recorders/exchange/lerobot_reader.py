"""Reads a LeRobot dataset of version 3.0 without LeRobot: episodes, tables, where pictures lie.

Everything is looked at before the first episode is given: a table that cannot be read, a video that
was copied only in part, an episode with other rows than meta says are refused in one line. Knows
Parquet and the layout; refuses to know what the numbers mean.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from recorders.exchange import lerobot_layout as layout
from recorders.exchange.videos import frames_in
from recorders.store_errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa


class VideoSpan(msgspec.Struct, frozen=True):
    """Where the pictures of an episode lie: `count` of them in a file, from number `first`."""

    path: Path
    first: int
    count: int


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One episode as it lies there.

    Attributes:
        number: its `episode_index`.
        rows: its table.
        tasks: a text for every row.
        videos: feature to the place of its pictures.
        folders: feature to a folder of PNG files, where no video was made of them.
    """

    number: int
    rows: "pa.Table"
    tasks: Sequence[str]
    videos: dict[str, VideoSpan] = {}
    folders: dict[str, Path] = {}


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What a dataset says of its episodes.

    Attributes:
        episodes: `episode_index` to the row of meta/episodes, statistics left out.
        tasks: `task_index` to its text.
    """

    info: layout.Info
    episodes: dict[int, dict[str, Any]]
    tasks: dict[int, str]


def read_meta(folder: Path) -> Meta:
    """Read what a dataset says of itself, and see whether its videos are whole.

    Raises:
        StoreError: if it is of another version, or a file is missing or damaged.
    """
    info = layout.read_info(folder)
    rows = [row for path in table_files(folder / "meta/episodes") for row in _episode_rows(path)]
    meta = Meta(info=info, tasks=read_tasks(folder / layout.TASKS),
                episodes={int(row["episode_index"]): row for row in rows})
    if not rows and not info.total_episodes:
        raise StoreError(f"{folder} has no episodes: record some first")
    if len(rows) != info.total_episodes:
        raise StoreError(f"{folder} tells of {len(rows)} episodes, and {layout.INFO} of "
                         f"{info.total_episodes}: copy it anew, or import it with --damaged")
    _require_whole_videos(folder, meta)
    return meta


def episodes_of(folder: Path, meta: Meta) -> Iterator[Recorded]:
    """The episodes in order.

    Raises:
        StoreError: if a table is damaged, or an episode has other rows than meta says.
    """
    seen = 0
    for path in table_files(folder / "data"):
        for number, rows in split_by_episode(read_table(path)):
            said = meta.episodes.get(number)
            if said is None or rows.num_rows != said["length"]:
                raise StoreError(
                    f"{path} has {rows.num_rows} rows of episode {number}, and meta/episodes says "
                    f"{said['length'] if said else 'nothing of it'}: copy the dataset anew, or "
                    f"import it with --damaged")
            seen += 1
            yield Recorded(number=number, rows=rows, tasks=tasks_of(rows, meta.tasks),
                           videos={key: span_of(folder, meta.info, key, said)
                                   for key in meta.info.pictures("video")})
    if seen != len(meta.episodes):
        raise StoreError(f"{folder}/data holds {seen} of {len(meta.episodes)} episodes: copy the "
                         f"dataset anew, or import it with --damaged")


def table_files(folder: Path) -> list[Path]:
    """The Parquet files of a folder, in order."""
    return [path for path in sorted(folder.glob("*/*.parquet"))
            if not path.name.startswith(".")]       # macOS lays "._file" beside, on foreign disks


def read_table(path: Path) -> "pa.Table":
    """A Parquet file in full.

    Raises:
        StoreError: if it is missing, damaged or unfinished.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Opened by itself: a file among others must not become a partition. Group by group: Arrow
        # cannot read pictures of more than 2 GiB into one piece of a column.
        with pq.ParquetFile(path) as file:
            groups = [file.read_row_group(k) for k in range(file.num_row_groups)]
            return pa.concat_tables(groups or [file.schema_arrow.empty_table()])
    except FileNotFoundError:
        raise StoreError(f"{path} is not there: copy the dataset anew") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"{path} is unfinished or damaged, as a crash leaves it: import the "
                         f"dataset with --damaged") from error


def read_tasks(path: Path) -> dict[int, str]:
    """`task_index` to text."""
    table = read_table(path)
    name = next((one for one in ("task", "__index_level_0__") if one in table.column_names), None)
    if name is None or "task_index" not in table.column_names:
        raise StoreError(f"{path} has the columns {', '.join(table.column_names)}, and needs "
                         f"'task' and 'task_index'")
    return dict(zip(table["task_index"].to_pylist(), table[name].to_pylist(), strict=True))


def split_by_episode(table: "pa.Table") -> Iterator[tuple[int, "pa.Table"]]:
    """Pieces of a table whose rows belong to one episode, in order."""
    import numpy as np

    numbers = table["episode_index"].to_numpy()
    if not len(numbers):
        return
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    for begin, end in pairwise(edges):
        yield int(numbers[begin]), table.slice(begin, end - begin)


def tasks_of(rows: "pa.Table", tasks: dict[int, str]) -> list[str]:
    """A text for every row.

    Raises:
        StoreError: if a row names a task that is not listed.
    """
    numbers = rows["task_index"].to_pylist()
    if missing := sorted({number for number in numbers if number not in tasks}):
        raise StoreError(f"{layout.TASKS} does not list task {missing[0]}: its numbers are "
                         f"{', '.join(map(str, sorted(tasks)))}")
    return [tasks[number] for number in numbers]


def span_of(folder: Path, info: layout.Info, key: str, said: dict[str, Any]) -> VideoSpan:
    """Where an episode's pictures lie, as meta/episodes says.

    Raises:
        StoreError: if it does not.
    """
    at = f"videos/{key}"
    try:
        path = (info.video_path or layout.VIDEO_PATH).format(
            video_key=key, chunk_index=said[f"{at}/chunk_index"],
            file_index=said[f"{at}/file_index"])
        return VideoSpan(folder / path, round(said[f"{at}/from_timestamp"] * info.fps),
                         int(said["length"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise StoreError(f"{folder} does not say where the pictures of '{key}' lie ({error}): copy "
                         f"meta/ anew, or import it with --damaged") from error


def _episode_rows(path: Path) -> list[dict[str, Any]]:
    table = read_table(path)
    kept = [name for name in table.column_names if not name.startswith("stats/")]
    return table.select(kept).to_pylist()


def _require_whole_videos(folder: Path, meta: Meta) -> None:
    needed: dict[Path, int] = {}
    for said in meta.episodes.values():
        for key in meta.info.pictures("video"):
            span = span_of(folder, meta.info, key, said)
            needed[span.path] = max(needed.get(span.path, 0), span.first + span.count)
    for path, frames in needed.items():
        if (there := frames_in(path)) < frames:
            raise StoreError(f"{path} holds {there} of {frames} pictures: copy it anew, or import "
                             f"the dataset with --damaged")

"""What can be had of a LeRobot dataset that a crash left unfinished.

LeRobot keeps its tables open for a whole session, so a crash leaves the numbers of every episode in
files without a footer, and of the last up to ten episodes nothing in meta/episodes; its own loader
then opens none. But the rows of finished episodes are in the file (parquet_repair.py finds them),
their lengths are in the rows, and the videos of finished episodes follow each other in order.
What cannot be had is named: the rows of the episode that was being recorded were in memory only.
"""

import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from recorders.exchange import lerobot_layout as layout
from recorders.exchange.incoming import Camera, Incoming
from recorders.exchange.lerobot_pictures_left import PicturesLeft
from recorders.exchange.lerobot_reader import (
    Meta,
    Recorded,
    read_table,
    read_tasks,
    split_by_episode,
    table_files,
)
from recorders.exchange.lerobot_tables import (
    language_row,
    number_column,
    picture_row,
    values_in_a_row,
)
from recorders.exchange.parquet_repair import is_whole, repair
from recorders.store_errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """What is there.

    Attributes:
        meta: its `episodes` has the lengths of what was recovered.
        episodes: with every camera whose pictures are all there.
        lost: in plain sentences.
    """

    meta: Meta
    episodes: list[Recorded]
    lost: list[str]


def salvage(folder: Path) -> Salvaged:
    """Find everything that can be had.

    Raises:
        StoreError: if meta/info.json cannot be read or is of another version.
    """
    info = layout.read_info(folder)
    lost: list[str] = []
    pieces = _rows(folder, info, lost)
    tasks = _tasks(folder, pieces, lost)
    known = _known_places(folder, lost)
    left = PicturesLeft(folder, info, lost)
    episodes: list[Recorded] = []
    for number, rows in sorted(pieces.items()):
        videos, folders = left.of(number, rows.num_rows, known.get(number))
        episodes.append(Recorded(
            number=number, rows=rows, videos=videos, folders=folders,
            tasks=[tasks[task] for task in rows["task_index"].to_pylist()]))
    if (missing := info.total_episodes - len(episodes)) > 0:
        lost.append(f"{missing} of {info.total_episodes} finished episodes: their rows are in no "
                    f"file")
    lost += left.remarks(len(episodes))
    return Salvaged(episodes=episodes, lost=lost, meta=Meta(
        info=info, tasks=tasks,
        episodes={one.number: {"length": one.rows.num_rows} for one in episodes}))


def with_whole_cameras(number: int, episode: Incoming, lost: list[str]) -> Incoming:
    """An episode without the cameras of which a picture cannot be read; each is named in `lost`."""
    def whole(camera: Camera, frames: int) -> bool:
        try:
            sizes = [picture.shape[:2] for picture in camera.pictures()]
        except StoreError as error:
            lost.append(f"episode {number}: the pictures of '{camera.name}': "
                        f"{str(error).split(': copy it anew')[0]}")
            return False
        if sizes != [(camera.height, camera.width)] * frames:
            lost.append(f"episode {number}: the pictures of '{camera.name}': {len(sizes)} for "
                        f"{frames} frames, or of another size than {layout.INFO} says")
            return False
        return True

    count = len(episode.tasks)
    return msgspec.structs.replace(episode, cameras=tuple(
        camera if camera.depth is None or whole(camera.depth, count)
        else msgspec.structs.replace(camera, depth=None)
        for camera in episode.cameras if whole(camera, count)))


def _rows(folder: Path, info: layout.Info, lost: list[str]) -> "dict[int, pa.Table]":
    """`episode_index` to its rows, of all tables, mended where they must be."""
    found: dict[int, Any] = {}
    for path in table_files(folder / "data"):
        try:
            tables = ([read_table(path)] if is_whole(path) else
                      _mended(path, _template(folder, info), lost))
        except (StoreError, ValueError) as error:
            lost.append(f"{path.relative_to(folder)}: {error}")
            continue
        for table in tables:
            for number, rows in split_by_episode(table):
                if _complete(rows):
                    found[number] = rows
                else:
                    lost.append(f"episode {number}: only {rows.num_rows} rows of it are there")
    return found


def _mended(path: Path, template: "pa.Table", lost: list[str]) -> "list[pa.Table]":
    """The row groups of a file without a footer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as scratch:
        mended = Path(scratch) / "mended.parquet"
        report = repair(path, template, mended)
        if report.lost_bytes:
            lost.append(f"{path.name}: its last {report.lost_bytes} bytes are no whole group of "
                        f"rows")
        tables: list[Any] = []
        for number in range(len(report.rows)):
            try:
                tables.append(pq.ParquetFile(mended).read_row_group(number))
            except (pa.ArrowInvalid, OSError) as error:
                lost.append(f"{path.name}: {report.rows[number]} rows cannot be read ({error})")
        return [pa.concat_tables(tables)] if tables else []     # an episode may be several groups


def _template(folder: Path, info: layout.Info) -> "pa.Table":
    """One row: of a table that is whole, or else as LeRobot's recorder and our export write it."""
    import pyarrow as pa

    for path in table_files(folder / "data"):
        with suppress(StoreError):          # it is named where its own rows are wanted
            if is_whole(path) and (table := read_table(path)).num_rows:
                return table.slice(0, 1)
    made: dict[str, Any] = {}
    for key, feature in info.features.items():
        if feature["dtype"] == "video":
            continue
        if feature["dtype"] == "image":
            made[key] = pa.array([{"bytes": b"", "path": ""}], picture_row())
        elif feature["dtype"] == "string":
            made[key] = pa.array([""], pa.string())
        elif feature["dtype"] == "language":
            made[key] = pa.array([[]], pa.list_(language_row(key == layout.PERSISTENT)))
        else:
            made[key] = number_column(
                np.zeros((1, values_in_a_row(feature)), feature["dtype"]), feature)
    return pa.table(made)


def _complete(rows: "pa.Table") -> bool:
    """Whether an episode is there from its first frame on without a gap."""
    return rows["frame_index"].to_pylist() == list(range(rows.num_rows)) and rows.num_rows > 1


def _tasks(folder: Path, pieces: "dict[int, pa.Table]", lost: list[str]) -> dict[int, str]:
    try:
        tasks = read_tasks(folder / layout.TASKS)
    except StoreError as error:
        lost.append(f"the texts of the tasks: {error}")
        tasks = {}
    used = Counter(task for rows in pieces.values() for task in rows["task_index"].to_pylist())
    return {number: tasks.get(number, f"task {number}") for number in {*tasks, *used}}


def _known_places(folder: Path, lost: list[str]) -> dict[int, dict[str, Any]]:
    """The rows of meta/episodes, as far as its files are whole."""
    known: dict[int, dict[str, Any]] = {}
    for path in table_files(folder / "meta/episodes"):
        if is_whole(path):
            try:
                table = read_table(path)
            except StoreError as error:
                lost.append(f"{path.relative_to(folder)}: {error}")
                continue
            wanted = [name for name in table.column_names if not name.startswith("stats/")]
            known |= {int(row["episode_index"]): row for row in table.select(wanted).to_pylist()}
    return known

"""The Parquet tables of a LeRobot dataset, written without LeRobot.

Knows Arrow types. A feature of shape (1,) is a plain column, (D,) a list of fixed length, more
axes lists of lists; the language columns are lists of structs as `lerobot/datasets/language.py`
declares them, but for `tool_calls`, whose JSON type Arrow cannot make from Python: LeRobot's own
annotator leaves it to be inferred as well.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recorders.exchange.lerobot_layout import EVENTS, PERSISTENT

if TYPE_CHECKING:
    import pyarrow as pa


def data_table(
    features: dict[str, dict[str, Any]], columns: dict[str, np.ndarray],
    persistent: Sequence[dict[str, Any]], events: dict[int, list[dict[str, Any]]],
    pictures: Mapping[str, Sequence[bytes]] | None = None,
) -> "pa.Table":
    """The rows of one episode, in the order of its features.

    Args:
        features: as in info.json; videos have no column here.
        columns: feature to (N, …) numbers.
        persistent, events: rows of the language columns, if there are such features.
        pictures: feature to N picture files, of those that are kept in the table.
    """
    import pyarrow as pa

    frames = len(columns["index"])
    made: dict[str, Any] = {}
    for key, feature in features.items():
        if key == PERSISTENT:
            made[key] = pa.array([list(persistent)] * frames, pa.list_(language_row(True)))
        elif key == EVENTS:
            made[key] = pa.array([events.get(k, []) for k in range(frames)],
                                 pa.list_(language_row(False)))
        elif feature["dtype"] == "image":
            made[key] = pa.array([{"bytes": data, "path": None} for data in (pictures or {})[key]],
                                 picture_row())
        elif feature["dtype"] != "video":
            made[key] = number_column(columns[key], feature)
    return pa.table(made)


def number_column(values: np.ndarray, feature: dict[str, Any]) -> "pa.Array":
    """(N, …) numbers as Arrow keeps a feature."""
    import pyarrow as pa

    shape = tuple(feature["shape"])
    array = pa.array(np.ascontiguousarray(values).reshape(-1), arrow_type(feature["dtype"]))
    if shape == (1,):
        return array
    array = pa.FixedSizeListArray.from_arrays(array, shape[-1])
    for length in reversed(shape[:-1]):
        array = pa.FixedSizeListArray.from_arrays(array, length)
    return array


def picture_row() -> "pa.StructType":
    """A picture in the table: a whole file."""
    import pyarrow as pa

    return pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


def arrow_type(dtype: str) -> "pa.DataType":
    """Arrow's name of a feature's type."""
    import pyarrow as pa

    return pa.bool_() if dtype == "bool" else pa.from_numpy_dtype(np.dtype(dtype))


def language_row(timed: bool) -> "pa.StructType":
    """A row of a language column; those that persist say since when."""
    import pyarrow as pa

    moment = [pa.field("timestamp", pa.float32())] if timed else []
    return pa.struct([
        pa.field("role", pa.string()), pa.field("content", pa.string()),
        pa.field("style", pa.string()), *moment, pa.field("camera", pa.string()),
        pa.field("tool_calls", pa.list_(pa.string()))])


def write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """meta/tasks.parquet: a pandas table whose index is the text."""
    import pandas as pd

    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"task_index": np.arange(len(tasks))}, index=pd.Index(tasks, name="task")
                 ).to_parquet(path)


def write_episodes(path: Path, episodes: Sequence[dict[str, Any]]) -> None:
    """meta/episodes/…: one row for every episode."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(episodes)), path, compression="snappy")


def values_in_a_row(feature: dict[str, Any]) -> int:
    """How many numbers a feature has in every frame."""
    return math.prod(feature["shape"])

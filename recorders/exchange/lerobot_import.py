"""A LeRobot dataset becomes a store.

`observation.state` becomes the arm's position, `action` what was sent, pictures become cameras;
other numbers keep their names in the streams `observation` and `tick`; tasks, edits of the
instruction and sub-tasks become what our own recordings say. What this file cannot keep it names.
Knows what LeRobot's features mean; how they lie on the disk is lerobot_reader's business, what is
left after a crash lerobot_damaged's.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from recorders.exchange import lerobot_layout as layout
from recorders.exchange.destination import moved_when_whole
from recorders.exchange.imported import Imported, Progress
from recorders.exchange.incoming import Incoming, keep, stamps_ns
from recorders.exchange.lerobot_language import Said, events_of, from_table
from recorders.exchange.lerobot_pictures import cameras_of
from recorders.exchange.lerobot_reader import Meta, Recorded, episodes_of, read_meta
from recorders.exchange.videos import quiet
from recorders.store import DemoStore
from recorders.store_errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

def import_lerobot(folder: Path, to: Path, damaged: bool = False, lossless: bool = False,
                   progress: Progress | None = None) -> Imported:
    """Write a dataset into a new store.

    Args:
        folder: of the dataset: meta/, data/, videos/.
        to: a folder that does not exist.
        damaged: take what can be had of a dataset that a crash left unfinished.
        lossless: keep pictures exactly as they were decoded.
        progress: called after every episode.

    Raises:
        StoreError: saying in one line what is wrong; nothing is left behind.
    """
    from recorders.exchange.lerobot_damaged import salvage, with_whole_cameras

    quiet()
    with moved_when_whole(to) as partial:
        if damaged:
            salvaged = salvage(folder)
            meta, episodes, lost = salvaged.meta, iter(salvaged.episodes), salvaged.lost
        else:
            meta = read_meta(folder)
            episodes, lost = episodes_of(folder, meta), []
        taken = _features(meta.info)
        notes = _read_notes(folder, meta)
        done = frames = 0
        with DemoStore.open(partial, write=True, create=True) as store:
            for recorded in episodes:
                episode = incoming(recorded, meta, notes.get(recorded.number, {}))
                keep(store, with_whole_cameras(recorded.number, episode, lost) if damaged
                     else episode, lossless)
                done, frames = done + 1, frames + recorded.rows.num_rows
                if progress:
                    progress(done, len(meta.episodes), f"episode {recorded.number}, "
                                                       f"{recorded.rows.num_rows} frames")
        if not done:
            raise StoreError(f"of {folder} no episode could be recovered: {'; '.join(lost)}")
    return Imported(path=to, episodes=done, frames=frames, lost=tuple(lost),
                    left_behind=tuple(key for key in meta.info.features if key not in taken))


def incoming(recorded: Recorded, meta: Meta, notes: dict[str, Any]) -> Incoming:
    """One episode in the store's terms.

    Args:
        recorded: as it lies there.
        meta: of its dataset.
        notes: what our own export said of it.

    Raises:
        StoreError: if a column is missing, or has another shape than info.json says.
    """
    info, rows = meta.info, recorded.rows
    numbers = {key: numbers_of(rows, key, info.features[key]) for key in info.numbers()}
    if layout.ACTION not in numbers:
        raise StoreError(f"the dataset has no feature '{layout.ACTION}': its features are "
                         f"{', '.join(info.features)}")
    moments_ns = stamps_ns(rows.num_rows, info.fps)
    said = _said(rows)
    success = numbers.get(layout.SUCCESS)
    told = notes.get("label")
    by_detector = "success" if success is not None and success.any() else \
        "failure" if success is not None else ""
    return Incoming(
        rate_hz=info.fps, tasks=recorded.tasks, action=_vector(numbers[layout.ACTION]),
        state=_vector(numbers[layout.STATE]) if layout.STATE in numbers else None,
        action_names=_names(info.features[layout.ACTION]),
        state_names=_names(info.features.get(layout.STATE, {})),
        observed={key.removeprefix("observation."): values for key, values in numbers.items()
                  if key.startswith("observation.") and key != layout.STATE},
        outcomes={key: _counted(values) if key == layout.INTERVENTION else values
                  for key, values in numbers.items()
                  if not key.startswith("observation.") and key != layout.ACTION},
        cameras=cameras_of(recorded, info, notes.get("depth_units", {})),
        events=events_of(said, recorded.tasks, moments_ns, info.fps),
        detector=by_detector if not told else told if notes.get("label_by") == "detector" else "",
        label=told, note=notes.get("note", ""), task=notes.get("task", ""),
        robot=info.robot_type or "", origin=f"LeRobot {info.codebase_version}",
        seed=notes.get("seed", 0), operator=notes.get("operator", ""))


def numbers_of(rows: "pa.Table", key: str, feature: dict[str, Any]) -> np.ndarray:
    """A feature's numbers.

    Returns:
        (N, …) of the feature's type; (N,) for a feature of shape (1,).

    Raises:
        StoreError: if the column is missing, or is not as the feature says.
    """
    if key not in rows.column_names:
        raise StoreError(f"the table has no column '{key}': it has {', '.join(rows.column_names)}")
    column = rows[key].combine_chunks()
    while hasattr(column, "flatten") and column.type.num_fields:
        column = column.flatten()
    shape = tuple(feature["shape"])
    try:
        flat = column.to_numpy(zero_copy_only=False).astype(feature["dtype"])
        return flat.reshape(rows.num_rows, *(() if shape == (1,) else shape))
    except (TypeError, ValueError) as error:
        raise StoreError(f"'{key}' holds {len(column)} values of type {column.type} in "
                         f"{rows.num_rows} rows, and {layout.INFO} says {feature['dtype']} "
                         f"{shape}") from error


def _features(info: layout.Info) -> set[str]:
    """What is kept: all numbers, pictures, language, and LeRobot's own columns."""
    return {*info.numbers(), *info.pictures(), layout.PERSISTENT, layout.EVENTS,
            *layout.OWN_COLUMNS}


def _said(rows: "pa.Table") -> Said:
    def told(key: str) -> list[Any] | None:
        return rows[key].to_pylist() if key in rows.column_names else None

    return from_table(told(layout.PERSISTENT), told(layout.EVENTS))


def _names(feature: dict[str, Any]) -> tuple[str, ...]:
    """Of the axes; LeRobot's ".pos", which our export puts there, is taken off again."""
    names = feature.get("names") or ()
    if not names:
        return ()
    if isinstance(names, dict):
        names = next((one for one in names.values() if isinstance(one, list)), ())
    texts = tuple(str(name) for name in names)
    if len(texts) != int(np.prod(feature["shape"])):
        return ()
    return tuple(text.removesuffix(".pos") for text in texts)


def _counted(intervention: np.ndarray) -> np.ndarray:
    """Interventions as our ticks count them: 1 in the first, 2 in the second, 0 outside."""
    on = intervention.astype(bool)
    begins = on & ~np.concatenate([[False], on[:-1]])
    return np.where(on, np.cumsum(begins), 0).astype(np.int32)


def _vector(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1) if values.ndim == 1 else values


def _read_notes(folder: Path, meta: Meta) -> dict[int, dict[str, Any]]:
    """What our export said of the episodes, unless the dataset was edited since."""
    try:
        said = msgspec.json.decode((folder / layout.NOTES).read_bytes())
        units = said.get("depth_units", {})
        told = [{**one, "depth_units": units} for one in said["episodes"]]
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return {}
    lengths = {number: said["length"] for number, said in meta.episodes.items()}
    notes = dict(enumerate(told))
    return notes if {number: one.get("frames") for number, one in notes.items()} == lengths else {}

"""A stored episode as an .rrd file, for the Rerun viewer.

Knows how to walk a stored episode, all numbers at once and pictures a second at a time, so that an
hour of pictures needs no more memory than a second of them, and hands it to the same logging as the
live view. Of a store it knows where such files lie; it says nothing about labels that were given
later.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import rerun as rr

from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader, StreamReader
from recorders.rerun_blueprint import episode_blueprint
from recorders.rerun_entities import EPISODE
from recorders.rerun_log import EpisodeLog
from recorders.store_folders import StoreFolders
from recorders.streams import Batch

APPLICATION = "tandem"


def write_rrd(episode_group_path: Path, rrd_path: Path, store_models_dir: Path) -> None:
    """Write an episode for the Rerun viewer.

    Args:
        episode_group_path: the episode's Zarr group.
        rrd_path: the file to write; replaced if it is there.
        store_models_dir: the store's `models/`, where the robot's MJCF lies.

    Raises:
        DamagedRecording: if the episode cannot be read.
        OSError: if the file cannot be written.
    """
    episode = EpisodeReader(episode_group_path)
    rrd_path.parent.mkdir(parents=True, exist_ok=True)
    specs = [stream.spec for stream in episode.streams.values()]
    model_xml = read_model(episode, store_models_dir)
    recording = rr.RecordingStream(APPLICATION, recording_id=episode.episode)
    recording.save(rrd_path)
    try:
        # Active, because a viewer otherwise keeps the layout of another robot that it saw before.
        recording.send_blueprint(episode_blueprint(specs, scene=bool(model_xml)), make_active=True)
        recording.send_recording_name(f"{episode.episode} {episode.attrs.get('task', '')}".strip())
        log = EpisodeLog(recording, specs, model_xml,
                         started_mono_ns=episode.attrs["started_mono_ns"])
        recording.log(EPISODE, rr.TextDocument(summary(episode), media_type="text/markdown"),
                      static=True)
        for batches in slices(episode):
            log.log(batches)
        for event in episode.events:
            if not is_told_by_the_ticks(event):
                log.write(event["t_mono_ns"], words(event), kind=str(event["kind"]))
        recording.flush()
    finally:
        recording.disconnect()


def save_view(store: Path, group: Path, episode: str) -> Path:
    """Write `rrd/<episode>.rrd` beside a store's data; a file that is there is whole.

    Args:
        store: folder of the store.
        group: the episode's Zarr group.
        episode: its id.

    Raises:
        DamagedRecording: if the episode cannot be read.
        OSError: if the file cannot be written.
    """
    folders = StoreFolders(store)
    path = folders.views / f"{episode}.rrd"
    unfinished = path.with_suffix(".rrd.partial")
    write_rrd(group, unfinished, folders.models)
    return unfinished.replace(path)


def read_model(episode: EpisodeReader, store_models_dir: Path) -> str:
    """The MJCF with which the episode was recorded, or nothing if none was kept."""
    name = episode.attrs.get("model", "")
    path = store_models_dir / f"{name}.xml"
    return path.read_text() if name and path.is_file() else ""


def slices(episode: EpisodeReader) -> Iterator[list[Batch]]:
    """All streams without pictures, then the pictures of one second after the other."""
    streams = [stream for stream in episode.streams.values() if len(stream)]
    yield [Batch(stream.spec.name, rows_of(stream))
           for stream in streams if not stream.image_names]
    for stream in streams:
        if stream.image_names:
            yield from ([batch] for batch in _picture_slices(stream))


def _picture_slices(stream: StreamReader) -> Iterator[Batch]:
    rows = rows_of(stream)
    seconds = (stream.stamps_ns - stream.stamps_ns[0]) // NS_PER_S
    bounds = [0, *(np.flatnonzero(np.diff(seconds)) + 1).tolist(), len(rows)]
    for start, stop in pairwise(bounds):
        yield Batch(stream.spec.name, rows[start:stop], tuple(
            {image.name: stream.images(image.name).encoded(row)
             for image in stream.spec.original_images}
            for row in range(start, stop)))


def rows_of(stream: StreamReader) -> np.ndarray:
    """A stream's columns put together to rows again: (N,) of its `row_dtype`."""
    rows = np.empty(len(stream), stream.spec.row_dtype)
    for name in stream.column_names:
        rows[name] = stream.column(name)
    return rows


def is_told_by_the_ticks(event: dict) -> bool:
    """Whether an event is a change of mode without a reason, which the lane of modes shows."""
    return event["kind"] == "mode" and not event.get("why")


def words(event: dict) -> str:
    """An event as a line: its fields without stamp and kind, and without those that are empty."""
    fields = {key: value for key, value in event.items()
              if key not in ("t_mono_ns", "kind") and value not in ("", None)}
    if not fields:
        return str(event["kind"])
    return ", ".join(f"{key}: {value}" for key, value in fields.items())


def summary(episode: EpisodeReader) -> str:
    """What a person wants to know about an episode, in Markdown."""
    attrs = episode.attrs
    streams = [f"| {stream.spec.name} | {len(stream)} | {stream.spec.rate_hz:g} |"
               for stream in episode.streams.values()]
    robot = attrs.get("robot", {}).get("name", "")
    lines = [f"# {attrs.get('instruction') or attrs.get('task', '')}",
             f"- Episode {episode.episode}, task **{attrs.get('task', '')}**, "
             f"seed {attrs.get('seed', 0)}",
             f"- {episode.duration_s:.1f} s, {attrs.get('steps', 0)} ticks, "
             f"{attrs.get('dropped', 0)} samples dropped",
             f"- Detector: {attrs.get('detector') or 'said nothing'}",
             f"- Robot {robot}, operator {attrs.get('operator') or 'unnamed'}",
             "", "| Stream | Rows | Declared Hz |", "|---|---|---|", *streams, "",
             "Software: " + msgspec.json.encode(attrs.get("software", {})).decode()]
    return "\n".join(lines)

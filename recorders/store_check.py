"""Is everything in a store as FORMAT.md says? Each problem named, with its file and a remedy.

It reads and never changes anything. A shallow check compares names, shapes and sizes; a deep one
reads every byte against its checksum, so that one flipped bit anywhere in an episode is found.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import msgspec

from recorders.commit_log import CommitLog
from recorders.episode import EpisodeSummary, is_episode_id
from recorders.files import PARTIAL_SUFFIX
from recorders.interrupted import Interrupted
from recorders.reduced_pictures import misfit
from recorders.shard_writer import CRC_BYTES, EMPTY, INDEX_BYTES, decode_index
from recorders.store_folders import StoreFolders
from recorders.streams import StreamSpec
from recorders.zarr_metadata import (
    CHUNK_ROWS,
    PICTURES_PER_SHARD,
    chunk_path,
    column_json,
    columns_of,
    image_json,
    picture_shape,
)

_FROM_COPY = "take this episode from a copy, or put it into the trash"


class Problem(msgspec.Struct, frozen=True):
    """Something that is not as it must be.

    Attributes:
        episode: its id, or empty if it concerns the whole store.
        path: relative to the store.
        what: is wrong.
        remedy: what a person can do.
    """

    episode: str
    path: str
    what: str
    remedy: str


def check_store(
    folders: StoreFolders, log: CommitLog, interrupted: list[Interrupted], unfinished: list[str],
    deep: bool, progress: Callable[[int, int], None] | None,
) -> list[Problem]:
    """All problems of a store; see DemoStore.check."""
    problems = [Problem("", folders.commits.name, f"line {one.line} is skipped: {one.what}",
                        "what it said is lost; label or recover the episode again")
                for one in log.problems]
    problems += [Problem(
        one.episode, f"journal/{one.episode}.journal",
        one.damage or f"the episode was interrupted after {one.duration_s:.1f} s",
        f"`tandem data recover {folders.root} {one.episode}` keeps or discards it")
        for one in interrupted]
    problems += [Problem(
        episode, f"journal/{episode}.journal",
        "the writer ended before it had seen all of this episode reach the disk",
        "open the store for writing, for instance with `tandem data recover`: that finishes it")
        for episode in unfinished]
    episodes = list(log.episodes.values())
    for done, summary in enumerate(episodes):
        if progress is not None:
            progress(done, len(episodes))
        problems += check_episode(folders, summary, deep)
    if progress is not None:
        progress(len(episodes), len(episodes))
    problems += _strays(folders, log)
    return problems


def check_episode(folders: StoreFolders, summary: EpisodeSummary, deep: bool) -> list[Problem]:
    """All problems of one committed episode."""
    group = folders.home(summary.episode, summary.trashed)
    if not group.is_dir():
        return [Problem(summary.episode, str(group.relative_to(folders.root)),
                        "the episode is committed but its folder is missing", _FROM_COPY)]
    return [Problem(summary.episode, str(path.relative_to(folders.root)), what, _FROM_COPY)
            for path, what in _faults_of(folders, group, summary, deep)]


def _faults_of(
    folders: StoreFolders, group: Path, summary: EpisodeSummary, deep: bool
) -> Iterator[tuple[Path, str]]:
    attributes = _read_json(group / "zarr.json")
    if attributes is None or "streams" not in attributes.get("attributes", {}):
        yield group / "zarr.json", "it is missing or no JSON, so the episode cannot be understood"
        return
    try:
        streams = msgspec.convert(attributes["attributes"]["streams"], tuple[StreamSpec, ...])
    except msgspec.ValidationError as error:
        yield group / "zarr.json", f"its streams cannot be understood ({error})"
        return
    model = attributes["attributes"].get("model")
    if model and not folders.model(model).exists():
        yield folders.model(model), "the robot's model is missing"
    for spec in streams:
        rows = summary.rows.get(spec.name, 0)
        yield from _faults_of_stream(group / spec.name, spec, rows, deep)
    for leftover in group.rglob(f"*{PARTIAL_SUFFIX}"):
        yield leftover, "a file was never finished"


def _faults_of_stream(
    folder: Path, spec: StreamSpec, rows: int, deep: bool
) -> Iterator[tuple[Path, str]]:
    if _read_json(folder / "zarr.json") is None:
        yield folder / "zarr.json", "it is missing or no JSON, so Zarr does not see the stream"
    for column in columns_of(spec):
        array = folder / column.name
        yield from _faults_of_metadata(array, column_json(column, rows))
        for number in range(-(-rows // CHUNK_ROWS)):
            yield from _faults_of_chunk(chunk_path(array, number, 1 + len(column.shape)), deep)
    for image in spec.images:
        array = folder / image.name
        if problem := misfit(image, spec.images):
            yield folder.parent / "zarr.json", f"'{spec.name}/{image.name}': {problem}"
        yield from _faults_of_metadata(array, image_json(image, rows),
                                       ("attributes",) if image.reduced_from else ())
        for number in range(-(-rows // PICTURES_PER_SHARD)):
            path = chunk_path(array, number, 1 + len(picture_shape(image)))
            pictures = min(PICTURES_PER_SHARD, rows - number * PICTURES_PER_SHARD)
            yield from _faults_of_shard(path, pictures, deep)


def _faults_of_metadata(
    array: Path, wanted: bytes, more: tuple[str, ...] = ()
) -> Iterator[tuple[Path, str]]:
    found = _read_json(array / "zarr.json")
    if found is None:
        yield array / "zarr.json", "it is missing or no JSON, so the array cannot be read"
        return
    expected = msgspec.json.decode(wanted)
    for key in ("shape", "data_type", "chunk_grid", "codecs", "dimension_names", *more):
        if found.get(key) != expected[key]:
            yield array / "zarr.json", f"{key} is {found.get(key)} instead of {expected[key]}"


def _faults_of_chunk(path: Path, deep: bool) -> Iterator[tuple[Path, str]]:
    if not path.exists():
        yield path, "a chunk of rows is missing"
        return
    if deep and not _checksum_is_right(path.read_bytes()):
        yield path, "a chunk of rows is damaged: its checksum is wrong"


def _faults_of_shard(path: Path, pictures: int, deep: bool) -> Iterator[tuple[Path, str]]:
    if not path.exists():
        yield path, f"{pictures} pictures are missing"
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        index = decode_index(file.read(INDEX_BYTES))
        if index is None:
            yield path, f"the index of {pictures} pictures is damaged: its checksum is wrong"
            return
        for slot in range(pictures):
            offset, length = int(index[slot, 0]), int(index[slot, 1])
            if offset == int(EMPTY) or offset + length > size:
                yield path, f"picture {slot} is missing"
                continue
            if not deep:
                continue
            file.seek(offset)
            if not _checksum_is_right(file.read(length)):
                yield path, f"picture {slot} is damaged: its checksum is wrong"


def _checksum_is_right(data: bytes) -> bool:
    body, stored = data[:-CRC_BYTES], data[-CRC_BYTES:]
    # Nothing at all would fit the checksum 0; something is always stored.
    return bool(body) and google_crc32c.value(body) == int.from_bytes(stored, "little")


def _strays(folders: StoreFolders, log: CommitLog) -> Iterator[Problem]:
    for folder in sorted(folders.zarr.iterdir()) if folders.zarr.exists() else []:
        name = folder.name
        if name == "zarr.json" or folders.journal(name).exists():
            continue                    # a journal's episode is interrupted, or just being closed
        if name not in log.episodes:
            what = ("a folder that the log does not know" if is_episode_id(name)
                    else "this does not belong into data.zarr")
            yield Problem("", f"{folders.zarr.name}/{name}", what, "move it out of the store")
        elif log.episodes[name].trashed:
            yield Problem(name, f"{folders.zarr.name}/{name}", "it should be in the trash",
                          "open the store for writing: that puts it there")


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return found if isinstance(found, dict) else None

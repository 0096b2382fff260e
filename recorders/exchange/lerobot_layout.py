"""Where things lie in a LeRobot dataset of version 3.0, and what meta/info.json says.

Knows names, versions and numbers as LeRobot 0.6.1 writes them. Opens no video and no table.
"""

import re
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import msgspec

from recorders.store_errors import StoreError

VERSION = "v3.0"
CHUNKS_SIZE = 1000                  # files in a folder
DATA_FILE_MB, VIDEO_FILE_MB = 100, 200
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
IMAGE_FOLDER = "images/{key}/episode-{episode:06d}"
INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
NOTES = "meta/tandem.json"          # what LeRobot has no place for; other readers pass it by

PICTURE = "observation.images."
STATE, ACTION, INTERVENTION, SUCCESS = \
    "observation.state", "action", "intervention", "next.success"
PERTURBED = "perturbed"
PERSISTENT, EVENTS = "language_persistent", "language_events"
OWN_COLUMNS: dict[str, dict[str, Any]] = {
    "timestamp": {"dtype": "float32", "shape": (1,), "names": None},
    "frame_index": {"dtype": "int64", "shape": (1,), "names": None},
    "episode_index": {"dtype": "int64", "shape": (1,), "names": None},
    "index": {"dtype": "int64", "shape": (1,), "names": None},
    "task_index": {"dtype": "int64", "shape": (1,), "names": None}}


class _Feature(msgspec.Struct):
    """What every feature must say of itself."""

    dtype: str
    shape: list[Annotated[int, msgspec.Meta(ge=1)]]


class Info(msgspec.Struct, kw_only=True):
    """meta/info.json; members that a version adds are passed by."""

    codebase_version: str
    fps: Annotated[float, msgspec.Meta(gt=0)]
    features: dict[str, dict[str, Any]]
    total_episodes: int = 0
    total_frames: int = 0
    total_tasks: int = 0
    chunks_size: int = CHUNKS_SIZE
    data_files_size_in_mb: int = DATA_FILE_MB
    video_files_size_in_mb: int = VIDEO_FILE_MB
    data_path: str = DATA_PATH
    video_path: str | None = VIDEO_PATH
    robot_type: str | None = None
    splits: dict[str, str] = {}

    def pictures(self, *kinds: str) -> tuple[str, ...]:
        """The features that are pictures: kept as "video", as "image", or either."""
        wanted = kinds or ("video", "image")
        return tuple(key for key, feature in self.features.items() if feature["dtype"] in wanted)

    def numbers(self) -> tuple[str, ...]:
        """The features that are numbers, LeRobot's own columns left out."""
        return tuple(key for key, feature in self.features.items()
                     if feature["dtype"] not in ("video", "image", "string", "language")
                     and key not in OWN_COLUMNS)


def read_info(folder: Path) -> Info:
    """What a dataset says about itself.

    Raises:
        StoreError: if the folder holds none, or one of another version.
    """
    path = folder / INFO
    try:
        told = msgspec.json.decode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise StoreError(f"{folder} is no LeRobot dataset: it has no {INFO}") from None
    except msgspec.DecodeError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    version = told.get("codebase_version") if isinstance(told, dict) else None
    if version in ("v2.0", "v2.1"):
        raise StoreError(
            f"{folder} is a LeRobot dataset of version {version}, and {VERSION} is read: convert "
            f"it with `python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=NAME "
            f"--root={folder} --push-to-hub=false`" + (
                "; a v2.0 one has to become v2.1 first, with LeRobot 0.3" if version == "v2.0"
                else ""))
    if not str(version).startswith("v3."):
        raise StoreError(f"{folder} is a LeRobot dataset of version {version}, and {VERSION} is "
                         f"read: open it with a LeRobot that knows it, and write it as {VERSION}")
    try:
        info = msgspec.convert(told, Info)
        for feature in info.features.values():
            msgspec.convert(feature, _Feature)
    except msgspec.ValidationError as error:
        raise StoreError(f"{path} is not as {VERSION} wants it: {error}") from error
    for key in info.pictures():
        if len(info.features[key]["shape"]) != 3:
            raise StoreError(f"{path}: '{key}' has the shape {info.features[key]['shape']}, and a "
                             f"picture has three lengths")
    return info


def is_depth(feature: dict[str, Any]) -> bool:
    """Whether a picture's feature is marked as depth, in LeRobot's new way or its old ones."""
    said = {**(feature.get("video_info") or {}), **(feature.get("info") or {})}
    return bool(said.get("is_depth_map") or said.get("video.is_depth_map"))


def depth_of(camera: str) -> str:
    """The feature of a camera's depth, called as LeRobot's own robots call it."""
    return f"{PICTURE}{camera}_depth"


def camera_of(key: str) -> str:
    """A stream's name for a picture's feature: "observation.images.front" → "front"."""
    name = key.removeprefix(PICTURE).removeprefix("observation.")
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip("_.-") or "camera"


def frame_files(folder: Path, frames: int) -> list[Path]:
    """The first so many pictures of a folder of files, up to the first that is missing."""
    found = {path.stem: path for path in folder.glob("frame-*.*")}
    wanted = (f"frame-{k:06d}" for k in range(frames))
    return [found[name] for name in takewhile(found.__contains__, wanted)]


def next_file(chunk: int, file: int) -> tuple[int, int]:
    """The place after a file's."""
    return (chunk + 1, 0) if file + 1 == CHUNKS_SIZE else (chunk, file + 1)

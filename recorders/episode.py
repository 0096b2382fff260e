"""What is said about an episode: before it (header), after it (summary), and later (labels).

Plain frozen structs and the episode's id. It knows no files: FORMAT.md says where these lie.
"""

import re
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import msgspec
import numpy as np

from recorders.clock import NS_PER_S
from recorders.reduced_pictures import misfit
from recorders.store_errors import StoreError
from recorders.streams import STAMP_COLUMNS, StreamSpec

Label = Literal["success", "failure", "partial", "unlabelled"]
Detector = Literal["success", "failure", ""]
LABELS: tuple[str, ...] = get_args(Label)
DETECTOR_VERDICTS: tuple[str, ...] = get_args(Detector)

_EPISODE_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
_TOKEN = re.compile(r"[0-9a-f]{8}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NUMBER_KINDS = "biuf"
_ENCODINGS = {"jpeg", "jpegxl-lossless", "zstd"}


class EpisodeHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when an episode begins.

    Attributes:
        episode: from `new_episode_id`.
        robot: plain values about the robot, without its model.
        model_xml: MJCF of the robot and its scene; empty if there is none.
        streams: what will be recorded; fixed for the episode.
        software: name to version.
    """

    episode: str
    task: str
    instruction: str
    seed: int
    operator: str
    practice: bool
    robot: dict[str, Any]
    model_xml: str
    started_mono_ns: int
    started_wall_ns: int
    streams: tuple[StreamSpec, ...]
    software: dict[str, str]


class EpisodeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An episode in one line, as the commit log tells it with everything said since.

    Attributes:
        label: `success`, `failure`, `partial` or `unlabelled`; the detector's verdict until
            somebody labels.
        label_by: who said so; "detector" for the detector, empty while unlabelled.
        steps: rows of the stream `tick`.
        dropped: samples that devices made and nobody received, by the gaps in `seq`.
        bytes: of the episode's arrays on the disk.
        rows: how many rows each stream has.
    """

    episode: str
    task: str
    instruction: str
    label: Label
    label_by: str
    note: str
    detector: Detector
    seed: int
    operator: str
    duration_s: float
    steps: int
    dropped: int
    started_wall_ns: int
    recovered: bool
    trashed: bool
    bytes: int
    rows: dict[str, int]


def new_episode_id(wall_ns: int, token: str) -> str:
    """Name an episode: `<UTC yyyymmddThhmmss>-<8 hex>`.

    Args:
        wall_ns: when it begins, since the Unix epoch.
        token: eight random hex digits, so that two stations never collide.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"token '{token}' must be eight lower-case hex digits")
    begun = datetime.fromtimestamp(wall_ns // NS_PER_S, UTC)
    return f"{begun:%Y%m%dT%H%M%S}-{token}"


def is_episode_id(text: str) -> bool:
    """Whether a text (a folder's name, for instance) has the form of an episode's id."""
    return _EPISODE_ID.fullmatch(text) is not None


def require_recordable(header: EpisodeHeader) -> None:
    """Refuse a header that could not be stored.

    Raises:
        StoreError: naming the first thing that is wrong.
    """
    if not is_episode_id(header.episode):
        raise StoreError(f"'{header.episode}' is no episode id: make one with new_episode_id")
    names = [stream.name for stream in header.streams]
    _require_distinct("stream", names)
    for stream in header.streams:
        own = [column.name for column in stream.columns]
        _require_distinct(f"column of stream '{stream.name}'",
                          [*(name for name, _ in STAMP_COLUMNS), *own,
                           *(image.name for image in stream.images)])
        for column in stream.columns:
            dtype = np.dtype(column.dtype)
            if dtype.kind not in _NUMBER_KINDS or dtype.newbyteorder("<") != dtype:
                raise StoreError(f"column '{stream.name}/{column.name}' has type "
                                 f"'{column.dtype}': use a little-endian number such as '<f4'")
        for image in stream.images:
            if image.encoding not in _ENCODINGS:
                raise StoreError(f"image '{stream.name}/{image.name}' has encoding "
                                 f"'{image.encoding}': valid are {', '.join(sorted(_ENCODINGS))}")
            if problem := misfit(image, stream.images):
                raise StoreError(f"image '{stream.name}/{image.name}': {problem}")


def _require_distinct(what: str, names: list[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name) or name == "zarr.json":
            raise StoreError(f"'{name}' cannot name a {what}: begin with a letter or digit and "
                             f"use only letters, digits, '_', '-' and '.'")
        if names.count(name) > 1:
            raise StoreError(f"two things are called '{name}' where a {what} needs a name of its "
                             f"own: rename one")


def plain(value: object) -> object:
    """For msgspec's `enc_hook`: NumPy's arrays and numbers as plain ones."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"a {type(value).__name__} cannot be stored: use plain values")

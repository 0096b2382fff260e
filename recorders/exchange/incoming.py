"""An episode of another format on its way into a store.

Other formats know one rate: N frames, each with what was observed and the action that followed. In
the store, frame k is stamped k/rate after the beginning; its action is a row of `tick` one frame
later, because an action is what had been sent by the next frame (recorders/frames_at_rate.py reads
it back so). `arm` has the state as `position`, `observation` what else was observed as numbers,
`tick` what came with the action, and every camera is a stream. Values are kept bit for bit, in
their own types; pictures are encoded anew. Nothing is made up: what a format does not say, as who
drove when, has no column.
This file knows the store's streams and no other format.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, Clock, SystemClock
from recorders.episode import Detector, EpisodeHeader, EpisodeSummary, Label, new_episode_id
from recorders.images import encode
from recorders.picture_pair import encode_colours
from recorders.reduced_pictures import with_reduced
from recorders.store import DemoStore
from recorders.store_errors import StoreError
from recorders.streams import STAMP_COLUMNS, TAKEN, Batch, Column, Encoding, ImageField, StreamSpec

START_NS = NS_PER_S                     # the monotonic stamp of a first frame
_PICTURES_AT_ONCE = 32
_OURS = ("sent", TAKEN, *(name for name, _ in STAMP_COLUMNS))    # columns that mean something here


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """One camera of an episode.

    Attributes:
        name: of its stream.
        height, width: of its pictures.
        pictures: gives N of them, (H, W, 3) u1, or (H, W) u2 of depth.
        depth_unit: metres per count, "0.001 m"; empty for colours.
        depth: of a camera of colours, the same moments in depth.
    """

    name: str
    height: int
    width: int
    pictures: Callable[[], Iterator[np.ndarray]]
    depth_unit: str = ""
    depth: "Camera | None" = None


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """One episode. N frames.

    Attributes:
        rate_hz: frames in a second.
        tasks: N instructions, each as it held at its frame.
        action: (N, …) numbers.
        state: (N, …) numbers, or None.
        action_names, state_names: of their axes, as far as they are known.
        observed: name to (N, …), further numbers of frame k; a name that no column can have is
            changed.
        outcomes: the same, numbers that belong to the action of frame k.
        cameras: with pictures for every frame.
        events: each with `t_mono_ns` and `kind`; frame k has the stamp `stamps_ns(N, rate_hz)[k]`.
        detector: what the data says about success.
        label, note: what a person said, if that is told; empty: nothing.
        task: the task's name; empty: "imported".
        robot: its name.
        origin: format and version, for the episode's attributes.
        seed, operator: as far as they are told.
    """

    rate_hz: float
    tasks: Sequence[str]
    action: np.ndarray
    state: np.ndarray | None = None
    action_names: tuple[str, ...] = ()
    state_names: tuple[str, ...] = ()
    observed: dict[str, np.ndarray] = {}
    outcomes: dict[str, np.ndarray] = {}
    cameras: tuple[Camera, ...] = ()
    events: Sequence[dict[str, Any]] = ()
    detector: Detector = ""
    label: Label | None = None
    note: str = ""
    task: str = ""
    robot: str = ""
    origin: str = ""
    seed: int = 0
    operator: str = ""


def stamps_ns(frames: int, rate_hz: float) -> np.ndarray:
    """(N,) the monotonic stamps of frames, as frames_at_rate lays its grid."""
    return START_NS + np.round(NS_PER_S / rate_hz * np.arange(frames)).astype(np.int64)


def keep(store: DemoStore, episode: Incoming, lossless: bool = False, clock: Clock | None = None
         ) -> EpisodeSummary:
    """Write an episode into a store and commit it.

    Args:
        store: open for writing.
        episode: what came in.
        lossless: keep colours exactly as they were decoded (JPEG XL), not as JPEG.
        clock: whose wall time the episode's id bears.

    Raises:
        StoreError: if a camera gave another number of pictures than there are frames or pictures
            of another size, or the numbers do not fit; the episode is then not in the store.
    """
    frames = len(episode.tasks)
    if frames < 2:
        raise StoreError(f"an episode of {frames} frames is no episode: leave it out")
    wall_ns = (clock or SystemClock()).wall_ns()
    began_ns = stamps_ns(frames, episode.rate_hz)
    sent_ns = began_ns + round(NS_PER_S / episode.rate_hz)
    numbers = _streams_of_numbers(episode, began_ns, sent_ns)
    cameras = {camera: _spec_of(camera, episode.rate_hz, lossless) for camera in episode.cameras}
    writer = store.begin(EpisodeHeader(
        episode=new_episode_id(wall_ns, secrets.token_hex(4)), task=episode.task or "imported",
        instruction=episode.tasks[0], seed=episode.seed, operator=episode.operator, practice=False,
        robot={"name": episode.robot or "unknown", "joint_names": list(episode.state_names)},
        model_xml="", started_mono_ns=START_NS, started_wall_ns=wall_ns,
        streams=(*(spec for spec, _ in numbers), *cameras.values()),
        software={"imported from": episode.origin}))
    try:
        for spec, rows in numbers:
            rows["t_wall_ns"] = rows["t_mono_ns"] - START_NS + wall_ns
            writer.append(Batch(spec.name, rows))
        for camera, spec in cameras.items():
            for batch in _batches(camera, spec, began_ns, wall_ns):
                writer.append(batch)
        for event in episode.events:
            writer.event(**event)
    except BaseException:
        writer.abandon()
        raise
    summary = writer.commit(int(sent_ns[-1]), episode.detector)
    if (episode.label and episode.label != summary.label) or episode.note:
        summary = store.label(summary.episode, episode.label or summary.label, episode.note,
                              "import")
    return summary


def _streams_of_numbers(
    episode: Incoming, began_ns: np.ndarray, sent_ns: np.ndarray
) -> list[tuple[StreamSpec, np.ndarray]]:
    made = [_stream("tick", episode.rate_hz, sent_ns,
                    {"sent": episode.action, **_named(episode.outcomes)},
                    {"sent": episode.action_names})]
    if episode.state is not None:
        made.append(_stream("arm", episode.rate_hz, began_ns, {"position": episode.state},
                            {"position": episode.state_names}))
    if episode.observed:
        made.append(_stream("observation", episode.rate_hz, began_ns,
                            _named(episode.observed), {}))
    return made


def _named(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same under names that columns can have, each of its own."""
    named: dict[str, np.ndarray] = {}
    for text, array in values.items():
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", text)
        if not name[:1].isalnum() or name in _OURS:
            name = f"their_{name}"
        while name in named:
            name += "_"
        named[name] = array
    return named


def _stream(name: str, rate_hz: float, at_ns: np.ndarray, values: dict[str, np.ndarray],
            names: dict[str, tuple[str, ...]]) -> tuple[StreamSpec, np.ndarray]:
    spec = StreamSpec(name=name, rate_hz=rate_hz, columns=tuple(
        Column(name=column, dtype=array.dtype.newbyteorder("<").str, shape=array.shape[1:],
               names=names.get(column, ())) for column, array in values.items()))
    rows = np.zeros(len(at_ns), spec.row_dtype)
    rows["t_mono_ns"], rows["seq"] = at_ns, np.arange(len(at_ns))
    for column, array in values.items():
        rows[column] = array
    return spec, rows


def _spec_of(camera: Camera, rate_hz: float, lossless: bool) -> StreamSpec:
    encoding: Encoding = "zstd" if camera.depth_unit else \
        "jpegxl-lossless" if lossless else "jpeg"
    field = ImageField(name="depth" if camera.depth_unit else "rgb", height=camera.height,
                       width=camera.width, encoding=encoding, unit=camera.depth_unit)
    beside = () if camera.depth is None else _spec_of(camera.depth, rate_hz, lossless).images
    return StreamSpec(name=camera.name, rate_hz=rate_hz, images=(
        *((field,) if camera.depth_unit else with_reduced(field)), *beside))


def _batches(camera: Camera, spec: StreamSpec, at_ns: np.ndarray, wall_ns: int) -> Iterator[Batch]:
    pictures: list[dict[str, bytes | memoryview]] = []
    done = 0
    for picture in _encoded(camera, spec):
        pictures.append(picture)
        if len(pictures) == _PICTURES_AT_ONCE:
            yield _batch(spec, at_ns, wall_ns, done, pictures)
            done, pictures = done + len(pictures), []
    if pictures:
        yield _batch(spec, at_ns, wall_ns, done, pictures)
    if done + len(pictures) != len(at_ns):
        raise StoreError(f"camera '{camera.name}' has {done + len(pictures)} pictures for "
                         f"{len(at_ns)} frames")


def _encoded(camera: Camera, spec: StreamSpec) -> Iterator[dict[str, bytes | memoryview]]:
    """What a camera's rows hold, one after the other."""
    if camera.depth_unit:
        for counts in camera.pictures():
            yield {"depth": encode(counts, "zstd")}
        return
    beside = camera.depth.pictures() if camera.depth is not None else repeat(None)
    for picture, counts in zip(camera.pictures(), beside, strict=camera.depth is not None):
        if picture.shape[:2] != (camera.height, camera.width):
            height, width = picture.shape[:2]
            raise StoreError(f"camera '{camera.name}' has a picture of {height}x{width}, and "
                             f"{camera.height}x{camera.width} is said of it")
        seen: dict[str, bytes | memoryview] = {**encode_colours(picture, "rgb", spec.images)}
        if counts is not None:
            seen["depth"] = encode(counts, "zstd")
        yield seen


def _batch(spec: StreamSpec, at_ns: np.ndarray, wall_ns: int, first: int,
           pictures: list[dict[str, bytes | memoryview]]) -> Batch:
    here = slice(first, first + len(pictures))
    if here.stop > len(at_ns):
        raise StoreError(f"camera '{spec.name}' has more pictures than the {len(at_ns)} frames")
    rows = np.zeros(len(pictures), spec.row_dtype)
    rows["t_mono_ns"], rows["seq"] = at_ns[here], np.arange(first, here.stop)
    rows["t_wall_ns"] = rows["t_mono_ns"] - START_NS + wall_ns
    return Batch(spec.name, rows, tuple(pictures))

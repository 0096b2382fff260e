"""Episodes of a store as a LeRobot dataset, version 3.0.

What comes out is what `lerobot-record` would have left, at one rate: `observation.images.<camera>`,
`observation.state`, `action`, and the instruction as `task` of every frame; `intervention` as
LeRobot's own rollouts mark it, `next.success` in the last frame of an episode that is labelled so,
what was said (recorders/exchange/lerobot_language.py), and `perturbed`, true where the operator
erred on purpose (such an action is no example). Frame k has the timestamp k/fps; which samples
belong to it is said in recorders/frames_at_rate.py. Depth goes along where it is wanted, count by
count (recorders/exchange/depth.py); the faster streams stay behind: LeRobot knows one rate.
meta/tandem.json keeps what LeRobot has no place for.
The dataset grows in a folder beside its destination and is moved there when it is whole.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.exchange import lerobot_layout as layout
from recorders.exchange.depth import lerobot_unit
from recorders.exchange.destination import moved_when_whole
from recorders.exchange.lerobot_language import Said, rows_of
from recorders.exchange.lerobot_layout import PERTURBED
from recorders.exchange.lerobot_writer import LeRobotWriter, Outgoing
from recorders.exchange.pictures_out import DEPTH, PICTURE, colours, depths
from recorders.exchange.videos import LEROBOT_AV1, SHARP_H264, quiet
from recorders.frames_at_rate import Frames, frames_at_rate
from recorders.store import DemoStore
from recorders.store_errors import StoreError

__all__ = ["PERTURBED", "ExportSettings", "Exported", "export_lerobot"]

_SMALLEST_SIDE = 64                     # of a picture, for the AV1 encoder that LeRobot takes

Progress = Callable[[str, int], None]   # an episode that is written, and how many frames it has


class ExportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How episodes become a LeRobot dataset.

    Attributes:
        fps: frames in a second.
        picture_size: (height, width) that every picture is made; None leaves them as they are.
        cameras: streams; empty means all that have colour pictures.
        sharp: videos that keep nearly all (H.264 with every pixel's own colour) instead of
            LeRobot's default (AV1 with a quarter of the colours), which blurs what is only a few
            pixels wide.
        depth: pictures of depth, too, as files in the table: exact, and large.
    """

    fps: int = 30
    picture_size: tuple[int, int] | None = None
    cameras: tuple[str, ...] = ()
    sharp: bool = False
    depth: bool = False


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written.

    Attributes:
        repo_id: LeRobotDataset(repo_id, root=path) opens it.
        residuals_ms: stream to the largest distance between a frame's time and what was taken
            for it, over all episodes.
        left_behind: pictures of depth that were not wanted, as "front/depth".
    """

    path: Path
    repo_id: str
    episodes: int
    frames: int
    cameras: tuple[str, ...]
    residuals_ms: dict[str, float]
    left_behind: tuple[str, ...] = ()


def export_lerobot(
    store: DemoStore, which: Sequence[str], to: Path, settings: ExportSettings | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write episodes of a store as a LeRobot dataset.

    Args:
        store: open for reading or writing.
        which: ids of episodes, in the order in which they are written.
        to: a folder that does not exist.
        settings: see there.
        progress: called after every episode.

    Raises:
        StoreError: if `to` exists, nothing was chosen, an episode lacks a stream or holds numbers
            that are none, or the pictures' size cannot be encoded; nothing is left behind.
    """
    settings = settings or ExportSettings()
    if not which:
        raise StoreError(f"no episode of {store.path} was chosen: nothing to export")
    summaries = [store.episode(episode) for episode in which]
    episodes = [EpisodeReader(store.episode_path(one.episode)) for one in summaries]
    cameras = settings.cameras or cameras_of(episodes[0])
    laid = [frames_at_rate(episode, cameras, settings.fps, one.instruction, PICTURE)
            for episode, one in zip(episodes, summaries, strict=True)]
    said = [rows_of(episode.events, frames.moments_ns, settings.fps)
            for episode, frames in zip(episodes, laid, strict=True)]
    features = features_of(episodes, cameras, settings.picture_size, settings.depth)
    if any(said):
        features |= {key: {"dtype": "language", "shape": (1,), "names": None}
                     for key in (layout.PERSISTENT, layout.EVENTS)}
    quiet()
    with moved_when_whole(to) as folder, LeRobotWriter(
            folder, settings.fps, episodes[0].attrs["robot"].get("name"), features,
            SHARP_H264 if settings.sharp else LEROBOT_AV1) as writer:
        for episode, one, frames, rows in zip(episodes, summaries, laid, said, strict=True):
            writer.add(_outgoing(episode, one, frames, rows, settings))
            if progress:
                progress(episode.episode, len(frames.moments_ns))
        info = writer.finish()
        _write_notes(folder, summaries, laid,
                     depth_units(episodes[0], cameras) if settings.depth else {})
    return Exported(path=to, repo_id=f"tandem/{to.name}", episodes=info.total_episodes,
                    frames=info.total_frames, cameras=tuple(cameras), residuals_ms=_largest(laid),
                    left_behind=() if settings.depth else depth_of(episodes[0], cameras))


def cameras_of(episode: EpisodeReader) -> tuple[str, ...]:
    """The streams that have colour pictures."""
    found = tuple(name for name, stream in episode.streams.items() if PICTURE in stream.image_names)
    if not found:
        raise StoreError(f"episode {episode.episode} has no colour pictures: its streams are "
                         f"{', '.join(episode.streams)}")
    return found


def depth_units(episode: EpisodeReader, cameras: Sequence[str]) -> dict[str, str]:
    """The cameras that see depth, and what their counts mean: "0.001 m"."""
    return {camera: image.unit for camera in cameras for image in episode[camera].spec.images
            if image.name == DEPTH}


def depth_of(episode: EpisodeReader, cameras: Sequence[str]) -> tuple[str, ...]:
    """The pictures of depth that an episode has: "front/depth"."""
    return tuple(f"{camera}/{DEPTH}" for camera in depth_units(episode, cameras))


def features_of(
    episodes: Sequence[EpisodeReader], cameras: Sequence[str],
    picture_size: tuple[int, int] | None, depth: bool = False,
) -> dict[str, dict[str, Any]]:
    """The features of the dataset, as LeRobot describes them.

    Raises:
        StoreError: if the episodes differ, or a picture cannot be encoded.
    """
    described = [_features_of_one(episode, cameras, picture_size, depth) for episode in episodes]
    for episode, features in zip(episodes, described, strict=True):
        if features != described[0]:
            differing = [name for name in features if features[name] != described[0].get(name)]
            raise StoreError(f"episode {episode.episode} differs from {episodes[0].episode} in "
                             f"{', '.join(differing)}: export them into two datasets")
    return described[0]


def _features_of_one(
    episode: EpisodeReader, cameras: Sequence[str], picture_size: tuple[int, int] | None,
    depth: bool,
) -> dict[str, dict[str, Any]]:
    features: dict[str, dict[str, Any]] = {}
    for camera in cameras:
        image = next(i for i in episode[camera].spec.images if i.name == PICTURE)
        height, width = picture_size or (image.height, image.width)
        if height % 2 or width % 2 or min(height, width) < _SMALLEST_SIDE:
            raise StoreError(f"pictures of {height}x{width} cannot be encoded as video: give an "
                             f"even height and width of at least {_SMALLEST_SIDE}")
        features[layout.PICTURE + camera] = {
            "dtype": "video", "shape": (height, width, 3), "names": ["height", "width", "channels"]}
    for camera, unit in depth_units(episode, cameras).items() if depth else ():
        image = next(i for i in episode[camera].spec.images if i.name == DEPTH)
        features[layout.depth_of(camera)] = {
            "dtype": "image", "shape": (*(picture_size or (image.height, image.width)), 1),
            "names": ["height", "width", "channels"],
            "info": {"is_depth_map": True, "depth_unit": lerobot_unit(unit)}}
    for name, (stream, column) in {layout.STATE: ("arm", "position"),
                                   layout.ACTION: ("tick", "sent")}.items():
        spec = next(c for c in episode[stream].spec.columns if c.name == column)
        axes = spec.names or tuple(f"joint{i + 1}" for i in range(spec.shape[0]))
        features[name] = {"dtype": "float32", "shape": spec.shape,
                          "names": [f"{axis}.pos" for axis in axes]}
    for name in (layout.INTERVENTION, layout.SUCCESS, PERTURBED):
        features[name] = {"dtype": "bool", "shape": (1,), "names": None}
    return features


def _outgoing(episode: EpisodeReader, summary: EpisodeSummary, frames: Frames, said: Said,
              settings: ExportSettings) -> Outgoing:
    size = settings.picture_size
    units = depth_units(episode, tuple(frames.picture_rows)) if settings.depth else {}
    success = np.zeros(len(frames.moments_ns), bool)
    success[-1] = summary.label == "success"
    return Outgoing(
        numbers={layout.STATE: frames.state, layout.ACTION: frames.action,
                 layout.INTERVENTION: frames.intervention, layout.SUCCESS: success,
                 PERTURBED: frames.perturbed},
        tasks=frames.instructions, persistent=said.persistent, events=said.events,
        pictures={layout.PICTURE + camera: colours(episode, camera, rows, size)
                  for camera, rows in frames.picture_rows.items()} | {
            layout.depth_of(camera): depths(episode, camera, frames.picture_rows[camera], size)
            for camera in units},
        units={layout.depth_of(camera): unit for camera, unit in units.items()})


def _largest(laid: Sequence[Frames]) -> dict[str, float]:
    return {stream: max(frames.residuals_ns[stream] for frames in laid) / 1e6
            for stream in laid[0].residuals_ns}


def _write_notes(
    folder: Path, summaries: Sequence[EpisodeSummary], laid: Sequence[Frames],
    units: dict[str, str],
) -> None:
    told = {"depth_units": units, "episodes": [
        {"episode": one.episode, "frames": len(frames.moments_ns), "task": one.task,
         "label": one.label, "label_by": one.label_by, "note": one.note, "seed": one.seed,
         "operator": one.operator, "residuals_ms": _largest([frames])}
        for one, frames in zip(summaries, laid, strict=True)]}
    (folder / layout.NOTES).write_bytes(
        msgspec.json.format(msgspec.json.encode(told), indent=2))

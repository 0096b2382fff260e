"""Episodes of a store as a LeRobot dataset, version 3.0, written by LeRobot's own writer.

What comes out is what `lerobot-record` would have left, at one rate: `observation.images.<camera>`,
`observation.state`, `action`, and the instruction as `task` of every frame, plus `perturbed`, true
where the operator erred on purpose (such an action is no example). Frame k has the timestamp k/fps;
which samples belong to it is said in recorders/frames_at_rate.py. Depth and the faster streams stay
behind: LeRobot knows one rate.
The dataset grows in a folder beside its destination and is moved there when it is whole. LeRobot
(and with it torch) is imported only when an export begins.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from recorders.episode_reader import EpisodeReader
from recorders.files import PARTIAL_SUFFIX
from recorders.frames_at_rate import Frames, frames_at_rate
from recorders.store import DemoStore
from recorders.store_errors import StoreError

if TYPE_CHECKING:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

PICTURE = "rgb"
PERTURBED = "perturbed"
_SMALLEST_SIDE = 64                     # of a picture, for the AV1 encoder that LeRobot takes
_SHARP_CRF = 12                         # about 45 dB

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
    """

    fps: int = 30
    picture_size: tuple[int, int] | None = None
    cameras: tuple[str, ...] = ()
    sharp: bool = False


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    path: Path
    repo_id: str                        # LeRobotDataset(repo_id, root=path) opens it
    episodes: int
    frames: int
    cameras: tuple[str, ...]


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
    if to.exists():
        raise StoreError(f"{to} exists already: choose another folder, nothing is overwritten")
    if not which:
        raise StoreError(f"no episode of {store.path} was chosen: nothing to export")
    episodes = [EpisodeReader(store.episode_path(episode)) for episode in which]
    cameras = settings.cameras or cameras_of(episodes[0])
    laid = [frames_at_rate(episode, cameras, settings.fps, store.instruction_of(name), PICTURE)
            for episode, name in zip(episodes, which, strict=True)]
    features = features_of(episodes, cameras, settings.picture_size)
    repo_id = f"tandem/{to.name}"
    with _moved_when_whole(to) as folder, _quiet():
        dataset = _create(folder, repo_id, episodes[0], features, settings,
                          queue=max(len(frames.moments_ns) for frames in laid))
        try:
            for episode, frames in zip(episodes, laid, strict=True):
                for frame in _rows(episode, frames, settings.picture_size):
                    dataset.add_frame(frame)
                dataset.save_episode()
                if progress:
                    progress(episode.episode, len(frames.moments_ns))
        finally:
            dataset.clear_episode_buffer()      # an episode that was cut short: ends its encoders
            dataset.finalize()
        _require_every_picture(folder, cameras, dataset.meta.total_frames)
    return Exported(path=to, repo_id=repo_id, episodes=len(episodes),
                    frames=dataset.meta.total_frames, cameras=tuple(cameras))


def cameras_of(episode: EpisodeReader) -> tuple[str, ...]:
    """The streams that have colour pictures."""
    found = tuple(name for name, stream in episode.streams.items() if PICTURE in stream.image_names)
    if not found:
        raise StoreError(f"episode {episode.episode} has no colour pictures: its streams are "
                         f"{', '.join(episode.streams)}")
    return found


def features_of(
    episodes: Sequence[EpisodeReader], cameras: Sequence[str],
    picture_size: tuple[int, int] | None,
) -> dict[str, dict[str, Any]]:
    """The features of the dataset, as LeRobot describes them.

    Raises:
        StoreError: if the episodes differ, or a picture cannot be encoded.
    """
    described = [_features_of_one(episode, cameras, picture_size) for episode in episodes]
    for episode, features in zip(episodes, described, strict=True):
        if features != described[0]:
            differing = [name for name in features if features[name] != described[0].get(name)]
            raise StoreError(f"episode {episode.episode} differs from {episodes[0].episode} in "
                             f"{', '.join(differing)}: export them into two datasets")
    return described[0]


def _features_of_one(
    episode: EpisodeReader, cameras: Sequence[str], picture_size: tuple[int, int] | None
) -> dict[str, dict[str, Any]]:
    features: dict[str, dict[str, Any]] = {}
    for camera in cameras:
        image = next(i for i in episode[camera].spec.images if i.name == PICTURE)
        height, width = picture_size or (image.height, image.width)
        if height % 2 or width % 2 or min(height, width) < _SMALLEST_SIDE:
            raise StoreError(f"pictures of {height}x{width} cannot be encoded as video: give an "
                             f"even height and width of at least {_SMALLEST_SIDE}")
        features[f"observation.images.{camera}"] = {
            "dtype": "video", "shape": (height, width, 3), "names": ["height", "width", "channels"]}
    for name, (stream, column) in {"observation.state": ("arm", "position"),
                                   "action": ("tick", "sent")}.items():
        spec = next(c for c in episode[stream].spec.columns if c.name == column)
        axes = spec.names or tuple(f"joint{i + 1}" for i in range(spec.shape[0]))
        features[name] = {"dtype": "float32", "shape": spec.shape,
                          "names": [f"{axis}.pos" for axis in axes]}
    features[PERTURBED] = {"dtype": "bool", "shape": (1,), "names": None}
    return features


def _create(
    folder: Path, repo_id: str, episode: EpisodeReader, features: dict[str, dict[str, Any]],
    settings: ExportSettings, queue: int,
) -> "LeRobotDataset":
    from lerobot.configs.video import RGBEncoderConfig
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    encoder = RGBEncoderConfig(vcodec="h264", pix_fmt="yuv444p", crf=_SHARP_CRF) \
        if settings.sharp else RGBEncoderConfig()
    # A full queue makes LeRobot drop pictures, so it holds the longest episode.
    return LeRobotDataset.create(
        repo_id, settings.fps, features, root=folder, robot_type=episode.attrs["robot"].get("name"),
        rgb_encoder=encoder, streaming_encoding=True, encoder_queue_maxsize=queue + 1)


def _rows(
    episode: EpisodeReader, frames: Frames, picture_size: tuple[int, int] | None
) -> Iterator[dict[str, Any]]:
    readers = {camera: episode[camera].images(PICTURE) for camera in frames.picture_rows}
    for k, task in enumerate(frames.instructions):
        pictures = {f"observation.images.{camera}":
                    resized(readers[camera][int(rows[k])], picture_size)
                    for camera, rows in frames.picture_rows.items()}
        yield {**pictures, "observation.state": frames.state[k], "action": frames.action[k],
               PERTURBED: frames.perturbed[k:k + 1], "task": task}


def resized(picture: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """(H, W, 3) u1 made `size` (height, width), every pixel the mean of what it covers."""
    if size is None or picture.shape[:2] == size:
        return picture
    import cv2

    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)


@contextmanager
def _moved_when_whole(to: Path) -> Iterator[Path]:
    """A new folder beside `to`; renamed to it at the end, removed if there is an error."""
    folder = to.with_name(f".{to.name}{PARTIAL_SUFFIX}")
    shutil.rmtree(folder, ignore_errors=True)       # what a kill left
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
        folder.rename(to)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """What LeRobot stands on tells stderr about every video and every file: errors only."""
    # SVT-AV1 greets with every video unless told otherwise before it is loaded.
    os.environ.setdefault("SVT_LOG", "1")
    import av
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    av.logging.set_libav_level(av.logging.ERROR)        # LeRobot takes av's own filter away
    try:
        yield
    finally:
        av.logging.set_libav_level(av.logging.INFO)     # as libav begins
        if shown:
            datasets.enable_progress_bars()


def _require_every_picture(folder: Path, cameras: Sequence[str], frames: int) -> None:
    import av

    for camera in cameras:
        found = 0
        for file in (folder / "videos" / f"observation.images.{camera}").rglob("*.mp4"):
            with av.open(str(file)) as video:
                found += video.streams.video[0].frames
        if found != frames:
            raise StoreError(f"LeRobot encoded {found} of {frames} pictures of '{camera}': nothing "
                             f"was exported; is the disk full?")

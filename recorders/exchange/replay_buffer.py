"""Episodes of a store as a replay buffer of diffusion_policy or UMI: data/… and meta/episode_ends.

diffusion_policy's is a folder with `camera_0`, …, `robot_joint`, `robot_eef_pose` (position and
rotation vector), `action` and `timestamp`, as its real-robot recorder names them; pictures are
losslessly compressed with Blosc. UMI's is a .zarr.zip with `camera0_rgb`, … (224x224, the middle
square, JPEG XL), `robot0_eef_pos`, `robot0_eef_rot_axis_angle`, `robot0_gripper_width` and the
poses where the episode begins and ends; UMI has no actions, it takes later poses for them.
Frames are those of recorders/frames_at_rate.py. References: real-stanford/diffusion_policy,
common/replay_buffer.py, real_world/real_env.py; real-stanford/universal_manipulation_interface,
scripts_slam_pipeline/07_generate_replay_buffer.py.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import msgspec
import numcodecs
import numpy as np

from recorders.align import latest_before
from recorders.episode_reader import EpisodeReader
from recorders.exchange.destination import moved_when_whole
from recorders.exchange.pictures_out import PICTURE, resized
from recorders.exchange.zarr_v2 import PictureArray, Sink, put_array
from recorders.frames_at_rate import Frames, frames_at_rate
from recorders.lerobot_v3 import Exported, cameras_of, depth_of
from recorders.store import DemoStore
from recorders.store_errors import StoreError

Kind = Literal["diffusion_policy", "umi"]
UMI_SIZE = (224, 224)
# What UMI's own codec class takes; newer settings would stop it.
_JPEGXL: dict[str, Any] = {
    "id": "imagecodecs_jpegxl", "level": None, "effort": 3, "distance": 0.5, "lossless": False,
    "decodingspeed": None, "photometric": None, "planar": None, "usecontainer": None, "index": None,
    "keeporientation": None, "numthreads": 1}
_BLOSC: dict[str, Any] = {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 2, "blocksize": 0}


class BufferSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How episodes become a replay buffer.

    Attributes:
        fps: frames in a second.
        picture_size: (height, width); None leaves them, and is 224x224 for UMI.
        cameras: streams; empty means all that have colour pictures.
        gripper_opening_m: between the fingers when the gripper's number is 1.
    """

    fps: int = 30
    picture_size: tuple[int, int] | None = None
    cameras: tuple[str, ...] = ()
    gripper_opening_m: float = 0.08


def export_replay_buffer(
    store: DemoStore, which: Sequence[str], to: Path, kind: Kind,
    settings: BufferSettings | None = None, progress: Callable[[str, int], None] | None = None,
) -> Exported:
    """Write episodes of a store as a replay buffer.

    Args:
        store: open for reading or writing.
        which: ids of episodes, in the order in which they are written.
        to: a folder, or for UMI a .zarr.zip file, that does not exist.
        kind: whose.
        settings: see there.
        progress: called after every episode.

    Raises:
        StoreError: if `to` exists, nothing was chosen, or an episode lacks a stream; nothing is
            left behind.
    """
    settings = settings or BufferSettings()
    if not which:
        raise StoreError(f"no episode of {store.path} was chosen: nothing to export")
    if kind == "umi" and to.suffix != ".zip":
        raise StoreError(f"{to}: UMI reads .zarr.zip files, so give such a name")
    episodes = [EpisodeReader(store.episode_path(one)) for one in which]
    cameras = settings.cameras or cameras_of(episodes[0])
    laid = [frames_at_rate(episode, cameras, settings.fps, picture=PICTURE) for episode in episodes]
    numbers = [_umi(episode, frames, settings) if kind == "umi" else
               _diffusion_policy(episode, frames, settings.fps)
               for episode, frames in zip(episodes, laid, strict=True)]
    if any(one.keys() != numbers[0].keys() for one in numbers):
        raise StoreError("the episodes differ in what they hold of the tool: export them apart")
    with moved_when_whole(to) as partial:
        sink = Sink(partial, packed=kind == "umi")
        try:
            for group in ("", "data", "meta"):
                sink.group(group)
            shelves = {camera: _shelf(sink, kind, i) for i, camera in enumerate(cameras)}
            for episode, frames in zip(episodes, laid, strict=True):
                for camera, shelf in shelves.items():
                    reader = episode[camera].images(PICTURE)
                    for row in frames.picture_rows[camera]:
                        shelf.add(_shown(reader[int(row)], kind, settings.picture_size))
                if progress:
                    progress(episode.episode, len(frames.moments_ns))
            ends = np.cumsum([len(frames.moments_ns) for frames in laid], dtype=np.int64)
            for shelf in shelves.values():
                if (there := shelf.close()) != ends[-1]:
                    raise StoreError(f"{there} pictures for {ends[-1]} frames: nothing is exported")
            for name in numbers[0]:
                put_array(sink, f"data/{name}", np.concatenate([one[name] for one in numbers]))
            put_array(sink, "meta/episode_ends", ends)
        finally:
            sink.close()
    return Exported(path=to, repo_id="", episodes=len(episodes), frames=int(ends[-1]),
                    cameras=tuple(cameras), left_behind=depth_of(episodes[0], cameras),
                    residuals_ms={
                        name: max(frames.residuals_ns[name] for frames in laid) / 1e6
                        for name in laid[0].residuals_ns})


def rotation_vector(quaternion: np.ndarray) -> np.ndarray:
    """(N, 4) w x y z to (N, 3): the axis times the angle in rad, at most half a turn."""
    unit = quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)
    unit = np.where(unit[:, :1] < 0, -unit, unit)
    sine = np.linalg.norm(unit[:, 1:], axis=1)
    angle = 2 * np.arctan2(sine, unit[:, 0])
    scale = np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)
    return unit[:, 1:] * scale[:, None]


def _diffusion_policy(episode: EpisodeReader, frames: Frames, fps: int) -> dict[str, np.ndarray]:
    count = len(frames.moments_ns)
    pose = _pose(episode, frames)
    return {"robot_joint": frames.state, "action": frames.action,
            "timestamp": np.arange(count) / fps,
            **({"robot_eef_pose": pose} if pose is not None else {})}


def _umi(episode: EpisodeReader, frames: Frames, settings: BufferSettings) -> dict[str, np.ndarray]:
    pose = _pose(episode, frames)
    if pose is None:
        raise StoreError(f"episode {episode.episode} says nothing about the tool's pose ('arm/"
                         f"tool_pose'), which is what UMI learns from: export it with --lerobot "
                         f"or --diffusion-policy")
    width = frames.state[:, -1:] * settings.gripper_opening_m
    count = len(pose)
    return {"robot0_eef_pos": pose[:, :3].astype("f4"),
            "robot0_eef_rot_axis_angle": pose[:, 3:].astype("f4"),
            "robot0_gripper_width": width.astype("f4"),
            "robot0_demo_start_pose": np.tile(pose[:1], (count, 1)),
            "robot0_demo_end_pose": np.tile(pose[-1:], (count, 1))}


def _pose(episode: EpisodeReader, frames: Frames) -> np.ndarray | None:
    """(N, 6) f8 world_from_tool: position in m, rotation vector in rad; None if not recorded."""
    if "tool_pose" not in episode["arm"]:
        return None
    arm = episode["arm"]
    pose = arm.column("tool_pose")[latest_before(arm.taken_ns, frames.moments_ns)]
    return np.column_stack([pose[:, :3], rotation_vector(pose[:, 3:])])


def _shelf(sink: Sink, kind: Kind, number: int) -> PictureArray:
    if kind == "umi":
        return PictureArray(sink, f"data/camera{number}_rgb", _JPEGXL, _as_jpegxl)
    return PictureArray(sink, f"data/camera_{number}", _BLOSC,
                        lambda picture: bytes(_blosc.encode(np.ascontiguousarray(picture))))


_blosc = numcodecs.Blosc(**{name: value for name, value in _BLOSC.items() if name != "id"})


def _as_jpegxl(picture: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(picture, effort=_JPEGXL["effort"],
                                           distance=_JPEGXL["distance"], numthreads=1))


def _shown(picture: np.ndarray, kind: Kind, size: tuple[int, int] | None) -> np.ndarray:
    if kind == "umi":
        side = min(picture.shape[:2])
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        picture = np.ascontiguousarray(picture[top:top + side, left:left + side])
        size = size or UMI_SIZE
    return resized(picture, size)

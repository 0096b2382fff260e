"""A replay buffer of UMI (.zarr.zip) or diffusion_policy (.zarr folder) becomes a store.

What is `action` there is the action; UMI has none and takes the pose of later frames, so here it is
the pose and width of the next frame. Arrays of pictures become cameras. References: see
replay_buffer.py. Knows zarr-python for reading.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recorders.exchange.destination import moved_when_whole
from recorders.exchange.imported import Imported, Progress
from recorders.exchange.incoming import Camera, Incoming, keep
from recorders.store import DemoStore
from recorders.store_errors import StoreError

_UMI_FPS, _DIFFUSION_POLICY_FPS = 60, 10        # a GoPro's 59.94; diffusion_policy's recorder
_STATES = ("state", "robot_joint", "robot_eef_pose", "agent_pos")
_UMI_POSE = ("robot0_eef_pos", "robot0_eef_rot_axis_angle", "robot0_gripper_width")
_AT_ONCE = 32


def import_replay_buffer(path: Path, to: Path, fps: int = 0, instruction: str = "",
                         lossless: bool = False, progress: Progress | None = None) -> Imported:
    """Write a replay buffer into a new store.

    Args:
        path: a .zarr.zip file or a .zarr folder.
        to: a folder that does not exist.
        fps: frames in a second; 0 takes `timestamp`, or 60 for UMI and 10 for diffusion_policy.
        instruction: what was asked for.
        lossless: keep pictures exactly as they were decoded.
        progress: called after every episode.

    Raises:
        StoreError: saying in one line what is wrong; nothing is left behind.
    """
    root = _opened(path)
    if "data" not in root or "meta" not in root or "episode_ends" not in root["meta"]:
        raise StoreError(f"{path} is no replay buffer: it needs data/ and meta/episode_ends, and "
                         f"has {', '.join(root.keys()) or 'nothing'}")
    data = dict(root["data"].arrays())
    ends = np.asarray(root["meta"]["episode_ends"][:], np.int64)
    _require_whole(path, data, ends)
    pictures = {name: array for name, array in data.items()
                if array.ndim == 4 and array.shape[-1] == 3}
    numbers = {name: array[:] for name, array in data.items() if name not in pictures}
    rate_hz = fps or _rate(numbers, ends)
    with moved_when_whole(to) as partial, DemoStore.open(partial, write=True, create=True) as store:
        begin = 0
        for done, end in enumerate(ends.tolist(), 1):
            keep(store, _incoming(path, {name: values[begin:end] for name, values
                                         in numbers.items()},
                                  tuple(_camera(name, array, begin, end)
                                        for name, array in sorted(pictures.items())),
                                  rate_hz, instruction), lossless)
            if progress:
                progress(done, len(ends), f"{end - begin} frames")
            begin = end
    return Imported(path=to, episodes=len(ends), frames=int(ends[-1]))


def _opened(path: Path) -> Any:
    import imagecodecs.numcodecs
    import zarr
    from zarr.storage import LocalStore, ZipStore

    if not path.exists():
        raise StoreError(f"{path} is not there")
    imagecodecs.numcodecs.register_codecs(verbose=False)
    try:
        store = ZipStore(path, mode="r") if path.is_file() else LocalStore(path, read_only=True)
        return zarr.open_group(store, mode="r", zarr_format=2)
    except (zipfile.BadZipFile, FileNotFoundError, ValueError, KeyError) as error:
        raise StoreError(f"{path} is no whole Zarr group of version 2: copy it anew ({error})"
                         ) from error


def _require_whole(path: Path, data: dict[str, Any], ends: np.ndarray) -> None:
    if not len(ends) or (np.diff(ends, prepend=0) <= 0).any():
        raise StoreError(f"{path}: meta/episode_ends is empty or does not grow")
    for name, array in data.items():
        if array.shape[0] != ends[-1]:
            raise StoreError(f"{path}: data/{name} has {array.shape[0]} rows, and the "
                             f"episodes have {ends[-1]}: copy it anew")


def _rate(numbers: dict[str, np.ndarray], ends: np.ndarray) -> float:
    if "timestamp" in numbers:
        apart = np.median(np.diff(numbers["timestamp"][:ends[0]]))
        return float(round(1 / apart, 3))
    return _UMI_FPS if _UMI_POSE[0] in numbers else _DIFFUSION_POLICY_FPS


def _incoming(path: Path, numbers: dict[str, np.ndarray], cameras: tuple[Camera, ...],
              rate_hz: float, instruction: str) -> Incoming:
    told = dict(numbers)
    if "action" in told:
        action = told.pop("action")
        name = next((one for one in _STATES if one in told), "")
        state = told.pop(name) if name else None
        names: tuple[str, ...] = ()
    elif all(name in told for name in _UMI_POSE):
        state = np.concatenate([told.pop(name) for name in _UMI_POSE], axis=1)
        action = np.concatenate([state[1:], state[-1:]])
        names = ("x", "y", "z", "rx", "ry", "rz", "gripper_width")
    else:
        raise StoreError(f"{path} has neither data/action nor UMI's {', '.join(_UMI_POSE)}: it has "
                         f"{', '.join(numbers)}")
    return Incoming(rate_hz=rate_hz, tasks=[instruction] * len(action), action=action, state=state,
                    action_names=names, state_names=names, observed=told, cameras=cameras,
                    origin="replay buffer")


def _camera(name: str, array: Any, begin: int, end: int) -> Camera:
    def pictures() -> Iterator[np.ndarray]:
        for first in range(begin, end, _AT_ONCE):
            for picture in np.asarray(array[first:min(first + _AT_ONCE, end)]):
                yield picture if picture.dtype == np.uint8 else picture.clip(0, 255).astype("u1")

    return Camera(name=name.removesuffix("_rgb"), height=array.shape[1], width=array.shape[2],
                  pictures=pictures)

"""A replay buffer of UMI (.zarr.zip) or diffusion_policy (.zarr folder) becomes a store.

What is `action` there is the action; UMI has none and takes the pose of later frames, so here it is
the pose and width of the next frame. Arrays of pictures become cameras. References: see
replay_buffer.py. Knows zarr-python for reading.
"""

import lzma
import warnings
import zipfile
import zlib
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
_BLOSC_HEADER = 16
_CODECS_ERRORS = (RuntimeError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error,
                  lzma.LZMAError)


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
    data, ends = _arrays(path, root)
    _require_whole(path, data, ends)
    pictures = {name: array for name, array in data.items()
                if array.ndim == 4 and array.shape[-1] == 3}
    numbers = {name: _rows(path, array) for name, array in data.items() if name not in pictures}
    rate_hz = fps or _rate(path, numbers, ends)
    with moved_when_whole(to) as partial, DemoStore.open(partial, write=True, create=True) as store:
        begin = 0
        for done, end in enumerate(ends.tolist(), 1):
            keep(store, _incoming(path, {name: values[begin:end] for name, values
                                         in numbers.items()},
                                  tuple(_camera(path, name, array, begin, end)
                                        for name, array in sorted(pictures.items())),
                                  rate_hz, instruction), lossless)
            if progress:
                progress(done, len(ends), f"{end - begin} frames")
            begin = end
    return Imported(path=to, episodes=len(ends), frames=int(ends[-1]))


def _arrays(path: Path, root: Any) -> tuple[dict[str, Any], np.ndarray]:
    """What lies in data/, and where the episodes end."""
    import zarr
    from zarr.errors import ZarrUserWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ZarrUserWarning)     # pieces without an array
            data = dict(root["data"].arrays()) if "data" in root else {}
            ends = root.get("meta/episode_ends")
    except (ValueError, KeyError, TypeError, ZarrUserWarning) as error:
        raise StoreError(f"{path} has an array that does not say what it holds: copy it anew "
                         f"({error})") from error
    if not data or not isinstance(ends, zarr.Array) or ends.ndim != 1:
        raise StoreError(f"{path} is no replay buffer: it needs data/ and meta/episode_ends, and "
                         f"has {', '.join(root.keys()) or 'nothing'}")
    return data, _rows(path, ends).astype(np.int64)


def _rows(path: Path, array: Any, begin: int = 0, end: int | None = None) -> np.ndarray:
    """Rows of an array.

    Raises:
        StoreError: if a piece is damaged.
    """
    try:
        return np.asarray(array[begin:end])
    except _CODECS_ERRORS as error:
        raise StoreError(f"{path}: {array.path} is damaged: copy it anew ({error})") from error


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
    if (np.diff(ends, prepend=0) < 2).any():
        raise StoreError(f"{path}: episode {int(np.argmin(np.diff(ends, prepend=0)))} has one row, "
                         f"and an episode needs two: take it out")
    for name, array in data.items():
        if array.shape[:1] != (ends[-1],):
            raise StoreError(f"{path}: data/{name} has {array.shape[0] if array.ndim else 'no'} "
                             f"rows, and the episodes have {ends[-1]}: copy it anew")
        # Zarr reads what is not there as zeros, and an arm would learn to go to zero.
        if missing := array.nchunks - array.nchunks_initialized:
            raise StoreError(f"{path}: {missing} of {array.nchunks} pieces of data/{name} are not "
                             f"there: copy it anew; if they were left out because they hold "
                             f"nothing but zeros, write it with write_empty_chunks")
        if cut := _cut_short(path / "data" / name, array):
            raise StoreError(f"{cut} was copied only in part: copy it anew")


def _cut_short(folder: Path, array: Any) -> Path | None:
    """A piece that ends too early: Blosc would read on in memory. A .zip has checksums."""
    if getattr(array.metadata.compressor, "codec_id", "") != "blosc":
        return None
    for piece in folder.rglob("*"):
        if piece.is_file() and not piece.name.startswith("."):
            with piece.open("rb") as file:
                header = file.read(_BLOSC_HEADER)       # its last four bytes: the whole length
            if piece.stat().st_size != int.from_bytes(header[12:], "little"):
                return piece
    return None


def _rate(path: Path, numbers: dict[str, np.ndarray], ends: np.ndarray) -> float:
    if "timestamp" not in numbers:
        return _UMI_FPS if _UMI_POSE[0] in numbers else _DIFFUSION_POLICY_FPS
    apart = float(np.median(np.diff(numbers["timestamp"][:ends[0]], axis=0)))
    if not apart > 0:
        raise StoreError(f"{path}: data/timestamp does not grow: say the frames in a second with "
                         f"--fps")
    return round(1 / apart, 3)


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


def _camera(path: Path, name: str, array: Any, begin: int, end: int) -> Camera:
    def pictures() -> Iterator[np.ndarray]:
        for first in range(begin, end, _AT_ONCE):
            some = _rows(path, array, first, min(first + _AT_ONCE, end))
            if some.dtype.kind == "f" and 0 < some.max(initial=0) <= 1:
                raise StoreError(f"{path}: data/{name} counts from 0 to 1, and pictures count to "
                                 f"255: multiply them")
            yield from some if some.dtype == np.uint8 else some.clip(0, 255).astype("u1")

    return Camera(name=name.removesuffix("_rgb"), height=array.shape[1], width=array.shape[2],
                  pictures=pictures)

"""A robomimic or robosuite HDF5 file becomes a store: data/demo_N/{actions, obs/…, states, …}.

`actions` is the action. The state is what `obs` says of the joints and the gripper if it does, else
the simulator's `states`. Pictures in `obs` become cameras; robosuite's are upside down unless the
file was made by robomimic, which turns them. All other numbers keep their names. Reference:
robomimic.github.io, "Dataset contents and visualization".
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorders.exchange.destination import moved_when_whole
from recorders.exchange.imported import Imported, Progress
from recorders.exchange.incoming import Camera, Incoming, keep
from recorders.store import DemoStore
from recorders.store_errors import StoreError

_JOINTS = ("robot0_joint_pos", "robot0_gripper_qpos")
_WITH_ACTIONS = ("rewards", "dones")
_AT_ONCE = 32


def import_hdf5(path: Path, to: Path, fps: int = 20, instruction: str = "", lossless: bool = False,
                progress: Progress | None = None) -> Imported:
    """Write a file into a new store.

    Args:
        path: the file.
        to: a folder that does not exist.
        fps: frames in a second; robosuite's control frequency is 20 unless told otherwise.
        instruction: what was asked for; empty: the environment's name.
        lossless: keep pictures exactly as they were decoded.
        progress: called after every episode.

    Raises:
        StoreError: saying in one line what is wrong; nothing is left behind.
    """
    import h5py

    if not path.is_file():
        raise StoreError(f"{path} is {'no file' if path.exists() else 'not there'}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise StoreError(f"{path} is no whole HDF5 file: copy it anew ({error})") from error
    left: set[str] = set()
    with file:
        demos = _demos(path, file)
        told = _environment(file["data"])
        asked = instruction or told
        frames = 0
        with moved_when_whole(to) as partial, \
                DemoStore.open(partial, write=True, create=True) as store:
            for done, (name, demo) in enumerate(demos, 1):
                episode = _incoming(path, name, demo, fps, asked, told, left)
                keep(store, episode, lossless)
                frames += len(episode.tasks)
                if progress:
                    progress(done, len(demos), f"{name}, {len(episode.tasks)} frames")
    return Imported(path=to, episodes=len(demos), frames=frames, left_behind=tuple(sorted(left)))


def _demos(path: Path, file: Any) -> list[tuple[str, Any]]:
    """The demonstrations by number."""
    demos = [(name, demo) for name, demo in _members(file.get("data")).items()
             if _is_numbers(_members(demo).get("actions"))]
    if not demos:
        raise StoreError(f"{path} has no demonstrations: it needs data/demo_0/actions, and has "
                         f"{', '.join(file) or 'nothing'}")
    return sorted(demos, key=lambda item: (len(item[0]), item[0]))


def _members(group: Any) -> dict[str, Any]:
    import h5py

    return dict(group.items()) if isinstance(group, h5py.Group) else {}


def _is_numbers(array: Any) -> bool:
    """Whether it has rows of numbers; groups, texts and single numbers have no place."""
    import h5py

    return isinstance(array, h5py.Dataset) and array.ndim > 0 and array.dtype.kind in "biuf"


def _environment(data: Any) -> str:
    if "env" in data.attrs:
        return str(data.attrs["env"])
    try:
        return str(msgspec.json.decode(data.attrs["env_args"])["env_name"])
    except (KeyError, TypeError, msgspec.DecodeError):
        return ""


def _incoming(path: Path, name: str, demo: Any, fps: int, asked: str, environment: str,
              left: set[str]) -> Incoming:
    obs = _members(demo.get("obs"))
    seen = {key: array for key, array in obs.items() if _is_numbers(array)}
    beside = {key: demo[key] for key in ("actions", "states", *_WITH_ACTIONS)
              if _is_numbers(demo.get(key))}
    left |= {key for key in demo if key != "obs" and key not in beside}
    left |= {f"obs/{key}" for key in obs if key not in seen}
    count = len(beside["actions"])
    for key, array in {**seen, **beside}.items():
        if len(array) != count:
            raise StoreError(f"{path}: {name}/{key} has {len(array)} rows for {count} actions")
    if count < 2:
        raise StoreError(f"{path}: {name} has {count} actions, and an episode needs two: take it "
                         f"out of the file")
    pictures = {key: array for key, array in seen.items() if array.ndim == 4 and array.size
                and array.shape[-1] == 3 and array.dtype == np.uint8}
    numbers = {key: _read(path, array) for key, array in seen.items() if key not in pictures}
    told = {key: _read(path, array) for key, array in beside.items()}
    action = told.pop("actions")
    if "states" in told:
        numbers["states"] = told.pop("states")
    joints = [numbers.pop(key).reshape(count, -1) for key in _JOINTS if key in numbers]
    state = np.concatenate(joints, axis=1) if joints else numbers.get("states")
    ended_well = "rewards" in told and bool((told["rewards"] > 0).any())
    return Incoming(
        rate_hz=fps, tasks=[asked] * count, action=action, state=state, observed=numbers,
        outcomes=told, detector="success" if ended_well else "", task=_word(environment),
        robot="robosuite", origin="robomimic HDF5",
        cameras=tuple(_camera(path, key, array) for key, array in sorted(pictures.items())))


def _camera(path: Path, name: str, array: Any) -> Camera:
    def pictures() -> Iterator[np.ndarray]:
        for first in range(0, len(array), _AT_ONCE):
            yield from _read(path, array, first, first + _AT_ONCE)

    return Camera(name=name.removesuffix("_image"), height=array.shape[1], width=array.shape[2],
                  pictures=pictures)


def _read(path: Path, array: Any, begin: int = 0, end: int | None = None) -> np.ndarray:
    """Rows of a dataset.

    Raises:
        StoreError: if they are damaged.
    """
    try:
        return np.asarray(array[begin:end])
    except (OSError, RuntimeError) as error:
        raise StoreError(f"{path}: {array.name} cannot be read: copy it anew ({error})") from error


def _word(text: str) -> str:
    return "".join(c if c.isalnum() or c in "_.-" else "-" for c in text)

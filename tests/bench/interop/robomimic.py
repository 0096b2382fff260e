"""In from robomimic's HDF5, as robomimic and robosuite lay it out."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from row import Row, timed

from recorders.episode_reader import EpisodeReader
from recorders.exchange.hdf5_import import import_hdf5
from recorders.store import DemoStore

DEMOS, STEPS, SIDE = 5, 60, 84


def run(work: Path) -> list[Row]:
    """Make a file of that layout, import it, compare every number."""
    path, to = work / "low_dim.hdf5", work / "robomimic"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.create_group("data").attrs["env_args"] = '{"env_name": "Lift"}'
        for number in range(DEMOS):
            made = file.create_group(f"data/demo_{number}")
            made["actions"] = rng.normal(size=(STEPS, 7))
            made["states"] = rng.normal(size=(STEPS, 32))
            made["rewards"], made["dones"] = np.eye(STEPS)[-1], np.eye(STEPS)[-1]
            made["obs/robot0_joint_pos"] = rng.normal(size=(STEPS, 7))
            made["obs/agentview_image"] = rng.integers(0, 255, (STEPS, SIDE, SIDE, 3), np.uint8)
    with timed() as timer:
        done = import_hdf5(path, to, lossless=True)
    equal = True
    with h5py.File(path) as file, DemoStore.open(to) as store:
        for number, summary in enumerate(store.episodes()):
            episode = EpisodeReader(store.episode_path(summary.episode))
            demo: Any = file[f"data/demo_{number}"]
            equal &= np.array_equal(episode["tick"]["sent"], demo["actions"])
            equal &= np.array_equal(episode["arm"]["position"], demo["obs/robot0_joint_pos"])
            equal &= np.array_equal(episode["observation"]["states"], demo["states"])
            equal &= np.array_equal(episode["agentview"]["rgb"][STEPS - 1],
                                    demo["obs/agentview_image"][STEPS - 1])
            equal &= summary.label == "success"
    return [Row(path="robomimic HDF5 → store", rows=done.frames, frames=done.frames,
                seconds=timer.seconds, ok=bool(equal), check="numbers and pictures bit for bit")]

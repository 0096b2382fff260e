"""Repeats an episode of an environment from its first recorded state, and says how it ended.

Every step is taken again with the target that was recorded with it. Rows that were lost on the way
show as jumps of the simulated time: their steps are taken with the next target that is known.
Decides nothing; knows no control loop and no screen.
"""

from collections.abc import Callable

import numpy as np

from recorders.episode_reader import EpisodeReader
from studio.devices.interfaces import DeviceError
from studio.sim.gym.catalog import open_world
from studio.sim.replay import Replayed

_NEEDED = ("state", "target", "observation")


def replay_in_environment(episode: EpisodeReader,
                          progress: Callable[[float], None] = lambda share: None) -> Replayed:
    """Take every step of an episode again.

    Args:
        episode: recorded on an environment.
        progress: told the share done, 0..1.

    Raises:
        DeviceError: if the episode holds no such state, or its environment's package is missing.
    """
    if "sim" not in episode or any(name not in episode["sim"] for name in _NEEDED) \
            or not len(episode["sim"]):
        raise DeviceError(f"episode {episode.episode} has no recorded state of an environment: "
                          "there is nothing to begin its repetition from")
    sim, task = episode["sim"], episode.attrs["task"]
    world = open_world(episode.attrs["robot"]["name"])
    world.reset(task, episode.attrs["seed"])
    world.restore(sim["state"][0])
    device_ns, targets, observed = sim["t_device_ns"], sim["target"], sim["observation"]
    places, success = episode["arm"]["position"], False
    object_error_m = slide_error_m = 0.0
    for row in range(1, len(device_ns)):
        for _ in range(int(device_ns[row] - device_ns[row - 1]) // world.step_ns):
            world.step(None if np.isnan(targets[row]).any() else targets[row])
            success = success or world.reading.success
        off = (world.reading.observation - observed[row])[world.object_place]
        object_error_m = max(object_error_m, world.object_unit_m * float(np.abs(off).max()))
        if len(places) == len(device_ns):
            slide_error_m = max(slide_error_m,
                                float(np.abs(world.reading.position - places[row]).max()))
        progress((row + 1) / len(device_ns))
    return Replayed(
        episode=episode.episode, task=task, recorded=episode.attrs["detector"],
        replayed="success" if success else "failure",
        duration_s=float(device_ns[-1] - device_ns[0]) * 1e-9,
        max_object_error_m=object_error_m, max_joint_error_rad=slide_error_m)

"""What a policy would have been shown in recorded moments.

The same pictures, numbers and words as PolicyFeed shows live, out of an episode that was worked out
for training. Knows episodes; knows no policy and no tensors.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from policy.data.demonstrations import DEPTH, Demonstration, find_image, read_demonstration
from policy.data.pictures import prepare_picture
from policy.data.point_cloud import metres_per_count, point_cloud, prepare_depth
from policy.interfaces import Observation, PolicySpec
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.reduced_pictures import picture_for
from recorders.store import DemoStore


def observe(store: Path | str, number: int, moment: int, spec: PolicySpec) -> Observation:
    """What a policy would have been shown at one moment of one episode of a store.

    Args:
        store: its folder.
        number: of the episode in the list of `tandem data ls`, from 0.
        moment: of its pictures, in order.
        spec: of the policy.

    Raises:
        StoreError: if there is no such store.
        IndexError: if there is no such episode or moment.
        MissingSignal, ValueError, DamagedRecording: see `read_demonstration`.
    """
    with DemoStore.open(store) as opened:
        summary = opened.episodes()[number]
        episode = EpisodeReader(opened.episode_path(summary.episode))
        return observation_at(read_demonstration(episode, summary, spec), moment, spec)


def newest_observations(episodes: Sequence[Demonstration], spec: PolicySpec, *, seconds: float,
                        period_s: float) -> list[Observation]:
    """The last seconds that were recorded, in order, one observation every so often.

    Args:
        episodes: oldest first; taken from the end until there are enough seconds.
        spec: of the policy.
        seconds: of recording to go back; less is given where there is less.
        period_s: between two observations.
    """
    found: list[Observation] = []
    left_ns, period_ns = seconds * NS_PER_S, period_s * NS_PER_S
    for one in reversed(episodes):
        if left_ns <= 0:
            break
        ends_ns = int(one.moments_ns[-1])
        begins_ns = max(ends_ns - left_ns, int(one.moments_ns[0]))
        wanted = np.searchsorted(one.moments_ns, np.arange(ends_ns, begins_ns - 1, -period_ns))
        found = [observation_at(one, int(at), spec) for at in sorted(set(wanted))] + found
        left_ns -= ends_ns - begins_ns
    return found


def observation_at(one: Demonstration, at: int, spec: PolicySpec) -> Observation:
    """What a policy would have been shown at the at-th moment of an episode."""
    images = {camera: _picture(one, at, camera, spec) for camera in spec.cameras}
    return Observation(
        stamp_ns=int(one.moments_ns[at]), images=images, proprioception=one.proprioception[at],
        base=one.base[at], instruction=one.instruction_at(at),
        instruction_id=int(one.segment[at]),
        cloud=_cloud(one, at, spec, images) if spec.cloud_points else None)


def _picture(one: Demonstration, at: int, camera: str, spec: PolicySpec) -> np.ndarray:
    stream = one.episode[camera]
    name = picture_for(stream.spec.images, spec.cameras[camera], spec.picture_size)
    return prepare_picture(stream.images(name)[int(one.picture_rows[camera][at])],
                           spec.picture_size)


def _cloud(one: Demonstration, at: int, spec: PolicySpec, images: dict[str, np.ndarray]
           ) -> np.ndarray:
    """(points, 6) of the first camera; which points are kept depends on the moment alone."""
    camera = next(iter(spec.cameras))
    stream, row = one.episode[camera], int(one.picture_rows[camera][at])
    field = find_image([stream.spec], camera, DEPTH)
    assert field is not None        # read_demonstration asked for it
    return point_cloud(
        prepare_depth(stream.images(DEPTH)[row], spec.picture_size), images[camera],
        stream.column("world_from_camera")[row], stream.column("intrinsics")[row],
        (field.height, field.width), metres_per_count(field.unit), spec.cloud_points,
        np.random.default_rng(at))

"""Senses that a ready-made policy would like to have, and what of them some recordings give.

A desk without a depth camera, or an arm without feeling in its finger tips, can be taught as well:
what a policy can do without is left out, and said. Knows stores; knows no network.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from policy.data.demonstrations import DEPTH, find_image
from policy.data.proprioception import PARTS
from policy.data.signals import EpisodeSignals, has_column
from policy.interfaces import PolicySpec
from recorders.episode_reader import EpisodeReader
from recorders.follower import StoreFollower
from recorders.streams import StreamSpec

DISPENSABLE = ("touch", "force")        # parts of proprioception; without others it is no policy


def within_reach(spec: PolicySpec, stores: Sequence[Path]) -> tuple[PolicySpec, list[str]]:
    """A spec without what the stores cannot give and it can do without.

    Args:
        spec: what a policy would like to see.
        stores: their folders; of each, the first episode that is not in the trash tells.

    Returns:
        The spec that is left, and a sentence for each sense that is not.

    Raises:
        StoreError: if there is no store, or a version of it that is not known.
        DamagedRecording: naming the file that cannot be read.
    """
    said = []
    for store in stores:
        streams = _streams(store)
        if streams is None:
            continue
        camera = next(iter(spec.cameras), "")
        if spec.cloud_points and not _has_depth(streams, camera):
            said.append(f"{store} has no depth of {camera!r}: it learns from pictures alone")
            spec = msgspec.structs.replace(spec, cloud_points=0)
        for part in [part for part in spec.proprioception if part in DISPENSABLE]:
            if not all(has_column(streams, *column) for column in PARTS[part].columns):
                said.append(f"{store} has no {part}: it learns without")
                spec = msgspec.structs.replace(spec, proprioception=tuple(
                    one for one in spec.proprioception if one != part))
    return spec, said


def _streams(store: Path) -> Sequence[StreamSpec] | None:
    # All that was said about an episode, and the newest counts: it may lie in the trash by now.
    newest = {change.summary.episode: change for change in StoreFollower(store).poll()}
    kept = next((one for one in newest.values() if not one.summary.trashed), None)
    return EpisodeSignals(EpisodeReader(kept.path)).streams if kept else None


def _has_depth(streams: Sequence[StreamSpec], camera: str) -> bool:
    return find_image(streams, camera, DEPTH) is not None and all(
        has_column(streams, camera, column) for column in ("world_from_camera", "intrinsics"))

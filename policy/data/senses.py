"""Senses that a ready-made policy would like to have, and what of them some recordings give.

A desk without a depth camera or a second one, or an arm without feeling in its finger tips, can be
taught as well: what a policy can do without is left out, and said. Knows stores; knows no network.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from policy.data.demonstrations import DEPTH, cloud_columns, find_image
from policy.data.proprioception import PARTS
from policy.data.signals import EpisodeSignals, has_column
from policy.interfaces import PolicySpec
from recorders.episode_reader import EpisodeReader
from recorders.follower import StoreFollower

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
        signals = _first_episode(store)
        if signals is None:
            continue
        streams, camera = signals.streams, next(iter(spec.cameras), "")
        if why := _no_cloud(spec, signals, camera):
            said.append(f"{store} {why}: it learns from pictures alone")
            spec = msgspec.structs.replace(spec, cloud_points=0)
        # The first camera's pictures set the moments: without it there is no policy.
        for other, picture in [*spec.cameras.items()][1:]:
            if find_image(streams, other, picture) is None:
                said.append(f"{store} has no pictures of {other!r}: it learns without")
                spec = msgspec.structs.replace(spec, cameras={
                    name: seen for name, seen in spec.cameras.items() if name != other})
        for part in [part for part in spec.proprioception if part in DISPENSABLE]:
            if not all(has_column(streams, *column) for column in PARTS[part].columns):
                said.append(f"{store} has no {part}: it learns without")
                spec = msgspec.structs.replace(spec, proprioception=tuple(
                    one for one in spec.proprioception if one != part))
    return spec, said


def _first_episode(store: Path) -> EpisodeSignals | None:
    # All that was said about an episode, and the newest counts: it may lie in the trash by now.
    newest = {change.summary.episode: change for change in StoreFollower(store).poll()}
    kept = next((one for one in newest.values() if not one.summary.trashed), None)
    return EpisodeSignals(EpisodeReader(kept.path)) if kept else None


def _no_cloud(spec: PolicySpec, signals: EpisodeSignals, camera: str) -> str:
    """Why the cloud that a policy wants cannot be had; empty if it can, or if none is wanted."""
    columns = cloud_columns(spec)
    if not columns:
        return ""
    if find_image(signals.streams, camera, DEPTH) is None or not all(
            has_column(signals.streams, *column) for column in columns):
        return f"has no depth of {camera!r}"
    # A camera that nobody told where it stands says so in every row.
    known = all(np.isfinite(signals.series(*column)[1]).any() for column in columns)
    return "" if known else f"does not say where {camera!r} stands"

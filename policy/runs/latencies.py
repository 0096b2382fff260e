"""How late the cameras were that a policy learned with, and whether those here are as late.

Training and driving take a camera's latency off alike, so another one shifts nothing; but what the
policy sees is then older or newer than it ever was while it learned. Knows declarations of streams
and a run's config; refuses to know what is done about it: nothing but a line.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from recorders.array_layout import DamagedRecording
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from recorders.streams import StreamSpec

LATENCY = "latency_ms"      # in a run's config: camera to the least and the most
MOST_EPISODES = 50          # of a store that are asked: its newest


def cameras_latencies(stores: Sequence[Path], cameras: Iterable[str]) -> dict[str, list[float]]:
    """Camera to the least and the most in ms, over the newest episodes of each store.

    What lies in the trash is not asked, nor what cannot be read: whoever trains on an episode says
    what is wrong with it.
    """
    found: dict[str, list[float]] = {name: [] for name in cameras}
    for path in stores:
        with DemoStore.open(path) as store:
            kept = [one for one in store.episodes() if not one.trashed]
            for one in kept[-MOST_EPISODES:]:
                with suppress(DamagedRecording):
                    episode = EpisodeReader(store.episode_path(one.episode))
                    for name in found.keys() & set(episode.streams):
                        found[name].append(episode[name].spec.latency_ns / 1e6)
    return {name: [min(late), max(late)] for name, late in found.items() if late}


def other_latencies(learned: Mapping[str, Any], streams: Sequence[StreamSpec], tick_ms: float
                    ) -> str:
    """One sentence on cameras that are later or less late than they were; empty if none is.

    Args:
        learned: of a run's config; empty for a policy that does not say.
        streams: of the robot that it drives.
        tick_ms: the station's; less than that is no difference.
    """
    parts = []
    for spec in streams:
        if spec.name not in learned:
            continue
        least, most = learned[spec.name]
        here = spec.latency_ns / 1e6
        if here > most + tick_ms or here < least - tick_ms:
            between = f"{least:.0f}" if most - least < 1 else f"{least:.0f} to {most:.0f}"
            parts.append(f"camera {spec.name} is {here:.0f} ms late here and was {between} ms late "
                         "in training")
    return (f"{'; '.join(parts)}: what the policy sees is of another age than it learned with; "
            "measure with `tandem calibrate latency`, or train on episodes of this camera"
            if parts else "")

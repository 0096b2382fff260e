"""What a store of rollouts says about who drove: ticks by whose they were, and lost ones.

Knows recorded episodes; runs nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from policy.data.signals import EpisodeSignals
from policy.data.whose import Whose, whose_ticks
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore

_NAMES = {"policy": (Whose.POLICY, Whose.BEFORE), "nobody": (Whose.NOBODY,),
          "person": (Whose.CORRECTION, Whose.DEMONSTRATION)}


def counted(store: Path) -> dict[str, int]:
    """Ticks of the policy's, of a person's and of nobody's doing, and lost ones."""
    ticks = dict.fromkeys((*_NAMES, "lost"), 0)
    for episode in _episodes(store):
        _, whose = whose_ticks(EpisodeSignals(episode))
        for name, kinds in _NAMES.items():
            ticks[name] += int(np.isin(whose, kinds).sum())
        ticks["lost"] += int((np.diff(episode["tick"]["seq"]) - 1).sum())
    return ticks


def lasted_s(store: Path) -> float:
    """How long its successes took together: the operator's time."""
    return float(sum(episode["tick"].stamps_ns[-1] - episode["tick"].stamps_ns[0]
                     for episode in _episodes(store, "success"))) / NS_PER_S


def _episodes(store: Path, label: str = "") -> Iterator[EpisodeReader]:
    with DemoStore.open(store) as opened:
        for summary in opened.episodes():
            if label in ("", summary.label):
                yield EpisodeReader(opened.episode_path(summary.episode))

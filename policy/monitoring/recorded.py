"""A recorded rollout as what a calibration is made of.

Knows the columns that a station records (docs/tick.md) and its table of chunks; decides what counts
as a success without help. Knows no files.
"""

import numpy as np

from policy.monitoring.calibration import Rollout
from policy.monitoring.novelty import SIGNATURE
from policy.monitoring.signals import SIGNALS
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader

DRIVES, HELPS = ("AUTO", "HANDBACK"), ("HUMAN", "SHARED", "HOLD", "STOP", "FAULT", "REWIND")


def unhelped(episode: EpisodeReader) -> Rollout | None:
    """An episode's signals while the policy drove it, or None if it did not do so alone.

    Args:
        episode: a success; whoever calls knows its label.
    """
    if "tick" not in episode.streams:
        return None
    tick = episode["tick"]
    if "signals" not in tick or tick["signals"].shape[1:] != (len(SIGNALS),):
        return None
    names = next(c.values for c in episode.streams["tick"].spec.columns if c.name == "mode")
    mode = np.array(names)[tick["mode"]]
    drove = np.isin(mode, DRIVES)
    if not drove.any() or np.isin(mode[np.argmax(drove):], HELPS).any():
        return None
    stamps_ns = tick["t_mono_ns"]
    lasted_ns = np.diff(stamps_ns, prepend=stamps_ns[0]) * drove
    return Rollout(np.cumsum(lasted_ns)[drove] / NS_PER_S, tick["signals"][drove],
                   _signatures(episode, tick["chunk_id"][drove]))


def _signatures(episode: EpisodeReader, chunk_ids: np.ndarray) -> np.ndarray:
    """(T, G) of the latent of the chunk that each tick followed; NaN where that is unknown."""
    found = np.full((len(chunk_ids), SIGNATURE), np.nan)
    if "chunk" not in episode.streams or not len(episode["chunk"]["chunk_id"]):
        return found
    table = episode["chunk"]
    order = np.argsort(table["chunk_id"], kind="stable")
    known = table["chunk_id"][order]
    place = np.clip(np.searchsorted(known, chunk_ids), 0, len(known) - 1)
    there = known[place] == chunk_ids
    found[there] = table["signature"][order][place][there]
    return found

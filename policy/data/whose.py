"""Whose doing each moment of an episode is: a demonstration, the policy's, or a correction of it.

An episode in which no policy ever drove is a demonstration from end to end. What a policy did and
somebody took back is no example to follow; what a person did stays theirs. Knows what a station
records of its modes (docs/tick.md); knows no weights and no method.

Letters: N ticks, M moments, R times that somebody went back.
"""

from enum import IntEnum

import numpy as np

from policy.data.signals import Signals, has_column
from recorders import align
from recorders.clock import NS_PER_S

# What a policy does just before somebody steps in is seldom worth learning. Sirius (arXiv
# 2211.08416) counts 15 of its steps; three quarters of a second is our choice.
BEFORE_NS = 3 * NS_PER_S // 4


class Whose(IntEnum):
    """Who decided what the arm did."""

    DEMONSTRATION = 0
    POLICY = 1
    BEFORE = 2          # the policy's, shortly before a person stepped in
    CORRECTION = 3      # a person's, who stepped in: alone, or together with the policy
    NOBODY = 4          # the arm was held, or driven back along its way
    UNDONE = 5          # the policy's, and taken back afterwards


def whose_at(signals: Signals, moments_ns: np.ndarray) -> np.ndarray:
    """(M,) u1 `Whose`, by the last tick before each moment."""
    stamps_ns, whose = whose_ticks(signals)
    return whose[np.maximum(align.latest_before(stamps_ns, moments_ns), 0)]


def changes_ns(signals: Signals) -> np.ndarray:
    """Ascending stamps from which on something else began: what one does does not lead there.

    The first ticks of somebody else's doing, and those after which the world was another.
    """
    stamps_ns, whose = whose_ticks(signals)
    who = np.where(whose == Whose.BEFORE, np.uint8(Whose.POLICY), whose)
    return np.union1d(stamps_ns[1:][who[1:] != who[:-1]], went_back(signals)[0])


def went_back(signals: Signals) -> tuple[np.ndarray, np.ndarray]:
    """(R,) stamps of the first ticks after somebody went back, and (R,) where to."""
    if not has_column(signals.streams, "tick", "rewinds"):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    stamps_ns, count = signals.series("tick", "rewinds")
    at = np.flatnonzero(np.diff(count) > 0) + 1
    return stamps_ns[at], signals.series("tick", "rewound_ns")[1][at]


def whose_ticks(signals: Signals) -> tuple[np.ndarray, np.ndarray]:
    """(N,) stamps of the ticks and (N,) u1 `Whose` of each."""
    stamps_ns, _ = signals.series("tick", "sent")
    whose = np.full(len(stamps_ns), Whose.DEMONSTRATION, np.uint8)
    if not has_column(signals.streams, "tick", "mode"):
        return stamps_ns, whose
    mode, code = signals.series("tick", "mode")[1], _codes(signals)
    by_policy, way_back = mode == code.get("AUTO", -1), mode == code.get("REWIND", -1)
    if not by_policy.any():
        whose[way_back] = Whose.NOBODY
        return stamps_ns, whose
    by_hand = (mode == code.get("HUMAN", -1)) | (mode == code.get("SHARED", -1))
    whose[:] = Whose.NOBODY
    whose[by_policy] = Whose.POLICY
    whose[by_hand] = Whose.DEMONSTRATION            # before the policy was let drive
    whose[by_hand & (_intervention(signals, by_policy) > 0)] = Whose.CORRECTION
    began_ns = stamps_ns[1:][(whose[1:] == Whose.CORRECTION) & (whose[:-1] != Whose.CORRECTION)]
    following = np.searchsorted(began_ns, stamps_ns, side="left")
    soon = np.zeros(len(stamps_ns), bool)
    has_next = following < len(began_ns)
    soon[has_next] = began_ns[following[has_next]] - stamps_ns[has_next] <= BEFORE_NS
    whose[soon & (whose == Whose.POLICY)] = Whose.BEFORE
    for back_ns, to_ns in zip(*went_back(signals), strict=True):
        undone = (stamps_ns > to_ns) & (stamps_ns < back_ns)
        whose[undone & np.isin(whose, (Whose.POLICY, Whose.BEFORE))] = Whose.UNDONE
    return stamps_ns, whose


def _codes(signals: Signals) -> dict[str, int]:
    """Name of a mode -> its number, as the recording itself declares them."""
    names = next(column.values for spec in signals.streams if spec.name == "tick"
                 for column in spec.columns if column.name == "mode")
    return {name: number for number, name in enumerate(names)}


def _intervention(signals: Signals, by_policy: np.ndarray) -> np.ndarray:
    """(N,) above 0 where a person had stepped in; older recordings only know the order."""
    if has_column(signals.streams, "tick", "intervention"):
        return signals.series("tick", "intervention")[1]
    return np.cumsum(by_policy)

"""Parts of recorded episodes by who did them: filters over one recording, never other files.

A view names ticks: "corrections", "autonomous", "version:3", "owner:HUMAN". Spans say in a few
lines who did what in an episode, one after the other. Knows what a station records of a tick
(docs/tick.md); knows no store and no weights.

Letters: N ticks.
"""

from collections.abc import Callable

import msgspec
import numpy as np

from policy.data.signals import EpisodeSignals, Signals, has_column
from policy.data.whose import Whose, whose_ticks
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader

WORDS = {
    Whose.DEMONSTRATION: "demonstration", Whose.POLICY: "policy",
    Whose.BEFORE: "policy, before a correction", Whose.CORRECTION: "correction",
    Whose.NOBODY: "held", Whose.UNDONE: "policy, taken back"}
GOING_BACK = "going back"
NAMED: dict[str, tuple[Whose, ...]] = {
    "demonstrations": (Whose.DEMONSTRATION,),
    "corrections": (Whose.CORRECTION,),
    "autonomous": (Whose.POLICY, Whose.BEFORE, Whose.UNDONE),
    "before-corrections": (Whose.BEFORE,),
    "taken-back": (Whose.UNDONE,),
    "held": (Whose.NOBODY,),
}


class UnknownViewError(ValueError):
    """There is no such view; the message lists the valid ones."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Ticks in a row of which the same can be said.

    Attributes:
        begin_tick, end_tick: numbers (`seq`) of the first and the last one.
        begin_s, end_s: since the episode began; the next span begins where this one ends.
        whose: in words.
        intervention: its number, or 0.
        weights_version: of the policy that wished something, or 0.
        owners: who had a part in the arm, as the recording names them.
    """

    begin_tick: int
    end_tick: int
    begin_s: float
    end_s: float
    whose: str
    intervention: int
    weights_version: int
    owners: tuple[str, ...]


def view_of(name: str) -> Callable[[Signals], np.ndarray]:
    """The view of a name: from an episode's signals to (N,) bool over its ticks.

    Raises:
        UnknownViewError: there is none.
    """
    kind, _, value = name.partition(":")
    if name in NAMED:
        return lambda signals: np.isin(whose_ticks(signals)[1], NAMED[name])
    if kind == "version" and value.isdecimal():
        return lambda signals: _column(signals, "weights_version") == int(value)
    if kind == "owner" and value:
        return lambda signals: (_owner_names(signals) == value.upper()).any(axis=1)
    raise UnknownViewError(f"there is no view {name!r}: valid are {', '.join(NAMED)}, version:N "
                           "and owner:NAME")


def ticks_in(episode: EpisodeReader, view: str) -> np.ndarray:
    """(N,) bool: which ticks of an episode belong to a view.

    Raises:
        UnknownViewError: there is no such view.
    """
    return view_of(view)(EpisodeSignals(episode))


def seconds_in(episode: EpisodeReader, view: str) -> float:
    """How long a view of an episode lasts in all.

    Raises:
        UnknownViewError: there is no such view.
    """
    return float(ticks_in(episode, view).sum()) / episode["tick"].spec.rate_hz


def spans(episode: EpisodeReader, view: str = "") -> tuple[Span, ...]:
    """Who did what, one after the other; only what belongs to a view, if one is named.

    Raises:
        UnknownViewError: there is no such view.
    """
    signals = EpisodeSignals(episode)
    stamps_ns, whose = whose_ticks(signals)
    seq, owners = episode["tick"]["seq"], _owner_names(signals)
    number, version = _column(signals, "intervention"), _column(signals, "weights_version")
    # A shadow's version beside a person is no reason to tell their doing apart.
    version = np.where(np.isin(whose, NAMED["autonomous"]), _filled(version), 0)
    back = (owners == "SCRIPT").any(axis=1)
    kept = view_of(view)(signals) if view else np.ones(len(stamps_ns), bool)
    said = np.stack([whose, number, version, back, kept])                       # (5, N)
    begins = np.append(0, np.flatnonzero((said[:, 1:] != said[:, :-1]).any(axis=0)) + 1)
    ends = np.append(begins[1:], len(stamps_ns))
    since_s = np.append(stamps_ns - episode.attrs["started_mono_ns"],
                        episode.attrs["ended_mono_ns"] - episode.attrs["started_mono_ns"]
                        ) / NS_PER_S
    return tuple(Span(
        begin_tick=int(seq[begin]), end_tick=int(seq[end - 1]), begin_s=float(since_s[begin]),
        end_s=float(since_s[end]), whose=GOING_BACK if back[begin] else WORDS[Whose(whose[begin])],
        intervention=int(number[begin]), weights_version=int(version[begin]),
        owners=tuple(sorted(set(owners[begin:end].ravel().tolist()))))
        for begin, end in zip(begins, ends, strict=True) if kept[begin])


def _filled(version: np.ndarray) -> np.ndarray:
    """(N,) with the last version said, or the first one, where a policy wished nothing."""
    said = np.flatnonzero(version)
    if not len(said):
        return version
    before = np.searchsorted(said, np.arange(len(version)), side="right") - 1
    return version[said[np.maximum(before, 0)]]


def _column(signals: Signals, name: str) -> np.ndarray:
    """(N,) integers; zeros where an older recording does not say."""
    if not has_column(signals.streams, "tick", name):
        return np.zeros(len(signals.series("tick", "sent")[0]), np.int64)
    return signals.series("tick", name)[1]


def _owner_names(signals: Signals) -> np.ndarray:
    """(N, D) as the recording declares them; no names where an older recording has none."""
    if not has_column(signals.streams, "tick", "owner"):
        return np.zeros((len(signals.series("tick", "sent")[0]), 0), str)
    declared = next(column.values for spec in signals.streams if spec.name == "tick"
                    for column in spec.columns if column.name == "owner")
    return np.array([*declared, "?"])[np.minimum(signals.series("tick", "owner")[1], len(declared))]

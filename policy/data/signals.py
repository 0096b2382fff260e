"""The numbers of a robot's streams over time, as a policy asks for them: recorded or live.

Proprioception and commands are computed from `Signals` alone, so training (a whole episode's
columns at many moments) and driving (the last half second at one moment) run the same arithmetic.
Nothing observed is ever newer than the moment asked for. Knows streams, columns and time; knows
neither what the numbers mean nor a model.

Letters: N rows of a column, M moments.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from recorders import align
from recorders.episode_reader import EpisodeReader
from recorders.streams import StreamSpec


class Signals(Protocol):
    """Columns of streams.

    Attributes:
        streams: what there may be.
    """

    streams: Sequence[StreamSpec]

    def series(self, stream: str, column: str) -> tuple[np.ndarray, np.ndarray]:
        """A column as far as it is known.

        Returns:
            (N,) ascending stamps in ns and (N, …) values, N >= 1.

        Raises:
            MissingSignal: if there is no such column, or nothing of it has arrived yet.
        """
        ...


class MissingSignal(ValueError):
    """A robot or an episode does not give what is wanted of it."""


class EpisodeSignals:
    """The columns of one recorded episode.

    Attributes:
        streams: what the episode recorded.
    """

    def __init__(self, episode: EpisodeReader) -> None:
        self.streams: Sequence[StreamSpec] = tuple(one.spec for one in episode.streams.values())
        self._episode = episode

    def series(self, stream: str, column: str) -> tuple[np.ndarray, np.ndarray]:
        """A whole column and its stamps."""
        require_columns([(stream, column)], self.streams, f"episode {self._episode.episode}")
        reader = self._episode[stream]
        if len(reader) == 0:
            raise MissingSignal(f"episode {self._episode.episode} has no row of '{stream}'")
        return reader.taken_ns, reader.column(column)


def has_column(streams: Iterable[StreamSpec], stream: str, column: str) -> bool:
    """Whether a column is among those declared."""
    return any(spec.name == stream and any(one.name == column for one in spec.columns)
               for spec in streams)


def require_columns(
    wanted: Iterable[tuple[str, str]], streams: Sequence[StreamSpec], who: str,
    why: Mapping[tuple[str, str], str] | None = None,
) -> None:
    """Refuse a robot or an episode that lacks a column.

    Args:
        wanted: (stream, column) pairs.
        streams: what there is.
        who: "this robot" or "episode …", for the message.
        why: for a wanted pair, what it is needed for.

    Raises:
        MissingSignal: in one sentence that lists what there is.
    """
    for stream, column in wanted:
        if has_column(streams, stream, column):
            continue
        reason = (why or {}).get((stream, column), "")
        there = "; ".join(f"{spec.name}: {', '.join(one.name for one in spec.columns) or 'nothing'}"
                          for spec in streams)
        raise MissingSignal(f"the policy wants {stream}/{column}{reason and f' for {reason}'}, "
                            f"but {who} has only {there or 'no streams'}")


def latest(signals: Signals, stream: str, column: str, moments_ns: np.ndarray) -> np.ndarray:
    """The newest values that had arrived at each moment; the first ones where none had.

    Args:
        signals: where to look.
        stream, column: what.
        moments_ns: (M,).

    Returns:
        (M, …).
    """
    stamps_ns, values = signals.series(stream, column)
    return values[np.maximum(align.latest_before(stamps_ns, moments_ns), 0)]


def mean_over(
    signals: Signals, stream: str, column: str, moments_ns: np.ndarray, span_ns: int
) -> np.ndarray:
    """The mean of what arrived in the last `span_ns` before each moment; at least the newest value.

    Returns:
        (M, …) float64.
    """
    stamps_ns, values = signals.series(stream, column)
    last = np.maximum(align.latest_before(stamps_ns, moments_ns), 0)
    first = np.minimum(align.latest_before(stamps_ns, moments_ns - span_ns) + 1, last)
    begin = np.zeros((1, *values.shape[1:]))
    sums = np.concatenate([begin, np.cumsum(values, axis=0, dtype=np.float64)])
    count = (last + 1 - first).reshape(-1, *[1] * (values.ndim - 1))
    return (sums[last + 1] - sums[first]) / count

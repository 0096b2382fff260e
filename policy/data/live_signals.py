"""The last half second of a robot's streams, for a policy that drives.

Takes batches as they arrive and answers as `EpisodeSignals` does for a recording, so that what a
policy feels is worked out by the same functions in training and at the robot. A picture's stamp is
older than its arrival; half a second reaches back far enough. Keeps rows, no pictures; knows no
clock. One thread uses it.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from policy.data.signals import MissingSignal, require_columns
from recorders.clock import NS_PER_S
from recorders.streams import Batch, StreamSpec

KEEP_S = 0.5


class LiveSignals:
    """Rows of the streams of a running robot.

    Args:
        streams: what the robot declares, and the control loop's `tick`.
        keep_s: how far back the past reaches, counted from a stream's newest row.

    Attributes:
        streams: the same.
    """

    def __init__(self, streams: Sequence[StreamSpec], keep_s: float = KEEP_S) -> None:
        self.streams: Sequence[StreamSpec] = tuple(streams)
        self._keep_s = keep_s
        self._kept: dict[str, _Recent] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything: another episode begins, perhaps in another world."""
        self._kept = {spec.name: _Recent(spec, self._keep_s) for spec in self.streams}

    def take(self, batches: Iterable[Batch]) -> None:
        """Keep the batches' rows; a stream that was not declared is no business of this one."""
        for batch in batches:
            kept = self._kept.get(batch.stream)
            if kept is not None and len(batch.rows):
                kept.append(batch.rows)

    def newest_ns(self, stream: str) -> int | None:
        """The stamp of a stream's newest row; None before the first one."""
        rows = self._kept[stream].rows
        return int(rows["t_mono_ns"][-1]) if len(rows) else None

    def has_rows(self, columns: Sequence[tuple[str, str]]) -> bool:
        """Whether each of some (stream, column) pairs has arrived at least once."""
        return all(stream in self._kept and len(self._kept[stream].rows) for stream, _ in columns)

    def series(self, stream: str, column: str) -> tuple[np.ndarray, np.ndarray]:
        """The recent stamps (N,) and values (N, …) of a column; valid until the next `take`.

        Raises:
            MissingSignal: if it was not declared, or has not arrived yet.
        """
        kept = self._kept.get(stream)
        if kept is None or column not in kept.columns:
            require_columns([(stream, column)], self.streams, "this robot")
        if kept is None or len(kept.rows) == 0:
            raise MissingSignal(f"nothing of '{stream}' has arrived yet: wait for the robot's "
                                f"first rows before asking the policy")
        stamps_ns = kept.rows[kept.moment_column]
        return (stamps_ns - kept.latency_ns if kept.latency_ns else stamps_ns), kept.rows[column]


class _Recent:
    """The recent rows of one stream, in one array that is moved to its beginning when full."""

    def __init__(self, spec: StreamSpec, keep_s: float) -> None:
        self.columns = frozenset(column.name for column in spec.columns)
        self.moment_column, self.latency_ns = spec.moment_column, spec.latency_ns
        self._keep_ns = round(keep_s * NS_PER_S)
        self._store = np.zeros(max(64, round(4 * keep_s * spec.rate_hz)), spec.row_dtype)
        self._begin = self._end = 0

    @property
    def rows(self) -> np.ndarray:
        return self._store[self._begin:self._end]

    def append(self, rows: np.ndarray) -> None:
        if self._end > self._begin and rows["t_mono_ns"][0] < self.rows["t_mono_ns"][-1]:
            self._begin = self._end = 0         # time began anew
        if self._end + len(rows) > len(self._store):
            kept = self.rows.copy()
            if len(kept) + len(rows) > len(self._store) // 2:   # faster than it was declared
                self._store = np.zeros(4 * (len(kept) + len(rows)), self._store.dtype)
            self._store[:len(kept)] = kept
            self._begin, self._end = 0, len(kept)
        self._store[self._end:self._end + len(rows)] = rows
        self._end += len(rows)
        stamps_ns = self.rows["t_mono_ns"]
        self._begin += int(np.searchsorted(stamps_ns, stamps_ns[-1] - self._keep_ns))

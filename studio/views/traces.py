"""The last seconds of some columns, thinned to what a plot can show.

Knows rows and time; refuses to know a plot. Thinning keeps whole rows, evenly spaced in time, so
two series of one stream stay comparable.
"""

from collections import deque
from collections.abc import Iterable, Mapping

import numpy as np

from recorders.clock import NS_PER_S
from recorders.streams import Batch


class Traces:
    """Keeps columns of streams.

    Args:
        wanted: stream name -> columns to keep, each (n,) or a number per row.
        window_s: how far back.
        points: at most so many of a column.
    """

    def __init__(self, wanted: Mapping[str, Iterable[str]], *, window_s: float = 10.0,
                 points: int = 100) -> None:
        self.window_s = window_s
        self._wanted = {stream: tuple(columns) for stream, columns in wanted.items()}
        self._period_ns = int(window_s * NS_PER_S / points)
        self._kept: dict[str, deque[tuple[int, tuple[np.ndarray, ...]]]] = {
            stream: deque(maxlen=points) for stream in self._wanted}

    def add(self, batches: Iterable[Batch]) -> bool:
        """Take rows; whether anything was kept."""
        took = False
        for batch in batches:
            for row in batch.rows if batch.stream in self._kept else ():
                took |= self._keep(batch.stream, row)
        return took

    def _keep(self, stream: str, row: np.void) -> bool:
        kept, stamp_ns = self._kept[stream], int(row["t_mono_ns"])
        if kept and 0 <= stamp_ns - kept[-1][0] < self._period_ns:
            return False
        if kept and stamp_ns < kept[-1][0]:
            kept.clear()            # another world began
        fields = row.dtype.names or ()
        kept.append((stamp_ns, tuple(np.atleast_1d(np.array(row[column], float)) if column in fields
                                     else np.empty(0) for column in self._wanted[stream])))
        return True

    def lines(self, stream: str, column: str) -> tuple[list[float], list[list[float]]]:
        """Seconds before the newest row (T,), and the column's values, one list per entry."""
        kept = self._kept[stream]
        if not kept:
            return [], []
        which = self._wanted[stream].index(column)
        newest_ns = kept[-1][0]
        inside = [(stamp, values[which]) for stamp, values in kept
                  if newest_ns - stamp <= self.window_s * NS_PER_S]
        seconds = [(stamp - newest_ns) / NS_PER_S for stamp, _ in inside]
        return seconds, np.stack([values for _, values in inside], axis=1).tolist()

    def newest(self, stream: str) -> float:
        """Stamp of a stream's newest row that was kept, in seconds; 0 before the first."""
        kept = self._kept[stream]
        return kept[-1][0] / NS_PER_S if kept else 0.0

"""The three timelines on which everything of an episode stands in Rerun.

`mono` is the machine's monotonic clock, `episode_s` counts from the episode's start, `tick` is the
control loop's own counter: of the last tick at or before the stamp. Knows stamps and Rerun's time
columns, and nothing of what is logged.
"""

from collections.abc import Sequence

import numpy as np
import rerun as rr

from recorders.streams import Batch

TIMELINES = ("mono", "episode_s", "tick")


class Timelines:
    """Turns monotonic stamps into Rerun's times.

    Args:
        started_mono_ns: zero of `episode_s`; None takes the first stamp that comes by.
    """

    def __init__(self, started_mono_ns: int | None) -> None:
        self._started_ns = started_mono_ns
        self._tick_stamps = np.empty(0, np.int64)
        self._tick_numbers = np.empty(0, np.int64)

    def note(self, batches: Sequence[Batch]) -> None:
        """Learn the start and the ticks; to be called before the same batches are logged."""
        stamps = [batch.rows["t_mono_ns"] for batch in batches if len(batch.rows)]
        if self._started_ns is None and stamps:
            self._started_ns = min(int(stamp[0]) for stamp in stamps)
        ticks = [batch.rows for batch in batches if batch.stream == "tick" and len(batch.rows)]
        if ticks:   # the last tick before them still counts for what arrived late
            self._tick_stamps = np.concatenate(
                [self._tick_stamps[-1:], *(rows["t_mono_ns"] for rows in ticks)])
            self._tick_numbers = np.concatenate(
                [self._tick_numbers[-1:], *(rows["seq"] for rows in ticks)])

    def columns(self, stamps_ns: np.ndarray) -> list[rr.TimeColumn]:
        """Time columns for `send_columns`, of stamps (N,); without `tick` until there was one."""
        since_start = stamps_ns - (self._started_ns or 0)
        columns = [rr.TimeColumn("mono", duration=stamps_ns.astype("timedelta64[ns]")),
                   rr.TimeColumn("episode_s", duration=since_start.astype("timedelta64[ns]"))]
        if len(self._tick_stamps):
            before = np.searchsorted(self._tick_stamps, stamps_ns, side="right") - 1
            numbers = self._tick_numbers[np.maximum(before, 0)]
            columns.append(rr.TimeColumn("tick", sequence=numbers))
        return columns

    def at(self, stamp_ns: int) -> list[rr.TimeColumn]:
        """Time columns for one moment."""
        if self._started_ns is None:
            self._started_ns = int(stamp_ns)
        return self.columns(np.array([stamp_ns], np.int64))


class Thinner:
    """Lets through the first sample in each period of a rate, across calls."""

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = round(1e9 / rate_hz)
        self._last_period: int | None = None

    def shown(self, stamps_ns: np.ndarray) -> np.ndarray:
        """Indices of the samples to show, of stamps (N,) in order."""
        if not len(stamps_ns):
            return np.empty(0, int)
        periods = stamps_ns // self._period_ns
        fresh = np.diff(periods, prepend=periods[0]) != 0
        fresh[0] = periods[0] != self._last_period
        self._last_period = int(periods[-1])
        return np.flatnonzero(fresh)

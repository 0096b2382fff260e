"""What a training does now and then, between two steps. Knows stamps, and nothing else."""

from collections.abc import Callable

from recorders.clock import NS_PER_S


class Turn:
    """Something that is done now and then; late by at most a step."""

    def __init__(self, period_s: float, now_ns: int, what: Callable[[], None]) -> None:
        self._period_ns, self._what = round(period_s * NS_PER_S), what
        self._next_ns = now_ns + self._period_ns

    def take(self, now_ns: int) -> None:
        """Do it if it is time."""
        if now_ns >= self._next_ns:
            self._what()
            self._next_ns = now_ns + self._period_ns

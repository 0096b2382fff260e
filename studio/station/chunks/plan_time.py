"""The time of plans: as the clock's, unless a person slows the plans down or has them wait.

A chunk says where to be at which moment. To stretch it, to stand at one of its steps, or to run
only what was let run, its targets stay as they are, and the time by which they are read goes more
slowly, or stands. Speeds change gradually, so the arm brakes on its path and not beside it. Knows
stamps; knows no chunk and no arm.
"""

import math
from collections import deque

from recorders.clock import NS_PER_S

GAINS_PER_S = 4.0           # of the speed, 1 being the clock's: a quarter of a second to a stand
MEMORY = 200                # ticks: a chunk may answer so old an observation


class PlanTime:
    """Turns stamps of the clock into moments of the plan. They are the same until it is told.

    Attributes:
        scale: the speed that a person wants, above 0, at most 1.
        rate: the present speed.
        stop_ns: the moment at which it is to stand; None: at none.
        stood_ns: stamp of the tick in which it came to stand there; None while it has not.
    """

    def __init__(self) -> None:
        self.scale = self.rate = 1.0
        self.stop_ns: int | None = None
        self.stood_ns: int | None = None
        self._ticks: deque[tuple[int, int]] = deque(maxlen=MEMORY)     # stamp, moment of the plan

    @property
    def now_ns(self) -> int:
        """The moment of the plan, as of the last tick."""
        return self._ticks[-1][1] if self._ticks else 0

    def sync(self) -> None:
        """Nothing of the plans before is left: the next tick's moment is its stamp."""
        self._ticks.clear()
        self.rate = self.scale
        self.go()

    def advance(self, stamp_ns: int) -> int:
        """A tick; returns its moment of the plan."""
        if not self._ticks:
            self._ticks.append((stamp_ns, stamp_ns))
        before_ns, moment_ns = self._ticks[-1]
        passed_ns = stamp_ns - before_ns
        gained = GAINS_PER_S * passed_ns / NS_PER_S
        self.rate = max(min(self.rate + gained, self.scale), min(self.rate - gained, self.scale))
        if self.stop_ns is not None:
            left_s = max(self.stop_ns - moment_ns, 0) / NS_PER_S
            self.rate = min(self.rate, math.sqrt(2.0 * GAINS_PER_S * left_s))
        moment_ns += passed_ns if self.rate == 1.0 else round(self.rate * passed_ns)
        if self.stop_ns is not None and moment_ns >= self.stop_ns:
            self.stood_ns = stamp_ns if self.stood_ns is None else self.stood_ns
            moment_ns, self.rate = self.stop_ns, 0.0
        self._ticks.append((stamp_ns, moment_ns))
        return moment_ns

    def at(self, stamp_ns: int) -> int:
        """The moment of the plan at a stamp, of the last seconds or soon to come."""
        if not self._ticks:
            return stamp_ns
        after = self._ticks[-1]
        if stamp_ns >= after[0]:
            ahead_ns = stamp_ns - after[0]
            return after[1] + (ahead_ns if self.rate == 1.0 else round(self.rate * ahead_ns))
        for before in reversed(self._ticks):
            if before[0] <= stamp_ns:
                share = (stamp_ns - before[0]) / max(after[0] - before[0], 1)
                return before[1] + round(share * (after[1] - before[1]))
            after = before
        return after[1] - (after[0] - stamp_ns)

    def stop_at(self, moment_ns: int) -> None:
        """Stand at a moment of the plan; at once if it is over."""
        self.stop_ns, self.stood_ns = max(moment_ns, self.now_ns), None

    def brake(self) -> int:
        """Stand as soon as that goes gradually; returns at which moment of the plan."""
        needed_s = self.rate**2 / (2.0 * GAINS_PER_S)
        self.stop_at(self.now_ns + round(needed_s * NS_PER_S))
        assert self.stop_ns is not None
        return self.stop_ns

    def go(self) -> None:
        """Go on."""
        self.stop_ns = self.stood_ns = None

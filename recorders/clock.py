"""Time, passed in.

Every part below a process entry point is given a `Clock` and never calls `time.*`, so that tests
turn time by hand and the simulator runs as fast as the machine allows. Stamps are integer
nanoseconds: monotonic ones order events on this machine, wall ones tie them to the world.
"""

import time
from typing import Protocol

NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """What the studio needs of time."""

    @property
    def virtual(self) -> bool:
        """Whether time stands still unless somebody waits (then nobody's hand is near an arm)."""
        ...

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch; may jump when the machine's clock is set."""
        ...

    def wait_until(self, deadline_ns: int) -> None:
        """Return at the absolute monotonic deadline, or at once if it has passed."""
        ...


class SystemClock:
    """The machine's own clocks. `time.monotonic_ns` is shared by all processes of one machine."""

    virtual = False

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        return time.time_ns()

    def wait_until(self, deadline_ns: int) -> None:
        """Sleep to the absolute deadline."""
        while (left_ns := deadline_ns - time.monotonic_ns()) > 0:
            time.sleep(left_ns / NS_PER_S)


class CpuClock(SystemClock):
    """Counts the work of this process instead: the CPU time of all its threads.

    For budgets that must mean the same on a busy machine as on a quiet one. It stands while the
    process waits, so nobody may wait for it.
    """

    def __init__(self, cores: int = 1) -> None:
        """Begin.

        Args:
            cores: the work is shared out over so many: two threads at work for a second are one
                second on two cores.
        """
        self._cores = cores

    def now_ns(self) -> int:
        """Nanoseconds of work per core since the process began."""
        return time.process_time_ns() // self._cores

    def wait_until(self, deadline_ns: int) -> None:
        """Refused: this clock does not go on by itself."""
        raise RuntimeError("work is not done by waiting for it")


class ManualClock:
    """A clock turned by hand: waiting *is* what moves it. Tests and `--fast` run on it."""

    virtual = True

    def __init__(self, start_ns: int = 0, wall_start_ns: int = 1_700_000_000 * NS_PER_S) -> None:
        self._now_ns = start_ns
        self._wall_offset_ns = wall_start_ns - start_ns

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        return self._now_ns

    def wall_ns(self) -> int:
        """Nanoseconds since the (pretended) Unix epoch."""
        return self._now_ns + self._wall_offset_ns

    def wait_until(self, deadline_ns: int) -> None:
        """Jump to the deadline; never backwards."""
        self._now_ns = max(self._now_ns, deadline_ns)

    def advance(self, duration_ns: int) -> None:
        """Turn the clock forward by a duration."""
        self._now_ns += duration_ns

    def jump_wall(self, offset_ns: int) -> None:
        """Set the wall clock as an administrator or NTP would, without touching monotonic time."""
        self._wall_offset_ns += offset_ns

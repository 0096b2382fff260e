"""The way that the arm came, as it was told, and how to drive back along it.

Keeps the last minutes of commands in which the arm was driven: standing still is no way. Driving
back begins at a stand, goes along the commands in the opposite order at a part of their speed,
waits for an arm that lags, and forgets the part that it has gone back. Knows commands and stamps;
knows no robot, no mode and no clock.
"""

import math
from collections import deque

import msgspec
import numpy as np

from studio.station.loop.safety import Motion

MEMORY_S = 120.0
BACK_SPEED = 0.5            # of the speed at which the arm came
NEAR_RAD = 0.02             # the arm may lag behind the way by this much
THERE_RAD = 2e-3


class Waypoint(msgspec.Struct, frozen=True):
    """What the arm was told in a tick."""

    tick: int
    stamp_ns: int
    motion: Motion

    @property
    def position(self) -> np.ndarray:
        """(D,)."""
        return self.motion.position


class WayBack:
    """See the head of this file.

    Args:
        rate_hz: of the control loop.

    Attributes:
        rewinds: how often somebody went back in this scene.
        reached_ns: stamp of the tick that was gone back to last; 0 before the first time.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._way: deque[Waypoint] = deque(maxlen=max(1, round(MEMORY_S * rate_hz)))
        self.begin()

    def begin(self) -> None:
        """Another scene: no way leads back out of it."""
        self._way.clear()
        self.rewinds = self.reached_ns = 0
        self._goal: int | None = None       # index into the way, while the arm is driven back
        self._at: float | None = None       # where on the way it is led to; None: it still brakes

    def note(self, waypoint: Waypoint) -> None:
        """The arm was driven in this tick, or came to a stand."""
        if self._at is not None:
            return
        if self._goal is not None and len(self._way) == self._way.maxlen:
            self._goal = max(0, self._goal - 1)     # the oldest one is about to go
        self._way.append(waypoint)

    @property
    def seconds(self) -> float:
        """How far one can go back, in time of driving."""
        return max(0, len(self._way) - 1) / self._rate_hz

    @property
    def driving_back(self) -> bool:
        """Whether the arm is on its way back."""
        return self._goal is not None

    def place(self, seconds: float, tick: int) -> int:
        """Where to go back to, as an index into the way; at most to its beginning.

        Args:
            seconds: of driving, above 0; counts if no tick is named.
            tick: the last tick that is to stay as it was; negative: none is named.
        """
        if tick < 0:
            return max(0, len(self._way) - 1 - max(1, round(seconds * self._rate_hz)))
        return max((i for i, one in enumerate(self._way) if one.tick <= tick), default=0)

    def at(self, stamp_ns: int) -> int:
        """The last place that was passed by a moment; the first one if all are later."""
        return max((i for i, one in enumerate(self._way) if one.stamp_ns <= stamp_ns), default=0)

    def __len__(self) -> int:
        return len(self._way)

    def __getitem__(self, place: int) -> Waypoint:
        return self._way[place]

    def cut(self, place: int) -> Waypoint:
        """One is back at a place; what came after it is forgotten."""
        while len(self._way) > place + 1:
            self._way.pop()
        self._goal = self._at = None
        self.rewinds += 1
        self.reached_ns = self._way[place].stamp_ns
        return self._way[place]

    def start(self, place: int) -> None:
        """Drive back to a place, from the next stand on."""
        self._goal, self._at = place, None

    def stop(self) -> None:
        """The drive is over: the arm is there, or somebody or something ended it on the way."""
        if self._at is not None and self._at < len(self._way) - 1:
            self.cut(math.ceil(self._at))
        self._goal = self._at = None

    def lead(self, motion: Motion, speed_scale: float) -> tuple[np.ndarray | None, bool]:
        """Where the arm is to be in this tick of a drive back, and whether it is there.

        Args:
            motion: what it was told last.
            speed_scale: of every speed, as the operator chose.

        Returns:
            (D,), or None while it has to come to a stand first; and True at the end.
        """
        assert self._goal is not None
        if self._at is None:
            if not motion.standing:
                return None, False
            self._at = float(len(self._way) - 1)
        here = self._on_way(self._at)
        away = float(np.max(np.abs(here - motion.position)))
        if self._at <= self._goal:
            return here, motion.standing and away < THERE_RAD
        if away < NEAR_RAD:
            self._at = max(float(self._goal), self._at - BACK_SPEED * speed_scale)
        return self._on_way(self._at), False

    def _on_way(self, at: float) -> np.ndarray:
        before = math.floor(at)
        share = at - before
        here, after = self._way[before].position, self._way[min(before + 1, len(self) - 1)].position
        return (1.0 - share) * here + share * after

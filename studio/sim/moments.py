"""Moments of a simulated world that one can go back to.

Twenty a second, the last two minutes of them, exact to the last bit: physics, motors' targets, and
what the task's judge and the scene's disturber remember. Two minutes are about 10 MB. Knows the
world; knows no arm's way, no mode and no station.
"""

from collections import deque

import msgspec

from recorders.clock import NS_PER_S
from studio.devices.interfaces import DeviceError
from studio.sim.world import SavedWorld, SimWorld

PERIOD_NS = NS_PER_S // 20
MEMORY_S = 120


class Moment(msgspec.Struct, frozen=True):
    """A saved world and its monotonic stamp."""

    stamp_ns: int
    saved: SavedWorld


class Moments:
    """See the head of this file."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._kept: deque[Moment] = deque(maxlen=MEMORY_S * NS_PER_S // PERIOD_NS)

    def clear(self) -> None:
        """Another scene: the old moments are not of it."""
        self._kept.clear()

    def keep(self) -> None:
        """Save the present moment if it is time; to be called after every step."""
        stamp_ns = self._world.stamp_ns
        if not self._kept or stamp_ns - self._kept[-1].stamp_ns >= PERIOD_NS:
            self._kept.append(Moment(stamp_ns, self._world.save()))

    def back_to(self, stamp_ns: int) -> Moment:
        """The newest moment not after a stamp; later ones are forgotten.

        Raises:
            DeviceError: nothing so old is kept; says how much is.
        """
        if not self._kept or self._kept[0].stamp_ns > stamp_ns:
            raise DeviceError("the simulator does not remember that moment: it keeps the last "
                              f"{MEMORY_S} s of a scene")
        while self._kept[-1].stamp_ns > stamp_ns:
            self._kept.pop()
        return self._kept[-1]

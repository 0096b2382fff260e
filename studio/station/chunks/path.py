"""A chunk as a path in time: a smooth curve through its targets, joined to what went before.

Plain geometry of two spaces, poses of the tool and joints. Knows no arm and no policy.

Letters: K knots, D joints + gripper. A knot is (8,), world_from_tool and gripper, or (D,).
"""

import msgspec
import numpy as np

from policy.interfaces import ActionSpace
from studio.station.chunks.bend import Bend
from studio.station.chunks.ways import gone, on_path

# A chunk begins at the command that its observation saw, which lags behind the wish of that moment
# while the arm speeds up. Taking this difference back at once would brake the arm at every chunk
# (a recorded episode played chunk by chunk ended 15 cm short), so it is taken back over this time:
BLEND_NS = 600_000_000


class Path(msgspec.Struct, frozen=True):
    """A chunk on the way, led into from where the arm was going when it was taken.

    Attributes:
        space: of the knots; a tool's target and eight joints look alike.
        stamps_ns: (K,) ascending moments of the plan; the first is the observation's, …
        knots: (K, 8) or (K, D); … with the command of that moment.
        taken_ns: from this moment on it was played.
        aside: (6,) or (D,) what led from the path to where the arm was asked to be then.
        bend: through what a person fixed.
    """

    space: ActionSpace
    stamps_ns: np.ndarray
    knots: np.ndarray
    taken_ns: int
    aside: np.ndarray
    bend: Bend | None = None

    def at(self, moment_ns: int) -> np.ndarray:
        """(8,) or (D,) where it leads by then."""
        there = self.unbent(moment_ns)
        return there if self.bend is None else self.bend.bent(self.space, there, moment_ns)

    def unbent(self, moment_ns: int) -> np.ndarray:
        """(8,) or (D,): the path, and what is left of having been beside it."""
        there = on_path(self.space, self.stamps_ns, self.knots, moment_ns)
        left = min(1.0 - (moment_ns - self.taken_ns) / BLEND_NS, 1.0)
        if left <= 0.0:
            return there
        gripper = there[-1]
        there = gone(self.space, there, left * self.aside)
        there[-1] = gripper
        return there

    def until(self, step: int) -> "Path":
        """The same, ending with one of its targets."""
        return msgspec.structs.replace(self, stamps_ns=self.stamps_ns[:step + 2],
                                       knots=self.knots[:step + 2])

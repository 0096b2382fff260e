"""A chunk as a path in time: a smooth curve through its targets, joined to what went before.

Plain geometry of two spaces, poses of the tool and joints. Knows no arm and no policy.

Letters: K knots, D joints + gripper. A knot is (8,), world_from_tool and gripper, or (D,).
"""

import msgspec
import mujoco
import numpy as np

from policy.interfaces import ActionSpace

POSE = 7
# A chunk begins at the command that its observation saw, which lags behind the wish of that moment
# while the arm speeds up. Taking this difference back at once would brake the arm at every chunk
# (a recorded episode played chunk by chunk ended 15 cm short), so it is taken back over this time:
BLEND_NS = 600_000_000
LEAD_M, LEAD_RAD = 0.05, 0.35       # … and may not be more than this: an arm that is held back


class Path(msgspec.Struct, frozen=True):
    """A chunk on the way, led into from where the arm was going when it was taken.

    Attributes:
        space: of the knots; a tool's target and eight joints look alike.
        stamps_ns: (K,) ascending; the first is the observation's, …
        knots: (K, 8) or (K, D); … with the command of that moment.
        taken_ns: from here on it was played.
        aside: (6,) or (D,) what led from the path to where the arm was asked to be then.
    """

    space: ActionSpace
    stamps_ns: np.ndarray
    knots: np.ndarray
    taken_ns: int
    aside: np.ndarray

    def at(self, now_ns: int) -> np.ndarray:
        """(8,) or (D,) by now: the path, and what is left of having been beside it."""
        there = on_path(self.space, self.stamps_ns, self.knots, now_ns)
        left = 1.0 - (now_ns - self.taken_ns) / BLEND_NS
        if left <= 0.0:
            return there
        gripper = there[-1]
        there = gone(self.space, there, left * self.aside)
        there[-1] = gripper
        return there


def on_path(space: ActionSpace, stamps_ns: np.ndarray, knots: np.ndarray,
            now_ns: int) -> np.ndarray:
    """Where a path is at a moment.

    Args:
        space: of the knots.
        stamps_ns: (K,) ascending.
        knots: (K, 8) or (K, D).
        now_ns: the moment.

    Returns:
        (8,) or (D,): on a smooth curve through the knots (Catmull-Rom: a corner would ask for more
        acceleration than there is), the gripper as at the next one; the last knot once it is over.
    """
    last = len(stamps_ns) - 1
    k = min(int(np.searchsorted(stamps_ns, now_ns)), last)
    if k == 0 or now_ns >= stamps_ns[k]:
        return knots[k].copy()
    from_here = knots[k - 1]
    before, after, beyond = (way(space, from_here, knots[i])
                             for i in (max(k - 2, 0), k, min(k + 1, last)))
    share = (now_ns - stamps_ns[k - 1]) / (stamps_ns[k] - stamps_ns[k - 1])
    there = gone(space, from_here, _curve(before, after, beyond, share))
    there[-1] = knots[k][-1]
    return there


def _curve(before: np.ndarray, after: np.ndarray, beyond: np.ndarray, share: float) -> np.ndarray:
    """Catmull-Rom between the origin and `after`, evenly spaced neighbours around them."""
    leaving, arriving = (after - before) / 2, beyond / 2
    return share * (leaving + share * (3 * after - 2 * leaving - arriving
                                       + share * (leaving + arriving - 2 * after)))


def way(space: ActionSpace, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """What leads from a knot to another: (6,) m and rotation vector in rad, or (D,)."""
    if space == "joints":
        return there - here
    leads = np.empty(6)
    leads[:3] = there[:3] - here[:3]
    mujoco.mju_subQuat(leads[3:], there[3:POSE], here[3:POSE])
    return leads


def gone(space: ActionSpace, here: np.ndarray, leads: np.ndarray) -> np.ndarray:
    """Where `leads` leads to from a knot: the inverse of `way`."""
    if space == "joints":
        return here + leads
    there = here.copy()
    there[:3] += leads[:3]
    mujoco.mju_quatIntegrate(there[3:POSE], leads[3:], 1.0)
    return there


def shortened(space: ActionSpace, leads: np.ndarray) -> np.ndarray:
    """What `way` gave, at most LEAD_M and LEAD_RAD long."""
    if space == "joints":
        return np.clip(leads, -LEAD_RAD, LEAD_RAD)
    times = max(float(np.linalg.norm(leads[:3])) / LEAD_M,
                float(np.linalg.norm(leads[3:])) / LEAD_RAD, 1.0)
    return leads / times

"""Targets of two spaces, poses of the tool and joints, and what leads from one to another.

Plain geometry. Knows no arm, no time limits and no policy.

Letters: K knots, D joints + gripper. A knot is (8,), world_from_tool and gripper, or (D,).
"""

import mujoco
import numpy as np

from policy.interfaces import ActionSpace

POSE = 7
LEAD_M, LEAD_RAD = 0.05, 0.35       # how far the arm may be asked beside a path: it was held back


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

"""A path bent through values that a person fixed: smoothly, and only where they said so.

What is fixed holds at moments of the plan, number by number: the place of the tool, its rotation
(all of it or nothing), the gripper. The bend is what is added to the path, a curve from where the
arm is now through every fixed value (cubic Hermite pieces, slopes as Catmull and Rom choose them);
it stays as it is behind the last one, for a later chunk begins there. Plain geometry: knows no arm
and no policy.

Letters: A = 8 or D numbers of a target, W = 6 or D of a way between two, N moments.
"""

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from policy.interfaces import ActionSpace
from recorders.clock import NS_PER_S
from studio.station.chunks.ways import POSE, gone, way

RETURN_NS = 300_000_000     # to come back to the path when nothing is fixed any more


class Fixed(msgspec.Struct, frozen=True):
    """Values that a person fixed.

    Attributes:
        at_ns: moment of the plan.
        values: (A,) NaN where nothing is fixed.
        step_ns: of the chunk that they were fixed in; a gripper holds for the step before `at_ns`.
    """

    at_ns: int
    values: tuple[float, ...]
    step_ns: int


class Start(msgspec.Struct, frozen=True):
    """How a bend begins.

    Attributes:
        at_ns: moment of the plan.
        aside: (W,) what it adds there; () for nothing.
        slope: (W,) per second; () for none.
    """

    at_ns: int
    aside: tuple[float, ...] = ()
    slope: tuple[float, ...] = ()


class Bend(msgspec.Struct, frozen=True):
    """What is added to a path.

    Attributes:
        start: how it begins.
        times_s: (N,) since the start, ascending.
        ways: (N, W) what is added then.
        slopes: (N, W) per second.
        fixed: from which it was made; says what the gripper does.
    """

    start: Start
    times_s: np.ndarray
    ways: np.ndarray
    slopes: np.ndarray
    fixed: tuple[Fixed, ...]

    def added(self, moment_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """(W,) what is added at a moment, and (W,) its slope per second."""
        return _hermite(self.times_s, self.ways, self.slopes,
                        (moment_ns - self.start.at_ns) / NS_PER_S)

    def bent(self, space: ActionSpace, there: np.ndarray, moment_ns: int) -> np.ndarray:
        """The target (A,) of a moment instead of `there`."""
        target = gone(space, there, self.added(moment_ns)[0])
        target[-1] = next((one.values[-1] for one in self.fixed
                           if one.at_ns - one.step_ns < moment_ns <= one.at_ns
                           and math.isfinite(one.values[-1])), there[-1])
        return target


def bend_through(space: ActionSpace, path_at: Callable[[int], np.ndarray], fixed: Sequence[Fixed],
                 start: Start) -> Bend:
    """The bend of a path through what is fixed.

    Args:
        space: of the path.
        path_at: the path without a bend: moment of the plan to target (A,).
        fixed: ascending; what is before the start is left out.
        start: where the bend begins.
    """
    here = path_at(start.at_ns)
    width = len(way(space, here, here))
    aside, slope = (np.array(given) if given else np.zeros(width)
                    for given in (start.aside, start.slope))
    ahead = tuple(one for one in fixed if one.at_ns > start.at_ns)
    wanted = [_wanted(space, path_at(one.at_ns), one.values) for one in ahead]      # N of (W,)
    times_s = [(one.at_ns - start.at_ns) / NS_PER_S for one in ahead]
    curves: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for axis in range(width):
        through = [(time_s, ways[axis]) for time_s, ways in zip(times_s, wanted, strict=True)
                   if math.isfinite(ways[axis])]
        curves.append(_curve(float(aside[axis]), float(slope[axis]), through))
    knots_s = np.unique(np.concatenate([curve[0] for curve in curves]))
    sampled = [[_hermite(times, values, slopes, time_s) for times, values, slopes in curves]
               for time_s in knots_s.tolist()]
    return Bend(start, knots_s, np.array([[value for value, _ in row] for row in sampled]),
                np.array([[slope for _, slope in row] for row in sampled]), ahead)


def _wanted(space: ActionSpace, there: np.ndarray, values: Sequence[float]) -> np.ndarray:
    """(W,) what leads from the path to the fixed values; NaN on axes that are free."""
    given = np.array(values)
    free = ~np.isfinite(given)
    ways = way(space, there, np.where(free, there, given))
    if space == "joints":
        ways[free] = np.nan
        ways[-1] = np.nan                   # a gripper is told, not bent
    else:
        ways[:3][free[:3]] = np.nan
        ways[3:][free[3:POSE].any()] = np.nan
    return ways


def _curve(aside: float, slope: float, through: list[tuple[float, float]]
           ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, values and slopes of one axis, all (N,)."""
    if not through:
        through = [(RETURN_NS / NS_PER_S, 0.0)] if aside or slope else []
    times = np.array([0.0, *(time_s for time_s, _ in through)])
    values = np.array([aside, *(value for _, value in through)])
    slopes = np.zeros(len(times))
    slopes[0] = slope
    slopes[1:-1] = (values[2:] - values[:-2]) / (times[2:] - times[:-2])
    return times, values, slopes


def _hermite(times: np.ndarray, values: np.ndarray, slopes: np.ndarray, at: float
             ) -> tuple[np.ndarray, np.ndarray]:
    """Value and slope at a time of a curve of N knots; as at its end behind it."""
    k = int(np.searchsorted(times, at, side="right")) - 1
    if k < 0:
        return values[0], slopes[0]
    if k >= len(times) - 1:
        return values[-1], np.zeros_like(slopes[-1])
    length = times[k + 1] - times[k]
    s = (at - times[k]) / length
    leaving, arriving = length * slopes[k], length * slopes[k + 1]
    rise = values[k + 1] - values[k]
    square, cube = 3 * rise - 2 * leaving - arriving, leaving + arriving - 2 * rise
    return (values[k] + s * (leaving + s * (square + s * cube)),
            (leaving + s * (2 * square + 3 * s * cube)) / length)

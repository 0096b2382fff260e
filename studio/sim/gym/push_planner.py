"""The next push: which stroke of the pusher brings the T nearest to where it shall lie.

Every stroke is tried out on a plane of its own (model predictive control with the model that the
environment itself is), one at a time, so that whoever asks may spread the work. A way to its
beginning that does not touch the T is found on a grid. Pixels and radians throughout, as PushT has
them. Knows the environment; knows no hand, no time and no station.
"""

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from studio.sim.gym.pusht import PLANE_PX, PUSHER_PX, STEP_S, make_environment, put_state

STROKE_PX_S = 100.0             # slow enough for friction to stop the T at once
_LONGEST_PX = 160.0
_HOPE_PX = 40.0                 # a stroke that has not helped for so long will not
_STANDOFF_PX = 9.0              # between pusher and T before a stroke
_CLEAR_PX = 5.0                 # between pusher and T on the way
_CELL_PX = 12.0
_SPACING_PX = 18.0              # of the points along the T's edge that are tried
_SLANTS_RAD = (0.0, 0.5, -0.5)  # of a stroke to the edge's normal
_WAY_COST = 0.004               # of a pixel of way, in pixels of error: of equals take the nearer


class Stroke(msgspec.Struct, frozen=True):
    """A straight push and how to get to its beginning.

    Attributes:
        way: points from where the pusher is to `begin`, (2,) each.
        begin, end: (2,) of the pusher's middle.
        error_px: how far the T's corners will be from where they shall be, root mean square.
    """

    way: tuple[np.ndarray, ...]
    begin: np.ndarray
    end: np.ndarray
    error_px: float


class PushPlanner:
    """Tries strokes out."""

    def __init__(self) -> None:
        self._env = make_environment()
        self._env.reset(seed=0)
        goal = self._env.get_goal_pose_body(self._env.goal_pose)
        self._goal = _corners(goal, self._env)                                          # (8, 2)

    def plan(self, observation: np.ndarray) -> Iterator[Stroke | None]:
        """Yields None after every stroke tried, and the best one at last.

        Args:
            observation: (5,) pusher x y, T x y, T's angle.
        """
        pusher = observation[:2]
        self._put(observation, pusher)
        ways = _Ways(self._env, pusher)
        best: tuple[float, np.ndarray, np.ndarray, float] | None = None
        for begin, direction in list(self._candidates()):
            if (way_px := ways.length_px(begin)) < math.inf:
                length_px, error_px = self._try(observation, begin, direction)
                cost = error_px + _WAY_COST * way_px
                if length_px > 0.0 and (best is None or cost < best[0]):
                    best = cost, begin, begin + direction * length_px, error_px
                yield None
        if best is not None:
            _, begin, end, error_px = best
            yield Stroke(ways.to(begin), begin, end, error_px)

    def error_px(self, observation: np.ndarray) -> float:
        """How far the T's corners are from where they shall be, root mean square."""
        self._put(observation, observation[:2])
        return self._error_px()

    def clearance_px(self, observation: np.ndarray) -> float:
        """Between pusher and T; negative if they overlap."""
        self._put(observation, observation[:2])
        return _distance_px(self._env, observation[:2]) - PUSHER_PX

    def _candidates(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Beginnings along the T's edge, and unit directions."""
        block = self._env.block
        for shape in self._env._block_shapes:
            vertices = [np.array(block.local_to_world(v)) for v in shape.get_vertices()]
            middle = np.mean(vertices, axis=0)
            for here, there in itertools.pairwise([*vertices, vertices[0]]):
                along = there - here
                normal = np.array([along[1], -along[0]]) / np.linalg.norm(along)
                normal *= np.sign(normal @ (here - middle))                 # outwards
                count = max(2, round(float(np.linalg.norm(along)) / _SPACING_PX))
                for share in (np.arange(count) + 0.5) / count:
                    begin = here + share * along + normal * (PUSHER_PX + _STANDOFF_PX)
                    if _distance_px(self._env, begin) < PUSHER_PX + _CLEAR_PX:
                        continue                                            # inside the other bar
                    for slant in _SLANTS_RAD:
                        yield begin, -_turned(normal, slant)

    def _try(self, observation: np.ndarray, begin: np.ndarray,
             direction: np.ndarray) -> tuple[float, float]:
        """The length of a stroke that leaves the least error, and that error; 0 without any use."""
        self._put(observation, begin)
        env = self._env
        env.agent.velocity = (direction * STROKE_PX_S).tolist()
        best_length_px, best_error_px = 0.0, math.inf
        for step in range(1, int(_LONGEST_PX / (STROKE_PX_S * STEP_S)) + 1):
            env.space.step(STEP_S)
            gone_px = step * STROKE_PX_S * STEP_S
            if not _inside(np.array(env.agent.position)) or gone_px > best_length_px + _HOPE_PX:
                break
            if step % 2 == 0 and (error_px := self._error_px()) < best_error_px:
                best_length_px, best_error_px = gone_px, error_px
        return best_length_px, best_error_px

    def _put(self, observation: np.ndarray, pusher: np.ndarray) -> None:
        put_state(self._env, np.array([*pusher, 0.0, 0.0, *observation[2:5], 0.0, 0.0, 0.0]))

    def _error_px(self) -> float:
        off = _corners(self._env.block, self._env) - self._goal
        return float(np.sqrt((off**2).sum(axis=1).mean()))


class _Ways:
    """Shortest ways of the pusher around the T, from one place to anywhere."""

    def __init__(self, env: Any, origin: np.ndarray) -> None:
        count = round(PLANE_PX / _CELL_PX)
        self._origin, self._size = origin, count
        middles = (np.arange(count) + 0.5) * PLANE_PX / count
        self._free = np.array([[_inside(np.array([x, y])) and
                                _distance_px(env, (x, y)) >= PUSHER_PX + _CLEAR_PX
                                for y in middles] for x in middles])
        self._middles = middles
        self._length, self._before = self._spread(self._cell(origin))

    def length_px(self, place: np.ndarray) -> float:
        """To a place; infinite if there is no way."""
        return float(self._length[self._cell(place)]) if _inside(place) else math.inf

    def to(self, place: np.ndarray) -> tuple[np.ndarray, ...]:
        """Points on the way to a place, the place included."""
        cells, cell = [], self._cell(place)
        while cell in self._before:
            cells.append(cell)
            cell = self._before[cell]
        points = [self._origin, *(self._middles[list(c)] for c in reversed(cells[1:])), place]
        return tuple(self._straightened(points)[1:])

    def _straightened(self, points: list[np.ndarray]) -> list[np.ndarray]:
        """Without the points that a straight line may leave out."""
        kept, at = [points[0]], 0
        while at < len(points) - 1:
            at = next(n for n in range(len(points) - 1, at, -1)
                      if n == at + 1 or self._sees(points[at], points[n]))
            kept.append(points[at])
        return kept

    def _sees(self, here: np.ndarray, there: np.ndarray) -> bool:
        count = max(2, int(np.linalg.norm(there - here) / (_CELL_PX / 3)))
        line = here + np.linspace(0.0, 1.0, count)[1:-1, None] * (there - here)
        return all(self._free[self._cell(point)] for point in line)

    def _spread(self, start: tuple[int, int]) -> tuple[np.ndarray, dict]:
        """Dijkstra: lengths (C, C), and each cell's predecessor."""
        length = np.full((self._size, self._size), np.inf)
        before: dict[tuple[int, int], tuple[int, int]] = {}
        length[start] = 0.0
        queue = [(0.0, start)]
        steps = [step for step in itertools.product((-1, 0, 1), repeat=2) if any(step)]
        while queue:
            far, (x, y) = heapq.heappop(queue)
            if far > length[x, y]:
                continue
            for dx, dy in steps:
                cell = (x + dx, y + dy)
                if not (0 <= cell[0] < self._size and 0 <= cell[1] < self._size
                        and self._free[cell]):
                    continue
                further = far + _CELL_PX * math.hypot(dx, dy)
                if further < length[cell]:
                    length[cell], before[cell] = further, (x, y)
                    heapq.heappush(queue, (further, cell))
        return length, before

    def _cell(self, place: np.ndarray) -> tuple[int, int]:
        x, y = np.clip(place / PLANE_PX * self._size, 0, self._size - 1).astype(int)
        return int(x), int(y)


def _corners(body: Any, env: Any) -> np.ndarray:
    return np.array([body.local_to_world(v) for shape in env._block_shapes
                     for v in shape.get_vertices()])


def _distance_px(env: Any, place: Sequence[float] | np.ndarray) -> float:
    return min(shape.point_query((float(place[0]), float(place[1]))).distance
               for shape in env._block_shapes)


def _inside(place: np.ndarray) -> bool:
    return bool(np.all((place >= 21.0) & (place <= PLANE_PX - 21.0)))


def _turned(vector: np.ndarray, angle_rad: float) -> np.ndarray:
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([cos * vector[0] - sin * vector[1], sin * vector[0] + cos * vector[1]])

"""PushT's scripted pusher: push, stand back, look, push again.

gym-pusht brings no expert, so this is ours: it carries out one stroke of push_planner.py after the
other, and thinks about the next one a little in every tick, at rest, so that it never keeps a
control loop waiting. Knows positions; knows no device and no station.
"""

from collections.abc import Iterator

import numpy as np

from studio.sim.gym.push_planner import STROKE_PX_S, PushPlanner, Stroke
from studio.sim.gym.pusht import METRES

_TRIES_PER_CALL = 2
_WAY_PX_S = 250.0
_SLOWING_PER_S = 3.0            # speed per distance: the pusher hangs behind its target
_ARRIVED_PX = 4.0
_AT_END_PX = 1.0
_CLEAR_PX = 7.0                 # to stand back before looking for the next stroke
_STILL_PX = 0.05                # of motion between two calls


class Pusher:
    """A skill with a memory; make a new one for every episode."""

    def __init__(self) -> None:
        self._planner = PushPlanner()
        self._thinking: Iterator[Stroke | None] | None = None
        self._way: list[np.ndarray] = []
        self._stroke: Stroke | None = None
        self._retreat: np.ndarray | None = None     # (2,) unit, away from the T
        self._before = np.full(5, np.nan)

    def __call__(self, observation: np.ndarray) -> tuple[np.ndarray, float]:
        """See `Skill`."""
        still = bool(np.abs(observation[:4] - self._before[:4]).max() < _STILL_PX)
        self._before = observation
        return _to_station(self._velocity_px_s(observation, still)), 1.0

    def _velocity_px_s(self, observation: np.ndarray, still: bool) -> np.ndarray:
        pusher = observation[:2]
        if self._retreat is not None:
            if self._planner.clearance_px(observation) < _CLEAR_PX:
                return self._retreat * STROKE_PX_S
            self._retreat = None
        if self._stroke is None:
            if still or self._thinking is not None:
                self._think(observation)
            return np.zeros(2)
        while self._way and np.linalg.norm(self._way[0] - pusher) < _ARRIVED_PX:
            self._way.pop(0)
        if self._way:
            return _towards(self._way[0] - pusher, _WAY_PX_S)
        remaining = self._stroke.end - pusher
        forward = self._stroke.end - self._stroke.begin
        if remaining @ forward <= _AT_END_PX * np.linalg.norm(forward):
            self._retreat = -forward / np.linalg.norm(forward)
            self._stroke = None
            return np.zeros(2)
        return _towards(remaining, STROKE_PX_S)

    def _think(self, observation: np.ndarray) -> None:
        """Give a little more thought to the next stroke; the T does not move meanwhile."""
        if self._thinking is None:
            self._thinking = self._planner.plan(observation)
        for _ in range(_TRIES_PER_CALL):
            try:
                stroke = next(self._thinking)
            except StopIteration:       # no stroke is of use from here: look again
                self._thinking = None
                return
            if stroke is not None:
                self._thinking, self._stroke, self._way = None, stroke, list(stroke.way)
                return


def _towards(way_px: np.ndarray, top_px_s: float) -> np.ndarray:
    distance = float(np.linalg.norm(way_px))
    return way_px * min(_SLOWING_PER_S, top_px_s / max(distance, 1e-9))


def _to_station(velocity_px_s: np.ndarray) -> np.ndarray:
    """(3,) m/s: ahead is up the picture, left is left."""
    return np.array([-velocity_px_s[1], -velocity_px_s[0], 0.0]) * METRES

"""A scene that does not hold still: the cube that is asked for is nudged once, or drifts about.

An invisible finger pushes the cube over the table with a force at its foot, so that physics stays
physics and a recording of the forces repeats it to the last bit. Never makes an instruction wrong:
whichever cube the words mean before, they mean afterwards. Decides from the world's own state and
the episode's seed alone; refuses to know who drives.
"""

import math
from typing import Any

import msgspec
import numpy as np

from studio.devices.interfaces import DeviceError
from studio.sim.furniture import CUBE_HALF_M, CUBE_MASS_KG
from studio.sim.instructions import COLOURS
from studio.sim.placement import FURNITURE_CLEARANCE_M, may_stand
from studio.sim.reference import CLEAR_M, gap_m, resolve
from studio.sim.scene_view import SceneView

NUDGE_S = 0.35
DRIFT_S = 0.2                   # a drifting cube looks where it goes this often
LOOK_AHEAD_M = 0.01             # and turns before it comes to where it must not be
HAND_NEAR_M = (0.10, 0.25)      # a cube is nudged when the hand is this near: above it, not at it
HEADINGS = 24                   # directions that are tried
_STREAM = 71                    # of the seed: what is drawn here shifts nothing else
# The finger holds the cube to its path like a stiff spring, per kg: it follows within a millimetre.
_STIFFNESS, _DAMPING = 1600.0, 80.0
_FRICTION_N = CUBE_MASS_KG * 9.81   # the table's coefficient is 1
_MOST_N = 4.0


class Disturbance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to the cube that is asked for; nothing by default."""

    bump_chance: float = 0.0
    """Share of the episodes in which it is nudged once while the hand comes near; one in twenty of
    them leaves no room for it."""
    bump_m: tuple[float, float] = (0.03, 0.07)
    """By how much, from and to."""
    drift_m_s: float = 0.0
    """Speed at which it moves from the start of the episode on …"""
    drift_until_m: float = 0.04
    """… until the hand has been as near as this."""


def disturbance_from(options: Disturbance | dict[str, Any] | None) -> Disturbance | None:
    """A disturbance, also one that comes over the bus or from a command line; None for none.

    Raises:
        DeviceError: an option has another name or type; the message lists the valid ones.
    """
    if not isinstance(options, dict):
        return options
    try:
        return msgspec.convert(options, Disturbance)
    except msgspec.ValidationError as error:
        raise DeviceError(f"a disturbance of the scene is not described by {options}: {error}. "
                          f"Valid are {', '.join(Disturbance.__struct_fields__)}") from error


class _Path(msgspec.Struct, frozen=True):
    """A straight way of a cube over the table."""

    colour: str
    from_m: tuple[float, float]
    to_m: tuple[float, float]
    began_s: float
    lasts_s: float
    gentle: bool                # it begins and ends at rest

    def lasts_at(self, now_s: float) -> bool:
        """Whether it is still being gone."""
        return now_s < self.began_s + self.lasts_s

    def at(self, now_s: float) -> tuple[np.ndarray, np.ndarray]:
        """(2,) where the cube shall be, and (2,) how fast it shall be there."""
        share = min(1.0, (now_s - self.began_s) / self.lasts_s)
        done, rate = share, float(share < 1.0)
        if self.gentle:             # of least jerk
            done = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
            rate = 30.0 * share**2 * (1.0 - share) ** 2
        way = np.subtract(self.to_m, self.from_m)
        return self.from_m + done * way, rate / self.lasts_s * way


class Disturber:
    """Pushes the target cube of one episode after another.

    Args:
        disturbance: what shall happen.
        world: holds `model` and `data`, and in `run` the judge of the present task.

    Attributes:
        bumps: how often a cube was nudged in this episode.
    """

    def __init__(self, disturbance: Disturbance, world: Any) -> None:
        self._disturbance, self._world, self._view = disturbance, world, SceneView(world)
        self.begin(0)

    def begin(self, seed: int) -> None:
        """A new episode."""
        rng = np.random.default_rng([seed, _STREAM])
        self._will_bump = bool(rng.random() < self._disturbance.bump_chance)
        self._bump_at_m = float(rng.uniform(*HAND_NEAR_M))
        self._bump_by_m = float(rng.uniform(*self._disturbance.bump_m))
        self._heading_rad = float(rng.uniform(0.0, 2.0 * math.pi))
        self._drifts = self._disturbance.drift_m_s > 0.0
        self._path: _Path | None = None
        self.bumps = 0

    def saved(self) -> tuple[Any, ...]:
        """All that changes during an episode."""
        return self._will_bump, self._heading_rad, self._drifts, self._path, self.bumps

    def restore(self, saved: tuple[Any, ...]) -> None:
        """Take back what `saved` returned in an episode of the same seed."""
        self._will_bump, self._heading_rad, self._drifts, self._path, self.bumps = saved

    def forces(self) -> np.ndarray:
        """(3, 3) N on the foot of each cube during the next step, world frame."""
        forces = np.zeros((len(COLOURS), 3))
        if not (self._will_bump or self._drifts or self._path):
            return forces
        now_s = float(self._world.data.time)
        colour, path = getattr(self._world.run.stage, "colour", ""), self._path
        if path and path.gentle and path.lasts_at(now_s):
            colour = path.colour        # a nudge is brought to its end, whatever is asked now
        if not colour or not self._on_the_table(colour):
            self._path = None
            return forces
        self._path = self._next_path(colour, now_s)
        if self._path is not None:
            forces[COLOURS.index(colour), :2] = self._push(self._path, now_s)
        return forces

    def _on_the_table(self, colour: str) -> bool:
        """Standing there, with no finger at it."""
        standing = abs(self._view.cube_m(colour)[2] - CUBE_HALF_M) < 0.005
        return standing and not self._view.arm_touches(colour)

    def _next_path(self, colour: str, now_s: float) -> _Path | None:
        """The way that the cube is on now: the same as before unless something happens."""
        path = self._path
        if path and (path.colour != colour or not path.lasts_at(now_s)):
            path = None
        hand_m = math.dist(self._view.tool_m, self._view.cube_m(colour))
        if self._will_bump and hand_m < self._bump_at_m:
            self._will_bump = False
            # In a crowded scene there may be room for the shortest nudge only, or for none.
            path = (self._way(colour, now_s, self._bump_by_m, NUDGE_S, gentle=True)
                    or self._way(colour, now_s, self._disturbance.bump_m[0], NUDGE_S, gentle=True))
            self.bumps += path is not None
        if self._drifts and hand_m < self._disturbance.drift_until_m:
            self._drifts, path = False, None
        if self._drifts and path is None:
            by_m = self._disturbance.drift_m_s * DRIFT_S
            path = self._way(colour, now_s, by_m, DRIFT_S, gentle=False)
        return path

    def _way(self, colour: str, now_s: float, by_m: float, lasts_s: float,
             *, gentle: bool) -> _Path | None:
        """A way as nearly straight on as possible; None if all are barred."""
        before = self._path
        straight_on = before is not None and before.colour == colour and not gentle
        here_m = np.array(before.to_m if before and straight_on
                          else self._view.cube_m(colour)[:2])
        for number in range(HEADINGS):
            turn = (number + 1) // 2 * (1 if number % 2 else -1)
            heading_rad = self._heading_rad + turn * 2.0 * math.pi / HEADINGS
            ahead = np.array([math.cos(heading_rad), math.sin(heading_rad)])
            if self._may_be_at(colour, here_m + (by_m + LOOK_AHEAD_M) * ahead):
                self._heading_rad = heading_rad
                there_m = here_m + by_m * ahead
                return _Path(colour, (here_m[0], here_m[1]), (there_m[0], there_m[1]), now_s,
                             lasts_s, gentle)
        return None

    def _may_be_at(self, colour: str, xy_m: np.ndarray) -> bool:
        """Whether there is room, and the words would still mean the same."""
        view, run = self._view, self._world.run
        others = [view.cube_m(other)[:2] for other in COLOURS if other != colour]
        furniture = [(view.bin_m[:2], FURNITURE_CLEARANCE_M["bin"]),
                     (view.button_m[:2], FURNITURE_CLEARANCE_M["button"])]
        if not may_stand(xy_m, others, furniture):
            return False
        places = view.places_m | {f"cube_{colour}": xy_m}
        return gap_m(run.request, places) > CLEAR_M and resolve(run.request, places) == run.goal

    def _push(self, path: _Path, now_s: float) -> np.ndarray:
        """(2,) N that keep the cube on its way."""
        wanted_m, wanted_m_s = path.at(now_s)
        error = (_STIFFNESS * (wanted_m - self._view.cube_m(path.colour)[:2])
                 + _DAMPING * (wanted_m_s - self._view.cube_velocity_m_s(path.colour)[:2]))
        speed_m_s = math.hypot(*wanted_m_s)
        friction_n = _FRICTION_N * wanted_m_s / speed_m_s if speed_m_s > 1e-4 else np.zeros(2)
        return np.clip(CUBE_MASS_KG * error + friction_n, -_MOST_N, _MOST_N)

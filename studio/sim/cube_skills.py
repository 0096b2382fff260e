"""How the scripted operator picks up a cube and sets it down: Markov skills, like all of them.

Knows where cubes and the bin are seen; refuses to know what comes before or after.
"""

import math

import numpy as np

from studio.sim.instructions import COLOURS
from studio.sim.moves import (
    ALIGNED_M,
    CLOSED,
    LET_GO,
    OPEN,
    TRAVEL_M,
    Move,
    aside_of,
    funnel,
    let_go,
    nearest_quarter,
    raised,
    wrapped,
)
from studio.sim.sight import Sight

CUBE_M = 0.044
BIN_HALF_M, BIN_HEIGHT_M = 0.075, 0.055
HALF_BIN_M = 0.034                  # from its middle: there is room for a second cube
BESIDE_M = 0.06                     # between cubes in the bin: one can be set down beside the other
GRASP_M = 0.008                     # from a cube's centre: near enough to close the fingers
LIFTED_M = 0.03


def in_bin(sight: Sight, colour: str) -> bool:
    """Whether a cube lies in the bin, held or not."""
    aside, height = aside_of(sight.cube_m(colour), sight.places_m["bin"])
    return aside < BIN_HALF_M and height < BIN_HEIGHT_M


def fingers_around(sight: Sight, colour: str) -> bool:
    """Whether the fingers are still about a cube, touching it or not."""
    near = float(np.linalg.norm(sight.cube_m(colour) - sight.tool_m)) < CUBE_M
    return near and sight.opening < LET_GO


def _on_top_of(sight: Sight, colour: str) -> str:
    """Colour of the cube that stands on another one, or empty."""
    for other in COLOURS:
        aside, height = aside_of(sight.cube_m(other), sight.cube_m(colour))
        if aside < 0.75 * CUBE_M and abs(height - CUBE_M) < 0.01:
            return other
    return ""


def into_bin(sight: Sight, colour: str, spot: np.ndarray, yaw_rad: float) -> Move:
    """Fetch a cube and set it down in the bin.

    Args:
        sight: what is seen now.
        colour: of the cube.
        spot: (3,) where in the bin, at its foot.
        yaw_rad: of the tool while it lets go.
    """
    if in_bin(sight, colour):
        return let_go(sight) if fingers_around(sight, colour) else _retreat(sight, colour)
    if sight.held == colour:
        crowded = any(aside_of(sight.cube_m(other), spot)[0] < BESIDE_M and in_bin(sight, other)
                      for other in COLOURS if other != colour)
        height = 0.085 if crowded else 0.040
        return _carry(sight, colour, np.array([*spot[:2], height]), yaw_rad)
    return _grasp(sight, colour)


def free_spot(sight: Sight, colour: str) -> np.ndarray:
    """(3,) the middle of the half of the bin that is further from what lies in it."""
    centre = sight.places_m["bin"]
    along = np.array([math.cos(sight.bin_yaw_rad), math.sin(sight.bin_yaw_rad), 0.0])
    there = [sight.cube_m(other) for other in COLOURS if other != colour and in_bin(sight, other)]
    spots = [centre - HALF_BIN_M * along, centre + HALF_BIN_M * along]
    return max(spots, key=lambda spot: min((aside_of(other, spot)[0] for other in there),
                                           default=0.0))


def onto_cube(sight: Sight, colour: str, onto: str) -> Move:
    """Fetch a cube and set it down on another one, which is cleared first."""
    below = sight.cube_m(onto)
    aside, height = aside_of(sight.cube_m(colour), below)
    free = sight.held != colour
    if free and _on_top_of(sight, onto) not in ("", colour):
        return _grasp(sight, _on_top_of(sight, onto))
    if free and aside < CUBE_M / 2 and abs(height - CUBE_M) < 0.006:
        return let_go(sight) if fingers_around(sight, colour) else _retreat(sight, colour)
    if sight.held == colour:
        yaw_rad = nearest_quarter(sight.cube_yaw_rad(onto), sight.tool_yaw_rad)
        return _carry(sight, colour, raised(below, CUBE_M + 0.001), yaw_rad=yaw_rad)
    return _grasp(sight, colour)


def put_down(sight: Sight, colour: str) -> Move:
    """Back onto a free place of the table, for a cube that is not wanted any more."""
    others = [place for name, place in sight.places_m.items() if name != f"cube_{colour}"]
    here = sight.cube_m(colour)[:2]
    spots = [np.array([x, y]) for x in np.arange(0.34, 0.56, 0.03)
             for y in np.arange(-0.06, 0.16, 0.03)]
    if 0.33 < here[0] < 0.57 and -0.07 < here[1] < 0.17:
        spots.append(here)
    free = [spot for spot in spots
            if all(math.dist(spot, other[:2]) > 0.10 for other in others)] or spots
    spot = min(free, key=lambda place: math.dist(place, here))
    return _carry(sight, colour, np.array([*spot, CUBE_M / 2 + 0.001]), sight.tool_yaw_rad)


def _grasp(sight: Sight, colour: str) -> Move:
    """Close the fingers around a cube, or first around the one that stands on it.

    Once that one is held, it is a cube that is not wanted, and is put down.
    """
    colour = _on_top_of(sight, colour) or colour
    cube = sight.cube_m(colour)
    yaw_rad = nearest_quarter(sight.cube_yaw_rad(colour), 0.0)
    target = np.array([cube[0], cube[1], max(cube[2], CUBE_M / 2) - 0.002])
    gap = float(np.linalg.norm(target - sight.tool_m))
    turned = abs(wrapped(yaw_rad - sight.tool_yaw_rad)) < 0.12
    closing = sight.opening < 0.9 and gap < 2 * GRASP_M
    gripper = CLOSED if (gap < GRASP_M and turned) or closing else OPEN
    return Move(funnel(sight, target, TRAVEL_M), yaw_rad, gripper)


def _carry(sight: Sight, colour: str, cube_target: np.ndarray, yaw_rad: float) -> Move:
    """Take the cube that is held to a place and open the fingers there."""
    cube = sight.cube_m(colour)
    target = cube_target + (sight.tool_m - cube)        # however the cube sits in the fingers
    aside, height = aside_of(cube, cube_target)
    arrived = aside < ALIGNED_M and abs(height) < 0.004
    letting_go = sight.opening > 0.62 and aside < 2 * ALIGNED_M     # do not close again half-way
    if arrived or letting_go:
        return let_go(sight)
    aim = funnel(sight, target, TRAVEL_M + 0.02)
    if aside > LIFTED_M and cube[2] < CUBE_M / 2 + LIFTED_M:    # gently and straight off the table
        return Move(aim, sight.tool_yaw_rad, CLOSED, speed_m_s=0.12)
    return Move(aim, yaw_rad, CLOSED)


def _retreat(sight: Sight, colour: str) -> Move:
    """Straight up and away from a cube that is where it belongs."""
    away = sight.tool_m[2] - sight.cube_m(colour)[2] > 0.08
    up = np.array([sight.tool_m[0], sight.tool_m[1], max(TRAVEL_M, sight.tool_m[2])])
    return Move(up, sight.tool_yaw_rad, OPEN, done=away)

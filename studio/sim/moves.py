"""A move of the scripted operator, and the funnel through which every move leads to its place.

The height at which the tool may be depends on how far it is from where it goes: from anywhere the
same rule comes down onto a target only from above it. Knows lengths and directions; knows no task.

All lengths in m, world frame; the tool points down, its fingers close along its y axis.
"""

import math

import msgspec
import numpy as np

from studio.sim.sight import Sight

TRAVEL_M = 0.17                     # tool height at which everything on the table is cleared
FUNNEL_SLOPE = 3.0                  # height gained per distance aside
ALIGNED_M = 0.006                   # aside: near enough to go straight down
OPEN, CLOSED = 1.0, 0.0
LET_GO = 0.8                        # opening at which a cube is free


class Move(msgspec.Struct, frozen=True):
    """What the operator wants now.

    Attributes:
        target_m: (3,) for the tool.
        yaw_rad: of the tool's x axis, pointing down otherwise.
        gripper: opening 0..1.
        speed_m_s: not faster than this.
        press_m_s: if given, the downward speed is this instead of going to the target's height.
        done: the goal is reached and the tool is out of the way.
    """

    target_m: np.ndarray
    yaw_rad: float = 0.0
    gripper: float = OPEN
    speed_m_s: float = 0.25
    press_m_s: float | None = None
    done: bool = False


def funnel(sight: Sight, target: np.ndarray, clear_m: float) -> np.ndarray:
    """Where to aim for so that the tool comes down onto the target only from above it."""
    aside, _ = aside_of(sight.tool_m, target)
    lift = min(max(aside - ALIGNED_M, 0.0) * FUNNEL_SLOPE, max(clear_m - target[2], 0.0))
    aim = raised(target, lift)
    below_m = aim[2] - sight.tool_m[2]
    share = float(np.clip(1.5 - below_m / 0.03, 0.0, 1.0))      # too low: first up, then across
    aim[:2] = sight.tool_m[:2] + share * (target[:2] - sight.tool_m[:2])
    return aim


def let_go(sight: Sight) -> Move:
    """Open the fingers here."""
    return Move(sight.tool_m, sight.tool_yaw_rad, OPEN)


def aside_of(point: np.ndarray, of: np.ndarray) -> tuple[float, float]:
    """Horizontal distance from a point, and height above it."""
    return math.hypot(point[0] - of[0], point[1] - of[1]), float(point[2] - of[2])


def raised(point: np.ndarray, by_m: float) -> np.ndarray:
    """(3,) that much higher."""
    return point + np.array([0.0, 0.0, by_m])


def nearest_quarter(yaw_rad: float, to_rad: float) -> float:
    """The one of the four directions a quarter turn apart that is nearest to another."""
    quarter = math.pi / 2
    return yaw_rad - quarter * round((yaw_rad - to_rad) / quarter)


def wrapped(angle_rad: float) -> float:
    """The same angle between half a turn back and half a turn on."""
    return (angle_rad + math.pi) % (2 * math.pi) - math.pi

"""How the scripted operator does each thing: a function of what it sees now, and of nothing else.

Every skill is Markov and shaped like a funnel: the height at which the tool may be depends on how
far it is from where it goes, so that from *any* state the same rule leads to the goal. A slipped
cube, a nudge or an edited instruction needs no special case, and every state has a label. Knows
where things are; refuses to know time, devices and the words of an instruction.

All lengths in m, world frame; the tool points down, its fingers close along its y axis.
"""

import math

import msgspec
import numpy as np

from studio.sim.instructions import COLOURS, Goal
from studio.sim.sight import HELD_TOUCH_N, Sight

CUBE_M = 0.044
BIN_HALF_M, BIN_HEIGHT_M = 0.075, 0.055
FINGER_TIP_M = 0.014                # below the tool's point
HALF_BIN_M = 0.034                  # from its middle: there is room for a second cube
BESIDE_M = 0.06                     # between cubes in the bin: one can be set down beside the other
TRAVEL_M = 0.17                     # tool height at which everything on the table is cleared
FUNNEL_SLOPE = 3.0                  # height gained per distance aside
ALIGNED_M = 0.006                   # aside: near enough to go straight down
GRASP_M = 0.008                     # from a cube's centre: near enough to close the fingers
LIFTED_M = 0.03
OPEN, CLOSED = 1.0, 0.0
LET_GO = 0.8                        # opening at which a cube is free
CLICKED_N = 11.0                    # the button's spring past its click
HOLD_N = 9.0                        # middle of the band that counts as a steady hold
FORCE_GAIN_M_S_PER_N = 0.002
PULL_M = 0.125                      # how far the drawer is pulled
STEADY_N = 2.0                      # from HOLD_N: near enough to count the time …
HOLD_FOR_S = 1.15                   # … that the force is held


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


class Memory(msgspec.Struct):
    """The few things that cannot be seen any more once they have happened.

    Attributes:
        pressed: the button was pressed, or held for long enough, as the goal asks.
        steady_s: how long the force on the button has been steady.
        shut_x_m: where the drawer was when it was furthest away: there it is shut.
    """

    pressed: bool = False
    steady_s: float = 0.0
    shut_x_m: float = -math.inf

    def watch(self, sight: Sight, goal: Goal, since_s: float) -> None:
        """Take note of what is seen, `since_s` after the last look."""
        self.shut_x_m = max(self.shut_x_m, float(sight.places_m["drawer"][0]))
        if goal.task == "press-force":
            steady = abs(sight.button_force_n - HOLD_N) < STEADY_N
            self.steady_s = self.steady_s + since_s if steady else 0.0
            self.pressed |= self.steady_s > HOLD_FOR_S
        else:
            first = goal.task == "bin-then-button" and not in_bin(sight, goal.colour)
            self.pressed |= sight.button_force_n > CLICKED_N and not first


def next_move(sight: Sight, goal: Goal, memory: Memory) -> Move:
    """The move that leads from here to the goal.

    Args:
        sight: what is seen now.
        goal: what is wanted; a cube that is held for another goal is put down first.
        memory: of this goal; not changed.
    """
    wanted = _cube_now(sight, goal, memory)
    if sight.held and sight.held != wanted:
        return _put_down(sight, sight.held)
    if goal.task == "stack-cubes":
        return _onto_cube(sight, wanted, goal.onto)
    if goal.task == "bin-in-order":
        return _into_bin(sight, wanted, _free_spot(sight, wanted), sight.bin_yaw_rad)
    if goal.task == "open-drawer":
        return _open_drawer(sight, memory)
    if goal.task == "press-force":
        return _hold_button(sight, memory)
    done_with_cube = goal.task == "bin-then-button" and in_bin(sight, wanted)
    if done_with_cube and _fingers_around(sight, wanted):
        return _let_go(sight)
    if wanted and not done_with_cube:
        return _into_bin(sight, wanted, sight.places_m["bin"], 0.0)
    return _push_button(sight, memory)


def _cube_now(sight: Sight, goal: Goal, memory: Memory) -> str:
    """Colour of the cube that is to be moved now, or empty."""
    if goal.then and in_bin(sight, goal.colour) and not _fingers_around(sight, goal.colour):
        return goal.then
    return "" if goal.task == "button-then-bin" and not memory.pressed else goal.colour


def in_bin(sight: Sight, colour: str) -> bool:
    """Whether a cube lies in the bin, held or not."""
    aside, height = _aside(sight.cube_m(colour), sight.places_m["bin"])
    return aside < BIN_HALF_M and height < BIN_HEIGHT_M


def _on_top_of(sight: Sight, colour: str) -> str:
    """Colour of the cube that stands on another one, or empty."""
    for other in COLOURS:
        aside, height = _aside(sight.cube_m(other), sight.cube_m(colour))
        if aside < 0.75 * CUBE_M and abs(height - CUBE_M) < 0.01:
            return other
    return ""


def _into_bin(sight: Sight, colour: str, spot: np.ndarray, yaw_rad: float) -> Move:
    if in_bin(sight, colour):
        return _let_go(sight) if _fingers_around(sight, colour) else _retreat(sight, colour)
    if sight.held == colour:
        crowded = any(_aside(sight.cube_m(other), spot)[0] < BESIDE_M and in_bin(sight, other)
                      for other in COLOURS if other != colour)
        height = 0.085 if crowded else 0.040
        return _carry(sight, colour, np.array([*spot[:2], height]), yaw_rad)
    return _grasp(sight, colour)


def _free_spot(sight: Sight, colour: str) -> np.ndarray:
    """(3,) the middle of the half of the bin that is further from what lies in it."""
    centre = sight.places_m["bin"]
    along = np.array([math.cos(sight.bin_yaw_rad), math.sin(sight.bin_yaw_rad), 0.0])
    there = [sight.cube_m(other) for other in COLOURS if other != colour and in_bin(sight, other)]
    spots = [centre - HALF_BIN_M * along, centre + HALF_BIN_M * along]
    return max(spots, key=lambda spot: min((_aside(other, spot)[0] for other in there),
                                           default=0.0))


def _onto_cube(sight: Sight, colour: str, onto: str) -> Move:
    below = sight.cube_m(onto)
    aside, height = _aside(sight.cube_m(colour), below)
    free = sight.held != colour
    if free and _on_top_of(sight, onto) not in ("", colour):
        return _grasp(sight, _on_top_of(sight, onto))
    if free and aside < CUBE_M / 2 and abs(height - CUBE_M) < 0.006:
        return _let_go(sight) if _fingers_around(sight, colour) else _retreat(sight, colour)
    if sight.held == colour:
        yaw_rad = _nearest_quarter(sight.cube_yaw_rad(onto), sight.tool_yaw_rad)
        return _carry(sight, colour, _raised(below, CUBE_M + 0.001), yaw_rad=yaw_rad)
    return _grasp(sight, colour)


def _put_down(sight: Sight, colour: str) -> Move:
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
    yaw_rad = _nearest_quarter(sight.cube_yaw_rad(colour), 0.0)
    target = np.array([cube[0], cube[1], max(cube[2], CUBE_M / 2) - 0.002])
    gap = float(np.linalg.norm(target - sight.tool_m))
    turned = abs(_wrapped(yaw_rad - sight.tool_yaw_rad)) < 0.12
    closing = sight.opening < 0.9 and gap < 2 * GRASP_M
    gripper = CLOSED if (gap < GRASP_M and turned) or closing else OPEN
    return Move(_funnel(sight, target, TRAVEL_M), yaw_rad, gripper)


def _carry(sight: Sight, colour: str, cube_target: np.ndarray, yaw_rad: float) -> Move:
    """Take the cube that is held to a place and open the fingers there."""
    cube = sight.cube_m(colour)
    target = cube_target + (sight.tool_m - cube)        # however the cube sits in the fingers
    aside, height = _aside(cube, cube_target)
    arrived = aside < ALIGNED_M and abs(height) < 0.004
    letting_go = sight.opening > 0.62 and aside < 2 * ALIGNED_M     # do not close again half-way
    if arrived or letting_go:
        return _let_go(sight)
    aim = _funnel(sight, target, TRAVEL_M + 0.02)
    if aside > LIFTED_M and cube[2] < CUBE_M / 2 + LIFTED_M:    # gently and straight off the table
        return Move(aim, sight.tool_yaw_rad, CLOSED, speed_m_s=0.12)
    return Move(aim, yaw_rad, CLOSED)


def _let_go(sight: Sight) -> Move:
    return Move(sight.tool_m, sight.tool_yaw_rad, OPEN)


def _retreat(sight: Sight, colour: str) -> Move:
    """Straight up and away from a cube that is where it belongs."""
    away = sight.tool_m[2] - sight.cube_m(colour)[2] > 0.08
    up = np.array([sight.tool_m[0], sight.tool_m[1], max(TRAVEL_M, sight.tool_m[2])])
    return Move(up, sight.tool_yaw_rad, OPEN, done=away)


def _push_button(sight: Sight, memory: Memory) -> Move:
    cap = sight.places_m["button_cap"]
    if memory.pressed:
        up = np.array([cap[0], cap[1], TRAVEL_M])
        return Move(up, 0.0, CLOSED, done=sight.tool_m[2] - cap[2] > 0.05)
    above = _raised(cap, FINGER_TIP_M)
    aside, height = _aside(sight.tool_m, above)
    if aside < 2 * ALIGNED_M and height < 0.01:
        return Move(_raised(above, -0.02), 0.0, CLOSED, speed_m_s=0.06)
    return Move(_funnel(sight, above, TRAVEL_M), 0.0, CLOSED)


def _hold_button(sight: Sight, memory: Memory) -> Move:
    cap = sight.places_m["button_cap"]
    if memory.pressed:
        return _push_button(sight, memory)
    above = _raised(cap, FINGER_TIP_M)
    aside, height = _aside(sight.tool_m, above)
    if aside < 2 * ALIGNED_M and height < 0.004:
        missing_n = HOLD_N - sight.button_force_n
        speed = float(np.clip(FORCE_GAIN_M_S_PER_N * missing_n, -0.02, 0.02))
        return Move(above, 0.0, CLOSED, press_m_s=speed)
    move_speed = 0.25 if height > 0.03 else 0.05
    return Move(_funnel(sight, above, TRAVEL_M), 0.0, CLOSED, speed_m_s=move_speed)


def _open_drawer(sight: Sight, memory: Memory) -> Move:
    handle = sight.places_m["drawer_handle"]
    aside, height = _aside(sight.tool_m, handle)
    around = aside < 0.015 and abs(height) < 0.012
    if memory.shut_x_m - sight.places_m["drawer"][0] > PULL_M:
        if around and sight.opening < LET_GO:
            return _let_go(sight)
        up = np.array([*sight.tool_m[:2], TRAVEL_M])
        return Move(up, 0.0, OPEN, done=height > 0.05)
    if around and min(sight.touch_n) > HELD_TOUCH_N:
        return Move(sight.tool_m - (0.06, 0.0, 0.0), 0.0, CLOSED, speed_m_s=0.15)
    if around and (aside < ALIGNED_M or sight.opening < 0.9):
        return Move(handle, 0.0, CLOSED)
    return Move(_funnel(sight, handle, TRAVEL_M), 0.0, OPEN)


def _funnel(sight: Sight, target: np.ndarray, clear_m: float) -> np.ndarray:
    """Where to aim for so that the tool comes down onto the target only from above it."""
    aside, _ = _aside(sight.tool_m, target)
    lift = min(max(aside - ALIGNED_M, 0.0) * FUNNEL_SLOPE, max(clear_m - target[2], 0.0))
    aim = _raised(target, lift)
    below_m = aim[2] - sight.tool_m[2]
    share = float(np.clip(1.5 - below_m / 0.03, 0.0, 1.0))      # too low: first up, then across
    aim[:2] = sight.tool_m[:2] + share * (target[:2] - sight.tool_m[:2])
    return aim


def _fingers_around(sight: Sight, colour: str) -> bool:
    near = float(np.linalg.norm(sight.cube_m(colour) - sight.tool_m)) < CUBE_M
    return near and sight.opening < LET_GO


def _aside(point: np.ndarray, of: np.ndarray) -> tuple[float, float]:
    """Horizontal distance from a point, and height above it."""
    return math.hypot(point[0] - of[0], point[1] - of[1]), float(point[2] - of[2])


def _raised(point: np.ndarray, by_m: float) -> np.ndarray:
    return point + np.array([0.0, 0.0, by_m])


def _nearest_quarter(yaw_rad: float, to_rad: float) -> float:
    """The one of the four directions a quarter turn apart that is nearest to another."""
    quarter = math.pi / 2
    return yaw_rad - quarter * round((yaw_rad - to_rad) / quarter)


def _wrapped(angle_rad: float) -> float:
    return (angle_rad + math.pi) % (2 * math.pi) - math.pi

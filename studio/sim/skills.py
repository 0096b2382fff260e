"""How the scripted operator does each thing: a function of what it sees now, and of nothing else.

Every skill is Markov: from *any* state the same rule leads to the goal. A slipped cube, a nudge or
an edited instruction needs no special case, and every state has a label. Knows where things are;
refuses to know time, devices and the words of an instruction.

All lengths in m, world frame; the tool points down, its fingers close along its y axis.
"""

import math

import msgspec
import numpy as np

from studio.sim.cube_skills import fingers_around, free_spot, in_bin, into_bin, onto_cube, put_down
from studio.sim.instructions import Goal
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
    raised,
)
from studio.sim.sight import HELD_TOUCH_N, Sight

FINGER_TIP_M = 0.014                # below the tool's point
CLICKED_N = 11.0                    # the button's spring past its click
HOLD_N = 9.0                        # middle of the band that counts as a steady hold
FORCE_GAIN_M_S_PER_N = 0.002
PULL_M = 0.125                      # how far the drawer is pulled
STEADY_N = 2.0                      # from HOLD_N: near enough to count the time …
HOLD_FOR_S = 1.15                   # … that the force is held


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
        return put_down(sight, sight.held)
    if goal.task == "stack-cubes":
        return onto_cube(sight, wanted, goal.onto)
    if goal.task == "bin-in-order":
        return into_bin(sight, wanted, free_spot(sight, wanted), sight.bin_yaw_rad)
    if goal.task == "open-drawer":
        return _open_drawer(sight, memory)
    if goal.task == "press-force":
        return _hold_button(sight, memory)
    done_with_cube = goal.task == "bin-then-button" and in_bin(sight, wanted)
    if done_with_cube and fingers_around(sight, wanted):
        return let_go(sight)
    if wanted and not done_with_cube:
        return into_bin(sight, wanted, sight.places_m["bin"], 0.0)
    return _push_button(sight, memory)


def _cube_now(sight: Sight, goal: Goal, memory: Memory) -> str:
    """Colour of the cube that is to be moved now, or empty."""
    if goal.then and in_bin(sight, goal.colour) and not fingers_around(sight, goal.colour):
        return goal.then
    return "" if goal.task == "button-then-bin" and not memory.pressed else goal.colour


def _push_button(sight: Sight, memory: Memory) -> Move:
    cap = sight.places_m["button_cap"]
    if memory.pressed:
        up = np.array([cap[0], cap[1], TRAVEL_M])
        return Move(up, 0.0, CLOSED, done=sight.tool_m[2] - cap[2] > 0.05)
    above = raised(cap, FINGER_TIP_M)
    aside, height = aside_of(sight.tool_m, above)
    if aside < 2 * ALIGNED_M and height < 0.01:
        return Move(raised(above, -0.02), 0.0, CLOSED, speed_m_s=0.06)
    return Move(funnel(sight, above, TRAVEL_M), 0.0, CLOSED)


def _hold_button(sight: Sight, memory: Memory) -> Move:
    cap = sight.places_m["button_cap"]
    if memory.pressed:
        return _push_button(sight, memory)
    above = raised(cap, FINGER_TIP_M)
    aside, height = aside_of(sight.tool_m, above)
    if aside < 2 * ALIGNED_M and height < 0.004:
        missing_n = HOLD_N - sight.button_force_n
        speed = float(np.clip(FORCE_GAIN_M_S_PER_N * missing_n, -0.02, 0.02))
        return Move(above, 0.0, CLOSED, press_m_s=speed)
    move_speed = 0.25 if height > 0.03 else 0.05
    return Move(funnel(sight, above, TRAVEL_M), 0.0, CLOSED, speed_m_s=move_speed)


def _open_drawer(sight: Sight, memory: Memory) -> Move:
    handle = sight.places_m["drawer_handle"]
    aside, height = aside_of(sight.tool_m, handle)
    around = aside < 0.015 and abs(height) < 0.012
    if memory.shut_x_m - sight.places_m["drawer"][0] > PULL_M:
        if around and sight.opening < LET_GO:
            return let_go(sight)
        up = np.array([*sight.tool_m[:2], TRAVEL_M])
        return Move(up, 0.0, OPEN, done=height > 0.05)
    if around and min(sight.touch_n) > HELD_TOUCH_N:
        return Move(sight.tool_m - (0.06, 0.0, 0.0), 0.0, CLOSED, speed_m_s=0.15)
    if around and (aside < ALIGNED_M or sight.opening < 0.9):
        return Move(handle, 0.0, CLOSED)
    return Move(funnel(sight, handle, TRAVEL_M), 0.0, OPEN)

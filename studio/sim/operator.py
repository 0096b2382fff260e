"""The scripted operator: a teleoperator that does the tasks as a person at a SpaceMouse would.

It gives the same six axes, clutch and gripper as the device, looks only at the recorded streams,
takes its goal from the words of the instruction and the scene in which it first hears them, and
follows when they are edited. It may have a style of its own, and can be told to err like a person.
Knows no simulator and no station.
"""

import math
from typing import Any

import numpy as np

from recorders.clock import Clock
from studio.devices.interfaces import idle_input
from studio.devices.mapping import AxisMapping
from studio.sim.human_errors import CLUMSY, PERTURBED, Errors
from studio.sim.instructions import (
    Goal,
    InstructionError,
    Request,
    draw_request,
    request_from_instruction,
)
from studio.sim.moves import Move
from studio.sim.reference import resolve
from studio.sim.scripted_teleoperator import ScriptedTeleoperator
from studio.sim.sight import Sight, look
from studio.sim.skills import Memory, next_move
from studio.sim.styles import PLAIN, draw_style, styled

POINTING_DOWN = np.array([0.0, 1.0, 0.0, 0.0])      # tool x ahead, z down
APPROACH_PER_S = 5.0            # speed per distance: slows down over the last 5 cm
TURN_PER_S = 4.0
HAND_S = 0.15                   # from rest to full deflection: a hand has inertia
JUMP_M = 0.05                   # in one tick: nothing on the table is that fast
AT_REST = 0.012                 # of full deflection; below it a hand lets go


class ScriptedOperator(ScriptedTeleoperator):
    """Drives the arm to whatever the instruction says.

    Args:
        task: done when the feedback carries no instruction; None: idle without one.
        errors: how it errs; None is a perfect hand without corrective labels.
        seed: of its errors and style; the same seed and the same feedback give the same inputs.
        mapping: from axes to twist; the operator presses what gives the twist that it wants.
        many_styles: every episode is done in a style drawn from its seed, as if by other people.

    Attributes:
        done: the goal is reached and the arm is out of the way.
        problem: empty, or why it does nothing.
    """

    name = "scripted"

    def __init__(self, task: str | None = None, errors: Errors | None = None, seed: int = 0,
                 mapping: AxisMapping | None = None, many_styles: bool = False) -> None:
        super().__init__(errors, seed, mapping or AxisMapping(), inertia_s=HAND_S, at_rest=AT_REST)
        self._task, self._many_styles = task, many_styles
        self.begin(seed)

    @property
    def feedback_features(self) -> dict[str, type]:
        """What `send_feedback` needs every tick."""
        return {"stamp_ns": int, "instruction": str, "task": str, "rows": dict}

    @property
    def erring(self) -> str:
        """The error that is going on: "pause", "overshoot", "noise", or empty."""
        return "" if self._hand is None else self._hand.erring

    def begin(self, seed: int) -> None:
        """Start an episode afresh: errors from this seed, nothing remembered of the last one."""
        super().begin(seed)
        self._style = draw_style(seed) if self._many_styles else PLAIN
        self._request = None if self._task is None else draw_request(self._task, self._rng)[0]
        self._goal: Goal | None = None
        self._meant: Request | None = None      # what the goal was taken from
        self._memory, self._instruction = Memory(), ""
        self._last_seen: Sight | None = None
        self.done, self.problem = False, ""

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Look at the scene and decide what the hand does.

        Args:
            feedback: `stamp_ns`, `instruction`, `task` and `rows`, the newest structured rows of
                the streams "arm", "contact" and "sim" by name; unknown keys are ignored.
        """
        if not self._connected or "stamp_ns" not in feedback:
            return
        stamp_ns = int(feedback["stamp_ns"])
        since_s = self._since_last_s(stamp_ns)
        self._listen(str(feedback.get("instruction", "")))
        rows = feedback.get("rows", {})
        missing = [name for name in ("arm", "contact", "sim") if name not in rows]
        if missing:
            self.problem = f"no sample yet of the streams {', '.join(missing)}"
        if self._request is None or missing:
            self._input = idle_input(stamp_ns)
            return
        self.problem = ""
        sight = look(rows)
        if self._last_seen is not None and _scene_changed(self._last_seen, sight):
            self._memory, self._meant, self.done = Memory(), None, False
        self._last_seen = sight
        if (goal := self._goal_in(sight, self._request)) is None:
            self._input = idle_input(stamp_ns)
            return
        self._memory.watch(sight, goal, since_s)
        move = next_move(sight, goal, self._memory)
        self.done = bool(move.done)
        move = styled(move, sight, self._style)
        self._input = self._press(wanted_twist(move, sight), move.gripper, stamp_ns, since_s,
                                  sight.braced)

    def _listen(self, instruction: str) -> None:
        """Take a request from the words, once for every new text."""
        if instruction == self._instruction or not instruction:
            return
        self._instruction = instruction
        try:
            self._request = request_from_instruction(instruction)
        except InstructionError as error:
            self._request, self.problem = None, str(error)

    def _goal_in(self, sight: Sight, request: Request) -> Goal | None:
        """What the request means in the scene as it was when it was first seen with it."""
        if request == self._meant:
            return self._goal
        try:
            goal = resolve(request, sight.places_m)
        except InstructionError as error:
            self.problem = str(error)
            return None
        if goal != self._goal:
            self._memory, self.done = Memory(), False
        self._goal, self._meant = goal, request
        return goal


def wanted_twist(move: Move, sight: Sight) -> np.ndarray:
    """(6,) m/s and rad/s in the world frame that bring the tool to where the move wants it."""
    velocity = APPROACH_PER_S * (move.target_m - sight.tool_m)
    velocity *= min(1.0, move.speed_m_s / max(float(np.linalg.norm(velocity)), 1e-9))
    if move.press_m_s is not None:
        velocity[2] = -move.press_m_s
    half = move.yaw_rad / 2
    wanted = _product(np.array([math.cos(half), 0.0, 0.0, math.sin(half)]), POINTING_DOWN)
    error = _product(wanted, sight.tool_quat * (1.0, -1.0, -1.0, -1.0))
    error *= 1.0 if error[0] >= 0.0 else -1.0           # the short way round
    return np.concatenate([velocity, TURN_PER_S * 2.0 * error[1:]])


def _scene_changed(before: Sight, now: Sight) -> bool:
    """Whether something moved further between two looks than anything can: a new episode."""
    pairs = [(now.tool_m, before.tool_m)]
    pairs += [(place, before.places_m[name]) for name, place in now.places_m.items()]
    return any(math.dist(there, here) > JUMP_M for there, here in pairs)


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Product of two quaternions (w, x, y, z)."""
    w, x, y, z = left
    a, b, c, d = right
    return np.array([w * a - x * b - y * c - z * d, w * b + x * a + y * d - z * c,
                     w * c + y * a + z * b - x * d, w * d + z * a + x * c - y * b])


def scripted_operator(clock: Clock, *, seed: int = 0, clumsy: bool = False,
                      perturbed: bool = False, many_styles: bool = False) -> ScriptedOperator:
    """The operator as `--teleop scripted` knows it; the clock is in its feedback.

    Args:
        clock: not used.
        seed: of its errors and styles.
        clumsy: whether it errs as a beginner does.
        perturbed: whether it is pushed off its way on purpose; not together with `clumsy`.
        many_styles: whether every episode is done in a style of its own.
    """
    errors = PERTURBED if perturbed else CLUMSY if clumsy else None
    return ScriptedOperator(errors=errors, seed=seed, many_styles=many_styles)

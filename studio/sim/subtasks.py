"""What a task asks for at this moment, in a few words: the label that System 2 learns to say.

"<verb> <what moves> for <where it goes>". The goal stays in every sub-task, so that a policy that
hears an old one still knows where all this leads; a cube is named by its colour even where the
instruction only describes it, because finding out which one is meant is what System 2 is for. Knows
goals, phases, and how both stand in a row of the stream "sim"; knows no scene.
"""

from typing import Any

import numpy as np

from recorders.streams import Column
from studio.sim.instructions import COLOURS, Goal
from studio.sim.tasks import STAGES, phases_of, stages_of

_NO_GOAL = "none"
_KINDS = (_NO_GOAL, *STAGES)
_CUBES = ("", *COLOURS)

# The goal in numbers; every column says what its numbers mean.
GOAL_COLUMNS = (
    Column(name="goal", dtype="u1", values=_KINDS),
    Column(name="goal_cubes", dtype="u1", shape=(3,), names=("colour", "onto", "then"),
           values=_CUBES),
)


def write_goal(row: np.ndarray, goal: Goal | None) -> None:
    """Put a goal into a row (1,) that has the columns `GOAL_COLUMNS`."""
    if goal is not None:
        row["goal"] = _KINDS.index(goal.task)
        row["goal_cubes"] = [_CUBES.index(cube) for cube in (goal.colour, goal.onto, goal.then)]


def goal_in(row: Any) -> Goal | None:
    """The goal in a row of the stream "sim"; None for a simulator that does not tell one."""
    if "goal" not in row.dtype.names or not row["goal"]:
        return None
    return Goal(_KINDS[int(row["goal"])], *(_CUBES[int(cube)] for cube in row["goal_cubes"]))


def subtask_in(row: Any) -> str:
    """The words for what a row of the stream "sim" shows; empty if it tells no goal."""
    goal = goal_in(row)
    return "" if goal is None else subtask(goal, int(row["phase"]))


def subtask(goal: Goal, phase: int) -> str:
    """The words for a phase on the way to a goal.

    Args:
        goal: what the instruction means in this scene.
        phase: index into `phases_of(goal)`.
    """
    verb, stages = phases_of(goal)[phase], stages_of(goal)
    if verb == "done":
        last = [stage for stage in stages if stage.lasting] or list(stages)
        return f"done {last[-1].matter}"
    for stage in stages:
        if phase < len(stage.phases):
            return f"{verb} {stage.matter}"
        phase -= len(stage.phases)
    raise AssertionError("a phase that is not done belongs to a stage")

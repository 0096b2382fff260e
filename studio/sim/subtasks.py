"""What a task asks for at this moment, in a few words: the label that System 2 learns to say.

"<verb> <what moves> for <where it goes>". The goal stays in every sub-task, so that a policy that
hears an old one still knows where all this leads. Knows goals and phases; knows no scene.
"""

from studio.sim.instructions import Goal, InstructionError, goal_from_instruction
from studio.sim.tasks import phases_of

_PLACES = {"put-cube-in-bin": "bin", "bin-then-button": "bin"}


def subtask(goal: Goal, phase: int) -> str:
    """The words for a phase on the way to a goal.

    Args:
        goal: what the instruction means in this scene.
        phase: index into `phases_of(goal)`.
    """
    phases = phases_of(goal)
    verb = phases[phase]
    if verb == "done":
        return f"done {_matter(goal, cube=bool(goal.colour))}"
    # The stage of a cube has four phases; what follows it is the button's.
    return f"{verb} {_matter(goal, cube=bool(goal.colour) and phase < 4)}"


def subtask_of(instruction: str, phase: int) -> str:
    """The same from an instruction's words; empty if they name no goal or no such phase."""
    try:
        goal = goal_from_instruction(instruction)
    except InstructionError:
        return ""
    return subtask(goal, phase) if phase < len(phases_of(goal)) else ""


def _matter(goal: Goal, *, cube: bool) -> str:
    if cube:
        place = f"{goal.onto} cube" if goal.onto else _PLACES[goal.task]
        return f"{goal.colour} cube for {place}"
    return "drawer" if goal.task == "open-drawer" else "button"

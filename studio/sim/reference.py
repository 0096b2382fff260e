"""Which cube the words mean in this scene: reference resolution.

"The cube nearest the drawer" is green in one scene and red in the next; a goal names colours only.
Knows horizontal distances between named places. Refuses to know where those come from: the judge
takes them from the simulator, the scripted operator from what it sees.
"""

import math
from collections.abc import Mapping

import numpy as np

from studio.sim.instructions import (
    COLOURS,
    Described,
    Goal,
    InstructionError,
    Request,
    request_from_instruction,
)

Places = Mapping[str, np.ndarray]       # (3,) m by name: "cube_red", "bin", "button", …
CLEAR_M = 0.03              # no scene of a task leaves its answer to less than this
AMBIGUOUS_M = 0.01          # a person's words are refused only below this

_LANDMARK_PLACES = {"drawer": "drawer_handle", "button": "button", "bin": "bin",
                    **{colour: f"cube_{colour}" for colour in COLOURS}}
# What a request of these tasks comes to once it is known which cube is meant.
_COMES_TO = {"bin-by-place": "put-cube-in-bin", "stack-by-place": "stack-cubes",
             "stack-odd": "stack-cubes"}


def resolve(request: Request, places: Places) -> Goal:
    """What a request means in a scene.

    Raises:
        InstructionError: two cubes fit its description about equally well.
    """
    colour = request.colour
    if request.which is not None:
        colour, gap_m = _ranked(request.which, places)
        if gap_m < AMBIGUOUS_M:
            raise InstructionError(
                f"'{request.which.relation}' is not clear in this scene: two cubes are about as "
                f"far from the {request.which.landmark} ({1000 * gap_m:.0f} mm between them). "
                "Name the cube by its colour")
    return Goal(kind_of(request.task), colour, request.onto, request.then)


def kind_of(task: str) -> str:
    """What is to be done in a task, without how its cube is named: `Goal.task` of its goals."""
    return _COMES_TO.get(task, task)


def goal_from_instruction(text: str, places: Places) -> Goal:
    """Understand an instruction in a scene.

    Raises:
        InstructionError: the text asks for nothing, or for nothing definite in this scene.
    """
    return resolve(request_from_instruction(text), places)


def gap_m(request: Request, places: Places) -> float:
    """By how much the cube that is meant fits better than the next; infinite for a colour."""
    return math.inf if request.which is None else _ranked(request.which, places)[1]


def _ranked(which: Described, places: Places) -> tuple[str, float]:
    """The colour of the cube that is meant, and how much better it fits than the second, m."""
    landmark = places[_LANDMARK_PLACES[which.landmark]]
    sign = 1.0 if which.relation == "nearest" else -1.0
    ranked = sorted((sign * math.dist(places[f"cube_{colour}"][:2], landmark[:2]), colour)
                    for colour in COLOURS if colour != which.landmark)
    return ranked[0][1], ranked[1][0] - ranked[0][0]

"""What a person may ask for: goals, the phrasings that name them, and how text becomes a goal.

Knows the words. Refuses to know the scene, physics or the arm: importing it costs nothing, so that
a console can check an instruction while it is being typed.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
import numpy as np

COLOURS: tuple[str, ...] = ("red", "green", "blue")

# Several ways to say the same thing, so that a policy learns the meaning and not the sentence.
PHRASINGS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "put-cube-in-bin": (
        "put the {colour} cube in the bin",
        "place the {colour} block into the bin",
        "pick up the {colour} cube and drop it in the bin",
        "the {colour} cube goes into the bin",
    ),
    "stack-cubes": (
        "stack the {colour} cube on the {onto} cube",
        "put the {colour} cube on top of the {onto} one",
        "place the {colour} block onto the {onto} block",
    ),
    "push-button": (
        "push the button",
        "press the button",
        "push the button down until it clicks",
    ),
    "open-drawer": (
        "open the drawer",
        "pull the drawer open",
        "pull out the drawer",
    ),
    "press-force": (
        "press and hold the button with a steady force",
        "hold the button down gently for a second",
        "keep a light, steady force on the button",
    ),
    "bin-then-button": (
        "put the {colour} cube in the bin, then push the button",
        "first place the {colour} block into the bin and then press the button",
        "drop the {colour} cube in the bin and push the button afterwards",
    ),
})

_COLOUR = "|".join(COLOURS)
_ONTO = re.compile(rf"\b(?:on|onto|atop|over|upon)\b(?: top of)?(?: the| a)? ({_COLOUR})\b")
_CONTAINER = re.compile(r"\b(?:bin|box|container)\b")
_BUTTON = re.compile(r"\bbutton\b")
_DRAWER = re.compile(r"\bdrawer\b")
_STEADY = re.compile(r"\b(?:hold|force|steady|steadily|gently|keep)\b")
_AFTER = re.compile(r"\bafter (?!that\b|this\b|which\b)")
_NEGATION = re.compile(r"\b(?:not|never|without|close|shut)\b|n't\b")


class Goal(msgspec.Struct, frozen=True):
    """What shall be true in the end.

    Attributes:
        task: a name in `PHRASINGS`.
        colour: of the cube that moves; empty for a task without one.
        onto: of the cube underneath; empty except for stacking.
    """

    task: str
    colour: str = ""
    onto: str = ""


class InstructionError(ValueError):
    """The text names no goal that the scene can fulfil; the message shows what would."""


def draw_goal(task: str, rng: np.random.Generator) -> tuple[Goal, str]:
    """Colours and words at random: a goal of the task and one of its phrasings."""
    templates = PHRASINGS[task]
    first, second = (str(colour) for colour in rng.permutation(COLOURS)[:2])
    template = templates[int(rng.integers(len(templates)))]
    goal = Goal(task, first if "{colour}" in template else "",
                second if "{onto}" in template else "")
    return goal, template.format(colour=first, onto=second)


def instructions_of(task: str) -> tuple[str, ...]:
    """Every phrasing of a task with every colour, for listings and tests."""
    goals = [Goal(task, colour, onto) for colour in COLOURS for onto in COLOURS if colour != onto]
    spoken = [template.format(colour=goal.colour, onto=goal.onto)
              for template in PHRASINGS[task] for goal in goals]
    return tuple(dict.fromkeys(spoken))


def goal_from_instruction(text: str) -> Goal:
    """Understand an instruction by its key words.

    Args:
        text: English, any case, in our phrasings or near to them.

    Returns:
        The goal that the text names.

    Raises:
        InstructionError: nothing or more than one thing is named; the message gives examples.
    """
    said = " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())
    colours = tuple(dict.fromkeys(re.findall(rf"\b({_COLOUR})\b", said)))
    binned, button, onto = _CONTAINER.search(said), _BUTTON.search(said), _ONTO.search(said)
    drawer = _DRAWER.search(said)
    if _NEGATION.search(said):
        raise _not_understood(text, "it says what not to do")
    if drawer and not (colours or binned or button):
        return Goal("open-drawer")
    if len(colours) == 1 and binned and not drawer:
        if button and (button.start() < binned.start()) != bool(_AFTER.search(said)):
            raise _not_understood(text, "the button can only be pushed after the cube is in")
        return Goal("bin-then-button" if button else "put-cube-in-bin", colours[0])
    if len(colours) == 2 and onto and not (binned or button or drawer):
        moving = next(colour for colour in colours if colour != onto.group(1))
        return Goal("stack-cubes", moving, onto.group(1))
    if button and not (colours or binned or drawer):
        return Goal("press-force" if _STEADY.search(said) else "push-button")
    raise _not_understood(text, "it names no single goal")


def _not_understood(text: str, why: str) -> InstructionError:
    examples = "; ".join(templates[0].format(colour="red", onto="blue")
                         for templates in PHRASINGS.values())
    return InstructionError(f"the instruction {text!r} was not understood: {why}. "
                            f"Say for example: {examples}. Colours: {', '.join(COLOURS)}")

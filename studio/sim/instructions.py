"""What a person may ask for: requests, the words that name them, and how text becomes a request.

A cube is named by its colour or described by where it stands ("the cube nearest the drawer"); which
one that is can only be told from the scene (see `reference`). Knows the words. Refuses to know the
scene, physics or the arm: importing it costs nothing, so that a console can check an instruction
while it is being typed.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from studio.sim.phrasings import HELD_OUT_PHRASINGS, PHRASINGS

COLOURS: tuple[str, ...] = ("red", "green", "blue")
Relation = Literal["nearest", "farthest"]
RELATIONS: tuple[Relation, ...] = ("nearest", "farthest")
LANDMARKS: tuple[str, ...] = ("drawer", "button", "bin")

_SAID: Mapping[Relation, dict[str, str]] = {
    "nearest": {"nearest": "nearest the", "closest": "closest to the"},
    "farthest": {"nearest": "farthest from the", "closest": "furthest from the"}}
_COLOUR = "|".join(COLOURS)
_WHICH = re.compile(
    rf"\b(?:(nearest|closest)(?: to)?|(?:farthest|furthest)(?: away)? from)"
    rf"(?: the| a)? ({'|'.join(LANDMARKS)}|{_COLOUR})\b")
_NEITHER = re.compile(rf"\b(?:neither(?: the)? ({_COLOUR}) nor(?: the)? ({_COLOUR})"
                      rf"|not ({_COLOUR}) and not ({_COLOUR}))\b")
_ONTO = re.compile(rf"\b(?:on|onto|atop|over|upon)\b(?: top of)?(?: the| a)? ({_COLOUR}|it)\b")
_CONTAINER = re.compile(r"\b(?:bin|box|container)\b")
_BUTTON = re.compile(r"\bbutton\b")
_DRAWER = re.compile(r"\bdrawer\b")
_STEADY = re.compile(r"\b(?:hold|force|steady|steadily|gently|keep)\b")
_THEN = re.compile(r"\b(?:then|after|afterwards)\b")
_AFTER = re.compile(r"\bafter (?!that\b|this\b|which\b)")
_NEGATION = re.compile(r"\b(?:not|never|without|close|shut|neither)\b|n't\b")


class Goal(msgspec.Struct, frozen=True):
    """What shall be true in the end, every cube by its colour.

    Attributes:
        task: what is to be done, a name in `studio.sim.tasks.STAGES`.
        colour: of the cube that moves; empty for a task without one.
        onto: of the cube underneath; empty except for stacking.
        then: of the cube that follows; empty except for a sequence of cubes.
    """

    task: str
    colour: str = ""
    onto: str = ""
    then: str = ""


class Described(msgspec.Struct, frozen=True):
    """A cube named by where it stands.

    Attributes:
        relation: to the landmark, among the cubes that are not it.
        landmark: out of `LANDMARKS`, or the colour of a cube.
    """

    relation: Relation
    landmark: str


class Request(msgspec.Struct, frozen=True):
    """What the words ask for.

    Attributes:
        task: a name in `PHRASINGS`.
        colour, onto, then: as in `Goal`; `colour` is empty where `which` stands for it.
        which: describes the cube that moves.
    """

    task: str
    colour: str = ""
    onto: str = ""
    then: str = ""
    which: Described | None = None


class InstructionError(ValueError):
    """The text names no goal that the scene can fulfil; the message shows what would."""


def draw_request(task: str, rng: np.random.Generator) -> tuple[Request, str]:
    """Colours, relation and words at random: a request of the task and one of its phrasings."""
    first, second = (str(colour) for colour in rng.permutation(COLOURS)[:2])
    template = PHRASINGS[task][int(rng.integers(len(PHRASINGS[task])))]
    matching = [request for request in requests_of(task)
                if request.colour in ("", first) and request.onto in ("", second)
                and request.then in ("", second)]
    request = matching[int(rng.integers(len(matching)))] if len(matching) > 1 else matching[0]
    return request, worded(request, template)


def held_out_words(request: Request, rng: np.random.Generator) -> str:
    """The same request in words that no demonstration uses."""
    templates = HELD_OUT_PHRASINGS[request.task]
    return worded(request, templates[int(rng.integers(len(templates)))])


def requests_of(task: str) -> tuple[Request, ...]:
    """Everything that a task may ask for."""
    blanks = "".join(PHRASINGS[task])
    if "{landmark}" in blanks:
        return tuple(Request(task, which=Described(relation, landmark))
                     for relation in RELATIONS for landmark in LANDMARKS)
    if "{nearest}" in blanks:
        return tuple(Request(task, onto=onto, which=Described(relation, onto))
                     for relation in RELATIONS for onto in COLOURS)
    pairs = itertools.permutations(COLOURS, 2)
    if "{onto}" in blanks:
        return tuple(Request(task, colour, onto=onto) for colour, onto in pairs)
    if "{then}" in blanks:
        return tuple(Request(task, colour, then=then) for colour, then in pairs)
    return tuple(Request(task, colour) for colour in (COLOURS if "{colour}" in blanks else ("",)))


def worded(request: Request, template: str) -> str:
    """A template's blanks filled in."""
    which = request.which
    third = next((c for c in COLOURS if c not in (request.colour, request.onto)), "")
    return template.format(
        colour=request.colour, onto=request.onto, then=request.then, third=third,
        **(_SAID[which.relation] | {"landmark": which.landmark} if which else {}))


def instructions_of(task: str, templates: Mapping[str, Sequence[str]] = PHRASINGS,
                    ) -> tuple[str, ...]:
    """Every phrasing of everything that a task may ask for, for listings and tests."""
    return tuple(dict.fromkeys(worded(request, template) for template in templates[task]
                               for request in requests_of(task)))


def held_out_instructions_of(task: str) -> tuple[str, ...]:
    """The same in the words that no demonstration uses."""
    return instructions_of(task, HELD_OUT_PHRASINGS)


def request_from_instruction(text: str) -> Request:
    """Understand an instruction by its key words.

    Args:
        text: English, any case, in our phrasings or near to them.

    Returns:
        What the text asks for.

    Raises:
        InstructionError: nothing or more than one thing is named; the message gives examples.
    """
    said = " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())
    which, said = _take_description(said)
    excluded, said = _take_exclusion(said)
    colours = tuple(dict.fromkeys(re.findall(rf"\b({_COLOUR})\b", said)))
    if _NEGATION.search(said):
        raise _not_understood(text, "it says what not to do")
    request = _furniture_request(said) if not (colours or which or excluded) else (
        _bin_request(text, said, colours, which) if _CONTAINER.search(said) and not excluded
        else _stack_request(said, colours, which, excluded))
    if request is None:
        raise _not_understood(text, "it names no single goal")
    return request


def _take_description(said: str) -> tuple[Described | None, str]:
    """Where the cube stands, and the text without that."""
    found = list(_WHICH.finditer(said))
    if len(found) != 1:
        return None, said
    match = found[0]
    described = Described("nearest" if match.group(1) else "farthest", match.group(2))
    return described, said[:match.start()] + said[match.end():]


def _take_exclusion(said: str) -> tuple[tuple[str, ...], str]:
    """The two colours that the cube has not, and the text without that."""
    if (match := _NEITHER.search(said)) is None:
        return (), said
    colours = tuple(dict.fromkeys(colour for colour in match.groups() if colour))
    return colours, said[:match.start()] + said[match.end():]


def _furniture_request(said: str) -> Request | None:
    binned, button, drawer = _CONTAINER.search(said), _BUTTON.search(said), _DRAWER.search(said)
    if drawer and not (binned or button):
        return Request("open-drawer")
    if button and not (binned or drawer):
        return Request("press-force" if _STEADY.search(said) else "push-button")
    return None


def _bin_request(text: str, said: str, colours: tuple[str, ...],
                 which: Described | None) -> Request | None:
    button, binned = _BUTTON.search(said), _CONTAINER.search(said)
    if _DRAWER.search(said) or _ONTO.search(said) or binned is None:
        return None
    if which and (colours or which.landmark in COLOURS):
        return None
    if button:
        button_first = (button.start() < binned.start()) != bool(_AFTER.search(said))
        if which or len(colours) != 1:
            return None
        return Request("button-then-bin" if button_first else "bin-then-button", colours[0])
    if which:
        return Request("bin-by-place", which=which)
    if len(colours) == 2 and _THEN.search(said):
        first, then = colours[::-1] if _AFTER.search(said) else colours
        return Request("bin-in-order", first, then=then)
    return Request("put-cube-in-bin", colours[0]) if len(colours) == 1 else None


def _stack_request(said: str, colours: tuple[str, ...], which: Described | None,
                   excluded: tuple[str, ...]) -> Request | None:
    onto = _ONTO.search(said)
    if onto is None or any(word.search(said) for word in (_CONTAINER, _BUTTON, _DRAWER)):
        return None
    below = which.landmark if which and onto.group(1) == "it" else onto.group(1)
    if below not in COLOURS or (which and excluded):
        return None
    others = tuple(colour for colour in colours if colour != below)
    if which and which.landmark == below and not others:
        return Request("stack-by-place", onto=below, which=which)
    if len(excluded) == 2 and below in excluded and not others:
        odd = next(colour for colour in COLOURS if colour not in excluded)
        return Request("stack-odd", odd, onto=below)
    if len(others) == 1 and not (which or excluded):
        return Request("stack-cubes", others[0], onto=below)
    return None


def _not_understood(text: str, why: str) -> InstructionError:
    examples = "; ".join(worded(requests_of(task)[0], templates[0])
                         for task, templates in PHRASINGS.items())
    return InstructionError(f"the instruction {text!r} was not understood: {why}. "
                            f"Say for example: {examples}. Colours: {', '.join(COLOURS)}")

"""The numbers that another project's policy feels, made of the parts that ours feel.

A form is words joined by "+", as "position+axis-angle+fingers": what is felt, in order. The words
are those of `WORDS`, and those of policy/data/proprioception.py, which are taken as they are. Every
form is computed from an observation's proprioception, so recording, driving and our own policies go
on to speak one language. Pure functions; knows no network and no wire.

Letters: P = numbers of our proprioception, D = joints + gripper.
"""

from collections.abc import Callable, Sequence
from typing import Self

import msgspec
import numpy as np

from policy import rotations
from policy.data.proprioception import PARTS

FINGER_M = 0.04             # how far each finger of a Panda's hand is open, as robosuite tells it
_KNOWN_WIDTHS = {"tool": 9, "gripper": 2, "lag": 3}     # the others depend on the robot


class Word(msgspec.Struct, frozen=True):
    """One word of a form.

    Attributes:
        part: of our proprioception, that it is made from.
        compute: from that part's numbers to its own.
        width: how many its own are; 0 or less: so many fewer than the part's.
        meaning: for lists of what is valid.
    """

    part: str
    compute: Callable[[np.ndarray], np.ndarray]
    width: int
    meaning: str


def _degrees(joints: np.ndarray) -> np.ndarray:
    return np.append(np.degrees(joints[:-1]), 100.0 * joints[-1])


def _quaternion(tool: np.ndarray) -> np.ndarray:
    """(4,) w x y z of the first two columns of a rotation's matrix."""
    first, second = tool[3:6], tool[6:9]
    matrix = np.stack([first, second, np.cross(first, second)], axis=1)
    trace = float(np.trace(matrix))
    if trace > 0:
        w = np.sqrt(1 + trace) / 2
        vector = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0],
                           matrix[1, 0] - matrix[0, 1]]) / (4 * w)
        return np.array([w, *vector])
    i = int(np.argmax(np.diag(matrix)))
    j, k = (i + 1) % 3, (i + 2) % 3
    large = np.sqrt(max(1 + matrix[i, i] - matrix[j, j] - matrix[k, k], 1e-12)) / 2
    found = np.zeros(4)
    found[0] = (matrix[k, j] - matrix[j, k]) / (4 * large)
    found[1 + i] = large
    found[1 + j] = (matrix[j, i] + matrix[i, j]) / (4 * large)
    found[1 + k] = (matrix[k, i] + matrix[i, k]) / (4 * large)
    return found if found[0] >= 0 else -found


WORDS: dict[str, Word] = {
    "joints": Word("joints", lambda felt: felt, 0, "joints in rad, then the gripper, 1 open"),
    "joints-deg": Word("joints", _degrees, 0,
                       "joints in degrees, then the gripper, 100 open"),
    "arm": Word("joints", lambda felt: felt[:-1], -1, "joints in rad, no gripper"),
    "arm-deg": Word("joints", lambda felt: np.degrees(felt[:-1]), -1,
                    "joints in degrees, no gripper"),
    "opening": Word("gripper", lambda felt: felt[:1], 1, "the gripper, 1 open"),
    "closing": Word("gripper", lambda felt: 1 - felt[:1], 1, "the gripper, 1 closed"),
    "fingers": Word("gripper", lambda felt: felt[0] * np.array([FINGER_M, -FINGER_M]), 2,
                    "two fingers in m, as robosuite has them"),
    "position": Word("tool", lambda felt: felt[:3], 3, "the tool's place in m"),
    "quaternion": Word("tool", _quaternion, 4, "its rotation, w x y z"),
    "axis-angle": Word("tool", lambda felt: rotations.to_vector(_quaternion(felt)[None])[0], 3,
                       "its rotation as a vector in rad"),
}


class StateForm(msgspec.Struct, frozen=True):
    """Words of a form, in order."""

    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """A form as it is written: "arm+opening".

        Raises:
            ValueError: naming the valid words.
        """
        words = tuple(word.strip() for word in text.split("+"))
        if wrong := [word for word in words if word not in WORDS and word not in PARTS]:
            meant = ", ".join(f"{name} ({word.meaning})" for name, word in WORDS.items())
            raise ValueError(f"no such numbers: {', '.join(map(repr, wrong))}; valid, joined by +, "
                             f"are {meant}, and {', '.join(PARTS.keys() - WORDS.keys())}")
        return cls(words)

    @property
    def text(self) -> str:
        """As `parse` reads it."""
        return "+".join(self.words)

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of our proprioception that it needs."""
        return tuple(dict.fromkeys(WORDS[w].part if w in WORDS else w for w in self.words))


class Felt:
    """Takes our proprioception apart for forms.

    Args:
        forms: all that will be asked for.

    Attributes:
        parts: for `PolicySpec.proprioception`; those whose width is the robot's come last.

    Raises:
        ValueError: two of them have widths that only the robot knows.
    """

    def __init__(self, forms: Sequence[StateForm]) -> None:
        wanted = dict.fromkeys(part for form in forms for part in form.parts)
        open_ended = [part for part in wanted if part not in _KNOWN_WIDTHS]
        if len(open_ended) > 1:
            raise ValueError(f"{' and '.join(open_ended)} cannot both be felt by another project's "
                             "policy: leave one out")
        self.parts = (*(part for part in wanted if part in _KNOWN_WIDTHS), *open_ended)

    def numbers(self, form: StateForm, proprioception: np.ndarray) -> np.ndarray:
        """(width of the form,) f4 out of (P,)."""
        places, begin = {}, 0
        for part in self.parts:
            end = begin + _KNOWN_WIDTHS.get(part, len(proprioception) - begin)
            places[part], begin = proprioception[begin:end].astype(np.float64), end
        felt = [WORDS[word].compute(places[WORDS[word].part]) if word in WORDS else places[word]
                for word in form.words]
        return np.concatenate(felt).astype(np.float32)

"""How people say what the arm shall do: templates to learn from, and templates kept back.

Knows words only. A template's blanks: {colour} of the cube that moves, {onto} of the one
underneath, {then} of the second cube of a sequence, {third} of the one that is neither; {nearest}
and {closest} become a relation ("nearest the", "furthest from the") and {landmark} what it is
measured from.
"""

from collections.abc import Mapping
from types import MappingProxyType

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
    "button-then-bin": (
        "push the button, then put the {colour} cube in the bin",
        "first press the button and then place the {colour} block into the bin",
        "push the button and drop the {colour} cube in the bin afterwards",
    ),
    "bin-in-order": (
        "put the {colour} cube in the bin, then the {then} cube",
        "first place the {colour} block into the bin and then the {then} block",
        "drop the {colour} cube and after that the {then} one in the bin",
    ),
    "bin-by-place": (
        "put the cube {nearest} {landmark} in the bin",
        "pick up the cube {closest} {landmark} and drop it in the bin",
        "the block {closest} {landmark} goes into the bin",
    ),
    "stack-by-place": (
        "stack the cube {nearest} {onto} cube on top of it",
        "put the block {closest} {onto} block onto the {onto} block",
        "place the cube {nearest} {onto} one on the {onto} cube",
    ),
    "stack-odd": (
        "stack the cube that is neither {third} nor {onto} on the {onto} cube",
        "the cube that is neither {onto} nor {third} goes on top of the {onto} one",
        "put the block that is not {third} and not {onto} onto the {onto} block",
    ),
})

# Understood, and never drawn: a policy that was trained on the others has not heard them.
HELD_OUT_PHRASINGS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "put-cube-in-bin": (
        "drop the {colour} block in the bin",
        "pick up the {colour} block and place it into the bin",
    ),
    "stack-cubes": (
        "stack the {colour} block on top of the {onto} cube",
        "place the {colour} cube on the {onto} one",
    ),
    "push-button": (
        "press the button down",
        "press down the button until it clicks",
    ),
    "open-drawer": (
        "pull open the drawer",
        "pull the drawer out",
    ),
    "press-force": (
        "hold the button with a light, steady force",
        "press the button gently and hold it down for a second",
    ),
    "bin-then-button": (
        "first drop the {colour} cube in the bin, then press the button",
        "place the {colour} block into the bin and push the button afterwards",
    ),
    "button-then-bin": (
        "first push the button, then drop the {colour} block in the bin",
        "press the button and put the {colour} cube in the bin afterwards",
    ),
    "bin-in-order": (
        "put the {colour} cube and then the {then} one in the bin",
        "first drop the {colour} block in the bin, then the {then} block",
    ),
    "bin-by-place": (
        "place the block {nearest} {landmark} into the bin",
        "drop the cube {closest} {landmark} in the bin",
    ),
    "stack-by-place": (
        "stack the block {closest} {onto} block on top of it",
        "put the cube {nearest} {onto} cube on the {onto} one",
    ),
    "stack-odd": (
        "place the cube that is neither {third} nor {onto} on top of the {onto} one",
        "stack the block that is not {third} and not {onto} on the {onto} block",
    ),
})

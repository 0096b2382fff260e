"""Transformers by name; each is imported only when it is asked for.

Knows which there are and what they want to be told; knows none of them.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from torch import nn

from policy.words import WordTokenizer

Builder = Callable[..., nn.Module]


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy tells the transformer that it is built on.

    Attributes:
        words: what it can read and say, for one that brings no language of its own.
        picture_size: (height, width) in pixels.
        cameras: V.
    """

    words: Sequence[str]
    picture_size: tuple[int, int]
    cameras: int


def build(name: str, surroundings: Surroundings, options: Mapping[str, Any] | None = None
          ) -> nn.Module:
    """A `policy.backbones.interface.Backbone`.

    Args:
        name: one of BACKBONES.
        surroundings: what the policy says.
        options: the keyword arguments of what makes it.

    Raises:
        ValueError: for a name or an option that there is not, naming those that there are.
        MissingPackage: if what it is made of is not installed, saying how to install it.
    """
    if name not in BACKBONES:
        raise ValueError(f"no backbone is called {name!r}: choose one of {', '.join(BACKBONES)}")
    options, builder = options or {}, BACKBONES[name](surroundings)
    known = [parameter.name for parameter in inspect.signature(builder).parameters.values()
             if parameter.kind is parameter.KEYWORD_ONLY]
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"the backbone {name} has no option {', '.join(unknown)}: it has "
                         + ", ".join(known))
    return builder(**options)


def settled(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as a checkpoint must say them: without what depends on what is installed here."""
    if name != "compact-pretrained":
        return dict(options)
    from policy.backbones.compact_pretrained import settled as chosen

    encoders = chosen(options.get("text", "auto"), options.get("pictures", "auto"))
    return {**options, "text": encoders.text, "pictures": encoders.pictures}


def _compact(given: Surroundings) -> Builder:
    from policy.backbones.compact import Compact

    return partial(Compact, WordTokenizer(given.words), given.picture_size, given.cameras)


def _compact_pretrained(given: Surroundings) -> Builder:
    from policy.backbones.compact_pretrained import compact_pretrained

    return partial(compact_pretrained, given.words, given.picture_size, given.cameras)


def _smollm2(given: Surroundings) -> Builder:
    from policy.backbones.smollm2 import smollm2

    return partial(smollm2, given.picture_size, given.cameras)


def _smolvlm2(given: Surroundings) -> Builder:
    from policy.backbones.vlm_models import SMOLVLM2, vlm

    return partial(vlm, model=SMOLVLM2)


def _paligemma(given: Surroundings) -> Builder:
    from policy.backbones.vlm_models import PALIGEMMA, vlm

    return partial(vlm, model=PALIGEMMA)


def _llama(given: Surroundings) -> Builder:
    from policy.backbones.vlm_models import PRISMATIC_NUMBERS, vlm

    return partial(vlm, model=PRISMATIC_NUMBERS)


# Name in a configuration to what makes it. A new backbone is a file, and two lines here.
BACKBONES: dict[str, Callable[[Surroundings], Builder]] = {
    "compact": _compact,
    "compact-pretrained": _compact_pretrained,
    "smollm2": _smollm2,
    "smolvlm2": _smolvlm2,
    "paligemma": _paligemma,
    "llama": _llama,
}

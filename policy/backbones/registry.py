"""Transformers by name; each is imported only when it is asked for.

Knows which there are and what they want to be told; knows none of them.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from torch import nn

from policy.words import WordTokenizer


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
        options: the rest, after the builder's own keyword arguments.

    Raises:
        ValueError: for a name or an option that there is not, naming those that there are.
        MissingPackage: if what it is made of is not installed, saying how to install it.
    """
    if name not in BACKBONES:
        raise ValueError(f"no backbone is called {name!r}: choose one of {', '.join(BACKBONES)}")
    builder, options = BACKBONES[name], dict(options or {})
    known = [option for option in inspect.signature(builder).parameters if option != "given"]
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"the backbone {name} has no option {', '.join(unknown)}: it has "
                         + ", ".join(known))
    return builder(surroundings, **options)


def _compact(given: Surroundings, *, width: int = 128, blocks: int = 4, heads: int = 4,
             ratio: int = 3) -> nn.Module:
    from policy.backbones.compact import Compact

    return Compact(WordTokenizer(given.words), given.picture_size, given.cameras, width=width,
                   blocks=blocks, heads=heads, ratio=ratio)


def _compact_pretrained(given: Surroundings, *, text: str = "auto", pictures: str = "auto",
                        width: int = 128, blocks: int = 4, heads: int = 4, ratio: int = 3
                        ) -> nn.Module:
    from policy.backbones.compact_pretrained import compact_pretrained

    return compact_pretrained(given.words, given.picture_size, given.cameras, text=text,
                              pictures=pictures, width=width, blocks=blocks, heads=heads,
                              ratio=ratio)


def _smollm2(given: Surroundings, *, blocks: int = 30, learns: str = "adapters", rank: int = 8
             ) -> nn.Module:
    from policy.backbones.smollm2 import smollm2

    return smollm2(given.picture_size, given.cameras, blocks=blocks, learns=learns, rank=rank)


def _smolvlm2(given: Surroundings, *, model: str | dict[str, Any] | None = None,
              learns: str = "adapters", rank: int = 16, dtype: str = "float32",
              device: str = "cpu") -> nn.Module:
    from policy.backbones.vlm_models import SMOLVLM2, vlm

    return vlm(model or SMOLVLM2, learns=learns, rank=rank, dtype=dtype, device=device)


def _paligemma(given: Surroundings, *, model: str | dict[str, Any] | None = None,
               learns: str = "adapters", rank: int = 16, dtype: str = "float32",
               device: str = "cpu") -> nn.Module:
    from policy.backbones.vlm_models import PALIGEMMA, vlm

    return vlm(model or PALIGEMMA, learns=learns, rank=rank, dtype=dtype, device=device)


def _llama(given: Surroundings, *, model: str | dict[str, Any] | None = None,
           towers: str | None = None, learns: str = "adapters", rank: int = 16,
           dtype: str = "float32", device: str = "cpu") -> nn.Module:
    from policy.backbones.vlm_models import PRISMATIC_NUMBERS, vlm

    return vlm(model or PRISMATIC_NUMBERS, towers=towers, learns=learns, rank=rank, dtype=dtype,
               device=device)


# Name in a configuration to builder. A new backbone is a file and a line here.
BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "compact": _compact,
    "compact-pretrained": _compact_pretrained,
    "smollm2": _smollm2,
    "smolvlm2": _smolvlm2,
    "paligemma": _paligemma,
    "llama": _llama,
}

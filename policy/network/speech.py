"""System 2 says what is to be done now, a word at a time.

Letters as in dual_system.py: B batch, S tokens, Q latents, d width.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from policy.backbones.interface import Cache

if TYPE_CHECKING:
    from policy.network.dual_system import DualSystem


class Spoken(NamedTuple):
    """Words of B rows, how likely each word was, and the entropy it was chosen from, in nats."""

    words: list[list[int]]
    likely: list[list[float]]
    entropy: list[list[float]]


def saying(model: "DualSystem", z: Tensor, trunk_cache: Cache, known: Tensor,
           hints: Tensor | None = None, most: int = 10) -> Iterator[Spoken]:
    """Let System 2 speak, always the likeliest word; one word a step, so that who drives may let
    System 1 in between.

    Args:
        z: (B, Q, d).
        trunk_cache: keys and values of the trunk over System 2's tokens.
        known: (B, 1, 1, S) of these tokens.
        hints: what `DualSystem.hints` made of them.
        most: words at most.

    Yields:
        What was said so far; the last one is all of it.
    """
    words, trunk, blocks = model.body.tokenizer, model.trunk_blocks, model.body.blocks
    _, tail_cache = model.body.run(z + model.role[0], trunk, blocks)
    said: list[list[int]] = [[] for _ in range(len(z))]
    sure: list[list[float]] = [[] for _ in range(len(z))]
    unsure: list[list[float]] = [[] for _ in range(len(z))]
    ended = [False] * len(z)
    newest = torch.full((len(z), 1), words.begin_id, device=z.device)
    for number in range(most):
        grown = torch.cat([known, known.new_ones(len(z), 1, 1, number + 1)], -1)
        x, trunk_cache = model.body.run(model.speech_tokens(newest, number), 0, trunk, trunk_cache,
                                        grown)
        x, tail_cache = model.body.run(x, trunk, blocks, tail_cache)
        chances = torch.softmax(model.words(x, hints, number)[:, -1], -1)
        entropies = torch.special.entr(chances).sum(-1)
        likely, newest = chances.max(-1, keepdim=True)
        for row, word in enumerate(newest[:, 0].tolist()):
            ended[row] = ended[row] or word == words.end_id
            if not ended[row]:
                said[row].append(word)
                sure[row].append(float(likely[row]))
                unsure[row].append(float(entropies[row]))
        yield Spoken(said, sure, unsure)
        if all(ended):
            return


@torch.no_grad()
def generate_text(model: "DualSystem", images: Tensor, ids: Tensor, known: Tensor, state: Tensor,
                  cloud: Tensor | None = None, most: int = 10) -> list[str]:
    """What System 2 says; arguments as `DualSystem.read` takes them."""
    tokens, there = model.read(images, ids, known, state, cloud)
    read, cache = model.body.run(tokens, 0, model.trunk_blocks, mask=there)
    *_, spoken = saying(model, model.bridge(read), cache, there, model.hints(read), most)
    return [model.body.tokenizer.decode(words) for words in spoken.words]

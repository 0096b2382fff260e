"""What a dual-system policy asks of its transformer, whatever that is.

System 2 runs blocks 0 to L, System 1 *is* the last K of them (Fast-in-Slow, arXiv 2506.01953,
section 3), so a backbone must run any range of its blocks, over a cache of keys and values that it
returns and never changes. Letters: B batch, T tokens, S tokens seen (cache and new), d width,
L blocks, V cameras.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

# For each block that was run, in order: keys and values, (B, heads, S, d_head).
Cache = tuple[tuple[Tensor, Tensor], ...]


class Tokenizer(Protocol):
    """Words to ids and back."""

    vocabulary_size: int
    pad_id: int
    begin_id: int           # before a phrase that System 2 says
    end_id: int             # after it

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(B, T) ids padded on the right, and (B, T) bool, True where a token stands."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The words, without special tokens."""
        ...

    def unknown(self, text: str) -> list[str]:
        """The words of a text that mean nothing to the policy, in order."""
        ...


class Backbone(Protocol):
    """A transformer that can be entered and left at any block; a `torch.nn.Module`."""

    width: int              # d
    blocks: int             # L
    ordered: bool           # whether `run` itself tells the order of tokens (rotary positions)
    tokenizer: Tokenizer

    def embed_text(self, ids: Tensor) -> Tensor:
        """(B, T) ids to (B, T, d)."""
        ...

    def embed_images(self, images: Tensor) -> Tensor:
        """(B, V, 3, height, width) in 0..1 to (B, N, d): N tokens that know where they look."""
        ...

    def run(self, x: Tensor, from_block: int, to_block: int, cache: Cache | None = None,
            mask: Tensor | None = None) -> tuple[Tensor, Cache]:
        """Run blocks from_block .. to_block - 1.

        Args:
            x: (B, T, d).
            from_block, to_block: a range within 0..L.
            cache: what an earlier call with the same range returned: its tokens come before x.
            mask: bool, broadcast to (B, 1, T, S), True where a token may look; None: x sees all of
                the cache and itself, every token every other.

        Returns:
            (B, T, d), and the cache with x added; the cache given stays as it was.
        """
        ...

    def words(self, x: Tensor) -> Tensor:
        """(B, T, d) of the last block to (B, T, vocabulary) logits."""
        ...


def causal_mask(new: int, seen: int, device: torch.device | None = None) -> Tensor:
    """(1, 1, new, seen + new) bool: each new token sees what was seen, itself and those before."""
    mask = torch.ones(new, seen + new, dtype=torch.bool, device=device)
    return mask.tril(diagonal=seen)[None, None]

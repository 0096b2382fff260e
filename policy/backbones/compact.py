"""A small transformer that two processor cores can train from nothing in minutes.

Pre-norm blocks, a table of words, and a convolutional stem that makes a dozen tokens of every
picture: few tokens are what makes it quick. See interface.py for the contract. Letters: B batch,
T tokens, d width, V cameras.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policy.backbones.interface import Cache, Tokenizer

WORD_WIDTH = 32             # a hundred words need no more
CELL = 32                   # pixels of a picture that become one token, along each side


class Block(nn.Module):
    """Attention over a cache and itself, then a small network, each added to what came in."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(),
                                 nn.Linear(ratio * width, width))

    def forward(self, x: Tensor, seen: tuple[Tensor, Tensor] | None, mask: Tensor | None
                ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, T, d), and the keys and values (B, heads, S, d / heads) with x added."""
        b, t, d = x.shape
        qkv = self.qkv(self.before_attention(x)).view(b, t, 3, self.heads, d // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if seen is not None:
            key, value = torch.cat([seen[0], key], 2), torch.cat([seen[1], value], 2)
        looked = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.out(looked.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.before_mlp(x)), (key, value)


class PictureStem(nn.Module):
    """A picture to one token for every cell of 32 x 32 pixels, with its place added."""

    def __init__(self, width: int, height_px: int, width_px: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 24, 4, 4), nn.ReLU(),
                                  nn.Conv2d(24, 48, 3, 2, 1), nn.ReLU(),
                                  nn.Conv2d(48, width, 4, 4))
        self.place = nn.Parameter(
            0.1 * torch.randn((height_px // CELL) * (width_px // CELL), width))

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, height, width) in 0..1 to (B, cells, d)."""
        return self.stem(picture - 0.5).flatten(2).transpose(1, 2) + self.place


class Compact(nn.Module):
    """The backbone; `policy.backbones.interface.Backbone`.

    Args:
        tokenizer: the words that it can read and say.
        picture_size: (height, width) in pixels, multiples of 32.
        cameras: V.
        width, blocks, heads, ratio: d, L, heads of attention, width of a block's network over d.

    Raises:
        ValueError: if the pictures cannot be cut into cells.
    """

    def __init__(self, tokenizer: Tokenizer, picture_size: tuple[int, int], cameras: int, *,
                 width: int = 128, blocks: int = 4, heads: int = 4, ratio: int = 3) -> None:
        super().__init__()
        if picture_size[0] % CELL or picture_size[1] % CELL:
            raise ValueError(f"pictures must be multiples of {CELL} pixels, not {picture_size}")
        self.tokenizer, self.width, self.blocks = tokenizer, width, blocks
        self.ordered = False
        self.word = nn.Embedding(tokenizer.vocabulary_size, WORD_WIDTH)
        self.word_in, self.word_out = nn.Linear(WORD_WIDTH, width), nn.Linear(width, WORD_WIDTH)
        self.eyes = nn.ModuleList(PictureStem(width, *picture_size) for _ in range(cameras))
        self.body = nn.ModuleList(Block(width, heads, ratio) for _ in range(blocks))
        self.last = nn.LayerNorm(width)

    def embed_text(self, ids: Tensor) -> Tensor:
        """(B, T) ids to (B, T, d)."""
        return self.word_in(self.word(ids))

    def embed_images(self, images: Tensor) -> Tensor:
        """(B, V, 3, height, width) in 0..1 to (B, V * cells, d)."""
        return torch.cat([eye(images[:, v]) for v, eye in enumerate(self.eyes)], 1)

    def run(self, x: Tensor, from_block: int, to_block: int, cache: Cache | None = None,
            mask: Tensor | None = None) -> tuple[Tensor, Cache]:
        """Blocks from_block .. to_block - 1; see the interface."""
        grown: list[tuple[Tensor, Tensor]] = []
        for place, block in enumerate(list(self.body)[from_block:to_block]):
            x, both = block(x, cache[place] if cache else None, mask)
            grown.append(both)
        return x, tuple(grown)

    def words(self, x: Tensor) -> Tensor:
        """(B, T, d) of the last block to (B, T, vocabulary) logits."""
        return self.word_out(self.last(x)) @ self.word.weight.T

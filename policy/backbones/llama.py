"""The decoder that most language models are: RMS norms, turning attention, a gated network.

After Llama 2 (Touvron et al., arXiv 2307.09288), with grouped keys (Ainslie et al., arXiv
2305.13245) and rotary positions (Su et al., arXiv 2104.09864). Pictures come in through the
compact backbone's stem. Knows no files and no weights of anybody; see smollm2.py for those.

Letters: B batch, T tokens, S tokens seen and new, d width, V cameras, N picture tokens.
"""

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policy.backbones.compact import PictureStem
from policy.backbones.interface import Cache, Tokenizer
from policy.backbones.places import places


class LlamaShape(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a Llama.

    Attributes:
        width, blocks: d and L.
        heads, key_heads: of queries, and of keys and values.
        mlp_width: inside a block's gated network.
        vocabulary: tokens.
        rope_base: the longest wave of the rotary positions is 2 pi times this, in tokens.
        epsilon: of the norms.
    """

    width: int
    blocks: int
    heads: int
    key_heads: int
    mlp_width: int
    vocabulary: int
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """Numbers of one head."""
        return self.width // self.heads


class Angles(nn.Module):
    """Places to the cosines and sines by which queries and keys are turned."""

    def __init__(self, head_width: int, base: float) -> None:
        super().__init__()
        wave = base ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
        self.register_buffer("wave", wave.float(), persistent=False)

    def forward(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T) places to cosines and sines, each (B, 1, T, head width), f4."""
        angle = at[:, None, :, None].float() * self.get_buffer("wave").float()
        both = torch.cat([angle, angle], -1)
        return both.cos(), both.sin()


def turned(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """(B, heads, T, head width), number i turned with number i + half."""
    first, second = x.chunk(2, -1)
    cosine, sine = angles
    return (x * cosine + torch.cat([-second, first], -1) * sine).to(x.dtype)


class Block(nn.Module):
    """Attention over a cache and itself, then a gated network, each added to what came in."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        d, keys = shape.width, shape.key_heads * shape.head_width
        self.heads, self.key_heads = shape.heads, shape.key_heads
        self.before_attention = nn.RMSNorm(d, shape.epsilon)
        self.before_mlp = nn.RMSNorm(d, shape.epsilon)
        self.query, self.key = nn.Linear(d, d, bias=False), nn.Linear(d, keys, bias=False)
        self.value, self.out = nn.Linear(d, keys, bias=False), nn.Linear(d, d, bias=False)
        self.gate = nn.Linear(d, shape.mlp_width, bias=False)
        self.up = nn.Linear(d, shape.mlp_width, bias=False)
        self.down = nn.Linear(shape.mlp_width, d, bias=False)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor],
                seen: tuple[Tensor, Tensor] | None, mask: Tensor | None
                ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, T, d), and keys (already turned) and values (B, key heads, S, d_head)."""
        b, t, d = x.shape
        h = self.before_attention(x)
        query = turned(self.query(h).view(b, t, self.heads, -1).transpose(1, 2), angles)
        key = turned(self.key(h).view(b, t, self.key_heads, -1).transpose(1, 2), angles)
        value = self.value(h).view(b, t, self.key_heads, -1).transpose(1, 2)
        if seen is not None:
            key, value = torch.cat([seen[0], key], 2), torch.cat([seen[1], value], 2)
        looked = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)
        x = x + self.out(looked.transpose(1, 2).reshape(b, t, d))
        h = self.before_mlp(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h)), (key, value)


class Llama(nn.Module):
    """The backbone; `policy.backbones.interface.Backbone`.

    Args:
        shape: its numbers.
        tokenizer: with at most `shape.vocabulary` tokens.
        picture_size: (height, width) in pixels, multiples of 32.
        cameras: V.
    """

    ordered = True              # positions turn its attention: nobody need add them

    def __init__(self, shape: LlamaShape, tokenizer: Tokenizer, picture_size: tuple[int, int],
                 cameras: int) -> None:
        super().__init__()
        self.shape, self.tokenizer = shape, tokenizer
        self.width, self.blocks = shape.width, shape.blocks
        self.word = nn.Embedding(shape.vocabulary, shape.width)
        self.eyes = nn.ModuleList(PictureStem(shape.width, *picture_size) for _ in range(cameras))
        self.body = nn.ModuleList(Block(shape) for _ in range(shape.blocks))
        self.last = nn.RMSNorm(shape.width, shape.epsilon)
        self.angles = Angles(shape.head_width, shape.rope_base)

    def embed_text(self, ids: Tensor) -> Tensor:
        """(B, T) ids to (B, T, d)."""
        return self.word(ids)

    def embed_images(self, images: Tensor) -> Tensor:
        """(B, V, 3, height, width) in 0..1 to (B, N, d)."""
        return torch.cat([eye(images[:, v]) for v, eye in enumerate(self.eyes)], 1)

    def run(self, x: Tensor, from_block: int, to_block: int, cache: Cache | None = None,
            mask: Tensor | None = None) -> tuple[Tensor, Cache]:
        """Blocks from_block .. to_block - 1; see the interface."""
        seen = cache[0][0].shape[2] if cache else 0
        angles = self.angles(places(mask, x.shape[1], seen, x.device))
        grown: list[tuple[Tensor, Tensor]] = []
        for place, block in enumerate(list(self.body)[from_block:to_block]):
            x, both = block(x, angles, cache[place] if cache else None, mask)
            grown.append(both)
        return x, tuple(grown)

    def words(self, x: Tensor) -> Tensor:
        """(B, T, d) of the last block to (B, T, vocabulary) logits; words share their table."""
        return self.last(x) @ self.word.weight.T

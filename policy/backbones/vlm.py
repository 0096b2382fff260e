"""Vision-language models of the transformers library as the transformer.

SmolVLM2, PaliGemma, and the shape of Prismatic and OpenVLA (a Llama behind one or two vision
transformers), by local folder, by name on the Hugging Face hub, or from the numbers of a
configuration with random weights (see vlm_models.py). Decoder layers are run one by one, past the
library's own loop, its masks and its cache. Knows how such models are made; knows no files.

Letters: B batch, T tokens, S tokens seen and new, d width, V cameras, N picture tokens.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policy.backbones.interface import Cache, Tokenizer
from policy.backbones.places import places


class Sight(nn.Module):
    """Turns square pictures of `side` pixels, in -1..1, into a language model's tokens.

    (M, 3, side, side) to (M, n, d).
    """

    side: int
    tower: Any              # the vision transformer, without what leads into the language model


class SmolVlmSight(Sight):
    """SmolVLM's vision transformer and the connector that puts several patches in a token."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower, self.connector = model.vision_model, model.connector
        self.side = model.config.vision_config.image_size

    def forward(self, pictures: Tensor) -> Tensor:
        """See `Sight`."""
        # Not the tower's own way in, which asks how much of a picture is padding (nothing is), and
        # so can neither be captured as a graph nor take a picture that is all zero.
        tower = self.tower
        patches = tower.embeddings.patch_embedding(pictures).flatten(2).transpose(1, 2)
        x = patches + tower.embeddings.position_embedding.weight
        x = tower.encoder(inputs_embeds=x, attention_mask=None).last_hidden_state
        return self.connector(tower.post_layernorm(x))


class PaliGemmaSight(Sight):
    """PaliGemma's vision transformer and its projector."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower, self.projector = model.vision_tower, model.multi_modal_projector
        self.side = model.config.vision_config.image_size

    def forward(self, pictures: Tensor) -> Tensor:
        """See `Sight`."""
        return self.projector(self.tower(pictures).last_hidden_state)


class FusedSight(Sight):
    """One or two vision transformers side by side, and a network into the language model.

    (Prismatic, Karamcheti et al., arXiv 2402.07865: DINOv2 and SigLIP, joined patch by patch.)
    """

    def __init__(self, towers: Sequence[Any], width: int) -> None:
        super().__init__()
        self.tower = nn.ModuleList(towers)
        sides = {tower.config.image_size for tower in towers}
        patches = {tower.config.image_size // tower.config.patch_size for tower in towers}
        if len(sides) != 1 or len(patches) != 1:
            raise ValueError("vision transformers side by side must see the same patches, not "
                             f"pictures of {sorted(sides)} pixels in {sorted(patches)} a side")
        self.side, self.count = sides.pop(), patches.pop() ** 2
        joined = sum(tower.config.hidden_size for tower in towers)
        self.projector = nn.Sequential(nn.Linear(joined, width), nn.GELU(),
                                       nn.Linear(width, width))

    def forward(self, pictures: Tensor) -> Tensor:
        """See `Sight`."""
        # Tokens for the whole picture, where a tower has them, come before the patches.
        seen = [tower(pictures).last_hidden_state[:, -self.count:]
                for tower in self.tower.children()]
        return self.projector(torch.cat(seen, -1))


class LayerCache:
    """What a layer of transformers asks of a cache: what one block saw, never changed."""

    def __init__(self, seen: tuple[Tensor, Tensor] | None) -> None:
        self._seen = seen
        self.grown: tuple[Tensor, Tensor] | None = None

    def update(self, key: Tensor, value: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, S, d_head) with new ones added."""
        if self._seen is not None:
            key, value = torch.cat([self._seen[0], key], 2), torch.cat([self._seen[1], value], 2)
        self.grown = key, value
        return self.grown


class Vlm(nn.Module):
    """The backbone; `policy.backbones.interface.Backbone`.

    Args:
        text: a decoder of transformers: embed_tokens, layers, norm, rotary_emb.
        head: linear, from the last norm's answer to words; it may share the words' table.
        sight: how pictures come in.
        tokenizer: of the decoder.
    """

    ordered = True              # positions turn its attention: nobody need add them

    def __init__(self, text: Any, head: nn.Linear, sight: Sight, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.tokenizer, self.sight = tokenizer, sight
        self.head = None if head.weight is text.embed_tokens.weight else head
        self.word, self.body, self.last = text.embed_tokens, text.layers, text.norm
        self.angles = text.rotary_emb
        self.width, self.blocks = text.config.hidden_size, len(text.layers)
        if tokenizer.vocabulary_size > text.config.vocab_size:
            raise ValueError(f"the tokenizer has {tokenizer.vocabulary_size} tokens, the model "
                             f"{text.config.vocab_size}")
        for layer in self.body:         # without a mask all see all
            layer.self_attn.is_causal = False

    def embed_text(self, ids: Tensor) -> Tensor:
        """(B, T) ids to (B, T, d)."""
        return self.word(ids)

    def embed_images(self, images: Tensor) -> Tensor:
        """(B, V, 3, height, width) in 0..1 to (B, N, d)."""
        b = len(images)
        side = self.sight.side
        pictures = F.interpolate(images.flatten(0, 1), (side, side), mode="bilinear",
                                 antialias=True)
        pictures = (2 * pictures - 1).to(self.last.weight.dtype)
        return self.sight(pictures).reshape(b, -1, self.width)

    def run(self, x: Tensor, from_block: int, to_block: int, cache: Cache | None = None,
            mask: Tensor | None = None) -> tuple[Tensor, Cache]:
        """Blocks from_block .. to_block - 1; see the interface."""
        seen = cache[0][0].shape[2] if cache else 0
        at = places(mask, x.shape[1], seen, x.device)
        angles = self.angles(x, position_ids=at)
        if mask is not None:
            mask = mask.expand(-1, -1, x.shape[1], -1)
        grown: list[tuple[Tensor, Tensor]] = []
        for place, block in enumerate(list(self.body)[from_block:to_block]):
            layer = LayerCache(cache[place] if cache else None)
            x = block(x, attention_mask=mask, position_ids=at, past_key_values=layer,
                      use_cache=True, position_embeddings=angles)
            assert layer.grown is not None, "a decoder layer must ask its cache"
            grown.append(layer.grown)
        return x, tuple(grown)

    def words(self, x: Tensor) -> Tensor:
        """(B, T, d) of the last block to (B, T, vocabulary) logits."""
        return F.linear(self.last(x), (self.head or self.word).weight)

"""The compact transformer over small pretrained encoders that stay as they are.

Words come in as what MiniLM makes of them in their sentence, so that "crimson" is near "red" before
it was ever demonstrated; pictures as EfficientNet's features with their places. What is said is
read word by word, for a word must not know those after it, and is chosen among the meanings of all
words, so that a new word can be said too. Either encoder can be missing: then that side learns from
nothing, as in compact.py. Knows what the encoders give; see packages.py for their files.

Letters: B batch, T tokens, d width, V cameras.
"""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from policy.backbones.compact import CELL, WORD_WIDTH, Compact
from policy.backbones.efficientnet import CELL as SEEN_CELL
from policy.backbones.efficientnet import CHANNELS, EfficientNetLite
from policy.backbones.minilm import SentenceReader
from policy.backbones.open_words import OpenWordTokenizer
from policy.backbones.packages import (
    EFFICIENTNET,
    MINILM,
    MINILM_PIECES,
    MissingPackage,
    Weights,
    locate,
)
from policy.words import SPECIAL, WordTokenizer

TextEncoder = Literal["auto", "minilm", "words"]
PictureEncoder = Literal["auto", "efficientnet", "stem"]
OUT_OF_SIGHT = "[UNK]"          # MiniLM's mark, for a word that training put out of sight

_log = logging.getLogger(__name__)


class SeenPicture(nn.Module):
    """A pretrained network's features to one token for every cell of 32 x 32 pixels."""

    def __init__(self, width: int, height_px: int, width_px: int) -> None:
        super().__init__()
        self.gather = nn.Conv2d(CHANNELS, width, CELL // SEEN_CELL, CELL // SEEN_CELL)
        self.norm = nn.LayerNorm(width)
        self.place = nn.Parameter(
            0.1 * torch.randn((height_px // CELL) * (width_px // CELL), width))

    def forward(self, features: Tensor) -> Tensor:
        """(B, 112, height / 16, width / 16) to (B, cells, d)."""
        return self.norm(self.gather(features).flatten(2).transpose(1, 2)) + self.place


class CompactPretrained(Compact):
    """`Compact` with other ways in for words and pictures.

    Args:
        words: of the texts that the policy learns from.
        picture_size: (height, width) in pixels, multiples of 32.
        cameras: V.
        reader: gives words their meaning, or None for a table of words.
        network: looks at pictures, or None for the stem.
        width, blocks, heads, ratio: as for `Compact`.
    """

    def __init__(self, words: Sequence[str], picture_size: tuple[int, int], cameras: int, *,
                 reader: SentenceReader | None, network: EfficientNetLite | None,
                 width: int = 128, blocks: int = 4, heads: int = 4, ratio: int = 3) -> None:
        tokenizer = OpenWordTokenizer(words, reader.split) if reader else WordTokenizer(words)
        super().__init__(tokenizer, picture_size, cameras, width=width, blocks=blocks,
                         heads=heads, ratio=ratio)
        self.reader, self.network = reader, network
        if reader:
            self.word = nn.Embedding(len(SPECIAL), WORD_WIDTH)      # all that has no meaning there
            self.meaning_in = nn.Linear(reader.width, width)
            self.meaning_out = nn.Linear(reader.width, WORD_WIDTH)
        if network:
            self.eyes = nn.ModuleList(SeenPicture(width, *picture_size) for _ in range(cameras))

    def embed_text(self, ids: Tensor) -> Tensor:
        """(B, T) ids to (B, T, d); what begins with the begin token is said, the rest is read."""
        if self.reader is None:
            return super().embed_text(ids)
        meaning = torch.stack([self._meaning(self.reader, row) for row in ids.tolist()])
        special = self.word_in(self.word(ids.clamp(max=len(SPECIAL) - 1)))
        return torch.where((ids < len(SPECIAL))[..., None], special, self.meaning_in(meaning))

    def embed_images(self, images: Tensor) -> Tensor:
        """(B, V, 3, height, width) in 0..1 to (B, V * cells, d)."""
        if self.network is None:
            return super().embed_images(images)
        with torch.no_grad():
            seen = self.network(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        return torch.cat([eye(seen[:, v]) for v, eye in enumerate(self.eyes)], 1)

    def words(self, x: Tensor) -> Tensor:
        """(B, T, d) of the last block to (B, T, vocabulary) logits."""
        if self.reader is None:
            return super().words(x)
        known = self.reader([[word] for word in self.tokenizer.words])
        table = torch.cat([self.word.weight, *map(self.meaning_out, known)])
        return self.word_out(self.last(x)) @ table.T

    def _meaning(self, reader: SentenceReader, row: list[int]) -> Tensor:
        """(T, meaning) of a row; 0 where there is none."""
        words = self.tokenizer
        meaning = torch.zeros(len(row), reader.width, device=self.word.weight.device)
        there = [at for at, token in enumerate(row)
                 if token == words.unknown_id or token >= len(SPECIAL)]
        shown = [OUT_OF_SIGHT if row[at] == words.unknown_id
                 else words.words[row[at] - len(SPECIAL)] for at in there]
        if shown:
            said = row[0] == words.begin_id
            meaning[there] = torch.cat(reader([[word] for word in shown] if said else [shown]))
        return meaning


class Encoders(NamedTuple):
    """Which encoders a backbone has; part of its options in a checkpoint."""

    text: TextEncoder
    pictures: PictureEncoder


def settled(text: TextEncoder = "auto", pictures: PictureEncoder = "auto") -> Encoders:
    """What "auto" comes to on this machine; what is missing is said once.

    Raises:
        ValueError: for an encoder that there is not, naming those that there are.
    """
    for kind, name, known in (("text", text, ("auto", "minilm", "words")),
                              ("pictures", pictures, ("auto", "efficientnet", "stem"))):
        if name not in known:
            raise ValueError(f"no encoder of {kind} is called {name!r}: "
                             f"choose one of {', '.join(known)}")
    if text == "auto":
        text = "minilm" if _there("words", MINILM, MINILM_PIECES) else "words"
    if pictures == "auto":
        pictures = "efficientnet" if _there("pictures", EFFICIENTNET) else "stem"
    return Encoders(text, pictures)


def compact_pretrained(words: Sequence[str], picture_size: tuple[int, int], cameras: int, *,
                       text: TextEncoder = "auto", pictures: PictureEncoder = "auto",
                       width: int = 128, blocks: int = 4, heads: int = 4, ratio: int = 3
                       ) -> CompactPretrained:
    """The backbone with its packages' weights.

    Args:
        words, picture_size, cameras: as for `CompactPretrained`.
        text, pictures: which encoders; "auto" takes the pretrained one if its package is there. A
            checkpoint must say which it was: `settled`.
        width, blocks, heads, ratio: as for `Compact`.

    Raises:
        MissingPackage: if an encoder is asked for by name and its package is not installed.
        ValueError: for an encoder that there is not, or a package that holds something else.
    """
    chosen = settled(text, pictures)
    return CompactPretrained(
        words, picture_size, cameras,
        reader=SentenceReader.pretrained() if chosen.text == "minilm" else None,
        network=EfficientNetLite.pretrained() if chosen.pictures == "efficientnet" else None,
        width=width, blocks=blocks, heads=heads, ratio=ratio)


def _there(what: str, *files: Weights) -> bool:
    try:
        for file in files:
            locate(file)
    except MissingPackage as missing:
        _say_once(f"{what} are learnt from nothing: {missing}")
        return False
    return True


@cache
def _say_once(message: str) -> None:
    _log.warning(message)

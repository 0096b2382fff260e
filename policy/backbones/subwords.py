"""Pieces of words as tokens: the tokenizers that pretrained language models were trained with.

Wraps a `tokenizers.Tokenizer`; see interface.py for the contract. Such a vocabulary can spell
everything, so a word means nothing to the model when it must be spelled nearly letter by letter.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from policy.words import split

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Pieces


class SubwordTokenizer:
    """See `policy.backbones.interface.Tokenizer`.

    Args:
        pieces: the tokenizer; it is asked for no padding, cutting or special tokens.
        pad_id, begin_id, end_id: three different tokens that no text contains.

    Raises:
        ValueError: if they are not different.
    """

    def __init__(self, pieces: "Pieces", *, pad_id: int, begin_id: int, end_id: int) -> None:
        if len({pad_id, begin_id, end_id}) < 3:
            raise ValueError("pad, begin and end must be three tokens: a phrase's end is learnt, "
                             f"padding is not; not {pad_id}, {begin_id} and {end_id}")
        pieces.no_padding()
        pieces.no_truncation()
        self._pieces = pieces
        self.pad_id, self.begin_id, self.end_id = pad_id, begin_id, end_id
        self.vocabulary_size = pieces.get_vocab_size()

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(B, T) ids padded on the right, and (B, T) bool, True where a token stands."""
        rows = [self._pieces.encode(text, add_special_tokens=False).ids or [self.end_id]
                for text in texts]
        ids = torch.full((len(rows), max(map(len, rows), default=1)), self.pad_id)
        valid = torch.zeros_like(ids, dtype=torch.bool)
        for row, there, tokens in zip(ids, valid, rows, strict=True):
            row[:len(tokens)] = torch.tensor(tokens)
            there[:len(tokens)] = True
        return ids, valid

    def decode(self, ids: Sequence[int]) -> str:
        """The words up to the end token, without special ones."""
        said = list(ids)
        if self.end_id in said:
            said = said[:said.index(self.end_id)]
        return self._pieces.decode(said, skip_special_tokens=True).strip()

    def unknown(self, text: str) -> list[str]:
        """Words of three letters and more that need more than a piece for every two letters."""
        return [word for word in split(text) if len(word) > 2
                and 2 * len(self._pieces.encode(" " + word, add_special_tokens=False).ids)
                > len(word) + 1]


def byte_level(tokens: Sequence[str], merges: Sequence[str], special: Sequence[str]) -> "Pieces":
    """A byte-level BPE as GPT-2 and SmolLM2 have it, digits one by one.

    Args:
        tokens: the vocabulary, in order.
        merges: "left right", the most frequent first.
        special: tokens that no text contains.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    pieces = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)},
                                  merges=pairs))
    pieces.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    pieces.decoder = decoders.ByteLevel()
    pieces.add_special_tokens(list(special))
    return pieces

"""One token for every byte: reads and says any text, with nothing to fetch and nothing to fit.

For language models that come with random weights: to measure speed, and to test. See interface.py
for the contract.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

SPECIAL = 3


class ByteTokenizer:
    """See `policy.backbones.interface.Tokenizer`."""

    pad_id, begin_id, end_id = range(SPECIAL)
    vocabulary_size = SPECIAL + 256

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(B, T) ids padded on the right, and (B, T) bool, True where a token stands."""
        rows = [[SPECIAL + byte for byte in text.encode()] or [self.end_id] for text in texts]
        ids = torch.full((len(rows), max(map(len, rows), default=1)), self.pad_id)
        for row, tokens in zip(ids, rows, strict=True):
            row[:len(tokens)] = torch.tensor(tokens)
        return ids, ids != self.pad_id

    def decode(self, ids: Sequence[int]) -> str:
        """The text up to the end token; what is no text is left out."""
        said = list(ids)
        if self.end_id in said:
            said = said[:said.index(self.end_id)]
        return bytes(i - SPECIAL for i in said if SPECIAL <= i < self.vocabulary_size) \
            .decode(errors="ignore")

    def unknown(self, text: str) -> list[str]:
        """None: bytes have no meaning to begin with."""
        return []

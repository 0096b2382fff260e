"""Words as tokens: the vocabulary of a policy that learns its language from the demonstrations.

A word is a run of letters, digits or apostrophes in lower case. Words that were not in the texts
that the vocabulary was made from become one special token, which training also puts in place of
known words now and then, so that a new phrasing is not noise. Knows no meaning.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from policy.text import split

PAD, BEGIN, END, UNKNOWN = "<pad>", "<begin>", "<end>", "<unknown>"
SPECIAL = (PAD, BEGIN, END, UNKNOWN)
# They carry an instruction's grammar, not what it is about; see `unknown`.
STOP_WORDS = frozenset((
    "a", "an", "and", "at", "by", "down", "in", "into", "it", "of", "off", "on", "onto", "out",
    "over", "please", "some", "that", "the", "then", "this", "to", "up", "with", "you", "your"))


class WordTokenizer:
    """A fixed list of words; see `policy.backbones.interface.Tokenizer`."""

    pad_id, begin_id, end_id, unknown_id = range(len(SPECIAL))

    def __init__(self, words: Sequence[str]) -> None:
        """From the list that `words` of another one gave.

        Raises:
            ValueError: if a word stands in it twice.
        """
        self.words = tuple(words)
        self._id = {word: i for i, word in enumerate((*SPECIAL, *self.words))}
        if len(self._id) != len(SPECIAL) + len(self.words):
            raise ValueError("a vocabulary names every word once")
        self.vocabulary_size = len(self._id)

    @classmethod
    def fitted(cls, texts: Iterable[str]) -> "WordTokenizer":
        """The vocabulary of these texts, the most frequent word first."""
        counted = Counter(word for text in texts for word in split(text))
        return cls([word for word, _ in sorted(counted.items(), key=lambda c: (-c[1], c[0]))])

    def ids(self, text: str) -> list[int]:
        """The ids of a text's words."""
        return [self._id.get(word, self.unknown_id) for word in split(text)]

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(B, T) ids padded on the right, and (B, T) bool, True where a word stands."""
        rows = [self.ids(text) or [self.unknown_id] for text in texts]
        ids = torch.full((len(rows), max(map(len, rows), default=1)), self.pad_id)
        for row, words in zip(ids, rows, strict=True):
            row[:len(words)] = torch.tensor(words)
        return ids, ids != self.pad_id

    def decode(self, ids: Sequence[int]) -> str:
        """The words up to the end token, without special ones."""
        said = (*SPECIAL, *self.words)
        words = [said[i] for i in ids]
        if END in words:
            words = words[:words.index(END)]
        return " ".join(word for word in words if word not in SPECIAL)

    def unknown(self, text: str) -> list[str]:
        """The words that are not in the vocabulary, in order."""
        return [word for word in split(text) if word not in self._id]

"""What to look for, made from words: the code that turns System 1's eye.

The first words of a phrase, each in its place, through a small network. Reads text, not tokens, so
that it is the same for every backbone. Letters: B batch, W words, c width of the code.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from policy.words import WordTokenizer

WORD_WIDTH = 32


class PhraseCode(nn.Module):
    """Phrases to codes."""

    def __init__(self, words: Sequence[str], width: int, most_words: int) -> None:
        super().__init__()
        self.tokenizer, self.most_words = WordTokenizer(words), most_words
        self.word = nn.Embedding(self.tokenizer.vocabulary_size, WORD_WIDTH)
        self.mix = nn.Sequential(nn.Linear(most_words * WORD_WIDTH, 64), nn.GELU(),
                                 nn.Linear(64, width))

    def forward(self, phrases: Sequence[str]) -> Tensor:
        """B phrases to (B, c)."""
        ids, _ = self.tokenizer.encode(phrases)
        ids = nn.functional.pad(ids, (0, max(0, self.most_words - ids.shape[1])),
                                value=self.tokenizer.pad_id)[:, :self.most_words]
        return self.mix(self.word(ids.to(self.word.weight.device)).flatten(1))

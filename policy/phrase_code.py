"""What to do and what to look for, made from words: the code that drives System 1.

The first words of a phrase, each in its place, through two small networks: one reads all of them,
the other, for the eye, all but the verb: reaching for the red cube and grasping it look for the
same thing. Reads text, not tokens, so that it is the same for every backbone.
Letters: B batch, c width of each half of the code.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from policy.words import WordTokenizer

WORD_WIDTH = 32


class PhraseCode(nn.Module):
    """Phrases to codes."""

    def __init__(self, words: Sequence[str], width: int, most_words: int) -> None:
        super().__init__()
        self.tokenizer, self.most_words = WordTokenizer(words), most_words
        self.word = nn.Embedding(self.tokenizer.vocabulary_size, WORD_WIDTH)
        self.width = width
        self.look_for = nn.Sequential(nn.Linear((most_words - 1) * WORD_WIDTH, 64), nn.GELU(),
                                      nn.Linear(64, width))
        self.do = nn.Sequential(nn.Linear(most_words * WORD_WIDTH, 64), nn.GELU(),
                                nn.Linear(64, width))

    def forward(self, phrases: Sequence[str]) -> Tensor:
        """B phrases to (B, 2 c): what to look for, then what to do."""
        ids, _ = self.tokenizer.encode(phrases)
        ids = nn.functional.pad(ids, (0, max(0, self.most_words - ids.shape[1])),
                                value=self.tokenizer.pad_id)[:, :self.most_words]
        words = self.word(ids.to(self.word.weight.device))                     # (B, W, 32)
        return torch.cat([self.look_for(words[:, 1:].flatten(1)), self.do(words.flatten(1))], 1)

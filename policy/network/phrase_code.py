"""What to do and what to look for, made from words: the code that drives System 1.

Each word of a phrase turns the code in its own way, given by the word and its place; the sum is the
code. One half, for the eye, hears all words but the verb: reaching for the red cube and grasping it
look for the same thing. No layer in between: the words of two phrases differ in one place only, and
a network squeezes such a small difference before it spreads it. Reads text, not tokens, so that it
is the same for every backbone. Letters: B batch, W words, c width of each half of the code.
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
        self.tokenizer, self.most_words, self.width = WordTokenizer(words), most_words, width
        self.word = nn.Embedding(self.tokenizer.vocabulary_size, WORD_WIDTH,
                                 padding_idx=self.tokenizer.pad_id)
        self.look_for = nn.Linear((most_words - 1) * WORD_WIDTH, width)
        self.do = nn.Linear(most_words * WORD_WIDTH, width)
        for layer in (self.look_for, self.do):      # as if every place were a layer of its own
            nn.init.normal_(layer.weight, 0, (1 / 3 / WORD_WIDTH) ** 0.5)

    def forward(self, phrases: Sequence[str]) -> Tensor:
        """B phrases to (B, 2 c): what to look for, then what to do."""
        ids, _ = self.tokenizer.encode(phrases)
        ids = nn.functional.pad(ids, (0, max(0, self.most_words - ids.shape[1])),
                                value=self.tokenizer.pad_id)[:, :self.most_words]
        words = self.word(ids.to(self.word.weight.device))                     # (B, W, 32)
        return torch.cat([self.look_for(words[:, 1:].flatten(1)), self.do(words.flatten(1))], 1)

"""A vocabulary that takes in every word it meets, for a backbone that knows what words mean.

A word that was not in the texts that the policy learnt from gets the next free token instead of
the one for unknown words; what it means is for the backbone to say. Knows no meaning itself.
"""

from collections.abc import Callable, Sequence

from policy.words import WordTokenizer, split


class OpenWordTokenizer(WordTokenizer):
    """See `policy.backbones.interface.Tokenizer`.

    Args:
        words: those that the policy learnt from.
        spelled: the pieces of a word in a pretrained vocabulary.
    """

    def __init__(self, words: Sequence[str], spelled: Callable[[str], Sequence[int]]) -> None:
        super().__init__(words)
        self._learnt, self._spelled = frozenset(self.words), spelled

    def ids(self, text: str) -> list[int]:
        """The ids of a text's words; a new word gets one."""
        for word in split(text):
            if word not in self._id:
                self._id[word] = self.vocabulary_size
                self.words = (*self.words, word)
                self.vocabulary_size = len(self._id)
        return super().ids(text)

    def unknown(self, text: str) -> list[str]:
        """New words that the pretrained vocabulary must spell nearly letter by letter."""
        return [word for word in split(text) if word not in self._learnt
                and 2 * len(self._spelled(word)) > len(word) + 1]

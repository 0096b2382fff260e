"""An instruction as zeros and ones, for policies that read no language.

One number for every word, and for every two words side by side, that some but not all of the
training instructions have: "red on green" and "green on red" differ by their pairs. What was never
read in training says nothing. Knows text; knows no networks.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from policy.words import split


class InstructionWords:
    """A fixed list of features of a text.

    Attributes:
        features: what each of the K numbers stands for: "red", or "red on".
    """

    def __init__(self, features: Sequence[str]) -> None:
        self.features = tuple(features)
        self._place = {feature: place for place, feature in enumerate(self.features)}

    @classmethod
    def fitted(cls, texts: Iterable[str]) -> "InstructionWords":
        """The features that tell these texts apart; none if all are the same."""
        seen = [set(_features(text)) for text in dict.fromkeys(texts)]
        telling = set().union(*seen) - set.intersection(*seen) if seen else set()
        return cls(sorted(telling))

    def __len__(self) -> int:
        return len(self.features)

    def encode(self, text: str) -> np.ndarray:
        """(K,) f4: 1 where the text has the feature."""
        code = np.zeros(len(self), np.float32)
        for feature in _features(text):
            if feature in self._place:
                code[self._place[feature]] = 1.0
        return code


def _features(text: str) -> list[str]:
    words = split(text)
    return words + [" ".join(pair) for pair in pairwise(words)]

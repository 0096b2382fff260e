"""Batches for the plain network, out of the same demonstrations as ours.

With pictures they are the dual system's batches, rearranged. Without, rows are drawn from the
arrays of the demonstrations: a network that learns in twenty seconds must not wait for pictures
that it does not look at. Knows demonstrations and batches; knows no networks.
"""

from collections.abc import Sequence

import numpy as np
import torch

from policy.data.batches import Batch, TrainingSet
from policy.data.demonstrations import Demonstration
from policy.peers.instruction_words import InstructionWords
from policy.peers.mlp import MlpBatch


class PictureLessons:
    """The batches of a `TrainingSet`: both frames of a pair, under the words of both."""

    def __init__(self, training: TrainingSet, words: InstructionWords) -> None:
        self._training, self._words = training, words

    def batch(self, rng: np.random.Generator, pairs: int) -> MlpBatch:
        """2 * pairs rows, pictures augmented."""
        return self._rearranged(self._training.batch(rng, pairs))

    def held_out_batch(self, rng: np.random.Generator, pairs: int) -> MlpBatch | None:
        """The same from the episodes held out; None if there are none."""
        batch = self._training.held_out_batch(rng, pairs)
        return None if batch is None else self._rearranged(batch)

    def follow(self) -> int:
        """Take in what was recorded since."""
        return self._training.follow()

    def _rearranged(self, batch: Batch) -> MlpBatch:
        words = np.stack([self._words.encode(text) for text in batch.instruction])
        return MlpBatch(proprioception=batch.proprioception,
                        words=torch.from_numpy(np.concatenate([words, words])),
                        images=batch.images, actions=batch.actions,
                        action_valid=batch.action_valid)


class StateLessons:
    """Rows of all demonstrations side by side, each with the same chance."""

    def __init__(self, training: TrainingSet, words: InstructionWords) -> None:
        self._training, self._words = training, words
        self._settle()

    def batch(self, rng: np.random.Generator, pairs: int) -> MlpBatch:
        """2 * pairs rows."""
        return _drawn(self._rows, rng, pairs)

    def held_out_batch(self, rng: np.random.Generator, pairs: int) -> MlpBatch | None:
        """The same from the episodes held out; None if there are none."""
        return _drawn(self._held_out, rng, pairs) if self._held_out else None

    def follow(self) -> int:
        """Take in what was recorded since."""
        touched = self._training.follow()
        if touched:
            self._settle()
        return touched

    def _settle(self) -> None:
        self._rows = self._table(self._training.demonstrations)
        self._held_out = self._table(self._training.held_out) if self._training.held_out else None

    def _table(self, demonstrations: Sequence[Demonstration]) -> MlpBatch:
        """All moments that have a valid first step."""
        normaliser = self._training.normaliser
        felt, actions, valid, words = [], [], [], []
        for one in demonstrations:
            usable = one.action_valid[:, 0] > 0
            codes = np.stack([self._words.encode(text) for text in one.instructions])
            felt.append(one.proprioception[usable])
            actions.append(one.actions[usable])
            valid.append(one.action_valid[usable])
            words.append(codes[one.segment[usable]])
        return MlpBatch(
            proprioception=normaliser.normalise_proprioception(_joined(felt)),
            words=_joined(words), images=None,
            actions=normaliser.normalise_actions(_joined(actions)), action_valid=_joined(valid))


def _joined(parts: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(parts))


def _drawn(table: MlpBatch, rng: np.random.Generator, pairs: int) -> MlpBatch:
    rows = torch.from_numpy(rng.integers(len(table.actions), size=2 * pairs))
    return MlpBatch(proprioception=table.proprioception[rows], words=table.words[rows], images=None,
                    actions=table.actions[rows], action_valid=table.action_valid[rows])

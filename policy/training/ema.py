"""The running mean of a network's weights: what drives the robot is calmer than what learns.

Knows parameters and buffers. Refuses to know losses, files and schedules.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

LONGEST_DECAY = 0.998       # a mean over about 500 steps; a run of minutes has some thousands


def decay_at(step: int, longest: float = LONGEST_DECAY) -> float:
    """The weight of the past at a step: young means forget quickly."""
    return min(longest, (1 + step) / (10 + step))


class MeanWeights:
    """The running mean of a network's learning parameters, and its newest buffers.

    Args:
        model: whose parameters that want gradients are followed from now on.
        longest: the weight of the past once many steps were made.
    """

    def __init__(self, model: nn.Module, longest: float = LONGEST_DECAY) -> None:
        self._longest = longest
        self._followed = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.weights = {name: p.detach().clone() for name, p in self._followed.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after the given step, the first of which is 0."""
        torch._foreach_lerp_(list(self.weights.values()),
                             [p.detach() for p in self._followed.values()],
                             1 - decay_at(step, self._longest))

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from a mean that was saved.

        Raises:
            KeyError: if a followed parameter is not in it.
        """
        for name, mean in self.weights.items():
            mean.copy_(weights[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While this is open the network *is* the mean; nothing is copied."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, parameter in self._followed.items():
            parameter.data, self.weights[name] = self.weights[name], parameter.data

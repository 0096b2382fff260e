"""Which moments a batch is made of: pairs of an older and a later one, drawn by weight.

System 2 will always be late: the later moment is for System 1, the older one, up to two seconds
back under the same instruction, is what System 2 saw (FiS-VLA, arXiv 2506.01953, section 3.2);
what an episode ends with is learned under its own words only (`Demonstration.oldest`).
Knows demonstrations; knows no pictures and no tensors.

Letters: B pairs, M moments of a demonstration.
"""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from policy.data.demonstrations import Demonstration

# How often each moment of some demonstrations is drawn, (M,) >= 0 each, beside the usual 1.
Weigh = Callable[[Sequence[Demonstration]], list[np.ndarray]]


class Pair(msgspec.Struct, frozen=True):
    """Two moments of one demonstration under one instruction, older <= later."""

    demonstration: Demonstration
    older: int
    later: int


class MomentDraw:
    """Draws from some demonstrations.

    Args:
        demonstrations: which.
        step_ns: of the policy's chunks.
        max_age_steps: how much older the older moment of a pair may be.
        weigh: how often each moment is drawn as the later one; moments with nothing to learn for
            System 1 never are, unless a person said there what System 2 should say.
        balance_tasks: draw every task equally often, however many moments it has.

    Raises:
        ValueError: if a weight is negative or not finite.
    """

    def __init__(self, demonstrations: Sequence[Demonstration], step_ns: int, *,
                 max_age_steps: int, weigh: Weigh, balance_tasks: bool) -> None:
        self._from = list(demonstrations)
        self._step_ns, self._max_age_steps = step_ns, max_age_steps
        weights = [_weights(one, wanted)
                   for one, wanted in zip(self._from, weigh(self._from), strict=True)]
        if balance_tasks:
            tasks = [one.summary.task for one in self._from]
            sums = dict.fromkeys(tasks, 0.0)
            for task, weight in zip(tasks, weights, strict=True):
                sums[task] += float(weight.sum())
            weights = [weight / (sums[task] or 1.0)
                       for task, weight in zip(tasks, weights, strict=True)]
        self._firsts = np.cumsum([0, *(len(one) for one in self._from)])
        self._sums = np.cumsum(np.concatenate(weights or [np.zeros(0)]))

    def __bool__(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self._sums.sum() > 0)

    def draw(self, rng: np.random.Generator, pairs: int) -> list[Pair]:
        """B pairs, each drawn anew."""
        moments = np.searchsorted(self._sums, rng.random(pairs) * self._sums[-1], side="right")
        which = np.searchsorted(self._firsts, moments, side="right") - 1
        ages = rng.random(pairs)
        drawn = []
        for place, later, age in zip(which, moments - self._firsts[which], ages, strict=True):
            one = self._from[place]
            drawn.append(Pair(one, self._older(one, int(later), age), int(later)))
        return drawn

    def _older(self, one: Demonstration, later: int, age: float) -> int:
        """A moment up to `max_age_steps` back, every whole number of steps with the same chance."""
        if not one.action_valid[later, 0]:
            return later        # System 2's lesson alone: it is about this picture
        moments_ns, first = one.moments_ns, int(one.oldest[later])
        since_steps = round((moments_ns[later] - moments_ns[first]) / self._step_ns)
        steps = int(age * (min(self._max_age_steps, since_steps) + 1))
        wanted_ns = moments_ns[later] - steps * self._step_ns - self._step_ns // 2
        return min(max(int(np.searchsorted(moments_ns, wanted_ns)), first), later)


def _weights(one: Demonstration, wanted: np.ndarray) -> np.ndarray:
    weights = ((one.action_valid[:, 0] > 0) | one.told) * wanted.astype(np.float64)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"episode {one.episode.episode}: weights of moments must be finite and "
                         f"not negative")
    return weights

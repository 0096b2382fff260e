"""How much a policy learns from its own doing, and how much from a person's corrections of it.

Each method is a function from episodes to one weight for every moment, beside the usual 1. Knows
whose doing a moment is; knows no store and no network.

- `all`: everything alike, as plain cloning would.
- `hg-dagger`: only what people did (Kelly et al. 2019, arXiv 1810.02890).
- `iwr`: corrections together weigh as much as all the rest together (Mandlekar et al. 2020, arXiv
  2012.06733).
- `hindsight`: as `hg-dagger`; besides, the eye learns where to look from what the policy did, see
  hindsight.py (ours).
- `sirius`: by class: demonstrations and corrections 10, the policy's own doing 1, what it did just
  before somebody stepped in 0.1 (Liu et al. 2023, arXiv 2211.08416; the values of its code).
- `yay`: only what people said in System 2's place (Shi et al. 2024, arXiv 2403.12910), together as
  much as all demonstrations together. System 2 learns to say it; System 1 learns nothing from it.
- `rac`: as `hg-dagger`; recoveries and corrections alike. What differs is how it is recorded: an
  episode ends with its correction (Hu et al. 2025, arXiv 2509.07953, rule 2).

What a policy did and somebody took back weighs nothing in any of them. A lesson pairs a moment with
an older one, which System 2 looks at; where only people are followed, what the policy did at that
older moment is not followed either.
"""

from collections.abc import Callable, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np

from policy.data.demonstrations import Demonstration, parts_by, without_told
from policy.data.hindsight import in_hindsight
from policy.data.whose import Whose
from recorders.clock import NS_PER_S

Weights = list[np.ndarray]      # one (M,) for each episode
SIRIUS = {Whose.DEMONSTRATION: 10.0, Whose.POLICY: 1.0, Whose.BEFORE: 0.1, Whose.CORRECTION: 10.0,
          Whose.NOBODY: 0.0}
WORDS_ALONE = "yay"             # what was said there is System 2's lesson alone
BY_PEOPLE = {Whose.DEMONSTRATION: 1.0, Whose.CORRECTION: 1.0}
BY_ANYBODY = BY_PEOPLE | {Whose.POLICY: 1.0, Whose.BEFORE: 1.0}


def _by_class(weights: dict[Whose, float], episodes: Sequence[Demonstration]) -> Weights:
    table = np.zeros(len(Whose))
    for whose, weight in weights.items():
        table[whose] = weight
    return [table[one.whose] for one in episodes]


def _iwr(episodes: Sequence[Demonstration]) -> Weights:
    weights = _by_class(BY_ANYBODY, episodes)
    corrected = [one.whose == Whose.CORRECTION for one in episodes]
    ours = sum(float(w[c].sum()) for w, c in zip(weights, corrected, strict=True))
    rest = sum(float(w[~c].sum()) for w, c in zip(weights, corrected, strict=True))
    if ours and rest:
        weights = [np.where(c, w * rest / ours, w)
                   for w, c in zip(weights, corrected, strict=True)]
    return weights


def _yay(episodes: Sequence[Demonstration]) -> Weights:
    rest = _by_class({Whose.DEMONSTRATION: 1.0}, episodes)
    said = [one.told * weights for one, weights in
            zip(episodes, _by_class(BY_ANYBODY, episodes), strict=True)]
    rest = [np.where(one.told, 0.0, weights) for one, weights in zip(episodes, rest, strict=True)]
    ours, theirs = sum(float(w.sum()) for w in said), sum(float(w.sum()) for w in rest)
    share = theirs / ours if ours and theirs else 1.0
    return [weights + share * words for weights, words in zip(rest, said, strict=True)]


def _people_alone(episodes: Sequence[Demonstration]) -> Weights:
    return _by_class(BY_PEOPLE, episodes)


METHODS: MappingProxyType[str, Callable[[Sequence[Demonstration]], Weights]] = MappingProxyType({
    "all": lambda episodes: _by_class(BY_ANYBODY, episodes),
    "hg-dagger": _people_alone,
    "iwr": _iwr,
    "hindsight": _people_alone,
    "sirius": lambda episodes: _by_class(SIRIUS, episodes),
    "yay": _yay,
    "rac": _people_alone,
})
_FOLLOWED: MappingProxyType[str, Callable[[Demonstration], Demonstration]] = MappingProxyType({
    "hg-dagger": partial(parts_by, whose=BY_PEOPLE),
    "hindsight": in_hindsight,
    WORDS_ALONE: without_told,
    "rac": partial(parts_by, whose=BY_PEOPLE),
})


def weigher(method: str) -> Callable[[Sequence[Demonstration]], Weights]:
    """The method of a name.

    Raises:
        ValueError: there is none; lists the valid ones.
    """
    try:
        return METHODS[method]
    except KeyError:
        raise ValueError(f"there is no method {method!r} of learning from corrections: valid are "
                         f"{', '.join(METHODS)}") from None


def followed(method: str) -> Callable[[Demonstration], Demonstration]:
    """What a method leaves of an episode for System 1 to follow."""
    return _FOLLOWED.get(method, lambda one: one)


def corrections_in(episodes: Sequence[Demonstration]) -> dict[str, float]:
    """How many episodes hold corrections, and how many seconds of them: "corrected" and
    "operator_s"."""
    corrected, seconds = 0, 0.0
    for one in episodes:
        ours = one.whose == Whose.CORRECTION
        lasted_s = np.diff(one.moments_ns, append=one.moments_ns[-1]) / NS_PER_S
        corrected, seconds = corrected + bool(ours.any()), seconds + float(lasted_s[ours].sum())
    return {"corrected": corrected, "operator_s": round(seconds, 3)}

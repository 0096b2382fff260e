"""How quickly a network learns: over its run, and part by part.

The rate warms up, then falls as a cosine to a small share (Loshchilov and Hutter,
arXiv 1608.03983), over whatever the run is limited by, minutes or steps. Parts may learn slower:
the shared trunk of a dual system must not run away from what it knows. Knows no network.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec

FINAL_SHARE = 0.03          # of the highest rate, at the end of a run
WARM_UP_SHARE = 0.02        # of a run


class Budget(msgspec.Struct, frozen=True):
    """How long a run may take, all its resumed parts together; one of the two is given."""

    minutes: float | None = None
    steps: int | None = None

    def share(self, minutes: float, steps: int) -> float:
        """How much of it is used, 0..1."""
        used = steps / self.steps if self.steps is not None else minutes / (self.minutes or 1.0)
        return min(used, 1.0)

    def left_s(self, minutes: float, steps: int, seconds_per_step: float) -> float:
        """How long the rest will take; NaN if nothing tells."""
        if self.steps is not None:
            return (self.steps - steps) * seconds_per_step
        return 60 * max((self.minutes or 0.0) - minutes, 0.0)

    def __str__(self) -> str:
        return f"{self.steps} steps" if self.steps is not None else f"{self.minutes:g} minutes"


def rate_share(share: float, warm_up: float = WARM_UP_SHARE, final: float = FINAL_SHARE) -> float:
    """The rate at a point of a run, as a share of the highest one.

    Args:
        share: how much of the run is over, 0..1.
        warm_up: the share of the run in which the rate rises.
        final: the rate at the end.
    """
    if share < warm_up:
        return max(share / warm_up, final)
    fallen = (share - warm_up) / (1 - warm_up)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(fallen, 1.0)))


def multiplier_of(name: str, multipliers: Mapping[str, float]) -> float:
    """How quickly a parameter learns: the multiplier of the longest prefix of its name, or 1."""
    fitting = [prefix for prefix in multipliers if name.startswith(prefix)]
    return multipliers[max(fitting, key=len)] if fitting else 1.0


def require_prefixes(multipliers: Mapping[str, float], names: Iterable[str]) -> None:
    """See that every prefix means some parameter.

    Raises:
        ValueError: naming what the names begin with.
    """
    names = list(names)
    for prefix in multipliers:
        if not any(name.startswith(prefix) for name in names):
            parts = sorted({name.split(".")[0] for name in names})
            raise ValueError(f"no parameter's name begins with {prefix!r}; they begin with "
                             f"{', '.join(parts)}")

"""How sure a success rate is, and the usual shares of a list of times. Pure arithmetic."""

import math
from collections.abc import Sequence

import numpy as np

Z_95 = 1.96


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a success rate (Wilson 1927); (0, 1) without trials.

    Args:
        successes: of so many.
        trials: independent of each other.
    """
    if trials == 0:
        return 0.0, 1.0
    share, z2 = successes / trials, Z_95**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z_95 / (1 + z2 / trials) * math.sqrt(
        share * (1 - share) / trials + z2 / (4 * trials**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def shares(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Median, 99th percentile and maximum; NaN without values."""
    if len(values) == 0:
        return {"p50": math.nan, "p99": math.nan, "max": math.nan}
    p50, p99, largest = np.percentile(np.asarray(values, dtype=float), [50, 99, 100])
    return {"p50": float(p50), "p99": float(p99), "max": float(largest)}

"""Samples of one stream at the moments of another, by time stamp.

Pure functions on ascending stamps. Streams are recorded at their own rates; whoever needs them at
common moments asks here, and says whether it may look into the future (`nearest`, `interpolate`)
or must not (`latest_before`), which is what a policy saw when it acted.
"""

import numpy as np

NOT_YET = -1


def latest_before(stamps_ns: np.ndarray, query_ns: np.ndarray | int) -> np.ndarray:
    """For every moment, the last sample that had arrived by then.

    Args:
        stamps_ns: (N,) ascending.
        query_ns: (…) moments.

    Returns:
        (…) rows of `stamps_ns`; `NOT_YET` (-1) where no sample had arrived.
    """
    return np.asarray(np.searchsorted(stamps_ns, query_ns, side="right")) - 1


def nearest(stamps_ns: np.ndarray, query_ns: np.ndarray | int) -> np.ndarray:
    """For every moment, the sample closest in time; the earlier one of two equally close.

    Args:
        stamps_ns: (N,) ascending, N >= 1.
        query_ns: (…) moments.

    Returns:
        (…) rows of `stamps_ns`.

    Raises:
        ValueError: if there are no samples.
    """
    _some(stamps_ns)
    right = np.minimum(np.searchsorted(stamps_ns, query_ns, side="left"), len(stamps_ns) - 1)
    left = np.maximum(right - 1, 0)
    earlier = np.abs(query_ns - stamps_ns[left]) <= np.abs(stamps_ns[right] - query_ns)
    return np.where(earlier, left, right)


def interpolate(stamps_ns: np.ndarray, values: np.ndarray, query_ns: np.ndarray) -> np.ndarray:
    """Values at every moment, on the straight line between the samples around it.

    Outside the stamps the first or the last value holds. A NaN spreads only to moments between it
    and its neighbours. Not for quaternions, and not for codes.

    Args:
        stamps_ns: (N,) ascending, N >= 1.
        values: (N, …) of a floating type.
        query_ns: (Q,) moments.

    Returns:
        (Q, …) of the values' type.

    Raises:
        ValueError: if there are no samples, or the values are not floating numbers.
    """
    _some(stamps_ns)
    if values.dtype.kind != "f":
        raise ValueError(f"values of type {values.dtype} cannot be interpolated; take `nearest`")
    left = np.clip(latest_before(stamps_ns, query_ns), 0, len(stamps_ns) - 1)
    right = np.minimum(left + 1, len(stamps_ns) - 1)
    # Differences are taken as integers: a float64 of nanoseconds since boot loses microseconds.
    since_ns = (query_ns - stamps_ns[left]).astype(float)
    span_ns = (stamps_ns[right] - stamps_ns[left]).astype(float)
    weight = np.clip(since_ns / np.where(span_ns > 0, span_ns, 1.0), 0.0, 1.0)
    weight = weight.reshape(*weight.shape, *[1] * (values.ndim - 1)).astype(values.dtype)
    between = values[left] * (1 - weight) + values[right] * weight
    return np.where(weight <= 0, values[left], np.where(weight >= 1, values[right], between))


def inside(stamps_ns: np.ndarray, query_ns: np.ndarray) -> np.ndarray:
    """For every moment, whether it lies between the first and the last sample, both included."""
    if len(stamps_ns) == 0:
        return np.zeros(np.shape(query_ns), bool)
    return (query_ns >= stamps_ns[0]) & (query_ns <= stamps_ns[-1])


def _some(stamps_ns: np.ndarray) -> None:
    if len(stamps_ns) == 0:
        raise ValueError("the stream has no samples; nothing can be aligned with it")

"""How large each signal may be at each moment of a rollout: a band around what successes showed.

A functional conformal band, as FAIL-Detect (arXiv 2503.08558) uses one, here for several signals
at once: one half of the calibrating successes says what is usual and how much that varies, moment
by moment; the other half says how far, in these measures, a success may stray anywhere and in any
signal. A new success of the same kind leaves the band with a chance of at most `alpha`. Knows
curves; knows no robot.

Letters: K bins of time, S signals, N successes.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

LEAST_SUCCESSES = 10        # fewer say little about how much successes vary
FEW = 3                     # curves in a bin; with fewer the bin before it goes on
LEAST_VARIED = 0.05         # of the usual duration
COMMON = 0.9                # of the successes stray less than by one spread of a signal
FLOOR = 0.3                 # of a signal's own spread over the rollout: nothing varies less


class Curve(msgspec.Struct, frozen=True):
    """The signals of one rollout.

    Attributes:
        values: (K', S) the largest value in each bin; NaN where there was none.
        duration_s: of the rollout.
    """

    values: np.ndarray
    duration_s: float


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds over time.

    Attributes:
        signals: their names, S.
        bin_s: length of a bin.
        usual, spread: K rows of S numbers; the last row holds from then on; None for a signal that
            was never heard, which is never too large.
        reach: how many spreads above what is usual is too much.
        longest_s: how long a success may take.
        alpha: the chance that was allowed to raise an alert in a success.
        successes: N, that it was calibrated with.
    """

    signals: tuple[str, ...]
    bin_s: float
    usual: list[list[float | None]]
    spread: list[list[float | None]]
    reach: float
    longest_s: float
    alpha: float
    successes: int

    def thresholds(self, elapsed_s: float) -> np.ndarray:
        """(S,) the largest value of each signal that is not too much so long after the start."""
        row = min(int(max(elapsed_s, 0.0) / self.bin_s), len(self.usual) - 1)
        usual, spread = (np.array(rows[row], float) for rows in (self.usual, self.spread))
        limits = usual + self.reach * spread
        return np.where(np.isnan(limits), np.inf, limits)


def in_bins(elapsed_s: np.ndarray, values: np.ndarray, bin_s: float) -> Curve:
    """A rollout's signals as the largest value in each bin.

    Args:
        elapsed_s: (T,) rising, since the policy began.
        values: (T, S), NaN where a signal said nothing.
        bin_s: length of a bin.
    """
    bins = (elapsed_s / bin_s).astype(int)
    rows = np.full((int(bins.max(initial=-1)) + 1, values.shape[1]), -np.inf)
    np.maximum.at(rows, bins, np.where(np.isnan(values), -np.inf, values))
    return Curve(np.where(np.isinf(rows), np.nan, rows),
                 float(elapsed_s[-1]) if len(elapsed_s) else 0.0)


def fit_band(curves: Sequence[Curve], signals: Sequence[str], *, bin_s: float = 0.25,
             alpha: float = 0.05) -> Band:
    """The band of some successes.

    Args:
        curves: of successes without help, in bins of `bin_s`; every other one says what is usual.
        signals: names of the curves' columns.
        bin_s: of the curves.
        alpha: the share of successes that may raise an alert.

    Raises:
        ValueError: there are too few successes for this alpha; says how many are needed.
    """
    least = max(LEAST_SUCCESSES, 2 * math.ceil(1 / alpha - 1))
    if len(curves) < least:
        raise ValueError(f"{len(curves)} successes are too few for a share of false alarms of "
                         f"{alpha:g}: {least} are needed")
    first, second = curves[::2], curves[1::2]
    usual, spread = _usual(first)
    spread = spread * _common([_strayed(curve, usual, spread) for curve in first])
    took = np.array([curve.duration_s for curve in first])
    longest, varied = float(took.mean()), float(max(took.std(), LEAST_VARIED * took.mean()))
    varied *= float(_common([np.array([(one - longest) / varied]) for one in took])[0])
    strayed = sorted(max(float(np.nanmax(_strayed(curve, usual, spread), initial=-np.inf)),
                         (curve.duration_s - longest) / varied) for curve in second)
    rank = math.ceil((1 - alpha) * (len(second) + 1))
    reach = float(strayed[min(rank, len(second)) - 1])
    return Band(signals=tuple(signals), bin_s=bin_s, usual=_listed(usual), spread=_listed(spread),
                reach=reach, longest_s=longest + reach * varied, alpha=alpha,
                successes=len(curves))


def _listed(rows: np.ndarray) -> list[list[float | None]]:
    return [[None if value != value else value for value in row] for row in rows.tolist()]


def _usual(curves: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """(K, S) mean and (K, S) spread; NaN for signals that were never heard."""
    bins, signals = max(len(curve.values) for curve in curves), curves[0].values.shape[1]
    stack = np.full((len(curves), bins, signals), np.nan)
    for place, curve in enumerate(curves):
        stack[place, :len(curve.values)] = curve.values
    heard = np.isfinite(stack)
    counts = heard.sum(axis=0)                                                  # (K, S)
    sums = np.where(heard, stack, 0.0).sum(axis=0)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts >= FEW)
    squares = np.where(heard, (stack - means) ** 2, 0.0).sum(axis=0)
    spreads = np.sqrt(np.divide(squares, counts, out=np.full_like(sums, np.nan),
                                where=counts >= FEW))
    means, spreads = _carried_on(means), _carried_on(spreads)
    whole = np.array([one[np.isfinite(one)].std() if np.isfinite(one).any() else np.nan
                      for one in np.moveaxis(stack, -1, 0)])
    return means, np.maximum(spreads, np.maximum(FLOOR * whole, 1e-9))


def _carried_on(rows: np.ndarray) -> np.ndarray:
    """(K, S) with every NaN replaced by the last number before it, or else the first after it."""
    out = rows.copy()
    for order in (range(1, len(out)), range(len(out) - 2, -1, -1)):
        for row in order:
            near = out[row - 1] if order.step > 0 else out[row + 1]
            out[row] = np.where(np.isnan(out[row]), near, out[row])
    return out


def _strayed(curve: Curve, usual: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(S,) how far each signal of a success strayed at most, in spreads above what is usual."""
    rows = np.minimum(np.arange(len(curve.values)), len(usual) - 1)
    away = (curve.values - usual[rows]) / spread[rows]
    away = np.where(np.isfinite(away), away, -np.inf).max(axis=0, initial=-np.inf)
    return np.where(np.isinf(away), np.nan, away)


def _common(strayed: Sequence[np.ndarray]) -> np.ndarray:
    """(S,) how many spreads one success in ten strays: a signal that is calm but for rare spikes
    would else widen the band of all the others."""
    rows = np.array(strayed)
    heard = np.isfinite(rows).any(axis=0)
    common = np.ones(rows.shape[1])
    common[heard] = np.maximum(np.nanquantile(rows[:, heard], COMMON, axis=0), 1.0)
    return common

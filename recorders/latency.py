"""How late one stream is against another, from a motion that both of them saw.

An arm that goes to and fro on one line has one number that says where on it it is, and a picture of
it (or from its wrist) is a function of that number. So for every lag that is thinkable the pictures
are explained, as well as possible, by where the joints were so long before their stamps; the lag
at which most of the pictures' change is explained is the latency. It is a cross-correlation that
needs neither a marker nor to know where the camera stands. Commands are compared with motion in
the same way. The motion must not repeat itself: a pure sine fits itself again a period later.
Knows arrays and time; knows no files and no robot.
"""

import msgspec
import numpy as np

from recorders import align
from recorders.clock import NS_PER_S

FEATURES = 6                # numbers that a picture is reduced to: the first principal components
SIDE = 24                   # pictures are compared at so many pixels a side
STEP_S = 0.005              # of the lags that are tried
EARLIEST_S, LATEST_S = -0.05, 0.35
LEAST_EXPLAINED = 0.5       # else something other than the arm moved, or nothing did
LEAST_ALONG = 0.9           # of the joints' motion, along one line
_CURVE = 5                  # degree of the polynomial that a picture is of the place on the line
LEAST_ROWS = 30
LEAST_MOTION = 0.005        # rad, standard deviation: less is noise


class Lag(msgspec.Struct, frozen=True):
    """How late one stream is.

    Attributes:
        lag_s: from the reference to what was seen.
        explained: share of the change seen that the reference explains at this lag.
    """

    lag_s: float
    explained: float


class NoLag(ValueError):
    """It cannot be told; the message says why and what to do."""


def picture_features(pictures: np.ndarray) -> np.ndarray:
    """(N, FEATURES) what changes in pictures, each of unit variance by its share.

    Args:
        pictures: (N, h, w) grey.
    """
    flat = pictures.reshape(len(pictures), -1).astype(float)
    flat -= flat.mean(axis=0)
    left, weights, _ = np.linalg.svd(flat, full_matrices=False)
    return left[:, :FEATURES] * weights[:FEATURES]


def shrunk(picture: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) f4 grey means of a picture's blocks; a side that is shorter keeps its pixels.

    Args:
        picture: (H, W, 3) or (H, W).
    """
    grey = picture.mean(axis=2) if picture.ndim == 3 else picture
    (rows, columns), (height, width) = zip(*((min(length, SIDE), max(1, length // SIDE))
                                             for length in grey.shape), strict=True)
    cut = grey[:rows * height, :columns * width]
    return cut.reshape(rows, height, columns, width).mean(axis=(1, 3), dtype=np.float32)


def lag_of(seen_ns: np.ndarray, seen: np.ndarray, reference_ns: np.ndarray, reference: np.ndarray,
           degree: int = _CURVE) -> Lag:
    """How late `seen` is against `reference`.

    Args:
        seen_ns: (N,) ascending stamps.
        seen: (N, F).
        reference_ns: (M,) ascending stamps.
        reference: (M, D) that explains it, by its place on the line along which it moves.
        degree: of the polynomial in that place; 1 for what is proportional.

    Raises:
        NoLag: nothing moved, too little was seen, or the reference does not explain it.
    """
    lags_s = np.arange(EARLIEST_S, LATEST_S + STEP_S / 2, STEP_S)
    late, early = (round(edge * NS_PER_S) for edge in (LATEST_S, EARLIEST_S))
    if len(seen_ns) < LEAST_ROWS or len(reference_ns) < LEAST_ROWS:
        raise NoLag(f"{min(len(seen_ns), len(reference_ns))} samples are too few: move for at "
                    "least five seconds")
    inside = align.inside(reference_ns, seen_ns - late) & align.inside(reference_ns,
                                                                       seen_ns - early)
    if inside.sum() < LEAST_ROWS:
        raise NoLag("the two streams hardly overlap in time: record for at least five seconds")
    seen_ns, seen = seen_ns[inside], seen[inside] - seen[inside].mean(axis=0)
    total = float((seen ** 2).sum())
    if total <= 1e-12:
        raise NoLag("nothing was seen to move: the arm must move while it is watched")
    place = _along(reference)
    left = np.array([_unexplained(seen, align.interpolate(
        reference_ns, place, seen_ns - round(lag * NS_PER_S)), degree) for lag in lags_s]) / total
    best = int(np.argmin(left))
    explained = 1.0 - float(left[best])
    if explained < LEAST_EXPLAINED:
        raise NoLag(f"the joints explain only {explained:.0%} of what was seen: let nothing but "
                    "the arm move, and let it fill more of the picture")
    if best in (0, len(lags_s) - 1):
        raise NoLag(f"the lag lies outside {EARLIEST_S * 1000:.0f} to {LATEST_S * 1000:.0f} ms, or "
                    "the motion is too slow or repeats itself: move faster and less evenly")
    before, here, after = left[best - 1:best + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return Lag(float(lags_s[best] + shift * STEP_S), explained)


def _along(reference: np.ndarray) -> np.ndarray:
    """(M,) the place on the line on which (M, D) moves, of unit variance."""
    flat = reference - reference.mean(axis=0)
    if flat.std(axis=0).max() < LEAST_MOTION:
        raise NoLag("nothing moved: the arm must move while it is watched")
    left, weights, _ = np.linalg.svd(flat, full_matrices=False)
    along = float(weights[0] ** 2 / (weights ** 2).sum())
    if along < LEAST_ALONG:
        raise NoLag(f"only {along:.0%} of the motion was along one line: move the arm to and fro "
                    "on one, such as its base's joint, unevenly, and leave the others alone")
    return left[:, 0] / left[:, 0].std()


def _unexplained(seen: np.ndarray, by: np.ndarray, degree: int) -> float:
    """The sum of squares of (N, F) that a polynomial in (N,) leaves."""
    basis = np.polynomial.legendre.legvander(by / np.abs(by).max(), degree)
    weights, *_ = np.linalg.lstsq(basis, seen, rcond=None)
    return float(((seen - basis @ weights) ** 2).sum())

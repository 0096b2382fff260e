"""Unit quaternions (w, x, y, z), many at once.

Only what policies need of rotations: to compose, to take differences, to lie between. All
functions take (..., 4) or (..., 3) arrays of the same leading shape, as NumPy broadcasts them.
"""

import numpy as np

_SMALL = 1e-12


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """a_from_b, b_from_c to a_from_c, (..., 4)."""
    w1, x1, y1, z1 = np.moveaxis(left, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(right, -1, 0)
    return np.stack([
        w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
        w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
        w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
        w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
    ], axis=-1)


def inverse(quaternions: np.ndarray) -> np.ndarray:
    """The rotations back, (..., 4)."""
    return quaternions * (1.0, -1.0, -1.0, -1.0)


def normalised(quaternions: np.ndarray) -> np.ndarray:
    """Made of length one, (..., 4)."""
    return quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)


def to_vector(quaternions: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) in rad: the axis times the angle, at most pi long."""
    short = np.where(quaternions[..., :1] < 0, -quaternions, quaternions)   # q and -q are one
    length = np.linalg.norm(short[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, short[..., :1])
    return short[..., 1:] * np.where(length > _SMALL, angle / np.maximum(length, _SMALL), 2.0)


def from_vector(vectors: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) of rotation vectors (..., 3) in rad."""
    half = np.linalg.norm(vectors, axis=-1, keepdims=True) / 2
    share = np.where(half > _SMALL, np.sin(half) / np.maximum(2 * half, _SMALL), 0.5)
    return np.concatenate([np.cos(half), vectors * share], axis=-1)


def to_matrix(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3)."""
    w, x, y, z = np.moveaxis(quaternions, -1, 0)
    rows = [
        np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=-1),
        np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=-1),
        np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1),
    ]
    return np.stack(rows, axis=-2)


def between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) on the shorter way from `first` to `second`.

    Args:
        first, second: (..., 4).
        share: (...) 0 for the first, 1 for the second.
    """
    way = to_vector(multiply(second, inverse(first)))
    return multiply(from_vector(way * np.asarray(share)[..., None]), first)

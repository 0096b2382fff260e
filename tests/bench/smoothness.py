"""How hard what an arm was told drives it: velocity, acceleration and jerk by finite differences.

Letters: T ticks, D joints.
"""

import numpy as np


def differences(sent: np.ndarray, period_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T-1, D), (T-2, D), (T-3, D): velocity, acceleration and jerk of commands (T, D)."""
    velocity = np.diff(sent, axis=0) / period_s
    acceleration = np.diff(velocity, axis=0) / period_s
    return velocity, acceleration, np.diff(acceleration, axis=0) / period_s


def shares(sent: np.ndarray, period_s: float, bounds: tuple[np.ndarray, ...]) -> list[float]:
    """The largest of each as a share of its bound (D,), over all joints and ticks."""
    return [float((np.abs(values) / np.asarray(bound)).max()) if len(values) else 0.0
            for values, bound in zip(differences(sent, period_s), bounds, strict=True)]

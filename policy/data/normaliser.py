"""Between units and the numbers of about one that networks like; fitted once, kept with weights.

Proprioception: mean and spread. Actions: divided by how large they usually get, with no shift, so
that "stay" is zero; the gripper 0..1 becomes -1..1. Positions of the tool (where the next event
will be) like the tool's position. Floors keep a number that never changed in the demonstrations
from exploding when it does. Works alike on NumPy arrays and torch tensors, without importing torch.

Letters: R rows, P numbers of proprioception, H steps, A numbers of an action.
"""

from typing import Any

import msgspec
import numpy as np

from policy.interfaces import ActionSpace

USUAL = 0.99                    # the quantile of an action's size that becomes 1
SHARE_OF_LARGEST = 0.1          # a direction hardly used is not scaled up beyond this
SLOWEST_M_S, SLOWEST_RAD_S = 0.03, 0.15
POSITION_SPREAD_M = 0.02


class Normaliser(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of the demonstrations.

    Attributes:
        proprioception_mean, proprioception_scale: P numbers each.
        position_mean, position_scale: of the tool's x y z in m.
        action_scale: A - 1 numbers; the gripper needs none.
    """

    proprioception_mean: tuple[float, ...]
    proprioception_scale: tuple[float, ...]
    position_mean: tuple[float, ...]
    position_scale: tuple[float, ...]
    action_scale: tuple[float, ...]

    def __post_init__(self) -> None:
        scales = (*self.proprioception_scale, *self.position_scale, *self.action_scale)
        if not all(0 < scale < np.inf for scale in scales):
            raise ValueError("a normaliser's scale is not a number above 0")
        if (len(self.proprioception_mean) != len(self.proprioception_scale)
                or not len(self.position_mean) == len(self.position_scale) == 3):
            raise ValueError("a normaliser's means and scales do not go together")

    def normalise_proprioception(self, felt: Any) -> Any:
        """(..., P) in units to about -1..1."""
        return (felt - _like(felt, self.proprioception_mean)) / _like(
            felt, self.proprioception_scale)

    def denormalise_proprioception(self, felt: Any) -> Any:
        """The way back."""
        return felt * _like(felt, self.proprioception_scale) + _like(
            felt, self.proprioception_mean)

    def normalise_position(self, position: Any) -> Any:
        """(..., 3) m in the world to about -1..1."""
        return (position - _like(position, self.position_mean)) / _like(
            position, self.position_scale)

    def denormalise_position(self, position: Any) -> Any:
        """The way back."""
        return position * _like(position, self.position_scale) + _like(
            position, self.position_mean)

    def normalise_cloud(self, cloud: Any) -> Any:
        """(..., N, 6) x y z in m and colours; the places as positions, the colours as they are."""
        middle = (*self.position_mean, 0.0, 0.0, 0.0)
        scale = (*self.position_scale, 1.0, 1.0, 1.0)
        return (cloud - _like(cloud, middle)) / _like(cloud, scale)

    def normalise_actions(self, actions: Any) -> Any:
        """(..., A) as in policy/actions.py to about -1..1."""
        return actions * _like(actions, self._gain) - _like(actions, self._shift)

    def denormalise_actions(self, actions: Any) -> Any:
        """The way back; the gripper between 0 and 1, not yet decided."""
        return (actions + _like(actions, self._shift)) / _like(actions, self._gain)

    @property
    def _gain(self) -> tuple[float, ...]:
        return (*(1 / scale for scale in self.action_scale), 2.0)

    @property
    def _shift(self) -> tuple[float, ...]:
        return (*(0.0 for _ in self.action_scale), 1.0)


def fit_normaliser(
    proprioception: np.ndarray, smallest_spread: np.ndarray, positions: np.ndarray,
    actions: np.ndarray, space: ActionSpace, step_s: float,
) -> Normaliser:
    """Fit to demonstrations.

    Args:
        proprioception: (R, P).
        smallest_spread: (P,), see proprioception.py.
        positions: (R, 3) of the tool in m; (0, 3) for a robot that has none.
        actions: (any, A), the valid ones only.
        space: of the actions.
        step_s: of an action.
    """
    if not len(positions):
        positions = np.zeros((1, 3))
    return Normaliser(
        proprioception_mean=_floats(proprioception.mean(axis=0, dtype=np.float64)),
        proprioception_scale=_floats(np.maximum(proprioception.std(axis=0, dtype=np.float64),
                                                smallest_spread)),
        position_mean=_floats(positions.mean(axis=0, dtype=np.float64)),
        position_scale=_floats(np.maximum(positions.std(axis=0, dtype=np.float64),
                                          POSITION_SPREAD_M)),
        action_scale=_floats(_action_scale(actions[:, :-1], space, step_s)))


def _action_scale(changes: np.ndarray, space: ActionSpace, step_s: float) -> np.ndarray:
    groups = [(0, 3, SLOWEST_M_S), (3, 6, SLOWEST_RAD_S)] if space == "tool" \
        else [(0, changes.shape[1], SLOWEST_RAD_S)]
    usual = np.quantile(np.abs(changes), USUAL, axis=0) if len(changes) \
        else np.zeros(changes.shape[1])
    for first, last, slowest in groups:
        floor = max(slowest * step_s, SHARE_OF_LARGEST * usual[first:last].max())
        usual[first:last] = np.maximum(usual[first:last], floor)
    return usual


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _like(wanted: Any, values: tuple[float, ...]) -> Any:
    """The values as an array of the same library, type and device."""
    if hasattr(wanted, "new_tensor"):
        return wanted.new_tensor(values)
    return np.asarray(values, wanted.dtype)

"""What is decided of a chunk, as a network can keep to it: in actions, which are changes.

A prefix (every number of every step up to one) is a prefix of the actions, and a gripper is an
action of its own: a network that learned to plan around clean entries (network/flow_head.py) is
given them clean. A place at a later step is a sum of changes, of which no single one is decided.
There the plan itself is moved, as little as it takes and smoothly, each time that the network has
said where its noise leads, so that it plans on around that (as DDNM, arXiv 2212.00490, keeps what
is known of a picture at every step of its sampler). Knows actions; knows no network.

Letters: H steps, T numbers of a target, A of an action.
"""

import numpy as np

from policy import rotations
from policy.actions import actions_between
from policy.interfaces import ActionSpace, Held


class HeldActions:
    """Of one chunk.

    Args:
        held: in targets.
        base: (T,) that the chunk is relative to.
        space: of the targets.

    Attributes:
        actions: (H, A) that are decided …
        mask: (H, A) bool … where this is True.
    """

    def __init__(self, held: Held, base: np.ndarray, space: ActionSpace) -> None:
        moves = np.logical_and.accumulate(held.mask[:, :-1].all(axis=1))            # (H,)
        # Where nothing is held stand numbers that nobody reads; they need not be valid rotations.
        targets = np.where(moves[:, None], held.targets, base)
        targets[:, -1] = held.targets[:, -1]
        self.actions = actions_between(base, targets, space)
        self.mask = np.repeat(moves[:, None], self.actions.shape[1], axis=1)
        self.mask[:, -1] = held.mask[:, -1]
        self._prefix = int(moves.sum())
        wanted, said = _changes(held, base, space)                                  # (H, A - 1)
        said[:self._prefix] = False
        self._points = [(axis, np.flatnonzero(said[:, axis]), wanted[said[:, axis], axis])
                        for axis in range(said.shape[1]) if said[:, axis].any()]

    @property
    def bends(self) -> bool:
        """Whether a place is held behind the prefix."""
        return bool(self._points)

    def fitted(self, actions: np.ndarray) -> np.ndarray:
        """Actions (H, A) moved so that they lead through every place that is held."""
        actions = actions.copy()
        for axis, steps, wanted in self._points:
            before = self._prefix - 1
            for step, total in zip(steps.tolist(), wanted.tolist(), strict=True):
                missing = total - float(actions[:step + 1, axis].sum())
                actions[before + 1:step + 1, axis] += missing * _swell(step - before)
                before = step
        return actions


def _changes(held: Held, base: np.ndarray, space: ActionSpace) -> tuple[np.ndarray, np.ndarray]:
    """(H, A - 1) how far from the base every step is to be, and where that is held.

    Turns are added up as vectors, which is exact about one axis and near it for small ones.
    """
    if space == "joints":
        return held.targets[:, :-1] - base[:-1], held.mask[:, :-1].copy()
    turned = held.mask[:, 3:7].all(axis=1, keepdims=True)                           # (H, 1)
    there = np.where(turned, held.targets[:, 3:7], base[3:7])
    turns = rotations.to_vector(rotations.multiply(there, rotations.inverse(base[3:7])))
    return (np.concatenate((held.targets[:, :3] - base[:3], turns), axis=1),
            np.concatenate((held.mask[:, :3], np.repeat(turned, 3, axis=1)), axis=1))


def _swell(steps: int) -> np.ndarray:
    """(steps,) shares of a way that begins and ends slowly; their sum is 1."""
    along = np.arange(1, steps + 1)
    shares = along * (steps + 1 - along)
    return shares / shares.sum()

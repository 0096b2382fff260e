"""How differently two policies would act on the same observations.

Both think and act on every observation from the same seed, so that the same weights give no
difference at all, whatever they draw at random. Compared is what would be played of a chunk before
the next one comes. Knows policies by their interface; knows no files.

Letters: K targets that are compared, T numbers of a target.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from policy import rotations
from policy.interfaces import ActionSpace, Chunk, Observation, Policy

COMPARED = 8                # targets of a chunk: twice what is usually played of one
MOST = 95                   # percentile
HALF_OPEN = 0.5
SEED = 0


class ActionChange(NamedTuple):
    """95th percentiles over all observations; of joints, `position` is in rad and nothing turns."""

    position: float
    rotation_rad: float
    gripper_flips: float


def action_change(before: Policy, after: Policy, observations: Sequence[Observation],
                  turn: Callable[[], None] = lambda: None) -> ActionChange:
    """How far `after` acts from `before`.

    Args:
        before, after: of the same spec.
        observations: in order, at least one.
        turn: called after each.
    """
    for policy in (before, after):
        policy.reset(SEED)
    positions, angles, flips = [], [], []
    for observation in observations:
        chunks = [policy.act(observation, policy.think(observation)) for policy in (before, after)]
        apart = between(chunks[0].targets[:COMPARED], chunks[1].targets[:COMPARED],
                        chunks[0].space)
        positions.append(apart.position)
        angles.append(apart.rotation_rad)
        flips.append(apart.gripper_flips)
        turn()
    return ActionChange(float(np.percentile(positions, MOST)), float(np.percentile(angles, MOST)),
                        float(np.mean(flips)))


def between(one: np.ndarray, other: np.ndarray, space: ActionSpace) -> ActionChange:
    """Of two chunks, (K, T) targets each: the largest distance, angle, and the share of flips."""
    flips = float(np.mean((one[:, -1] > HALF_OPEN) != (other[:, -1] > HALF_OPEN)))
    if space == "joints":
        return ActionChange(float(np.abs(one[:, :-1] - other[:, :-1]).max()), 0.0, flips)
    turned = rotations.multiply(one[:, 3:7], rotations.inverse(other[:, 3:7]))
    return ActionChange(
        float(np.linalg.norm(one[:, :3] - other[:, :3], axis=1).max()),
        float(np.linalg.norm(rotations.to_vector(turned), axis=1).max()), flips)


def finite(chunk: Chunk) -> bool:
    """Whether every target is a number."""
    return bool(np.isfinite(chunk.targets).all())

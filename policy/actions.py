"""Action arithmetic: from targets to what is to be done between them, and back.

A policy answers with *actions*, the change that each step of a chunk makes; a station wants
*targets*, where to be at the end of each step. For the space "tool" a target is (8,):
world_from_tool and gripper, and an action (7,): dx dy dz in metres and a rotation vector in rad,
both in the world frame, and the gripper at the end of the step. For "joints" a target and an action
are (D,): joints (or their change) and the gripper. The gripper is never a change: 0 closed, 1 open.

Exact by construction: targets_of(base, actions_between(base, targets)) == targets, where a
quaternion and its negative are one rotation. Knows no recordings and no normalisation.
Letters: H steps, T numbers of a target, A of an action.
"""

import numpy as np

from policy import rotations
from policy.interfaces import ActionSpace

TOOL_TARGET, TOOL_ACTION = 8, 7


def action_width(space: ActionSpace, joints: int) -> int:
    """A, for a robot with D = `joints` joints and gripper."""
    return TOOL_ACTION if space == "tool" else joints


def target_width(space: ActionSpace, joints: int) -> int:
    """T, for a robot with D = `joints` joints and gripper."""
    return TOOL_TARGET if space == "tool" else joints


def actions_between(base: np.ndarray, targets: np.ndarray, space: ActionSpace) -> np.ndarray:
    """What leads from the base through the targets.

    Args:
        base: (..., T) where the chunk begins; its gripper is not looked at.
        targets: (..., H, T).
        space: see the head of this file.

    Returns:
        (..., H, A).
    """
    before = np.concatenate([base[..., None, :], targets[..., :-1, :]], axis=-2)
    if space == "joints":
        return np.concatenate([targets[..., :-1] - before[..., :-1], targets[..., -1:]], axis=-1)
    turn = rotations.multiply(targets[..., 3:7], rotations.inverse(before[..., 3:7]))
    return np.concatenate([targets[..., :3] - before[..., :3], rotations.to_vector(turn),
                           targets[..., 7:]], axis=-1)


def targets_of(base: np.ndarray, actions: np.ndarray, space: ActionSpace) -> np.ndarray:
    """Where the actions lead, step by step, from the base.

    Args:
        base: (..., T).
        actions: (..., H, A).
        space: see the head of this file.

    Returns:
        (..., H, T).
    """
    if space == "joints":
        moved = base[..., None, :-1] + np.cumsum(actions[..., :-1], axis=-2)
        return np.concatenate([moved, actions[..., -1:]], axis=-1)
    position = base[..., None, :3] + np.cumsum(actions[..., :3], axis=-2)
    turns = rotations.from_vector(actions[..., 3:6])                            # (..., H, 4)
    turned, quaternion = np.empty_like(turns), base[..., 3:7]
    for step in range(turns.shape[-2]):
        quaternion = rotations.multiply(turns[..., step, :], quaternion)
        turned[..., step, :] = quaternion
    return np.concatenate([position, rotations.normalised(turned), actions[..., 6:]], axis=-1)

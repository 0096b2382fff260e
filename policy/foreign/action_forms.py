"""What another project's policy answers, as targets of ours.

Every form says how rows of numbers are meant; `targets` makes absolute targets of them, in one of
our two action spaces (policy/actions.py). Changes add up from the last command on, so that a chunk
goes on where the one before it was. Pure functions; knows no network and no wire.

Letters: H steps of a chunk, A numbers of a row, D = joints + gripper, T = numbers of a target.
"""

from collections.abc import Callable

import msgspec
import numpy as np

from policy import rotations
from policy.actions import targets_of
from policy.interfaces import ActionSpace

OSC_M, OSC_RAD = 0.05, 0.5      # what 1.0 means to robosuite's controller of poses, in LIBERO
DROID_STEP_RAD = 0.2            # what a joint velocity of 1.0 moves in a step of DROID's


class ActionForm(msgspec.Struct, frozen=True):
    """How rows of numbers are meant.

    Attributes:
        space: of the targets that become of them.
        compute: from (H, A) and the last command (T,) to (H, T).
        width: A; 0: the robot's D.
        meaning: for lists of what is valid.
    """

    space: ActionSpace
    compute: Callable[[np.ndarray, np.ndarray], np.ndarray]
    width: int
    meaning: str


def _joints_deg(rows: np.ndarray, base: np.ndarray) -> np.ndarray:
    return np.column_stack([np.radians(rows[:, :-1]), rows[:, -1] / 100])


def _joint_changes(rows: np.ndarray, base: np.ndarray) -> np.ndarray:
    return targets_of(base, rows, "joints")


def _droid(rows: np.ndarray, base: np.ndarray) -> np.ndarray:
    fastest = np.maximum(np.abs(rows[:, :-1]).max(axis=1, keepdims=True), 1.0)
    changes = np.column_stack([DROID_STEP_RAD * rows[:, :-1] / fastest, 1 - rows[:, -1]])
    return targets_of(base, changes, "joints")


def _pose_vector(rows: np.ndarray, base: np.ndarray) -> np.ndarray:
    return np.column_stack([rows[:, :3], rotations.from_vector(rows[:, 3:6]), rows[:, 6]])


def _pose_changes(rows: np.ndarray, base: np.ndarray) -> np.ndarray:
    return targets_of(base, rows, "tool")


def _osc(rows: np.ndarray, base: np.ndarray) -> np.ndarray:
    limited = np.clip(rows, -1.0, 1.0)
    changes = np.column_stack([OSC_M * limited[:, :3], OSC_RAD * limited[:, 3:6],
                               (1 - limited[:, 6]) / 2])
    return targets_of(base, changes, "tool")


FORMS: dict[str, ActionForm] = {
    "joints": ActionForm("joints", lambda rows, base: rows.copy(), 0,
                         "joints in rad, then the gripper, 1 open"),
    "joints-deg": ActionForm("joints", _joints_deg, 0,
                             "joints in degrees, then the gripper, 100 open"),
    "joint-changes": ActionForm("joints", _joint_changes, 0,
                                "changes of joints in rad, then the gripper, 1 open"),
    "droid": ActionForm("joints", _droid, 0,
                        "DROID's joint velocities, then the gripper, 1 closed"),
    "pose": ActionForm("tool", lambda rows, base: rows.copy(), 8,
                       "the tool's place in m, its rotation w x y z, the gripper, 1 open"),
    "pose-axis-angle": ActionForm("tool", _pose_vector, 7,
                                  "the same with the rotation as a vector in rad"),
    "pose-changes": ActionForm("tool", _pose_changes, 7,
                               "changes of place in m and rotation in rad, the gripper, 1 open"),
    "libero": ActionForm("tool", _osc, 7,
                         "robosuite's changes of a pose in -1..1, the gripper, 1 closes"),
}


def require_form(name: str) -> ActionForm:
    """A form by its name.

    Raises:
        ValueError: naming the valid ones.
    """
    if name not in FORMS:
        raise ValueError(f"no such action: {name!r}; valid are " + ", ".join(
            f"{known} ({form.meaning})" for known, form in FORMS.items()))
    return FORMS[name]


def targets(name: str, rows: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Rows of a policy's answer as targets.

    Args:
        name: of the form.
        rows: (H, A).
        base: (T,) the last command, in the form's action space.

    Returns:
        (H, T) f8; the gripper within 0..1.

    Raises:
        ValueError: the rows have another width.
    """
    form, rows = FORMS[name], np.asarray(rows, np.float64)
    wanted = form.width or len(base)
    if rows.ndim != 2 or rows.shape[1] != wanted:
        raise ValueError(f"the policy answers with {rows.shape} numbers, but action={name} means "
                         f"{wanted} a step: choose another with --policy-map action=…")
    found = form.compute(rows, base)
    found[:, -1] = np.clip(found[:, -1], 0.0, 1.0)
    return found

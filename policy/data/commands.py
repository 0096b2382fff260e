"""What the robot was told, read out of the control loop's record: bases, targets, and their worth.

A chunk is learned from what was really sent (`sent_tool` or `sent`), with the gripper as it was
*wanted*: the sent one glides for half a second, the wish is a decision. Ticks in which a scripted
operator erred on purpose are no example to follow, so steps from the first of them on are masked.
Knows the columns of the stream `tick`; knows no pictures and no instruction.

Letters: M moments, H steps, T numbers of a target, N ticks.
"""

import numpy as np

from policy import rotations
from policy.data.signals import Signals, has_column, latest
from policy.interfaces import ActionSpace
from recorders import align

OPEN_ABOVE = 0.5            # a gripper wanted more open than this is wanted open
ERRS_ABOVE = 1e-3           # of a twist in m/s or rad/s, or of the gripper
STEPS_PAST_END = 4          # a robot that is done stays where it is; so long that is an example


def command_columns(space: ActionSpace) -> tuple[tuple[str, str], ...]:
    """The (stream, column) pairs that an action space is learned from."""
    sent = ("tick", "sent")
    return (sent, ("tick", "sent_tool")) if space == "tool" else (sent,)


def base_at(signals: Signals, moments_ns: np.ndarray, space: ActionSpace) -> np.ndarray:
    """The last command at or before each moment, (M, T): what a chunk begins from."""
    sent = latest(signals, "tick", "sent", moments_ns)
    if space == "joints":
        return sent
    return np.concatenate([latest(signals, "tick", "sent_tool", moments_ns), sent[:, -1:]], axis=1)


def targets_at(signals: Signals, when_ns: np.ndarray, space: ActionSpace) -> np.ndarray:
    """What was to be reached at any moments, between ticks on the way from one to the next.

    Args:
        signals: of an episode.
        when_ns: (...) moments; behind the last tick its command holds.
        space: of the targets.

    Returns:
        (..., T), the gripper 0 or 1.
    """
    gripper = wanted_gripper(signals, when_ns)[..., None]
    if space == "joints":
        stamps_ns, sent = signals.series("tick", "sent")
        return np.concatenate([align.interpolate(stamps_ns, sent[:, :-1], when_ns), gripper], -1)
    stamps_ns, poses = signals.series("tick", "sent_tool")
    left = np.clip(align.latest_before(stamps_ns, when_ns), 0, len(stamps_ns) - 1)
    right = np.minimum(left + 1, len(stamps_ns) - 1)
    span_ns = np.maximum(stamps_ns[right] - stamps_ns[left], 1)
    share = np.clip((when_ns - stamps_ns[left]) / span_ns, 0.0, 1.0)
    position = poses[left, :3] + share[..., None] * (poses[right, :3] - poses[left, :3])
    turned = rotations.between(poses[left, 3:], poses[right, 3:], share)
    return np.concatenate([position, turned, gripper], axis=-1)


def wanted_gripper(signals: Signals, when_ns: np.ndarray) -> np.ndarray:
    """The gripper that was wanted at any moments (...): 0 closed, 1 open."""
    stamps_ns, wanted = gripper_wishes(signals)
    return wanted[np.maximum(align.latest_before(stamps_ns, when_ns), 0)]


def gripper_wishes(signals: Signals) -> tuple[np.ndarray, np.ndarray]:
    """(N,) stamps of the ticks and (N,) the gripper wanted in each, 0 or 1.

    The clean wish where an operator erred on purpose, else what was arbitrated, else what was sent.
    """
    stamps_ns, sent = signals.series("tick", "sent")
    wanted = sent[:, -1]
    if has_column(signals.streams, "tick", "blended"):
        blended = signals.series("tick", "blended")[1][:, -1]
        wanted = np.where(np.isfinite(blended), blended, wanted)
    if has_column(signals.streams, "tick", "human_corrective"):
        clean = signals.series("tick", "human_corrective")[1][:, -1]
        wanted = np.where(np.isfinite(clean) & erring(signals)[1], clean, wanted)
    return stamps_ns, (wanted > OPEN_ABOVE).astype(np.float64)


def erring(signals: Signals) -> tuple[np.ndarray, np.ndarray]:
    """(N,) stamps of the ticks and (N,) bool: the operator did on purpose what it should not."""
    stamps_ns, _ = signals.series("tick", "sent")
    columns = ("human_corrective", "human_twist", "human_gripper")
    if not all(has_column(signals.streams, "tick", column) for column in columns):
        return stamps_ns, np.zeros(len(stamps_ns), bool)
    clean, twist, gripper = (signals.series("tick", column)[1] for column in columns)
    said = np.concatenate([twist, gripper[:, None]], axis=1)
    apart = np.abs(clean - said)                    # NaN where nobody speaks, or nobody errs
    return stamps_ns, np.asarray((np.nan_to_num(apart) > ERRS_ABOVE).any(axis=1))


def steps_valid(
    signals: Signals, moments_ns: np.ndarray, steps: int, step_ns: int, ends_ns: np.ndarray
) -> np.ndarray:
    """Which steps of the chunks at M moments are examples to follow.

    Args:
        signals: of an episode.
        moments_ns: (M,).
        steps, step_ns: H, and the time of one.
        ends_ns: (E,) stamps at which something else began: other words, or somebody else's doing.

    Returns:
        (M, H) bool.
    """
    steps_ns = moments_ns[:, None] + step_ns * np.arange(1, steps + 1)             # (M, H)
    stamps_ns, errs = erring(signals)
    bad_ns = np.sort(np.concatenate([stamps_ns[errs], ends_ns]))
    before = np.searchsorted(bad_ns, moments_ns, side="right")[:, None]
    unspoilt = np.searchsorted(bad_ns, steps_ns, side="right") == before
    return unspoilt & (steps_ns <= stamps_ns[-1] + STEPS_PAST_END * step_ns)

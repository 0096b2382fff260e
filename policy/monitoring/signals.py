"""What is looked at to tell that a rollout goes wrong, as plain numbers: larger is worse.

Chunk disagreement compares what consecutive chunks say about the same moments, with one sample of
each. Word entropy is looked at by its largest value in a short window, never by its mean over the
rollout, which hides a spike (arXiv 2603.18342). Knows chunks and rows of numbers; knows no
threshold.
"""

import numpy as np

from policy import rotations
from policy.interfaces import Chunk

SIGNALS = ("disagreement", "entropy", "novelty", "tracking", "gripper", "force", "elapsed")
WORDS = {
    "disagreement": "the plan changes from one moment to the next",
    "entropy": "System 2 is not sure what is to be done",
    "novelty": "what System 2 sees is unlike what it saw in successes",
    "tracking": "the arm does not go where it is told",
    "gripper": "the gripper does not do what it is told",
    "force": "the wrist feels more than in successes",
    "elapsed": "it takes longer than successes did",
}
LEVER_M = 0.1               # a turn by 1 rad counts as so many metres
GRIPPER_M = 0.02            # opening instead of closing counts as so many metres


def chunk_disagreement(before: Chunk, after: Chunk) -> float:
    """Mean distance of two chunks' targets at the moments that both speak of, in metres.

    Returns:
        NaN if they share no moment, or are not of one space.
    """
    if before.space != after.space or before.targets.shape[1:] != after.targets.shape[1:]:
        return float("nan")
    stamps_ns = after.first_ns + after.step_ns * np.arange(len(after.targets), dtype=np.int64)
    last_ns = before.first_ns + before.step_ns * (len(before.targets) - 1)
    shared = (stamps_ns >= before.first_ns) & (stamps_ns <= last_ns)
    if not shared.any():
        return float("nan")
    places = (stamps_ns[shared] - before.first_ns) / before.step_ns
    low = np.minimum(places.astype(int), len(before.targets) - 2) if len(before.targets) > 1 \
        else np.zeros(len(places), int)
    high = np.minimum(low + 1, len(before.targets) - 1)
    share = (places - low)[:, None]
    old = (1 - share) * before.targets[low] + share * before.targets[high]     # (S, 8) or (S, D)
    new = after.targets[shared]
    if before.space == "joints":
        return float(np.abs(old - new)[:, :-1].mean() * LEVER_M)
    moved_m = np.linalg.norm(old[:, :3] - new[:, :3], axis=1)
    turned = rotations.to_vector(rotations.multiply(
        rotations.inverse(rotations.normalised(old[:, 3:7])), new[:, 3:7]))
    grip = np.abs(old[:, 7] - new[:, 7])
    return float((moved_m + LEVER_M * np.linalg.norm(turned, axis=1) + GRIPPER_M * grip).mean())

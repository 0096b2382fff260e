"""Why a chunk is none that this arm can follow, whoever drives: one sentence. Pure functions."""

import numpy as np

from policy.interfaces import Chunk
from studio.station.chunks.ways import POSE

TOOL_TARGET = 8


def refusal_of_chunk(chunk: Chunk, joints: int) -> str:
    """Empty if it is a chunk.

    Args:
        chunk: as it arrived.
        joints: D of the arm, gripper included.
    """
    width = TOOL_TARGET if chunk.space == "tool" else joints
    if np.ndim(chunk.targets) != 2 or len(chunk.targets) == 0 \
            or chunk.targets.shape[1] != width or chunk.step_ns <= 0:
        return (f"a chunk in {chunk.space} space has one or more rows of {width} numbers, not "
                f"{np.shape(chunk.targets)}: it was made for another robot")
    if not np.isfinite(chunk.targets).all():
        return "the chunk holds numbers that are not finite: the policy's weights are damaged"
    if chunk.space == "tool" and np.linalg.norm(chunk.targets[:, 3:POSE], axis=1).min() < 0.5:
        return "the chunk holds an orientation that is no quaternion of length one"
    return ""

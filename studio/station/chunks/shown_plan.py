"""A policy's running chunk as a tick records it and as a timeline draws it.

Plain data; knows no player.
"""

from enum import IntFlag

import msgspec

from studio.station.chunks.override_commands import FixedStep


class Override(IntFlag):
    """What a person has decided about the plan that a tick follows; several may hold."""

    NONE = 0
    FIXED = 1 << 0          # it leads through values that they fixed
    SLOWED = 1 << 1         # it runs at a part of its speed
    STANDS = 1 << 2         # it was trimmed or held, and its end is reached
    WAITS = 1 << 3          # it is to be accepted first


class RunningChunk(msgspec.Struct, frozen=True, kw_only=True):
    """The chunk that is played, as a timeline draws it.

    Attributes:
        chunk_id: see `policy.interfaces.Chunk`.
        space: "tool": targets are (8,) world_from_tool and gripper; "joints": (D,).
        step: which target the arm is led to now; those after it can still be changed.
            `len(targets)` once the chunk is over.
        step_s: time between two targets.
        targets: (H, A) what the arm is led to, with what a person changed.
        observation_ns: stamp of the picture that it answers.
        subtask, instruction_id, weights_version, epoch: as the chunk says.
        proposed: (H', A) as the policy said it, H' more than H if it was trimmed; () if the same.
        fixed: what a person fixed from now on, in steps of this chunk; a step may lie behind H.
        rate: its present speed, 1 as planned, 0 it stands.
        waits: it runs when it is accepted.
    """

    chunk_id: int
    space: str
    step: int
    step_s: float
    targets: tuple[tuple[float, ...], ...]
    observation_ns: int
    subtask: str = ""
    instruction_id: int = 0
    weights_version: int = 0
    epoch: int = 0
    proposed: tuple[tuple[float, ...], ...] = ()
    fixed: tuple[FixedStep, ...] = ()
    rate: float = 1.0
    waits: bool = False

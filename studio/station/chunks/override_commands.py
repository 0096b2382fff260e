"""What a person may ask of the plans of a policy that drives; see overriding.py for what it does.

Steps count the targets of a chunk from 0. A chunk is named by its number; 0 names the one that runs
when the command arrives, which is what a key needs: a policy plans several times a second.
"""

import msgspec


class FixedStep(msgspec.Struct, frozen=True):
    """Values fixed at a step.

    Attributes:
        step: of the chunk.
        values: as wide as its targets, None where nothing is fixed. In tool space x y z (m, world),
            qw qx qy qz (all or none) and the gripper, 0 closed to 1 open; else joints and gripper.
    """

    step: int
    values: tuple[float | None, ...]


class FixChunk(msgspec.Struct, tag=True, frozen=True):
    """Fix values of steps to come. The path bends through them at once, the policy plans the rest
    around them, and they hold at their moments whatever it plans next."""

    chunk_id: int
    steps: tuple[FixedStep, ...]


class FreeChunk(msgspec.Struct, tag=True, frozen=True):
    """Nothing is fixed any more."""


class TrimChunk(msgspec.Struct, tag=True, frozen=True):
    """Forget what is planned behind a step: the arm goes that far, and the policy looks again."""

    step: int
    chunk_id: int = 0


class HoldChunk(msgspec.Struct, tag=True, frozen=True):
    """Stand at a step for a time; then the policy plans from what it sees there."""

    duration_s: float
    step: int = -1              # -1: as soon as it can stop
    chunk_id: int = 0


class SlowChunks(msgspec.Struct, tag=True, frozen=True):
    """Run all plans at a part of their speed, above 0 to 1, until told otherwise."""

    scale: float


class VetoChunk(msgspec.Struct, tag=True, frozen=True):
    """Drop the plan: the arm stops, and the policy plans again. After two in a row it holds."""

    chunk_id: int = 0


class StepChunks(msgspec.Struct, tag=True, frozen=True):
    """Run only what is accepted, or whatever is planned."""

    on: bool


class AcceptChunk(msgspec.Struct, tag=True, frozen=True):
    """Run the plan that waits, or so many of its steps; then the next one is shown and waits."""

    chunk_id: int = 0
    steps: int = 0              # 0: all


OverrideCommand = (FixChunk | FreeChunk | TrimChunk | HoldChunk | SlowChunks | VetoChunk
                   | StepChunks | AcceptChunk)
EDITS = (FixChunk, FreeChunk, TrimChunk, HoldChunk, VetoChunk, AcceptChunk)
"""Those that need a plan that drives; the others are settings."""

"""The running chunk as a timeline draws it. Pure functions; knows no screen."""

import numpy as np

from policy.interfaces import Chunk
from recorders.clock import NS_PER_S
from studio.station.chunks.overriding import Overriding
from studio.station.chunks.path import Path
from studio.station.chunks.shown_plan import RunningChunk


def shown_plan(chunk: Chunk, path: Path, step: int, decided: Overriding) -> RunningChunk:
    """A chunk on its way.

    Args:
        chunk: as the policy said it.
        path: as it is followed.
        step: which of its targets the arm is led to now.
        decided: what a person decided about the plans.
    """
    proposed = _rows(np.asarray(chunk.targets, dtype=float))
    changed = path.bend is not None or len(path.knots) != len(chunk.targets) + 1
    return RunningChunk(
        chunk_id=chunk.chunk_id, space=chunk.space, step=step, step_s=chunk.step_ns / NS_PER_S,
        targets=_led_through(path), proposed=proposed if changed else (),
        observation_ns=chunk.observation_ns, fixed=decided.steps_of(chunk.chunk_id),
        rate=decided.time.rate, waits=decided.waits, subtask=chunk.subtask,
        instruction_id=chunk.instruction_id, weights_version=chunk.weights_version,
        epoch=chunk.epoch)


def _led_through(path: Path) -> tuple[tuple[float, ...], ...]:
    """(H, A) targets as they are followed."""
    if (bend := path.bend) is None:
        return _rows(path.knots[1:])
    return _rows(np.array([bend.bent(path.space, knot, int(stamp_ns)) for stamp_ns, knot in
                           zip(path.stamps_ns[1:], path.knots[1:], strict=True)]))


def _rows(numbers: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, numbers.tolist()))

"""What is decided already of the chunk that a policy is about to make, from the station to it.

Two things are: the steps that will be executed before the chunk can arrive (the prefix of real-time
chunking), and the values that a person fixed. The station says what runs and what is fixed, in
moments of the plan; where the policy acts, that becomes `Held`, step by step of the new chunk. The
same code serves a policy in the station's process and one in its own. Pure functions and plain
data; knows no policy, no socket and no clock.
"""

import math

import msgspec
import numpy as np

from policy.interfaces import ActionSpace, Held, Observation, PolicySpec
from studio.station.chunks.bend import Fixed, Start, bend_through
from studio.station.chunks.path import Path
from studio.station.chunks.ways import gone, way


class RunningPath(msgspec.Struct, frozen=True):
    """A path, as plain numbers; see chunks/path.py and chunks/bend.py."""

    stamps_ns: tuple[int, ...]
    knots: tuple[tuple[float, ...], ...]
    taken_ns: int
    aside: tuple[float, ...]
    bend: Start | None = None
    through: tuple[Fixed, ...] = ()


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What the station has decided.

    Attributes:
        epoch: of the ownership in which it holds.
        space: of the targets.
        stamp_ns, moment_ns: a moment of the clock and of the plan that belong together.
        rate: of the plan's time, 1 as the clock's.
        fixed: by a person, moments ascending.
        path: that runs; None: nothing is known of what will be executed.
        arrives_ns: how long after its observation a chunk is played, as a rule; steps up to there
            are executed before it can be. 0: nothing of the path is to be held.
    """

    epoch: int
    space: ActionSpace
    stamp_ns: int
    moment_ns: int
    rate: float = 1.0
    fixed: tuple[Fixed, ...] = ()
    path: RunningPath | None = None
    arrives_ns: int = 0

    def moment_at(self, stamp_ns: int) -> int:
        """The moment of the plan at a stamp nearby."""
        return self.moment_ns + round(self.rate * (stamp_ns - self.stamp_ns))


def running_path(path: Path) -> RunningPath:
    """A path for sending."""
    return RunningPath(
        tuple(path.stamps_ns.tolist()), tuple(map(tuple, path.knots.tolist())), path.taken_ns,
        tuple(path.aside.tolist()), None if path.bend is None else path.bend.start,
        () if path.bend is None else path.bend.fixed)


def held_of(decided: Decided, observation: Observation, epoch: int, spec: PolicySpec
            ) -> Held | None:
    """What a chunk on an observation has to hold.

    Args:
        decided: newest word of the station.
        observation: that the policy acts on.
        epoch: of the ownership when it was made.
        spec: of the policy.

    Returns:
        None if nothing is decided, or not for this epoch or this action space.
    """
    if decided.epoch != epoch or decided.space != spec.action_space:
        return None
    begins_ns = decided.moment_at(observation.stamp_ns)
    moments_ns = begins_ns + spec.step_ns * np.arange(1, spec.steps + 1)
    targets = np.tile(observation.base, (spec.steps, 1))
    mask = np.zeros(targets.shape, bool)
    _hold_path(decided, begins_ns, moments_ns, targets, mask)
    for one in decided.fixed:
        step = round((one.at_ns - begins_ns) / spec.step_ns) - 1
        if 0 <= step < spec.steps and len(one.values) == targets.shape[1]:
            given = np.isfinite(one.values) & ~mask[step]
            targets[step, given] = np.array(one.values)[given]
            mask[step] |= given
    return Held(targets, mask) if mask.any() else None


def _hold_path(decided: Decided, begins_ns: int, moments_ns: np.ndarray, targets: np.ndarray,
               mask: np.ndarray) -> None:
    """Hold the first steps at what will be commanded then.

    A command lags behind the path that it follows while the arm speeds up, and a chunk begins at a
    command: so the path is held beside itself by as much as the command is.
    """
    if decided.path is None or decided.arrives_ns <= 0 or decided.rate <= 0.0:
        return
    path = _path(decided)
    last_ns = min(begins_ns + round(decided.rate * decided.arrives_ns), int(path.stamps_ns[-1]))
    count = min(math.ceil((last_ns - begins_ns) / (moments_ns[0] - begins_ns)), len(mask) // 2)
    lag = way(path.space, path.at(begins_ns), targets[0])
    for step in range(max(count, 0)):
        there = path.at(int(moments_ns[step]))
        gripper = there[-1]
        targets[step] = gone(path.space, there, lag)
        targets[step, -1] = gripper
        mask[step] = True


def _path(decided: Decided) -> Path:
    said = decided.path
    assert said is not None
    path = Path(decided.space, np.array(said.stamps_ns), np.array(said.knots), said.taken_ns,
                np.array(said.aside))
    if said.bend is None:
        return path
    return msgspec.structs.replace(path, bend=bend_through(
        path.space, path.unbent, said.through, said.bend))

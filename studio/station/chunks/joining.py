"""How a new chunk is joined to those before it: four ways, each as its authors say.

All of them see only chunks that may be played: of this epoch, of words that hold. What is left
between the joined targets and where the arm is going is taken back by the player. Knows targets and
moments; knows no arm and no policy.

- guided: the newest alone, which was planned around what will be executed until it arrives
  (real-time chunking, arXiv 2506.07339, with training-time prefixes, arXiv 2512.05964); see
  decided.py for what the policy is told.
- latest: the newest alone.
- ensemble: the mean of all chunks that speak of a moment, the oldest weighing 1 and the i-th after
  it exp(-0.01 i) (ACT, arXiv 2304.13705).
- weighted-average: 0.3 of what was to be played and 0.7 of the newest, target by target: what
  LeRobot's asynchronous client does unless told otherwise (lerobot 0.6.1, `weighted_average`).
"""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from policy.interfaces import ActionSpace
from studio.station.chunks.ways import gone, on_path, way

Join = Literal["guided", "latest", "ensemble", "weighted-average"]
JOIN: Join = "guided"
OLDEST_FIRST = 0.01         # ACT's m
NEW_SHARE = 0.7             # LeRobot's
KEPT = 16                   # chunks: more do not overlap at a call of System 1 per step


class Targets(msgspec.Struct, frozen=True):
    """A chunk's targets at moments of the plan.

    Attributes:
        stamps_ns: (K,) ascending; the first is the observation's.
        knots: (K, 8) or (K, D) the command of that moment, then the targets.
    """

    space: ActionSpace
    stamps_ns: np.ndarray
    knots: np.ndarray

    def covers(self, moment_ns: int) -> bool:
        """Whether it says where to be at a moment."""
        return self.stamps_ns[0] < moment_ns <= self.stamps_ns[-1]

    def at(self, moment_ns: int) -> np.ndarray:
        """(8,) or (D,) at a moment."""
        return on_path(self.space, self.stamps_ns, self.knots, moment_ns)


class Joining:
    """Remembers what was said before."""

    def __init__(self, join: Join) -> None:
        self.join: Join = join
        self._said: list[Targets] = []      # as the policy said them, oldest first; or as joined

    def forget(self) -> None:
        """What was said before means nothing any more."""
        self._said.clear()

    def joined(self, new: Targets, moment_ns: int) -> Targets:
        """The targets to play from a moment of the plan on."""
        before = [old for old in self._said
                  if old.space == new.space and old.stamps_ns[-1] > moment_ns]
        match self.join:
            case "guided" | "latest":
                return new
            case "ensemble":
                self._said = [*before, new][-KEPT:]
                return _mean_of(self._said)
            case "weighted-average":
                joined = _between(before[-1], new) if before else new
                self._said = [joined]
                return joined


def _mean_of(said: Sequence[Targets]) -> Targets:
    new, knots = said[-1], said[-1].knots.copy()
    for k, moment_ns in enumerate(new.stamps_ns.tolist()):
        speaking = [one.at(moment_ns) for one in said if one is new or one.covers(moment_ns)]
        weights = [math.exp(-OLDEST_FIRST * i) for i in range(len(speaking))]
        knots[k] = _mixed(new.space, new.knots[k], speaking, weights) if k else new.knots[0]
    return Targets(new.space, new.stamps_ns, knots)


def _between(old: Targets, new: Targets) -> Targets:
    knots = new.knots.copy()
    for k, moment_ns in enumerate(new.stamps_ns.tolist()):
        if k and old.covers(moment_ns):
            knots[k] = _mixed(new.space, new.knots[k], [old.at(moment_ns), new.knots[k]],
                              [1.0 - NEW_SHARE, NEW_SHARE])
    return Targets(new.space, new.stamps_ns, knots)


def _mixed(space: ActionSpace, newest: np.ndarray, targets: Sequence[np.ndarray],
           weights: Sequence[float]) -> np.ndarray:
    """The weighted mean of targets, seen from the newest; a gripper that is told to open or close
    stays told to open or close."""
    shares = np.array(weights) / sum(weights)
    mixed = gone(space, newest, shares @ np.array([way(space, newest, one) for one in targets]))
    gripper = float(shares @ [one[-1] for one in targets])
    told = all(one[-1] in (0.0, 1.0) for one in targets)
    mixed[-1] = round(gripper) if told else gripper
    return mixed

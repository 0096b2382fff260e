"""From a policy's chunk to a wish in joints, tick by tick.

Holds the newest chunk and says at every tick where it leads by then. It is what drives in AUTO, and
what is written down as the policy's wish while a human drives. What was planned under another
owner, before the last change of owner, or for words that were cancelled is never played. A chunk
that runs dry leaves the arm at its last target. Knows chunks, poses and joints; knows no policy, no
mode and no clock.

Use: `offer` a chunk whenever one arrives; the control loop calls `wish` at every tick.
"""

import msgspec
import mujoco
import numpy as np

from policy import rotations
from policy.interfaces import ActionSpace, Chunk
from studio.station.kinematics import ArmKinematics, angle_between
from studio.station.messages import Owner
from studio.station.safety import SafetyLimits

POSE, TOOL_TARGET = 7, 8
STEPS_OF_IK = 4             # at most, per tick; one is enough while a chunk runs smoothly
NEAR_M, NEAR_RAD = 2e-4, 2e-3


class Played(msgspec.Struct):
    """Counts of chunks since the player was made.

    Attributes:
        taken: became the running chunk.
        refused: were not, because of an old epoch, an old observation, cancelled words, or because
            they were no chunk of this robot.
        dry_ticks: in which the running chunk was over and nothing followed.
        latency_ns: of every chunk taken, from its observation to the first tick that played it.
    """

    taken: int = 0
    refused: int = 0
    dry_ticks: int = 0
    latency_ns: list[int] = []


class _Path(msgspec.Struct, frozen=True):
    """A chunk on the way: knots in time, the first one where the arm was asked to be before.

    Attributes:
        space: of the knots; a tool's target and eight joints look alike.
        stamps_ns: (K,) ascending.
        knots: (K, 8) or (K, D).
    """

    space: ActionSpace
    stamps_ns: np.ndarray
    knots: np.ndarray

    def at(self, now_ns: int) -> np.ndarray:
        """(8,) or (D,) by now: on the straight line between two knots, the gripper as at the
        second, and the last knot once the path is over."""
        k = min(int(np.searchsorted(self.stamps_ns, now_ns)), len(self.stamps_ns) - 1)
        after = self.knots[k]
        if k == 0 or now_ns >= self.stamps_ns[k]:
            return after.copy()
        before, began_ns = self.knots[k - 1], self.stamps_ns[k - 1]
        share = (now_ns - began_ns) / (self.stamps_ns[k] - began_ns)
        there = before + share * (after - before)
        if self.space == "tool":
            mujoco.mju_subQuat(turn := np.empty(3), after[3:POSE], before[3:POSE])
            there[3:POSE] = before[3:POSE]
            mujoco.mju_quatIntegrate(there[3:POSE], turn, share)
        there[-1] = after[-1]
        return there


class ChunkPlayer:
    """Plays chunks on one arm.

    Args:
        kinematics: of that arm.
        joints: D, the number of joints and gripper.
        limits: the workspace that tool targets are kept in.
        dt_s: the control loop's period.

    Attributes:
        owner: what a tick says while this player drives.
        chunk: the newest chunk that was taken, or None.
        played: counts.
    """

    owner = Owner.POLICY

    def __init__(self, kinematics: ArmKinematics, joints: int, limits: SafetyLimits,
                 dt_s: float) -> None:
        self._kinematics, self._joints, self._dt_s = kinematics, joints, dt_s
        self._low, self._high = np.array(limits.workspace_low), np.array(limits.workspace_high)
        self.chunk: Chunk | None = None
        self.played = Played()
        self._epoch, self._changed_ns = -1, 0
        self._last_ns = 0
        self._oldest_words = 0
        self._offered: Chunk | None = None
        self._path: _Path | None = None
        self._solution: np.ndarray | None = None

    def offer(self, chunk: Chunk) -> str:
        """Hand over a chunk, to be played from the next tick on.

        Returns:
            Empty, or why it will not be played.
        """
        refusal = self._refusal(chunk)
        if refusal:
            self.played.refused += 1
        else:
            self._offered = chunk
        return refusal

    def flush(self, instruction_id: int) -> None:
        """Drop what runs; from now on only chunks of these words or later ones are played."""
        self._oldest_words = instruction_id
        self._drop()

    def begin(self) -> None:
        """A new scene: nothing that was planned holds, words are counted anew."""
        self._oldest_words = 0
        self._drop()

    def wish(self, now_ns: int, commanded: np.ndarray, epoch: int) -> np.ndarray | None:
        """Where the policy wants the arm to be.

        Args:
            now_ns: the tick's monotonic stamp.
            commanded: (D,) what the robot was last told.
            epoch: of the ownership; a new one drops everything planned before.

        Returns:
            (D,) or None if there is nothing to play.
        """
        if epoch != self._epoch:
            # The change came after the last tick, and what was seen before it plans for another.
            self._epoch, self._changed_ns = epoch, self._last_ns
            if self.chunk is not None and self._refusal(self.chunk):
                self._path = self._solution = None
        self._last_ns = now_ns
        if (chunk := self._offered) is not None:
            self._offered = None
            if self._refusal(chunk):
                self.played.refused += 1
            else:
                self._take(chunk, now_ns, commanded)
        if self._path is None:
            return None
        self.played.dry_ticks += now_ns > self._path.stamps_ns[-1]
        target = self._path.at(now_ns)
        return self._joints_at(target, commanded) if self._path.space == "tool" else target

    # ---- inside ----------------------------------------------------------------------------------

    def _drop(self) -> None:
        self._offered = self._path = self._solution = None

    def _refusal(self, chunk: Chunk) -> str:
        width = TOOL_TARGET if chunk.space == "tool" else self._joints
        if np.ndim(chunk.targets) != 2 or len(chunk.targets) == 0 \
                or chunk.targets.shape[1] != width or chunk.step_ns <= 0:
            return (f"a chunk in {chunk.space} space has one or more rows of {width} numbers, not "
                    f"{np.shape(chunk.targets)}: it was made for another robot")
        if not np.isfinite(chunk.targets).all():
            return "the chunk holds numbers that are not finite: the policy's weights are damaged"
        if chunk.instruction_id < self._oldest_words:
            return "the chunk was planned for an instruction that has been replaced"
        if self._epoch >= 0 and chunk.epoch != self._epoch:
            return f"the chunk was planned in epoch {chunk.epoch}, this is {self._epoch}"
        if chunk.observation_ns <= self._changed_ns:
            return "the chunk was planned from before the last change of who drives"
        return ""

    def _take(self, chunk: Chunk, now_ns: int, commanded: np.ndarray) -> None:
        """Lead from where the arm is asked to be now into the chunk."""
        start = self._start(chunk, now_ns, commanded)
        targets = self._bounded(chunk, start)
        stamps_ns = chunk.first_ns + chunk.step_ns * np.arange(len(targets), dtype=np.int64)
        # A target that is due at once would be a jump: the next one is soon enough.
        ahead = stamps_ns >= now_ns + chunk.step_ns // 2
        ahead[-1] = True
        self._path = _Path(
            chunk.space, np.concatenate(([now_ns], np.maximum(stamps_ns[ahead], now_ns + 1))),
            np.concatenate((start[None], targets[ahead])))
        self.chunk = chunk
        self.played.taken += 1
        self.played.latency_ns.append(now_ns - chunk.observation_ns)

    def _start(self, chunk: Chunk, now_ns: int, commanded: np.ndarray) -> np.ndarray:
        if self._path is not None and self._path.space == chunk.space:
            return self._path.at(now_ns)
        if chunk.space == "joints":
            return commanded.copy()
        return np.append(self._kinematics.forward(commanded), commanded[-1])

    def _bounded(self, chunk: Chunk, start: np.ndarray) -> np.ndarray:
        """The targets inside the workspace; from outside it they may lead inwards."""
        targets = np.array(chunk.targets, dtype=float)
        targets[:, -1] = np.clip(targets[:, -1], 0.0, 1.0)
        if chunk.space == "tool":
            targets[:, :3] = np.clip(targets[:, :3], np.minimum(self._low, start[:3]),
                                     np.maximum(self._high, start[:3]))
            targets[:, 3:POSE] = rotations.normalised(targets[:, 3:POSE])
        return targets

    def _joints_at(self, target: np.ndarray, commanded: np.ndarray) -> np.ndarray:
        """Joint positions (D,) whose tool is at a target (8,), found from the last ones."""
        near = commanded if self._solution is None else self._solution
        for _ in range(STEPS_OF_IK):
            near = self._kinematics.inverse(near, target[:POSE], self._dt_s)
            tool = self._kinematics.forward(near)
            if (np.linalg.norm(tool[:3] - target[:3]) < NEAR_M
                    and angle_between(tool[3:], target[3:POSE]) < NEAR_RAD):
                break
        self._solution = near
        return np.append(near[:-1], target[-1])

"""From a policy's chunk to a wish in joints, tick by tick.

Holds the newest chunk and says at every tick where it leads by then. It is what drives in AUTO, and
what is written down as the policy's wish while a human drives. What was planned under another
owner, before the last change of owner, or for words that were cancelled is never played. A chunk
that runs dry leaves the arm at its last target. Knows chunks, poses and joints; knows no policy, no
mode and no clock.

Use: `offer` a chunk whenever one arrives; the control loop calls `wish` at every tick.
"""

from collections import deque

import msgspec
import numpy as np

from policy import rotations
from policy.interfaces import ActionSpace, Chunk
from recorders.clock import NS_PER_S
from studio.station.chunk_log import PASSED_OVER, REFUSED, TAKEN, ChunkLog
from studio.station.chunk_path import Path
from studio.station.chunk_ways import POSE, on_path, shortened, way
from studio.station.kinematics import ArmKinematics, angle_between
from studio.station.messages import Owner, RunningChunk
from studio.station.safety import SafetyLimits

TOOL_TARGET = 8
STEPS_OF_IK = 4             # at most, per tick; one is enough while a chunk runs smoothly
NEAR_M, NEAR_RAD = 2e-4, 2e-3
MEMORY_S = 1.0              # of commands: a chunk may answer so old an observation


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
        log: what became of every chunk, for the record.
    """

    owner = Owner.POLICY

    def __init__(self, kinematics: ArmKinematics, joints: int, limits: SafetyLimits,
                 dt_s: float) -> None:
        self._kinematics, self._joints, self._dt_s = kinematics, joints, dt_s
        self._low, self._high = np.array(limits.workspace_low), np.array(limits.workspace_high)
        self.chunk: Chunk | None = None
        self.played = Played()
        self.log = ChunkLog(joints)
        self._epoch, self._changed_ns = -1, 0
        self._last_ns = 0
        self._oldest_words = 0
        self._offered: Chunk | None = None
        self._commands: deque[tuple[int, np.ndarray]] = deque(maxlen=round(MEMORY_S / dt_s))
        self._path: Path | None = None
        self._solution: np.ndarray | None = None

    @property
    def place(self) -> tuple[int, int]:
        """The running chunk's number, and to which of its targets the last wish leads.

        (0, 0) without one; the chunk's length once it is over.
        """
        if self._path is None or self.chunk is None:
            return 0, 0
        ahead = int(np.searchsorted(self._path.stamps_ns[1:], self._last_ns))
        return self.chunk.chunk_id, ahead

    def shown(self) -> RunningChunk | None:
        """The running chunk, as a timeline draws it; None without one."""
        if self._path is None or (chunk := self.chunk) is None:
            return None
        return RunningChunk(
            chunk_id=chunk.chunk_id, space=chunk.space, step=self.place[1],
            step_s=chunk.step_ns / NS_PER_S, observation_ns=chunk.observation_ns,
            targets=tuple(map(tuple, self._path.knots[1:].tolist())), subtask=chunk.subtask,
            instruction_id=chunk.instruction_id, weights_version=chunk.weights_version,
            epoch=chunk.epoch)

    def offer(self, chunk: Chunk) -> str:
        """Hand over a chunk, to be played from the next tick on.

        Returns:
            Empty, or why it will not be played.
        """
        refusal = self._refusal(chunk)
        if refusal:
            self._refuse(chunk, refusal)
        else:
            self._pass_over("a newer chunk came in the same tick")
            self._offered = chunk
        return refusal

    def flush(self, instruction_id: int) -> None:
        """Drop what runs; from now on only chunks of these words or later ones are played."""
        self._oldest_words = instruction_id
        self._drop()

    def release(self) -> None:
        """The arm could not follow: the next chunk begins where it is."""
        self._path = self._solution = None

    def begin(self) -> None:
        """A new scene: nothing that was planned holds, words are counted anew."""
        self._oldest_words = 0
        self._drop()

    def wish(self, now_ns: int, commanded: np.ndarray, epoch: int, *, driving: bool = True,
             asked: np.ndarray | None = None) -> np.ndarray | None:
        """Where the policy wants the arm to be.

        Args:
            now_ns: the tick's monotonic stamp.
            commanded: (D,) what the robot was last told.
            epoch: of the ownership; a new one drops everything planned before.
            driving: the arm follows; otherwise somebody else drives it, and this is only told.
            asked: (D,) where the arm was last asked to be, if not by this player alone.

        Returns:
            (D,) or None if there is nothing to play.
        """
        if epoch != self._epoch:
            # The change came after the last tick, and what was seen before it plans for another.
            self._epoch, self._changed_ns = epoch, self._last_ns
            if self.chunk is not None and self._refusal(self.chunk):
                self._path = self._solution = None
        self._commands.append((self._last_ns, commanded))
        if (chunk := self._offered) is not None:
            self._offered = None
            if refusal := self._refusal(chunk):
                self._refuse(chunk, refusal)
            else:
                self._take(chunk, now_ns, commanded, driving, asked)
        self._last_ns = now_ns
        if self._path is None:
            return None
        self.played.dry_ticks += int(driving and now_ns > self._path.stamps_ns[-1])
        target = self._path.at(now_ns)
        if not driving:
            self._solution = None
        return self._joints_at(target, commanded) if self._path.space == "tool" else target

    def rest(self, now_ns: int) -> None:
        """A tick in which nobody may drive: a change of owner comes after it."""
        self._last_ns = now_ns

    # ---- inside ----------------------------------------------------------------------------------

    def _drop(self) -> None:
        self._pass_over("everything that was planned was dropped")
        self._path = self._solution = None

    def _pass_over(self, why: str) -> None:
        """What was offered is not looked at any more."""
        if self._offered is not None:
            self.log.decided(self._offered, PASSED_OVER, why)
        self._offered = None

    def _refuse(self, chunk: Chunk, why: str) -> None:
        self.played.refused += 1
        self.log.decided(chunk, REFUSED, why)

    def _refusal(self, chunk: Chunk) -> str:
        width = TOOL_TARGET if chunk.space == "tool" else self._joints
        if np.ndim(chunk.targets) != 2 or len(chunk.targets) == 0 \
                or chunk.targets.shape[1] != width or chunk.step_ns <= 0:
            return (f"a chunk in {chunk.space} space has one or more rows of {width} numbers, not "
                    f"{np.shape(chunk.targets)}: it was made for another robot")
        if not np.isfinite(chunk.targets).all():
            return "the chunk holds numbers that are not finite: the policy's weights are damaged"
        if chunk.space == "tool" and np.linalg.norm(chunk.targets[:, 3:POSE], axis=1).min() < 0.5:
            return "the chunk holds an orientation that is no quaternion of length one"
        if chunk.instruction_id < self._oldest_words:
            return "the chunk was planned for an instruction that has been replaced"
        if self._epoch >= 0 and chunk.epoch != self._epoch:
            return f"the chunk was planned in epoch {chunk.epoch}, this is {self._epoch}"
        if chunk.observation_ns <= self._changed_ns:
            return "the chunk was planned from before the last change of who drives"
        return ""

    def _take(self, chunk: Chunk, now_ns: int, commanded: np.ndarray, driving: bool,
              asked: np.ndarray | None) -> None:
        """Play a chunk from now on, beginning where the arm is going, without a jump."""
        space, base_ns = chunk.space, chunk.first_ns - chunk.step_ns
        alone = self._path is not None and self._path.space == space and asked is None
        here = (self._path.at(now_ns) if alone and self._path is not None
                else self._in_space(space, commanded if asked is None else asked))
        base = self._in_space(space, self._commanded_at(base_ns))
        stamps_ns = base_ns + chunk.step_ns * np.arange(len(chunk.targets) + 1, dtype=np.int64)
        knots = np.concatenate((base[None], self._bounded(chunk, base)))
        by_now = on_path(space, stamps_ns, knots, now_ns)
        aside = shortened(space, way(space, by_now, here if driving else by_now))
        self._path = Path(space, stamps_ns, knots, now_ns, aside)
        self.chunk = chunk
        self.played.taken += 1
        self.log.decided(chunk, TAKEN)
        self.played.latency_ns.append(now_ns - chunk.observation_ns)

    def _commanded_at(self, stamp_ns: int) -> np.ndarray:
        """(D,) what was commanded at a moment, as far as is remembered."""
        return next((joints for told_ns, joints in reversed(self._commands)
                     if told_ns <= stamp_ns), self._commands[0][1])

    def _in_space(self, space: ActionSpace, joints: np.ndarray) -> np.ndarray:
        """Joints (D,) as a target of a space."""
        if space == "joints":
            return joints.copy()
        return np.append(self._kinematics.forward(joints), joints[-1])

    def _bounded(self, chunk: Chunk, base: np.ndarray) -> np.ndarray:
        """The targets inside the workspace; from outside it they may lead inwards."""
        targets = np.array(chunk.targets, dtype=float)
        targets[:, -1] = np.clip(targets[:, -1], 0.0, 1.0)
        if chunk.space == "tool":
            targets[:, :3] = np.clip(targets[:, :3], np.minimum(self._low, base[:3]),
                                     np.maximum(self._high, base[:3]))
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

"""From a policy's chunk to a wish in joints, tick by tick.

Holds the newest chunk and says at every tick where it leads by then. It is what drives in AUTO, and
what is written down as the policy's wish while a human drives. What was planned under another
owner, before the last change of owner, or for words that were cancelled is never played. A chunk
that runs dry leaves the arm at its last target. A person may bend, cut, slow or drop what runs
(overriding.py). Knows chunks, poses and joints; knows no policy, no mode and no clock.

Use: `offer` a chunk whenever one arrives; the control loop calls `wish` at every tick.
"""

from collections import deque

import msgspec
import numpy as np

from policy.interfaces import Chunk
from studio.station.chunks.decided import Decided, running_path
from studio.station.chunks.joining import JOIN, Join, Joining, Targets
from studio.station.chunks.joints import ChunkJoints
from studio.station.chunks.log import PASSED_OVER, REFUSED, TAKEN, ChunkLog
from studio.station.chunks.override_commands import OverrideCommand
from studio.station.chunks.override_refusals import Running, refusal_of_override
from studio.station.chunks.overriding import Overriding
from studio.station.chunks.path import Path
from studio.station.chunks.plan_view import shown_plan
from studio.station.chunks.refusals import refusal_of_chunk
from studio.station.chunks.ways import on_path, shortened, way
from studio.station.loop.kinematics import ArmKinematics
from studio.station.loop.safety import SafetyLimits
from studio.station.messages import Owner, RunningChunk

MEMORY_S = 1.0              # of commands: a chunk may answer so old an observation
RECENT = 20                 # latencies, of which nearly all …
USUAL = 0.8                 # … say when the next chunk is to be expected


class Played(msgspec.Struct):
    """Counts of chunks since the player was made.

    Attributes:
        taken: became the running chunk.
        refused: of an old epoch or observation, for cancelled words, or no chunk of this robot.
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
        join: how a chunk is joined to those before it.

    Attributes:
        owner: what a tick says while this player drives.
        chunk: the newest chunk that was taken, or None.
        played: counts.
        log: what became of every chunk, for the record.
        overriding: what a person decided about the plans.
        version: grows whenever `decided` has changed.
    """

    owner = Owner.POLICY

    def __init__(self, kinematics: ArmKinematics, joints: int, limits: SafetyLimits,
                 dt_s: float, join: Join = JOIN) -> None:
        self._arm, self._joints = ChunkJoints(kinematics, limits, dt_s), joints
        self._limits, self._joining = limits, Joining(join)
        self.chunk: Chunk | None = None
        self.played = Played()
        self.log = ChunkLog(joints)
        self.overriding = Overriding()
        self.version = 0
        self._epoch, self._changed_ns = -1, 0
        self._last_ns = 0
        self._oldest_words = 0
        self._offered: Chunk | None = None
        self._commands: deque[tuple[int, np.ndarray]] = deque(maxlen=round(MEMORY_S / dt_s))
        self._latencies: deque[int] = deque(maxlen=RECENT)
        self._path: Path | None = None

    @property
    def join(self) -> Join:
        """How a chunk is joined to those before it."""
        return self._joining.join

    @join.setter
    def join(self, join: Join) -> None:
        self._joining = Joining(join)

    @property
    def place(self) -> tuple[int, int]:
        """The running chunk's number, and to which of its targets the last wish leads: its length
        once it is over; (0, 0) without one."""
        if self._path is None or self.chunk is None:
            return 0, 0
        ahead = int(np.searchsorted(self._path.stamps_ns[1:], self.overriding.time.now_ns))
        return self.chunk.chunk_id, ahead

    def shown(self) -> RunningChunk | None:
        """The running chunk, as a timeline draws it; None without one."""
        if self._path is None or self.chunk is None:
            return None
        return shown_plan(self.chunk, self._path, self.place[1], self.overriding)

    def decided(self) -> Decided:
        """What the policy's next chunk has to hold, as of the last tick."""
        time, path = self.overriding.time, self._path
        guided = self._joining.join == "guided" and path is not None and len(self._latencies) > 0
        return Decided(
            epoch=self._epoch, space="tool" if path is None else path.space,
            stamp_ns=self._last_ns, moment_ns=time.now_ns, rate=time.rate,
            fixed=self.overriding.fixed,
            path=running_path(path) if guided and path is not None else None,
            arrives_ns=round(float(np.quantile(self._latencies, USUAL))) if guided else 0)

    def override(self, command: OverrideCommand) -> str:
        """Do what a person asks of the plans; returns why not, or an empty string."""
        running = None if self._path is None or self.chunk is None else Running(
            self.chunk.chunk_id, self._path, self.place[1])
        if refusal := refusal_of_override(command, running, self.overriding, self._limits):
            return refusal
        before, self._path = self._path, self.overriding.obey(command, self._path, self._last_ns)
        if before is not None and self._path is None:
            self._drop()
        self.version += 1
        return ""

    def offer(self, chunk: Chunk) -> str:
        """Hand over a chunk, to be played from the next tick on.

        Returns:
            Empty, or why it will not be played.
        """
        if why := self._turned_down(chunk):
            return why
        self._pass_over("a newer chunk came in the same tick")
        self._offered = chunk
        return ""

    def flush(self, instruction_id: int) -> None:
        """Drop what runs; from now on only chunks of these words or later ones are played."""
        self._oldest_words = instruction_id
        self._drop()

    def release(self) -> None:
        """The arm could not follow: the next chunk begins where it is."""
        self._leave()

    def begin(self) -> None:
        """A new scene: nothing that was planned holds, words are counted anew."""
        self._oldest_words = 0
        self._drop()
        self.overriding.begin()

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
                self._leave()
        moment_ns = self.overriding.tick(now_ns, driving=driving)
        self._commands.append((self._last_ns, commanded))
        if (chunk := self._offered) is not None:
            self._offered = None
            if not self._turned_down(chunk):
                self._take(chunk, now_ns, commanded, driving, asked)
        self._last_ns = now_ns
        if self._path is None:
            return None
        stands = self.overriding.time.stop_ns is not None
        self.played.dry_ticks += int(
            driving and not stands and moment_ns > self._path.stamps_ns[-1])
        target = self._path.at(moment_ns)
        if not driving:
            self._arm.release()
        return self._arm.at(self._path.space, target, commanded)

    def rest(self, now_ns: int) -> None:
        """A tick in which nobody may drive: a change of owner comes after it."""
        self._last_ns = now_ns

    # ---- inside ----------------------------------------------------------------------------------

    def _drop(self) -> None:
        self._pass_over("everything that was planned was dropped")
        self._leave()

    def _leave(self) -> None:
        """Nothing runs any more."""
        self._path = None
        self._arm.release()
        self._joining.forget()
        self.overriding.forget()
        self.version += 1

    def _pass_over(self, why: str) -> None:
        """What was offered is not looked at any more."""
        if self._offered is not None:
            self.log.decided(self._offered, PASSED_OVER, why)
        self._offered = None

    def _turned_down(self, chunk: Chunk) -> str:
        """Why a chunk is not played, noted; empty if it may be."""
        if refusal := self._refusal(chunk):
            self.played.refused += 1
            self.log.decided(chunk, REFUSED, refusal)
            return refusal
        if objection := self.overriding.objection(chunk):
            self.log.decided(chunk, PASSED_OVER, objection)
        return objection

    def _refusal(self, chunk: Chunk) -> str:
        if refusal := refusal_of_chunk(chunk, self._joints):
            return refusal
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
        space, before_ns, old = chunk.space, chunk.first_ns - chunk.step_ns, self._path
        moment_ns, begins_ns = self.overriding.time.now_ns, self.overriding.time.at(before_ns)
        alone = old is not None and old.space == space and asked is None
        here = (old.at(moment_ns) if alone and old is not None
                else self._arm.in_space(space, commanded if asked is None else asked))
        base = self._arm.in_space(space, self._commanded_at(before_ns))
        said = Targets(
            space, begins_ns + chunk.step_ns * np.arange(len(chunk.targets) + 1, dtype=np.int64),
            np.concatenate((base[None], self._arm.bounded(space, chunk.targets, base))))
        joined = self._joining.joined(said, moment_ns)
        by_now = on_path(space, joined.stamps_ns, joined.knots, moment_ns)
        aside = way(space, by_now, here if driving else by_now)
        if not (driving and self.overriding.stepping):      # a plan that waits leads nowhere
            aside = shortened(space, aside)
        new = Path(space, joined.stamps_ns, joined.knots, moment_ns, aside)
        self._path = self.overriding.taken(chunk, new, old if alone else None, driving=driving)
        self._note(chunk, now_ns, followed=alone)

    def _note(self, chunk: Chunk, now_ns: int, *, followed: bool) -> None:
        """Count a chunk that was taken; the first after a change waited for System 2 as well."""
        latency_ns = now_ns - chunk.observation_ns
        if followed:
            self._latencies.append(latency_ns)
        self.chunk, self.version = chunk, self.version + 1
        self.played.taken += 1
        self.log.decided(chunk, TAKEN)
        self.played.latency_ns.append(latency_ns)

    def _commanded_at(self, stamp_ns: int) -> np.ndarray:
        """(D,) what was commanded at a moment, as far as is remembered."""
        return next((joints for told_ns, joints in reversed(self._commands)
                     if told_ns <= stamp_ns), self._commands[0][1])

"""A policy in another process, as the station sees it: what drives in AUTO.

Shows it every tick, offers what it answers to the chunk player, and knows how it is doing. A policy
that dies leaves its last chunk, which runs dry: the arm holds. It shall not move on by itself when
the process is back, for a hand may be at the arm by then: a policy that falls silent in AUTO, or is
suddenly another one, puts the station on HOLD, and a person lets it drive again. Waits for nobody.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from policy.interfaces import Chunk
from policy.monitoring.calibration import Calibration
from recorders.clock import NS_PER_S
from studio.station.chunks.log import Costs
from studio.station.chunks.player import ChunkPlayer
from studio.station.loop.control_loop import ControlLoop, TickRecord
from studio.station.loop.ownership import Event
from studio.station.loop.safety import SafetyLimits
from studio.station.messages import Mode, PolicyHealth, Spread
from studio.station.processes.bus import Endpoints
from studio.station.processes.wire import WireError
from studio.station.serving.policy_link import Answer, StationEnd, spread

ALIVE_NS = NS_PER_S         # the policy speaks ten times a second, between two calls of its systems
SILENT = ("the policy has said nothing for a second: the arm holds; when the policy is back, look, "
          "arm, and let it drive")
GONE = "the policy was taken away: the arm holds"
ANOTHER = ("the policy has died and was started again: the arm holds; look, arm, and let it drive")


class RemotePolicy:
    """Drives a control loop's AUTO mode; a subscriber of the loop.

    Args:
        context: of this process.
        links: of the station.
        loop: its `player` is set.
        limits: the workspace that targets are kept in.
        note: told `kind` and fields of what System 2 says, whenever that changes.

    Attributes:
        expected: a policy's process serves this station, or is on its way; without one nothing is
            said of a policy.
    """

    def __init__(self, context: zmq.Context, links: Endpoints, loop: ControlLoop,
                 limits: SafetyLimits | None = None, *,
                 note: Callable[..., Any] = lambda kind, **fields: None) -> None:
        self.player = ChunkPlayer(loop.kinematics, len(loop.robot.info.joint_names),
                                  limits or SafetyLimits(), 1 / loop.spec.rate_hz)
        self._link, self._note = StationEnd(context, links), note
        self._ownership, self._arbiter, self._subtask = loop.ownership, loop.arbiter, loop.subtask
        self.expected = True
        self._alerts, self._calibrated = loop.alerts, b""
        self._incarnation = ""          # who speaks; see `PolicyEnd`
        self._unconfirmed = False
        self._scene, self._since_ns, self._heard_ns = -1, 0, -ALIVE_NS
        self._said = self._damage = self._remarked = ""
        self._before = (0, 0, 0, 0)     # of the player's counts, when the scene began
        self._numbers = ("", 0, 0)      # who counts chunks, from where on, and how far they are
        self._latency = (0, Spread())
        self._told = -1                 # version of what was decided when the policy was told last
        loop.player = self.player
        loop.subscribers.append(self)

    def on_tick(self, tick: TickRecord) -> None:
        """Hear what was answered, and show what is new."""
        if tick.assignment.scene != self._scene:
            self._scene, self._since_ns = tick.assignment.scene, tick.stamp_ns
            self._before, self._latency = self._counts(), (0, Spread())
            self._remarked = ""         # every episode has it
        try:
            if self._link.heard():
                self._heard_ns, self._damage = tick.stamp_ns, ""
                self._calibrate()
                self._join()
            if (answer := self._link.answer()) is not None \
                    and self._link.status is not None \
                    and answer.incarnation == self._link.status.incarnation \
                    and answer.chunk.observation_ns >= self._since_ns:
                chunk = self._numbered(answer)
                took = answer.timings
                self.player.log.cost(chunk.chunk_id,
                                     Costs(took.act_ms, took.think_ms, took.answer_ms))
                self.player.offer(chunk)
        except WireError as error:
            self._damage = f"the policy's process speaks another version: {error}"
        self._hold_if_lost(tick.stamp_ns)
        self._link.tell(tick.batches, tick.assignment)
        if self.player.version != self._told:
            self._told = self.player.version
            self._link.decide(self.player.decided())
        if self._link.status is not None:
            health = self._link.status.health
            said = health.subtask if health.understood else "not understood"
            self._subtask.hear(said)
            if said != self._said:
                self._said = said
                self._note("policy", says=said)
            if self.expected and health.remark != self._remarked:
                self._remarked = health.remark
                self._note("policy", remark=health.remark)

    def expect(self, name: str) -> None:
        """A policy of that name serves from now on; an empty one: none does."""
        self.expected = bool(name)

    def health(self, now_ns: int) -> PolicyHealth | None:
        """As of a tick's stamp; None where no policy is expected."""
        if not self.expected:
            return None
        said = PolicyHealth() if self._link.status is None else self._link.status.health
        taken, refused, dry_ticks, first = (
            now - before for now, before in zip(self._counts(), self._before, strict=True))
        if self._latency[0] != first:
            self._latency = first, spread(self.player.played.latency_ns[-first:])
        return msgspec.structs.replace(
            said, alive=self._alive(now_ns), unconfirmed=self._unconfirmed, taken=taken,
            refused=refused, dry_ticks=dry_ticks, latency_ms=self._latency[1],
            problem=self._damage or said.problem)

    def close(self) -> None:
        """Close the links."""
        self._link.close()

    def _calibrate(self) -> None:
        """Measure the rollout by what the policy that speaks was calibrated with."""
        assert self._link.status is not None
        if (said := self._link.status.calibration) != self._calibrated:
            self._calibrated = said
            self._alerts.calibration = (msgspec.json.decode(said, type=Calibration)
                                        if said else None)

    def _join(self) -> None:
        """Join chunks as the policy that speaks was told to have them joined."""
        if self._link.status is not None and self._link.status.join != self.player.join:
            self.player.join = self._link.status.join

    def _alive(self, now_ns: int) -> bool:
        return now_ns - self._heard_ns < ALIVE_NS

    def _hold_if_lost(self, now_ns: int) -> None:
        """Whoever drives now must be there, and be who was let drive."""
        before = self._incarnation
        if self._link.status is not None:
            self._incarnation = self._link.status.incarnation
        another = self._incarnation != before
        lost = another or not self.expected or not self._alive(now_ns)
        if self._ownership.mode in (Mode.HUMAN, Mode.SHARED):
            if lost:                # the hand goes on; it will not be handed to this policy
                self._arbiter.dismiss()
        elif self._ownership.mode in (Mode.AUTO, Mode.HANDBACK):
            self._unconfirmed = lost
            if lost:                # the epoch ends with it: what was planned is never played
                self._ownership.on(Event.TROUBLE, GONE if not self.expected else
                                   ANOTHER if another else SILENT)

    def _numbered(self, answer: Answer) -> Chunk:
        """The chunk, counted on from those of the process before this one."""
        who, before, newest = self._numbers
        if answer.incarnation != who:
            who, before = answer.incarnation, newest
        newest = before + answer.chunk.chunk_id
        self._numbers = who, before, newest
        return msgspec.structs.replace(answer.chunk, chunk_id=newest)

    def _counts(self) -> tuple[int, int, int, int]:
        played = self.player.played
        return played.taken, played.refused, int(played.dry_ticks), len(played.latency_ns)

"""The inside of the policy's process: ticks go in, chunks come out, and System 1 is on time.

Puts feed and two speeds together. System 2 works in pieces, and no piece is begun that would run
into the moment at which System 1's next picture is expected; so System 1's deadline holds however
long System 2 thinks, as far as one piece is short. What comes out is looked at once more: a chunk
that is none is counted and never sent. Knows time only by its clock; knows no socket, no process
and no robot.
"""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from policy.data.proprioception import layout
from policy.data.signals import MissingSignal
from policy.driving.two_speeds import Pace, TwoSpeeds
from policy.interfaces import Chunk, Held, Observation, Policy, PolicySpec
from recorders.clock import NS_PER_S, Clock
from recorders.streams import Batch, StreamSpec
from studio.station.chunks.decided import Decided, held_of
from studio.station.messages import Assignment, PolicyHealth
from studio.station.serving.first_look import FirstLook
from studio.station.serving.policy_feed import PolicyFeed, Shown
from studio.station.serving.policy_link import Answer, PolicyStatus, Timings, spread
from studio.station.serving.vocabulary import vocabulary_of

RATE_NS = 2 * NS_PER_S      # over which rates are counted
LATE_NS = NS_PER_S // 100   # a picture may come this much after its time: a tick
IDLE_NS = NS_PER_S // 50    # between two looks at everything else
FORGETS = 0.9               # of the slowest piece, from piece to piece
KEPT = 64                   # pictures that may be on their way to a chunk
WARM_UPS = 3
TOOL_TARGET, POSE = 8, slice(3, 7)
REST_POSE = (0.4, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0, 1.0)


class PolicyTurns:
    """Runs one policy for one station.

    Use: `take` what arrived, `work`, hand on what `answer` gives, rest for `rest_ns` at most.

    Args:
        policy: warmed up; called by nobody else.
        streams: of the station, `tick` among them.
        clock: monotonic, the station's.
        pace: how often the two systems run.
        name: of the policy, for the operator.
        deadline_s: of System 1, from the tick that brought the picture; 0: a step of the chunk.

    Raises:
        DeviceError, ValueError, MissingSignal: the robot does not show what the policy wants.
    """

    def __init__(self, policy: Policy, streams: Sequence[StreamSpec], clock: Clock, *,
                 pace: Pace | None = None, name: str = "", deadline_s: float = 0.0) -> None:
        self.decided: Decided | None = None
        """The newest word of the station on what the next chunk has to hold."""
        self._streams, self._clock, self._pace = tuple(streams), clock, pace or Pace()
        self._joints = _joints_of(streams)
        self._deadline_s = deadline_s
        self._scene, self._seed, self._rewinds = -1, 0, 0
        self._shown: Shown | None = None        # not looked at yet
        self._newest: Shown | None = None
        self._brought_ns: dict[int, int] = {}   # stamp of a picture -> of the tick that brought it
        self._acted: deque[int] = deque()
        self._thought: deque[int] = deque()
        self._piece_ns = 0.0
        self._busy = False
        self._coming: FirstLook | None = None   # shall drive once it has looked
        self._install(policy, name, self._feed_for(policy.spec))
        self._forget()

    @property
    def policy(self) -> Policy:
        """That drives now."""
        return self._speeds.policy

    def take(self, batches: Sequence[Batch], assignment: Assignment) -> None:
        """Take ticks of one scene and one instruction, in order."""
        try:
            self._feed.take(batches, assignment)
        except MissingSignal:
            return      # the camera spoke before every number did: the next picture is soon here
        if self._shown is not None:
            stamp_ns = self._shown.observation.stamp_ns
            self._brought_ns.setdefault(stamp_ns, _brought_ns(batches, self._first) or stamp_ns)
            if len(self._brought_ns) > KEPT:
                del self._brought_ns[min(self._brought_ns)]

    def work(self) -> None:
        """Look at what is new: System 1, if it is its turn, then a piece of System 2."""
        if (shown := self._shown) is not None:
            self._shown, self._newest = None, shown
            if shown.scene != self._scene:
                self._scene, self._seed = shown.scene, shown.seed
                self._speeds.reset(shown.seed)
                self._forget()
            elif shown.rewinds != self._rewinds:
                self._speeds.swap(self.policy, shown.seed + shown.rewinds)
            self._rewinds = shown.rewinds
            self._speeds.observe(shown.observation, self._clock.now_ns(), shown.epoch)
            self._busy = True
        elif self._coming is not None and self._newest is not None and not self.rest_ns():
            self._let_look(self._coming, self._newest)
        elif self._busy and not self.rest_ns():
            self._think()

    def answer(self) -> Answer | None:
        """The chunk that is to be sent now, if there is one; a spoiled one never is."""
        now_ns = self._clock.now_ns()
        if (chunk := self._speeds.chunk(now_ns)) is None:
            return None
        brought_ns = self._brought_ns.get(chunk.observation_ns, chunk.observation_ns)
        self._brought_ns = {stamp_ns: tick_ns for stamp_ns, tick_ns in self._brought_ns.items()
                            if stamp_ns > chunk.observation_ns}
        self._due_ns = brought_ns + self._gap_ns
        self._acted.append(now_ns)
        if wrong := chunk_problem(chunk, self.policy.spec, self._joints):
            self._spoiled, self._problem = self._spoiled + 1, (
                f"{self._name} (version {chunk.weights_version}) gave no chunk to follow: {wrong}; "
                f"the arm holds: go back to an earlier checkpoint")
            return None
        self._problem = ""
        usage, answer_ns = self._speeds.usage, now_ns - brought_ns
        if chunk.latent_ns < chunk.observation_ns:      # else System 1 had to wait for System 2
            self._answer_ns.append(answer_ns)
            self._misses += answer_ns > self._deadline_ns
        return Answer(chunk, Timings(
            act_ms=usage.act_ns[-1] / 1e6, answer_ms=answer_ns / 1e6,
            think_ms=usage.think_ns[-1] / 1e6 if usage.think_ns else math.nan))

    def rest_ns(self) -> int:
        """How long to wait for a tick before the next `work`; 0 if there is work at once."""
        if not self._busy and not self.preparing:
            return IDLE_NS
        now_ns = self._clock.now_ns()
        begins_ns, ends_ns = self._due_ns - self._piece_ns, self._due_ns + LATE_NS
        if begins_ns < now_ns < ends_ns and self._piece_ns < self._gap_ns / 2:
            return ends_ns - now_ns     # System 1's picture is about to come
        return 0

    @property
    def preparing(self) -> bool:
        """Whether a policy is on its way; see `prepare`."""
        return self._coming is not None

    def prepare(self, policy: Policy, name: str) -> None:
        """Drive with other weights as soon as their System 2 has looked, in the other's pauses:
        System 1 answers all the while, first with the old ones, then with the new.

        Where nothing was seen yet, or another spec is asked for, as `swap`.

        Raises:
            DeviceError, ValueError, MissingSignal: see `swap`.
        """
        if policy.spec == self.policy.spec and self._newest is not None:
            self._coming = FirstLook(policy, name)
        else:
            self.swap(policy, name)

    def swap(self, policy: Policy, name: str) -> None:
        """Drive with another policy or other weights from the next call on.

        System 2 looks at once, and System 1 goes on when it has: they belong together. Meanwhile
        the arm follows the last chunk.

        Raises:
            DeviceError, ValueError, MissingSignal: the robot does not show what it wants; the old
                one goes on.
        """
        self._coming = None
        usage, chunks = self._speeds.usage, self._speeds.chunks
        same = policy.spec == self.policy.spec
        self._install(policy, name, None if same else self._feed_for(policy.spec))
        self._speeds.reset(self._seed)
        self._speeds.usage, self._speeds.chunks = usage, chunks
        self._busy, self._shown = False, self._newest if same else None

    def status(self) -> PolicyStatus:
        """How it goes."""
        usage, now_ns = self._speeds.usage, self._clock.now_ns()
        latent = self._speeds.buffer.newest
        health = PolicyHealth(
            alive=True, name=self._name, weights_version=self.policy.weights_version,
            subtask="" if latent is None else latent.subtask,
            understood=latent is None or latent.understood,
            latent_age_ms=math.nan if latent is None else (now_ns - latent.observation_ns) / 1e6,
            system1_hz=_rate(self._acted, now_ns), system2_hz=_rate(self._thought, now_ns),
            system1_calls=usage.system1_calls, system2_runs=usage.system2_runs, held=usage.held,
            slowed=usage.slowed, deadline_ms=self._deadline_ns / 1e6,
            deadline_misses=self._misses, spoiled=self._spoiled,
            act_ms=spread(usage.act_ns), think_ms=spread(usage.think_ns),
            answer_ms=spread(self._answer_ns), age_ms=spread(usage.age_ns), problem=self._problem,
            **vocabulary_of(self.policy))
        return PolicyStatus(health, self._feed.pictures)

    # ---- inside ----------------------------------------------------------------------------------

    def _feed_for(self, spec: PolicySpec) -> PolicyFeed:
        return PolicyFeed(spec, self._streams, self._see)

    def _install(self, policy: Policy, name: str, feed: PolicyFeed | None) -> None:
        """Everything that depends on the policy; the feed stays if none is given."""
        self._feed, self._first = feed or self._feed, next(iter(policy.spec.cameras))
        self._speeds = TwoSpeeds(policy, self._pace, stopwatch=self._clock, sliced=True)
        self._speeds.held = self._held
        self._name = name
        self._gap_ns = self._pace.act_every_steps * policy.spec.step_ns
        self._deadline_ns = round((self._deadline_s or policy.spec.step_s) * NS_PER_S)
        self._due_ns = 0

    def _forget(self) -> None:
        self._answer_ns: list[int] = []
        self._misses = self._spoiled = 0
        self._problem, self._busy, self._due_ns = "", False, 0

    def _held(self, observation: Observation, epoch: int) -> Held | None:
        return None if self.decided is None else held_of(
            self.decided, observation, epoch, self.policy.spec)

    def _see(self, shown: Shown) -> None:
        self._shown = shown

    def _let_look(self, coming: FirstLook, shown: Shown) -> None:
        """A piece of the first thought of the policy that is on its way; with the last, it drives.
        """
        began_ns = self._clock.now_ns()
        coming.piece(shown)
        self._piece_ns = max(float(self._clock.now_ns() - began_ns), FORGETS * self._piece_ns)
        if coming.latent is None:
            return
        usage, chunks, due_ns = self._speeds.usage, self._speeds.chunks, self._due_ns
        self._install(coming.policy, coming.name, None)
        self._speeds.begin_with(coming.latent)
        self._speeds.usage, self._speeds.chunks, self._due_ns = usage, chunks, due_ns
        self._thought.append(self._clock.now_ns())
        self._coming, self._busy = None, True

    def _think(self) -> None:
        """A piece of System 2, if it is at work."""
        began_ns, runs = self._clock.now_ns(), self._speeds.usage.system2_runs
        self._busy = self._speeds.think_slice(began_ns)
        now_ns, finished = self._clock.now_ns(), self._speeds.usage.system2_runs > runs
        if self._busy or finished:
            self._piece_ns = max(float(now_ns - began_ns), FORGETS * self._piece_ns)
        if finished:
            self._thought.append(now_ns)


def chunk_problem(chunk: Chunk, spec: PolicySpec, joints: int) -> str:
    """Why a chunk is none, or an empty string.

    Args:
        chunk: what System 1 gave.
        spec: of its policy.
        joints: D of the robot.
    """
    wanted = spec.steps, TOOL_TARGET if spec.action_space == "tool" else joints
    if chunk.space != spec.action_space or np.shape(chunk.targets) != wanted:
        return (f"{np.shape(chunk.targets)} targets in {chunk.space} space, not {wanted} in "
                f"{spec.action_space} space")
    if not np.isfinite(chunk.targets).all():
        return f"{int((~np.isfinite(chunk.targets)).sum())} of its numbers are not finite"
    if chunk.step_ns <= 0:
        return f"its steps take {chunk.step_ns} ns"
    if chunk.space == "tool" and \
            (np.linalg.norm(chunk.targets[:, POSE], axis=1) < 0.5).any():   # type: ignore[operator]
        return "a rotation that is none"
    return ""


def warm_up(policy: Policy, streams: Sequence[StreamSpec], times: int = WARM_UPS) -> str:
    """Let a policy think and act on nothing, so that its first real call is as fast as the others.

    Args:
        policy: reset afterwards.
        streams: of the robot that it shall see.
        times: so often.

    Returns:
        Why what it gave is no chunk, or an empty string.
    """
    spec = policy.spec
    felt = max((place.stop for place in layout(spec.proprioception, streams).values()), default=0)
    cloud = np.zeros((spec.cloud_points, 6), np.float32) if spec.cloud_points else None
    base = np.array(REST_POSE) if spec.action_space == "tool" else np.zeros(_joints_of(streams))
    nothing = Observation(
        stamp_ns=NS_PER_S, instruction="", base=base, cloud=cloud,
        images={camera: np.zeros((*spec.picture_size, 3), np.uint8) for camera in spec.cameras},
        proprioception=np.zeros(felt, np.float32))
    chunks = [policy.act(nothing, policy.think(nothing)) for _ in range(times)]
    policy.reset()
    return chunk_problem(chunks[-1], spec, _joints_of(streams))


def _rate(stamps_ns: deque[int], now_ns: int) -> float:
    while stamps_ns and stamps_ns[0] < now_ns - RATE_NS:
        stamps_ns.popleft()
    return len(stamps_ns) * NS_PER_S / RATE_NS


def _joints_of(streams: Sequence[StreamSpec]) -> int:
    return next((column.shape[0] for spec in streams if spec.name == "tick"
                 for column in spec.columns if column.name == "sent"), 0)


def _brought_ns(batches: Sequence[Batch], camera: str) -> int:
    """Stamp of the tick that brought the newest picture, or 0."""
    stamp_ns = 0
    for batch in reversed(batches):
        if batch.stream == "tick" and len(batch.rows):
            stamp_ns = int(batch.rows["t_mono_ns"][0])
        elif batch.stream == camera and len(batch.rows):
            return stamp_ns
    return 0

"""When System 2 thinks and when System 1 acts.

Fed with observations as they come, it calls the policy's two halves at their own rates and hands
out chunks. System 1 never waits for System 2, except for the very first latent and, where asked,
for the first one of new words. The same code serves two clocks:

- Virtual time (evaluation): a call's result becomes visible only after a modelled delay, so that a
  slow machine or a large model can be played through, deterministically.
- Real time (the policy process): delays are zero because the calls themselves take time, and
  `sliced` lets System 2 run piece by piece between System 1's deadlines (`think_slice`), where the
  policy offers `think_slices(observation)`.

Use: `reset` at an episode's beginning, `observe` with every observation, `chunk` at every tick.
Knows stamps and counts; knows no robot, no picture and no network.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from policy.driving.latent_buffer import AgeLimits, LatentBuffer, Verdict
from policy.interfaces import (
    Chunk,
    Held,
    Latent,
    Observation,
    Policy,
    SeesAll,
    TakesSubtasks,
)
from recorders.clock import NS_PER_S, Clock, SystemClock

EditMode = Literal["flush", "soft", "scheduled"]
SLOWED = 2                  # a step takes this many times as long on an old latent
LATE_PERIODS, LOST_PERIODS = 3.0, 6.0       # of System 2: an age to slow down, an age to hold
LATE_S, LOST_S = 1.0, 2.0   # … but never sooner


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often the two systems run."""

    act_every_steps: int = 4
    """System 1 runs every so many steps of its chunk."""
    think_every: int | Literal["once"] = 4
    """System 2 runs every so many calls of System 1, or only once per episode."""
    think_period_s: float = 0.0
    """If above 0: System 2 runs this often instead, whatever System 1 does."""
    edit: EditMode = "flush"
    """What new words do. "flush": the running chunk is dropped, System 2 runs at once, and the arm
    holds until it has. "soft": System 2 runs at once, and System 1 goes on with the old latent
    meanwhile. "scheduled": nothing until System 2's turn."""

    def period_s(self, step_s: float) -> float:
        """Time between two runs of System 2; infinite for "once"."""
        if self.think_period_s > 0:
            return self.think_period_s
        if self.think_every == "once":
            return float("inf")
        return self.think_every * self.act_every_steps * step_s


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """How long the systems are made to take, in virtual time."""

    think_s: float = 0.0
    act_s: float = 0.0


class Usage(msgspec.Struct):
    """What was done since the last `reset`, for a report.

    Attributes:
        system1_calls, system2_runs: finished calls.
        held: turns of System 1 that passed without a call, for want of a usable latent.
        slowed: calls on an old latent.
        act_ns, think_ns: wall time of every call.
        age_ns: at every call of System 1, how old what System 2 saw was beside the observation.
    """

    system1_calls: int = 0
    system2_runs: int = 0
    held: int = 0
    slowed: int = 0
    act_ns: list[int] = []
    think_ns: list[int] = []
    age_ns: list[int] = []


def usual_limits(pace: Pace, step_s: float, delays: Delays) -> AgeLimits:
    """Ages beyond which System 2 has plainly fallen behind its own schedule."""
    period_s = pace.period_s(step_s) + delays.think_s
    return AgeLimits(slow_after_s=max(LATE_S, LATE_PERIODS * period_s),
                     hold_after_s=max(LOST_S, LOST_PERIODS * period_s))


class TwoSpeeds:
    """Calls a policy's System 2 and System 1 in their turns.

    Args:
        policy: reset by `reset`; called by nobody else.
        pace: how often.
        delays: modelled, under a virtual clock.
        limits: of a latent's age; `usual_limits` if None.
        stopwatch: measures the calls; the machine's clock if None.
        sliced: System 2 runs only in `think_slice`.

    Attributes:
        buffer: the newest latent that is visible.
        usage: counts for the report.
        chunks: how many were made, whatever was reset; the number of the last one.
        held: what a chunk on an observation of an epoch has to hold; nothing, unless set.
    """

    def __init__(self, policy: Policy, pace: Pace | None = None, delays: Delays | None = None, *,
                 limits: AgeLimits | None = None, stopwatch: Clock | None = None,
                 sliced: bool = False) -> None:
        self.policy, self.pace, self.delays = policy, pace or Pace(), delays or Delays()
        self.buffer = LatentBuffer(
            limits or usual_limits(self.pace, policy.spec.step_s, self.delays))
        self._stopwatch, self._sliced = stopwatch or SystemClock(), sliced
        self.chunks = 0
        self.held: Callable[[Observation, int], Held | None] = lambda observation, epoch: None
        self._act_gap_ns = round((self.pace.act_every_steps - 0.5) * policy.spec.step_ns)
        self._forget()

    def reset(self, seed: int = 0) -> None:
        """A new episode begins."""
        self.policy.reset(seed)
        self.buffer.clear()
        self._forget()

    def swap(self, policy: Policy, seed: int = 0) -> None:
        """Go on with other weights of the same spec: System 2 looks at the next observation."""
        self.policy, usage = policy, self.usage
        self.reset(seed)
        self.usage = usage

    def begin_with(self, latent: Latent) -> None:
        """System 2 has looked already, elsewhere; its next turn comes as after any look."""
        self.buffer.publish(latent)
        self._thought_of_ns, self._think_overdue = latent.observation_ns, False

    def observe(self, observation: Observation, now_ns: int, epoch: int = 0) -> None:
        """Take the newest observation; runs whatever is due.

        Args:
            observation: newer than the one before.
            now_ns: monotonic, when it arrived.
            epoch: of the ownership when it was made; a new one makes System 1 run at once.
        """
        self._deliver(now_ns)
        if self._instruction_id not in (None, observation.instruction_id):
            self._take_edit()
        if self._epoch not in (None, epoch):
            self._drop_chunks()
        elif self._newest is not None and self._newest.subtask != observation.subtask:
            self._acted_ns = None           # System 1 need not wait for its turn to follow
        self._instruction_id, self._epoch, self._newest = (
            observation.instruction_id, epoch, observation)
        if isinstance(self.policy, SeesAll):
            self.policy.see(observation)
        if self._thinks(observation):
            self._begin_thinking(observation)
            while not self._sliced and self.think_slice(now_ns):
                pass
        self._act(now_ns)

    def think_slice(self, now_ns: int) -> bool:
        """Run one piece of System 2, if it is at work; returns whether more is left.

        With the last piece System 1 runs too, if it was waiting for this latent.
        """
        if self._thinking is None:
            return False
        began_ns = self._stopwatch.now_ns()
        latent = next(self._thinking)
        self._thought_ns += self._stopwatch.now_ns() - began_ns
        if latent is None:
            return True
        self._thinking = None
        self._coming_latent = (now_ns + round(self.delays.think_s * NS_PER_S), latent)
        self.usage.system2_runs += 1
        self.usage.think_ns.append(self._thought_ns)
        self._deliver(now_ns)
        if self._sliced:
            self._act(now_ns)
        return False

    def chunk(self, now_ns: int) -> Chunk | None:
        """The newest chunk that has become visible; each is handed out once."""
        self._deliver(now_ns)
        chunk, self._chunk = self._chunk, None
        return chunk

    # ---- inside ----------------------------------------------------------------------------------

    def _forget(self) -> None:
        self.usage = Usage()
        self._newest: Observation | None = None
        self._instruction_id: int | None = None
        self._epoch: int | None = None
        self._thinking: Iterator[Latent | None] | None = None
        self._thought_ns = 0
        self._coming_latent: tuple[int, Latent] | None = None
        self._coming_chunk: tuple[int, Chunk] | None = None
        self._chunk: Chunk | None = None
        self._act_free_ns = 0               # System 1 is at work until then
        self._acted_ns: int | None = None   # stamp of the observation of its last turn
        self._thought_of_ns: int | None = None
        self._turns = 0                     # of System 1 since System 2 last began
        self._think_overdue = True

    def _take_edit(self) -> None:
        if self.pace.edit == "scheduled":
            return
        # Whatever System 2 is at, it read the old words.
        self._thinking, self._coming_latent, self._think_overdue = None, None, True
        if self.pace.edit == "flush":
            self._drop_chunks()

    def _drop_chunks(self) -> None:
        """Nothing that is planned holds any more: System 1 runs as soon as it can."""
        self._chunk = self._coming_chunk = self._acted_ns = None
        self._act_free_ns = 0

    def _deliver(self, now_ns: int) -> None:
        """Make visible what is ready by now."""
        if self._coming_latent is not None and self._coming_latent[0] <= now_ns:
            self.buffer.publish(self._coming_latent[1])
            self._coming_latent = None
        if self._coming_chunk is not None and self._coming_chunk[0] <= now_ns:
            self._chunk, self._coming_chunk = self._coming_chunk[1], None

    def _thinks(self, observation: Observation) -> bool:
        """Whether System 2 begins on this observation; if it is due but busy, it is overdue."""
        due = self._think_overdue
        if self.pace.think_period_s > 0:
            last_ns = self._thought_of_ns
            period_ns = self.pace.think_period_s * NS_PER_S - self.policy.spec.step_ns / 2
            due = due or last_ns is None or observation.stamp_ns - last_ns >= period_ns
        elif self.pace.think_every != "once":
            due = due or (self._turns >= self.pace.think_every and self._acts(observation))
        busy = self._thinking is not None or self._coming_latent is not None
        self._think_overdue = due and busy
        return due and not busy

    def _begin_thinking(self, observation: Observation) -> None:
        slices = getattr(self.policy, "think_slices", None) if self._sliced else None
        self._thinking = (slices(observation) if slices is not None
                          else iter(_whole_thought(self.policy, observation)))
        self._thought_ns, self._thought_of_ns, self._turns = 0, observation.stamp_ns, 0

    def _acts(self, observation: Observation) -> bool:
        """Whether it is System 1's turn on this observation."""
        return (self._acted_ns is None
                or observation.stamp_ns - self._acted_ns >= self._act_gap_ns)

    def _act(self, now_ns: int) -> None:
        observation = self._newest
        if observation is None or not self._acts(observation) or now_ns < self._act_free_ns:
            return
        any_words = self.pace.edit != "flush"
        latent = self._told(self.buffer.newest, observation.subtask)
        verdict = self.buffer.judge(
            latent, now_ns, None if any_words else observation.instruction_id)
        if latent is None or verdict is Verdict.HOLD:
            self._hold(observation, latent)
            return
        assert self._epoch is not None
        began_ns = self._stopwatch.now_ns()
        held = self.held(observation, self._epoch)
        chunk = self.policy.act(observation, latent, held)
        self.usage.act_ns.append(self._stopwatch.now_ns() - began_ns)
        self.usage.age_ns.append(observation.stamp_ns - latent.observation_ns)
        self.usage.system1_calls += 1
        self.chunks += 1
        self.usage.slowed += verdict is Verdict.SLOW
        self._act_free_ns = now_ns + round(self.delays.act_s * NS_PER_S)
        self._coming_chunk = (self._act_free_ns, self._labelled(
            chunk, observation, latent, SLOWED if verdict is Verdict.SLOW else 1,
            0 if held is None else int(held.mask.any(axis=1).sum())))
        self._acted_ns, self._turns = observation.stamp_ns, self._turns + 1
        self._deliver(now_ns)

    def _told(self, latent: Latent | None, subtask: str) -> Latent | None:
        """The newest latent, with what a person says in place of what System 2 said."""
        if latent is None or not subtask or not isinstance(self.policy, TakesSubtasks):
            return latent
        return self.policy.told(latent, subtask)

    def _hold(self, observation: Observation, latent: Latent | None) -> None:
        """Let a turn pass; System 1 waits on the spot only for a latent that is on its way."""
        if latent is None or (self.pace.edit == "flush"
                              and latent.instruction_id != observation.instruction_id):
            return
        self.usage.held += 1
        self._acted_ns, self._turns = observation.stamp_ns, self._turns + 1

    def _labelled(self, chunk: Chunk, observation: Observation, latent: Latent,
                  slowed: int, held_steps: int) -> Chunk:
        """The chunk, saying what it was made from, whatever the policy wrote."""
        assert self._epoch is not None
        return msgspec.structs.replace(
            chunk, epoch=self._epoch, observation_ns=observation.stamp_ns,
            latent_id=latent.latent_id, latent_ns=latent.observation_ns,
            instruction_id=latent.instruction_id, subtask=latent.subtask,
            weights_version=latent.weights_version, chunk_id=self.chunks,
            entropy=latent.entropy, signature=latent.signature, held_steps=held_steps,
            first_ns=chunk.first_ns + (slowed - 1) * chunk.step_ns, step_ns=slowed * chunk.step_ns)


def _whole_thought(policy: Policy, observation: Observation) -> Iterator[Latent | None]:
    yield policy.think(observation)

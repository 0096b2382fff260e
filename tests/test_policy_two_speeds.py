"""When System 2 thinks and System 1 acts, in virtual time, with a policy that notes its calls."""

import math
from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
from doubles.rule_policy import RulePolicy
from hypothesis import given
from hypothesis import strategies as st

from policy.driving.latent_buffer import AgeLimits, LatentBuffer, Verdict
from policy.driving.two_speeds import Delays, Pace, TwoSpeeds
from policy.interfaces import Chunk, Latent, Observation
from recorders.clock import NS_PER_S, ManualClock

STEP_NS = RulePolicy().spec.step_ns
TICK_NS = NS_PER_S // 100
NO_LIMITS = AgeLimits()


def observation(stamp_ns: int, text: str = "the red cube", edits: int = 0) -> Observation:
    felt = np.zeros(13 + 8 * 7, np.float32)
    felt[13:].reshape(-1, 7)[:, 3] = 1.0            # nothing is turned
    return Observation(stamp_ns=stamp_ns, images={}, proprioception=felt,
                       base=np.array([0.4, 0, 0.2, 0, 1, 0, 0, 1.0]), instruction=text,
                       instruction_id=edits)


def latent(observation_ns: int, **fields) -> Latent:
    return Latent(latent_id=1, observation_ns=observation_ns, **fields)


class Timeline:
    """Shows an observation every step, asks for chunks every tick, notes what became visible."""

    def __init__(self, pace: Pace, delays: Delays | None = None,
                 limits: AgeLimits | None = NO_LIMITS, *, sliced: bool = False) -> None:
        self.policy = RulePolicy()
        self.speeds = TwoSpeeds(self.policy, pace, delays, limits=limits,
                                stopwatch=ManualClock(), sliced=sliced)
        self.now_ns, self._next_ns = NS_PER_S, NS_PER_S
        self.text, self.edits, self.epoch = "the red cube", 0, 0
        self.chunks: list[tuple[int, Chunk]] = []
        self.speeds.reset(7)

    def run(self, duration_s: float) -> None:
        end_ns = self.now_ns + round(duration_s * NS_PER_S)
        while self.now_ns < end_ns:
            if self.now_ns >= self._next_ns:
                self.speeds.observe(observation(self._next_ns, self.text, self.edits), self.now_ns,
                                    self.epoch)
                self._next_ns += STEP_NS
            if (chunk := self.speeds.chunk(self.now_ns)) is not None:
                self.chunks.append((self.now_ns, chunk))
            self.now_ns += TICK_NS

    def edit(self, text: str) -> None:
        self.text, self.edits = text, self.edits + 1

    @property
    def usage(self):
        return self.speeds.usage


# ---- the buffer


@given(st.lists(st.integers(0, 100), min_size=1))
def test_the_newest_observation_wins_whatever_the_order_of_publishing(stamps):
    buffer = LatentBuffer()
    for stamp in stamps:
        buffer.publish(latent(stamp))
    assert buffer.newest is not None and buffer.newest.observation_ns == max(stamps)


@given(st.floats(0, 10), st.floats(0.1, 3), st.floats(0.1, 3))
def test_an_older_latent_never_gets_a_kinder_verdict(age_s, slow_s, more_s):
    buffer = LatentBuffer(AgeLimits(slow_after_s=slow_s, hold_after_s=slow_s + more_s))
    buffer.publish(latent(0))
    kindness = [Verdict.USE, Verdict.SLOW, Verdict.HOLD]
    now, later = (buffer.verdict(round(s * NS_PER_S)) for s in (age_s, age_s + 0.5))
    assert kindness.index(later) >= kindness.index(now)
    assert (now is Verdict.USE) == (round(age_s * NS_PER_S) / NS_PER_S <= slow_s)


def test_nothing_other_words_and_what_was_not_understood_hold():
    buffer = LatentBuffer()
    assert buffer.verdict(0) is Verdict.HOLD
    buffer.publish(latent(0, instruction_id=1))
    assert buffer.verdict(0, 1) is Verdict.USE
    assert buffer.verdict(0) is Verdict.USE             # any words will do
    assert buffer.verdict(0, 2) is Verdict.HOLD
    buffer.publish(latent(1, instruction_id=2, understood=False))
    assert buffer.verdict(1, 2) is Verdict.HOLD


# ---- rates


@given(st.integers(1, 6), st.integers(1, 9))
def test_system_2_runs_once_for_every_so_many_calls_of_system_1(act_every, think_every):
    line = Timeline(Pace(act_every_steps=act_every, think_every=think_every))
    line.run(2.0)
    calls = line.usage.system1_calls
    assert calls == len(line.chunks) == math.ceil(60 / act_every)
    assert line.usage.system2_runs == math.ceil(calls / think_every)
    ages = [acted.stamp_ns - used.observation_ns for acted, used in line.policy.acted_on]
    assert max(ages) <= (think_every - 1) * act_every * STEP_NS


def test_once_means_once_however_long_the_episode():
    line = Timeline(Pace(think_every="once"), limits=None)
    line.run(20.0)
    assert line.usage.system2_runs == 1
    assert line.usage.system1_calls == 150 and line.usage.held == line.usage.slowed == 0


def test_a_period_in_seconds_replaces_the_count_of_calls():
    line = Timeline(Pace(think_every=1, think_period_s=0.5))
    line.run(3.0)
    assert line.usage.system2_runs == 6 and line.usage.system1_calls > 20


@given(st.floats(0.0, 0.7))
def test_system_1_never_waits_for_system_2_but_for_its_first_word(think_s):
    quick = Timeline(Pace(act_every_steps=1, think_every=1))
    slow = Timeline(Pace(act_every_steps=1, think_every=1), Delays(think_s=think_s))
    quick.run(2.0)
    slow.run(2.0)
    first_ns = slow.chunks[0][0]
    assert first_ns <= NS_PER_S + think_s * NS_PER_S + STEP_NS + 2 * TICK_NS
    after = [ns for ns, _ in quick.chunks if ns >= first_ns]
    assert len(slow.chunks) >= len(after) - 1


@given(st.floats(0.0, 0.3), st.floats(0.0, 0.3))
def test_a_result_is_seen_only_after_its_delay(think_s, act_s):
    line = Timeline(Pace(act_every_steps=2, think_every=2), Delays(think_s=think_s, act_s=act_s))
    line.run(2.0)
    assert line.chunks
    for seen_ns, chunk in line.chunks:
        assert seen_ns >= chunk.observation_ns + round(act_s * NS_PER_S)
        assert chunk.observation_ns - chunk.latent_ns >= round(think_s * NS_PER_S) - STEP_NS
    stamps = [seen_ns for seen_ns, _ in line.chunks]
    assert all(later - sooner >= act_s * NS_PER_S - TICK_NS
               for sooner, later in pairwise(stamps))


def test_every_chunk_says_which_latent_it_used():
    line = Timeline(Pace(act_every_steps=2, think_every=3), Delays(think_s=0.1))
    line.epoch = 5
    line.run(2.0)
    for (_, chunk), (seen, used) in zip(line.chunks, line.policy.acted_on, strict=True):
        assert (chunk.latent_id, chunk.latent_ns) == (used.latent_id, used.observation_ns)
        assert (chunk.subtask, chunk.weights_version) == ("carry red cube for bin", 1)
        assert chunk.observation_ns == seen.stamp_ns and chunk.epoch == 5


# ---- edits, owners, ages


@pytest.mark.parametrize("mode", ["flush", "soft", "scheduled"])
def test_an_edit_reaches_system_1_as_its_mode_says(mode: Literal["flush", "soft", "scheduled"]):
    line = Timeline(Pace(think_every=8, edit=mode), Delays(think_s=0.2))
    line.run(0.5)
    edited_ns = line.now_ns
    line.edit("the blue cube")
    line.run(2.0)
    after = [(ns, chunk) for ns, chunk in line.chunks if ns > edited_ns + STEP_NS]
    heard_ns = next(ns for ns, chunk in after if chunk.instruction_id == 1)
    between = [chunk for ns, chunk in after if ns < heard_ns]
    assert all(chunk.subtask == "carry blue cube for bin" for ns, chunk in after if ns >= heard_ns)
    if mode == "scheduled":         # the eighth call, and the thought
        assert heard_ns - edited_ns > 0.6 * NS_PER_S
    else:
        assert heard_ns - edited_ns < 0.2 * NS_PER_S + 5 * STEP_NS
    assert bool(between) == (mode != "flush")


def test_a_thought_of_the_old_words_is_dropped_by_an_edit():
    line = Timeline(Pace(), Delays(think_s=0.3))
    line.run(0.1)
    line.edit("the green cube")
    line.run(1.0)
    assert {chunk.subtask for _, chunk in line.chunks} == {"carry green cube for bin"}


def test_another_owner_makes_system_1_plan_at_once():
    line = Timeline(Pace(act_every_steps=30, think_every=30))
    line.run(0.3)
    line.epoch = 1
    line.run(0.1)
    assert [chunk.epoch for _, chunk in line.chunks] == [0, 1]


def test_words_that_mean_nothing_hold_the_arm_until_they_do():
    line = Timeline(Pace())
    line.text = "sing a song"
    line.run(1.0)
    assert not line.chunks and line.usage.held > 3
    assert line.usage.system2_runs > 1                  # it looks again, on its schedule
    line.edit("the red cube")
    line.run(0.5)
    assert line.chunks


def test_a_very_old_latent_slows_the_arm_and_a_lost_one_holds_it():
    limits = AgeLimits(slow_after_s=0.4, hold_after_s=0.8)
    line = Timeline(Pace(act_every_steps=1, think_every="once"), limits=limits)
    line.run(1.5)
    steps = [chunk.step_ns for _, chunk in line.chunks]
    assert set(steps) == {STEP_NS, 2 * STEP_NS} and steps == sorted(steps)
    slow = next(chunk for _, chunk in line.chunks if chunk.step_ns > STEP_NS)
    assert slow.first_ns - slow.observation_ns == slow.step_ns
    assert all(chunk.observation_ns - chunk.latent_ns <= 0.8 * NS_PER_S
               for _, chunk in line.chunks)
    assert line.usage.held > 10


def test_a_new_episode_forgets_everything_of_the_last_one():
    line = Timeline(Pace(), Delays(think_s=0.1, act_s=0.1))
    line.run(0.5)
    line.speeds.reset(9)
    assert line.policy.seeds == [7, 9]
    assert line.speeds.chunk(line.now_ns + NS_PER_S) is None
    assert line.speeds.buffer.newest is None and line.usage.system1_calls == 0


# ---- in slices


class SlicedPolicy(RulePolicy):
    """Thinks in three pieces."""

    def think_slices(self, observation: Observation):
        yield None
        yield None
        yield self.think(observation)


def test_in_slices_system_1_runs_between_the_pieces_of_a_thought():
    speeds = TwoSpeeds(policy := SlicedPolicy(), Pace(act_every_steps=1, think_every=1),
                       limits=NO_LIMITS, stopwatch=ManualClock(), sliced=True)
    speeds.observe(observation(0), 0)
    assert speeds.chunk(0) is None                      # the first latent is waited for
    assert speeds.think_slice(0) and speeds.think_slice(0)
    assert not speeds.think_slice(0)
    assert speeds.chunk(0) is not None                  # and used as soon as it is there
    speeds.observe(observation(STEP_NS), STEP_NS)
    assert speeds.think_slice(STEP_NS)
    speeds.observe(observation(2 * STEP_NS), 2 * STEP_NS)
    assert [acted.stamp_ns for acted, _ in policy.acted_on] == [0, STEP_NS, 2 * STEP_NS]
    assert [used.observation_ns for _, used in policy.acted_on] == [0, 0, 0]
    while speeds.think_slice(2 * STEP_NS):
        pass
    assert speeds.buffer.newest is not None and speeds.buffer.newest.observation_ns == STEP_NS

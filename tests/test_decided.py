"""What is decided already reaches the policy's next chunk: what will be executed, what is fixed."""

import msgspec
import numpy as np
import pytest
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy

from policy.driving.two_speeds import Delays
from policy.interfaces import Chunk, Held, Latent, Observation
from studio.station.chunks.decided import Decided, held_of
from studio.station.chunks.joining import Join
from studio.station.chunks.override_commands import FixChunk, FixedStep, SlowChunks
from studio.station.chunks.ways import way
from studio.station.processes.bus import open_context, private_endpoints
from studio.station.serving.policy_in_process import PolicyInProcess
from studio.station.serving.policy_link import PolicyEnd, StationEnd

FREE = (None,) * 8


class Listening(RulePolicy):
    """Writes down what it was asked to hold, and does not care."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Observation, Held | None]] = []

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        self.asked.append((observation, held))
        return super().act(observation, latent, held)


def driven(join: Join = "guided", act_s: float = 0.08
           ) -> tuple[RolloutDesk, Listening, PolicyInProcess]:
    desk = RolloutDesk(None)
    policy = Listening()
    driver = PolicyInProcess(desk.station.loop, policy, None, Delays(act_s=act_s), join=join)
    desk.begin()
    desk.ticks(120)
    return desk, policy, driver


@pytest.mark.parametrize(("act_s", "steps"), [(0.0, 1), (0.06, 3), (0.11, 5)])
def test_as_many_steps_are_held_as_are_executed_before_a_chunk_can_arrive(act_s, steps):
    _, policy, _ = driven(act_s=act_s)
    held = policy.asked[-1][1]
    assert held is not None
    assert abs(int(held.mask.all(axis=1).sum()) - steps) <= 1
    assert not held.mask[steps + 1:].any()


def test_the_first_chunk_has_nothing_to_hold_and_only_guided_ones_have():
    _, policy, _ = driven()
    assert policy.asked[0][1] is None
    for join in ("latest", "ensemble", "weighted-average"):
        _, policy, _ = driven(join)
        assert all(held is None for _, held in policy.asked)


def test_what_is_held_is_what_is_really_executed():
    desk, policy, _ = driven()
    compared = 0
    for observation, held in policy.asked[4:-2]:
        assert held is not None
        count = int(held.mask.all(axis=1).sum())
        after_ns = observation.stamp_ns + count * policy.spec.step_ns
        row = next(row for row in desk.rows if row["t_mono_ns"] >= after_ns)
        sent = np.append(row["sent_tool"], 1.0)
        apart = way("tool", held.targets[count - 1], sent)
        assert np.linalg.norm(apart[:3]) < 0.006 and np.linalg.norm(apart[3:]) < 0.03
        compared += 1
    assert compared > 3


def test_a_fixed_value_reaches_every_chunk_that_covers_its_moment():
    desk, policy, driver = driven("latest")
    plan = driver.player.shown()
    assert plan is not None
    wanted, before = plan.targets[14][1] + 0.02, len(policy.asked)
    desk.do(FixChunk(plan.chunk_id, (FixedStep(14, (None, wanted, *FREE[2:])),)))
    desk.ticks(60)
    steps = []
    for _, held in policy.asked[before:]:
        if held is not None:
            (row, column), = np.argwhere(held.mask)
            assert column == 1 and held.targets[row, 1] == pytest.approx(wanted)
            steps.append(row)
    assert len(steps) >= 2 and steps == sorted(steps, reverse=True)
    assert policy.asked[-1][1] is None                           # it is past


def test_of_a_slowed_plan_less_is_executed_before_a_chunk_arrives():
    desk, policy, _ = driven(act_s=0.2)
    usual = policy.asked[-1][1]
    desk.do(SlowChunks(0.25))
    desk.ticks(150)
    slowed = policy.asked[-1][1]
    assert usual is not None and slowed is not None
    assert slowed.mask.sum() <= usual.mask.sum() / 2


def test_nothing_is_held_for_another_owner_or_another_action_space():
    _, policy, driver = driven()
    decided, observation = driver.player.decided(), policy.asked[-1][0]
    assert held_of(decided, observation, decided.epoch, policy.spec) is not None
    assert held_of(decided, observation, decided.epoch + 1, policy.spec) is None
    joints = msgspec.structs.replace(policy.spec, action_space="joints")
    assert held_of(decided, observation, decided.epoch, joints) is None


def test_it_says_the_same_after_a_journey_between_processes():
    desk, policy, driver = driven()
    plan = driver.player.shown()
    assert plan is not None
    desk.do(FixChunk(plan.chunk_id, (FixedStep(14, (None, plan.targets[14][1] + 0.02,
                                                   *FREE[2:])),)))
    decided, observation = driver.player.decided(), policy.asked[-1][0]
    arrived = msgspec.msgpack.decode(msgspec.msgpack.encode(decided), type=Decided)
    here = held_of(decided, observation, decided.epoch, policy.spec)
    there = held_of(arrived, observation, decided.epoch, policy.spec)
    assert here is not None and there is not None
    np.testing.assert_array_equal(here.mask, there.mask)
    np.testing.assert_array_equal(here.targets, there.targets)
    assert here.mask.sum() > 8


def test_the_policy_s_process_hears_the_newest_word_and_holds_it():
    _, policy, driver = driven()
    decided, (observation, _) = driver.player.decided(), policy.asked[-1]
    newer = msgspec.structs.replace(decided, epoch=decided.epoch + 1)
    with private_endpoints() as links, open_context() as context:
        station, process = StationEnd(context, links), PolicyEnd(context, links, {})
        heard = None
        for _ in range(200):                    # a subscriber takes a moment to be known
            station.decide(decided)
            station.decide(newer)
            process.wait(10)
            if (heard := process.decided() or heard) == newer:
                break
        assert heard == newer
        station.close()
        process.close()
    assert held_of(newer, observation, decided.epoch, policy.spec) is None

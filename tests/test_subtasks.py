"""A person says what is to be done now in System 2's place: when it holds, and when it is over."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles.random_checkpoint import write_random_run
from doubles.rollout_desk import RolloutDesk as Desk
from doubles.rule_policy import RulePolicy

from policy.driving.dual_policy import DualPolicy
from policy.interfaces import Latent, Observation, TakesSubtasks
from policy.peers.one_speed import OneSpeed
from policy.runs.checkpoints import load_policy
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.station.commands import ResetScene, SetInstruction, SetSubtask
from studio.station.loop.operator_subtask import KIND, refusal_of_subtask
from studio.station.messages import PolicyHealth, Snapshot
from studio.station.serving.vocabulary import vocabulary_of

pytestmark = pytest.mark.gl
RED, GREEN, BLUE = (f"carry {colour} cube for bin" for colour in ("red", "green", "blue"))


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A policy that drives, asked for the cube that it says it carries."""
    made = Desk(RulePolicy())
    made.begin()
    made.ticks(40)
    yield made
    made.robot.disconnect()


def says(desk: Desk) -> str:
    """What System 2 says by itself."""
    assert desk.driver is not None
    return desk.driver.health(desk.clock.now_ns()).subtask


def other(desk: Desk) -> str:
    """A sub-task that System 2 does not say."""
    return next(one for one in (RED, GREEN, BLUE) if one != says(desk))


def acted_on(desk: Desk) -> Latent:
    """What System 1 heard at its last call."""
    assert desk.driver is not None
    policy = desk.driver.speeds.policy
    assert isinstance(policy, RulePolicy)
    return policy.acted_on[-1][1]


def snapshot(desk: Desk) -> Snapshot:
    heard: list[Snapshot] = []
    desk.station.health._publish = heard.append
    while not heard:
        desk.ticks(1)
    return heard[-1]


def test_system_1_follows_the_person_from_its_next_call_on_and_chunks_say_so(desk):
    said, wanted = says(desk), other(desk)
    desk.do(SetSubtask(f"  {wanted.title()}!"))
    for _ in range(6):                  # a picture comes every third tick or so
        desk.ticks(1)
        if acted_on(desk).subtask == wanted:
            break
    assert acted_on(desk).subtask == wanted and acted_on(desk).payload in wanted
    desk.ticks(2)
    assert desk.station.loop.player.chunk.subtask == wanted
    assert says(desk) == said
    seen = snapshot(desk)
    assert seen.subtask == wanted and seen.policy is not None and seen.policy.subtask == said


def test_it_holds_until_it_is_taken_back(desk):
    said = says(desk)
    desk.do(SetSubtask(other(desk)))
    desk.ticks(60)
    assert acted_on(desk).subtask != said
    desk.do(SetSubtask(""))
    desk.ticks(6)
    assert acted_on(desk).subtask == said
    assert "already" in desk.station.handle(SetSubtask("")).reason


def test_it_stays_while_a_hand_takes_over_and_lets_go(desk):
    wanted = other(desk)
    desk.do(SetSubtask(wanted))
    desk.push(30)
    desk.ticks(60)
    assert desk.station.loop.subtask.text == acted_on(desk).subtask == wanted


@pytest.mark.parametrize("flush", [True, False])
def test_other_words_of_the_instruction_end_it(desk, flush):
    desk.do(SetSubtask(other(desk)))
    desk.do(SetInstruction("put the green cube in the bin", flush))
    desk.ticks(12)
    assert snapshot(desk).subtask == "" and acted_on(desk).subtask == says(desk) == GREEN


def test_system_2_that_says_so_itself_has_the_word_again(desk):
    desk.do(SetSubtask(GREEN if says(desk) != GREEN else BLUE))
    wanted = desk.station.loop.subtask.text
    desk.driver.speeds.policy.reads = wanted
    while desk.station.loop.subtask.text:
        desk.ticks(1)
        assert len(desk.rows) < 500
    assert says(desk) == wanted


def test_another_scene_ends_it(desk):
    desk.do(SetSubtask(other(desk)))
    desk.end()
    desk.do(ResetScene("put-cube-in-bin", 5001))
    assert desk.station.loop.subtask.text == ""


def test_a_person_may_say_what_is_to_be_done_where_system_2_does_not_understand(desk):
    desk.do(SetInstruction("sing a song"))
    desk.ticks(60)
    assert np.abs(desk.rows[-1]["sent_velocity"]).max() < 1e-3
    desk.do(SetSubtask(BLUE))
    rows = desk.ticks(60)
    assert np.abs(rows[-1]["sent_velocity"]).max() > 0.01
    assert not any("does not know" in problem for problem in snapshot(desk).problems)


def test_the_record_says_what_was_said_and_when_it_was_over(tmp_path: Path):
    with DemoStore.open(tmp_path / "store", write=True, create=True) as store:
        desk = Desk(RulePolicy(), store=store)
        desk.begin()
        desk.ticks(40)
        said, wanted = says(desk), other(desk)
        desk.do(SetSubtask(wanted))
        desk.ticks(40)
        desk.do(SetSubtask(""))
        desk.ticks(40)
        read = EpisodeReader(store.episode_path(desk.end()))
        desk.robot.disconnect()
    begun, over = (event for event in read.events if event["kind"] == KIND)
    assert (begun["text"], begun["instead_of"]) == (wanted, said)
    assert over["text"] == "" and "took it back" in over["why"]
    assert over["tick"] - begun["tick"] == 40
    texts = {event["number"]: event["text"] for event in read.events if event["kind"] == "text"}
    used = [texts[number] for number in np.asarray(read["chunk"]["subtask"]).tolist()]
    assert used.count(wanted) > 2 and used[0] == used[-1] == said


KNOWN = PolicyHealth(alive=True, subtask=RED, words=RulePolicy.subtask_words,
                     subtasks=RulePolicy.subtasks)


@pytest.mark.parametrize(("text", "health", "why"), [
    ("carry banana", KNOWN, "does not know “banana”"),
    (RED, KNOWN, "says so itself"),
    (GREEN, None, "no policy"),
    (GREEN, PolicyHealth(alive=True), "no sub-tasks"),
    (GREEN, KNOWN, ""),
])
def test_a_refusal_says_what_would_be_right(text, health, why):
    refusal = refusal_of_subtask(text, "", health)
    assert why in refusal and bool(why) is bool(refusal)


def test_a_trained_policy_hears_a_phrase_in_place_of_its_own(tmp_path: Path):
    policy = load_policy(write_random_run(tmp_path / "run"), "cpu")
    assert isinstance(policy, DualPolicy) and isinstance(policy, TakesSubtasks)
    assert {"red", "cube", "put"} <= set(vocabulary_of(policy)["words"])
    seen = Observation(
        stamp_ns=1_000_000_000, instruction="put the red cube in the bin",
        images={"front": np.zeros((96, 128, 3), np.uint8)},
        proprioception=np.zeros(16, np.float32), base=np.array([0.4, 0, 0.3, 0, 1, 0, 0, 1.0]))
    own = policy.think(seen)
    told, same = (policy.told(own, words) for words in ("put the blue cube", own.subtask))
    assert told.subtask == "put the blue cube" and told.understood
    assert not np.allclose(told.payload.code, own.payload.code)
    assert np.allclose(same.payload.code, own.payload.code)
    assert np.allclose(told.payload.latents, own.payload.latents)
    assert policy.act(seen, told).subtask == "put the blue cube"


def test_a_policy_of_one_speed_has_no_sub_tasks():
    assert not isinstance(OneSpeed, TakesSubtasks)

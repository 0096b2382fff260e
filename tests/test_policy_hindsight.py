"""What a correction says about the moments that led to it."""

import numpy as np
import pytest
from doubles import moving_tool
from doubles.moving_tool import SPEC, START_NS, TOUCH_S, Story

from policy.data.correction_weights import followed, weigher
from policy.data.demonstrations import Demonstration, read_demonstration
from policy.data.hindsight import in_hindsight
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader

# The policy reaches, closes on nothing at 1 s and strikes something at 1.25 s; a person brings it
# on from 1.5 s, and has it at 2.7 s.
STEP_IN_S, GOT_IT_S = 1.5, 2.7
MISSED = Story(modes=((0.0, "AUTO"), (STEP_IN_S, "HUMAN"), (2.9, "AUTO")),
               subtasks=((0.02, "reach it"), (GOT_IT_S, "carry it")))


@pytest.fixture
def read(tmp_path):
    """Records a story and works it out."""
    def make(story: Story) -> tuple[Demonstration, np.ndarray]:
        with moving_tool.open_store(tmp_path / "store") as store:
            said = moving_tool.record(store, story)
            one = read_demonstration(EpisodeReader(store.episode_path(said.episode)), said, SPEC)
        return one, (one.moments_ns - START_NS) / NS_PER_S

    return make


def test_what_led_to_a_correction_is_no_example_and_the_rest_is_as_it_was(read):
    one, since_s = read(MISSED)
    seen = in_hindsight(one)
    lost = since_s < STEP_IN_S
    assert one.action_valid[lost].any() and not seen.action_valid[lost].any()
    for name in ("action_valid", "event", "event_valid"):
        assert np.array_equal(getattr(seen, name)[~lost], getattr(one, name)[~lost])
    for method, learns in (("iwr", True), ("hindsight", False)):
        assert followed(method)(one).action_valid[lost].any() == learns


def test_the_eye_should_have_looked_where_the_person_went(read):
    one, since_s = read(MISSED)
    seen = in_hindsight(one)
    got_it = int(np.searchsorted(since_s, GOT_IT_S)) - 1
    after_touch = (since_s > TOUCH_S) & (since_s < STEP_IN_S)
    assert seen.event_valid[after_touch].all()
    assert (seen.event[after_touch] == one.event[got_it]).all()
    assert (one.event[after_touch] != one.event[got_it]).any()


def test_nobody_knows_where_a_thing_was_before_it_was_touched(read):
    one, since_s = read(MISSED)
    assert one.event_valid[since_s < TOUCH_S].all()
    assert not in_hindsight(one).event_valid[since_s < TOUCH_S].any()


def test_what_the_policy_did_in_sub_tasks_before_remains_an_example(read):
    had_it_s = 0.5
    story = Story(modes=MISSED.modes, subtasks=(
        (0.02, "reach it"), (had_it_s, "carry it"), (GOT_IT_S, "done")))
    one, since_s = read(story)
    before = since_s < had_it_s - 0.05
    assert np.array_equal(in_hindsight(one).action_valid[before], one.action_valid[before])
    assert one.action_valid[before].any()


def test_without_a_correction_an_episode_stays_as_it_is(read):
    one, _ = read(Story(modes=((0.0, "AUTO"),)))
    assert in_hindsight(one) is one


def test_corrections_weigh_as_much_as_all_the_rest(read):
    one, since_s = read(MISSED)
    weights, = weigher("hindsight")([one])
    by_person = (since_s > STEP_IN_S + 0.02) & (since_s < 2.88)
    assert weights[by_person].sum() == pytest.approx(weights[~by_person].sum(), rel=0.1)

"""What a correction says about the moments that led to it."""

import numpy as np
import pytest
from doubles import moving_tool
from doubles.moving_tool import SPEC, START_NS, TOUCH_S, Story

from policy.data.correction_weights import followed, weigher
from policy.data.demonstrations import Demonstration, read_demonstration
from policy.data.hindsight import in_hindsight
from policy.data.moment_draw import MomentDraw
from policy.data.whose import Whose
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


def test_what_the_policy_did_is_no_example_and_what_people_did_is_as_it_was(read):
    one, _ = read(MISSED)
    seen = in_hindsight(one)
    own = np.isin(one.whose, (Whose.POLICY, Whose.BEFORE))
    assert one.action_valid[own].any() and not seen.action_valid[own].any()
    for name in ("action_valid", "event", "event_valid"):
        assert np.array_equal(getattr(seen, name)[~own], getattr(one, name)[~own])
    for method, learns in (("all", True), ("iwr", True), ("hindsight", False)):
        assert followed(method)(one).action_valid[own].any() == learns


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


def test_where_the_policy_went_in_sub_tasks_that_it_brought_on_is_where_to_look(read):
    had_it_s = 0.5
    story = Story(modes=MISSED.modes, subtasks=(
        (0.02, "reach it"), (had_it_s, "carry it"), (GOT_IT_S, "done")))
    one, since_s = read(story)
    before = since_s < had_it_s - 0.05
    for name in ("event", "event_valid"):
        assert np.array_equal(getattr(in_hindsight(one), name)[before], getattr(one, name)[before])
    assert one.event_valid[before].any()


def test_without_a_correction_all_places_stay_as_they_are(read):
    one, _ = read(Story(modes=((0.0, "AUTO"),)))
    seen = in_hindsight(one)
    assert np.array_equal(seen.event, one.event) and not seen.action_valid.any()


def test_a_demonstration_stays_as_it_is(read):
    one, _ = read(Story())
    assert in_hindsight(one) is one and followed("hg-dagger")(one) is one


def test_only_people_weigh(read):
    one, since_s = read(MISSED)
    weights, = weigher("hindsight")([one])
    by_person = (since_s > STEP_IN_S + 0.02) & (since_s < 2.88)
    assert (weights[by_person] == 1).all() and not weights[since_s < STEP_IN_S].any()


@pytest.mark.parametrize("method", ["hg-dagger", "rac"])
def test_where_people_alone_are_followed_no_older_moment_shows_the_policys_way(read, method):
    one, _ = read(MISSED)
    own = np.isin(one.whose, (Whose.POLICY, Whose.BEFORE))
    seen = followed(method)(one)
    for name in ("action_valid", "event_valid"):
        assert getattr(one, name)[own].any() and not getattr(seen, name)[own].any()


@pytest.mark.parametrize(("method", "follows"), [("all", True), ("hg-dagger", False),
                                                 ("rac", False), ("hindsight", False)])
def test_a_lesson_about_a_correction_sees_what_led_to_it(read, method, follows):
    one, _ = read(MISSED)
    draw = MomentDraw([followed(method)(one)], SPEC.step_ns, max_age_steps=64,
                      weigh=weigher(method), balance_tasks=False)
    led_to_it = [pair for pair in draw.draw(np.random.default_rng(0), 64)
                 if one.whose[pair.later] == Whose.CORRECTION
                 and one.whose[pair.older] in (Whose.POLICY, Whose.BEFORE)]
    assert led_to_it
    assert any(pair.demonstration.action_valid[pair.older].any() for pair in led_to_it) == follows

"""Whatever happens in whatever order: one owner, no stale plan, no jump, no tick lost.

The invariants I1 to I6 of docs/safety.md, over random interleavings of a hand, a policy whose
answers come late and out of order, edits, stops, pauses, faults and changes of shares.
"""

import numpy as np
import pytest
from doubles.tandem_loop import TandemLoop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from studio.station.loop.ownership import TABLE, Event
from studio.station.messages import Mode

INTERLEAVINGS = 10_000
EVENTS = 8                      # of each


class Interleavings(RuleBasedStateMachine):
    """Any order; Hypothesis shortens what fails."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = TandemLoop()

    @initialize(remembers=st.booleans())
    def an_arm(self, remembers):
        self.desk = TandemLoop(remembers=remembers)

    @rule(count=st.integers(1, 12))
    def time_passes(self, count):
        self.desk.tick(count)

    @rule()
    def the_policy_begins_to_plan(self):
        self.desk.look()

    @rule(which=st.integers(0, 5))
    def an_answer_arrives(self, which):
        self.desk.answer(which)

    @rule(on=st.booleans())
    def the_hand_moves(self, on):
        self.desk.push(on=on)

    @rule(gripper=st.sampled_from([None, 0.0, 1.0]))
    def the_gripper_is_pressed(self, gripper):
        self.desk.press(gripper)

    @rule(which=st.integers(0, 3))
    def shares_change(self, which):
        self.desk.share(which)

    @rule()
    def the_policy_is_let_drive(self):
        self.desk.play()

    @rule(event=st.sampled_from([Event.PAUSE, Event.STOP, Event.TROUBLE, Event.FAULT,
                                 Event.DISARM]))
    def something_stops_it(self, event):
        self.desk.happen(event)

    @rule()
    def it_is_armed_again(self):
        self.desk.arm_it()

    @rule(seconds=st.floats(0.01, 1.0))
    def somebody_goes_back(self, seconds):
        self.desk.rewind(seconds)

    @rule(which=st.integers(0, 12), number=st.floats(0.0, 1.0))
    def somebody_changes_the_plan(self, which, number):
        self.desk.override(which, number)

    @rule(hard=st.booleans())
    def the_words_change(self, hard):
        self.desk.edit(hard=hard)

    @rule()
    def stop_is_one_event_away(self):
        self.desk.happen(Event.STOP)
        self.desk.tick()
        assert self.desk.loop.ownership.mode is Mode.STOP

    @invariant()
    def the_mode_is_one_of_the_table(self):
        assert self.desk.loop.ownership.mode in Mode


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=60, stateful_step_count=40, deadline=None,
                                      suppress_health_check=[HealthCheck.too_slow])


def something(desk: TandemLoop, rng: np.random.Generator) -> None:
    """One random event, and a little time."""
    match int(rng.integers(20)):
        case 0 | 1 | 2 | 3:
            desk.look()
        case 4 | 5 | 6:
            desk.answer(-1)                             # the newest
        case 7 | 8:
            desk.answer(int(rng.integers(6)))
        case 9 | 10 | 11:
            desk.push(on=bool(rng.integers(2)))
        case 12:
            desk.press((None, 0.0, 1.0)[rng.integers(3)])
        case 13:
            desk.edit(hard=bool(rng.integers(2)))
        case 14:
            desk.share(int(rng.integers(4)))
        case 17 | 18 | 19:
            desk.override(int(rng.integers(13)), float(rng.random()))
        case 15:
            desk.rewind(float(rng.uniform(0.02, 0.3)))
        case _:
            desk.happen((Event.PAUSE, Event.STOP, Event.TROUBLE)[rng.integers(3)])
    desk.tick(int(rng.integers(1, 3)))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("remembers", [False, True])
def test_no_action_is_stale_in_ten_thousand_interleavings(remembers):
    rng, desk = np.random.default_rng(0), TandemLoop(remembers=remembers)
    flips = 0
    for _ in range(INTERLEAVINGS // 2):
        desk.push(on=False)
        desk.press(None)
        desk.arm_it()
        desk.play()
        epoch = desk.loop.ownership.epoch
        for _ in range(EVENTS):
            something(desk, rng)
        flips += desk.loop.ownership.epoch - epoch
    assert desk.played > INTERLEAVINGS / 3          # something was at stake
    assert flips > INTERLEAVINGS / 4
    assert desk.went_back > INTERLEAVINGS / 20
    assert desk.overridden > INTERLEAVINGS / 20


def test_every_mode_can_be_stopped_by_one_event():
    assert all(TABLE.get((mode, Event.STOP)) is Mode.STOP for mode in Mode)

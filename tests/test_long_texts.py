"""Absurd words of a person: refused with a reason, or kept whole; never cut unasked."""

import pytest
from doubles.synthetic_episodes import FRONT, START_MONO_NS, TICK, batch, header

from recorders.clock import ManualClock
from recorders.store import DemoStore
from studio.devices.absent import AbsentTeleoperator
from studio.sim.robot import SimRobot
from studio.station.commands import LabelEpisode, RelabelEpisode, SetInstruction, StartEpisode
from studio.station.recording.closed_episodes import carry_out, refusal_of
from studio.station.recording.episode_feed import NoRecorder
from studio.station.recording.long_texts import MOST_LETTERS, refusal_of_text
from studio.station.station import Station

STRANGE = "ضع المكعب \u202e\u0007 把红色方块放进盒子 🤖\U0001f9d1\u200d\U0001f680 put it"
BOOK = "x" * 100_000


@pytest.fixture
def station() -> Station:
    clock = ManualClock()
    return Station(clock=clock, robot=SimRobot(clock, render=False),
                   teleop=AbsentTeleoperator(clock), sink=NoRecorder())


def test_a_pasted_book_is_no_instruction_and_the_one_before_holds(station):
    assert station.handle(SetInstruction("push the button")).accepted
    reply = station.handle(SetInstruction(BOOK))
    assert not reply.accepted and "100,000 characters is too long" in reply.reason
    reply = station.handle(StartEpisode("push-button", BOOK, practice=True))
    assert not reply.accepted and "2,000 at most" in reply.reason
    assert station.loop.instruction == "push the button"


def test_any_script_is_an_instruction_as_it_was_written(station):
    assert station.handle(SetInstruction(STRANGE)).accepted
    assert station.loop.instruction == STRANGE


def test_closed_episodes_refuse_books_and_keep_any_script(tmp_path):
    for about in (LabelEpisode("e1", "success", BOOK), RelabelEpisode("e1", BOOK),
                  RelabelEpisode("e1", None, BOOK)):
        assert "too long" in refusal_of(about)
    with DemoStore.open(tmp_path / "store", write=True, create=True) as store:
        writer = store.begin(header(0, (TICK, FRONT)))
        writer.append(batch(TICK, 0, 5))
        episode = writer.commit(START_MONO_NS + 1).episode
        for about in (LabelEpisode(episode, "partial", STRANGE),
                      RelabelEpisode(episode, None, STRANGE)):
            assert not refusal_of(about)
            carry_out(store, about, "somebody")
    with DemoStore.open(tmp_path / "store") as store:
        assert (store.episode(0).note, store.episode(0).instruction) == (STRANGE, STRANGE)


def test_what_fits_exactly_fits():
    assert refusal_of_text("a note", "x" * MOST_LETTERS) == ""
    assert refusal_of_text("a note", None) == ""

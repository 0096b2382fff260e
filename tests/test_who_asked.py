"""Who asked stands in the episode, of an edit of the words, a button, a key; nobody is made up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles.rollout_desk import RolloutDesk
from doubles.rule_policy import RulePolicy

from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.station.commands import (
    DESKTOP,
    PAGE,
    Arm,
    Command,
    Keys,
    Pause,
    SetInstruction,
    SetSpeed,
    SetSubtask,
    StartPolicy,
)
from studio.station.loop.ownership import Event
from studio.station.recording.rollout_rules import check_rollout
from studio.views.player import mark_of

pytestmark = pytest.mark.gl
WORDS = "put the blue cube in the bin"


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EpisodeReader]:
    """A rollout that two consoles, a keyboard and a hand have to do with."""
    path: Path = tmp_path_factory.mktemp("asked") / "store"
    with DemoStore.open(path, write=True, create=True) as store:
        desk = RolloutDesk(RulePolicy(), store=store)

        def ask(command: Command, by: str) -> None:
            assert desk.station.handle(command, by).accepted
            desk.ticks(5)

        def keys_held(held: frozenset[str], _stamp_ns: int) -> None:
            desk.hand.pushing = bool(held)

        setattr(desk.hand, "keys_held", keys_held)      # noqa: B010 - a keyboard for a moment
        desk.begin()
        desk.ticks(30)
        ask(SetInstruction(WORDS), PAGE)
        assert (desk.station.loop.instruction_by, desk.station.loop.subtask.by) == (PAGE, "")
        ask(SetSubtask("carry green cube for bin"), "desktop-4711")
        assert desk.station.loop.subtask.by == "desktop-4711"
        ask(SetSubtask(""), DESKTOP)
        ask(SetSpeed(0.5), "")
        ask(Keys(("a",), desk.clock.now_ns()), DESKTOP)
        desk.ticks(30)
        ask(Keys((), desk.clock.now_ns()), DESKTOP)
        desk.ticks(40)
        ask(Pause(), PAGE)
        ask(Arm(), DESKTOP)
        ask(StartPolicy(), DESKTOP)
        desk.ticks(20)
        ask(Pause(), DESKTOP)
        assert desk.station.handle(Arm(), PAGE).accepted
        desk.station.loop.ownership.on(Event.STOP, "a guard, before the next tick")
        desk.ticks(5)
        name = desk.end()
        desk.robot.disconnect()
        yield EpisodeReader(store.episode_path(name))


def events(episode: EpisodeReader, kind: str) -> list[dict[str, Any]]:
    return [event for event in episode.events if event["kind"] == kind]


def test_an_edit_of_the_words_says_which_console_it_came_from(episode):
    (edit,) = events(episode, "instruction")
    assert edit["by"] == PAGE and edit["after"] == WORDS and edit["before"] not in ("", WORDS)
    said, back = events(episode, "operator subtask")
    assert (said["by"], said["text"]) == ("desktop-4711", "carry green cube for bin")
    assert (back["by"], back["text"]) == (DESKTOP, "")


def test_a_change_of_who_drives_says_whose_button_or_key_it_was(episode):
    modes = {event["after"]: event.get("by") for event in events(episode, "mode")[:-2]}
    assert modes["HUMAN"] == DESKTOP        # its keys
    assert modes["HANDBACK"] is None        # they were let go of: nobody asked
    assert modes["HOLD"] == PAGE and modes["ARMED"] == DESKTOP
    assert events(episode, "start_policy")[-1]["by"] == DESKTOP


def test_what_happens_after_a_button_is_not_said_to_be_its_doing(episode):
    paused, stopped = events(episode, "mode")[-2:]
    assert (paused["after"], paused["by"]) == ("HOLD", DESKTOP)
    assert stopped["after"] == "STOP" and "by" not in stopped


def test_who_does_not_say_who_they_are_is_nobody(episode):
    (speed,) = events(episode, "speed")
    assert "by" not in speed
    assert "by" not in events(episode, "start_policy")[0]


def test_a_rollout_that_says_who_asked_keeps_every_rule(episode):
    assert check_rollout(episode).findings == ()


def test_a_mark_of_an_old_recording_reads_as_before():
    event = {"kind": "instruction", "after": WORDS}
    assert mark_of(1.0, event).what == f"Instruction: {WORDS}"
    assert mark_of(1.0, event | {"by": PAGE}).what == f"Instruction: {WORDS} (page)"

"""What is said of trouble, and what is asked about interrupted episodes."""

import pytest
from doubles.snapshots import STREAMS, desk, recorder, snapshot

from recorders.interrupted import Interrupted
from studio.station.commands import LabelEpisode, SettleInterrupted
from studio.station.messages import Mode, StreamHealth
from studio.views.controls import controls_of
from studio.views.interrupted import CHOICES, heading, interrupted_rows, settle
from studio.views.problems import problems_of
from studio.views.recording_flow import act, answered, follow
from studio.views.recording_plan import Flow, Plan

PLAN = Plan(task="put-cube-in-bin", countdown_s=0.0)
FULL = "the disk is full: episode e1 was closed after 3.0 s and kept"


def test_the_desks_trouble_comes_first_and_nothing_is_said_twice():
    said = problems_of(
        snapshot(problems=("the gripper is hot", FULL), recorder=recorder(error=FULL)),
        desk(problem="the recorder has ended: no such folder"), False)
    assert said == ("The recorder has ended: no such folder", "The gripper is hot",
                    FULL.capitalize())


def test_of_a_silent_station_only_the_desk_is_believed():
    old = snapshot(problems=("the gripper is hot",))
    assert problems_of(old, desk(problem="it ended"), True) == ("It ended",)
    assert problems_of(None, None, True) == ()


def test_a_camera_that_stops_is_named_after_a_second_with_what_to_do():
    def at(age_ms: float, episode: str = "") -> tuple[str, ...]:
        front = StreamHealth("front", 12.0, 0, age_ms)
        return problems_of(snapshot(streams=(STREAMS[0], front), episode=episode), desk(), False)

    assert at(900.0) == ()
    (said,) = at(1100.0)
    assert "front" in said and "replug it" in said
    (said,) = at(1100.0, "e1")
    assert "the open episode goes on without" in said
    assert at(1100.0) == at(9000.0)         # a sentence that stands still can be read


def test_an_episode_that_is_cut_short_is_told_once_and_labels_wait_for_what_was_kept():
    open_one = snapshot(Mode.HUMAN, episode="e1", episode_s=3.0)
    flow = follow(Flow(last="e0"), PLAN, open_one, 0).flow
    over = snapshot(Mode.HUMAN, recorder=recorder(cut_short="e1", error=FULL, last_episode="e0"))
    turn = follow(flow, PLAN, over, 0)
    assert turn.notice == FULL and turn.cues == ("refused",)
    assert follow(turn.flow, PLAN, over, 0).notice == ""
    assert act(turn.flow, "success", PLAN, over, 0).asks == ()      # not of the episode before
    kept = snapshot(Mode.HUMAN, recorder=recorder(cut_short="e1", last_episode="e1"))
    turn = follow(turn.flow, PLAN, kept, 0)
    assert act(turn.flow, "success", PLAN, kept, 0).asks == (LabelEpisode("e1", "success"),)


def test_what_cannot_be_recorded_is_refused_before_the_episode_and_practice_is_not():
    full = snapshot(Mode.ARMED, recorder=recorder(unable="the disk is full: free some space"))

    def record(practice: bool) -> str:
        return controls_of(full, desk(), Flow(), silent=False, practice=practice,
                           resettable=True).record

    assert "free some space" in record(False) and record(True) == ""


def test_an_interrupted_episode_is_described_on_one_line():
    words = "put it\u202e away\n" * 500
    (row,) = interrupted_rows([Interrupted(
        episode="e1", task="put-cube-in-bin", instruction=words, operator="ada",
        started_wall_ns=1_795_000_000_000_000_000, duration_s=12.34, rows={"tick": 1234},
        being_recorded=False, damage="")])
    assert row.length == "00:12.3" and row.words.startswith("put-cube-in-bin · put it away")
    assert len(row.words) <= 120 and "\u202e" not in row.words and "\n" not in row.words
    assert "1 episode was" in heading(1) and "3 episodes were" in heading(3)


def test_one_whose_journal_cannot_be_read_is_still_asked_about():
    (row,) = interrupted_rows([Interrupted(
        episode="e1", task="", instruction="", operator="", started_wall_ns=0, duration_s=0.0,
        rows={}, being_recorded=False, damage="its header is torn")])
    assert (row.words, row.when, row.damage) == ("e1", "–", "its header is torn")


def test_every_choice_settles_it_and_labels_it_where_a_label_was_chosen():
    assert settle("e1", "discard") == (SettleInterrupted("e1", keep=False),)
    assert settle("e1", "keep") == (SettleInterrupted("e1", keep=True),)
    assert settle("e1", "partial") == (SettleInterrupted("e1", keep=True),
                                       LabelEpisode("e1", "partial"))
    assert all(settle("e1", name) for name, *_ in CHOICES)
    with pytest.raises(ValueError, match="valid are success, failure, partial, keep, discard"):
        settle("e1", "splendid")


def test_what_was_settled_is_said_when_it_is_accepted_and_labels_speak_of_it():
    kept = answered(Flow(), SettleInterrupted("e1", keep=True), True, "")
    assert kept.flow.last == "e1" and kept.notice.startswith("Kept")
    gone = answered(Flow(last="e0"), SettleInterrupted("e1", keep=False), True, "")
    assert gone.flow.last == "e0" and "bin" in gone.notice
    refused = answered(Flow(), SettleInterrupted("e1", keep=True), False, "no recorder runs")
    assert refused.notice == "no recorder runs" and refused.flow.last == ""

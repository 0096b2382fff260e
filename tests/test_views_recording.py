"""Recording as a person does it, against a station that is only spoken of."""

from doubles.snapshots import recorder, snapshot

from studio.station.commands import (
    Arm,
    Disarm,
    DiscardEpisode,
    EndEpisode,
    LabelEpisode,
    ResetScene,
    RestoreEpisode,
    StartEpisode,
    TrashEpisode,
)
from studio.station.messages import Mode
from studio.views.recording_flow import act, answered, follow
from studio.views.recording_plan import Flow, Plan

S = 10**9
PLAN = Plan(task="put-cube-in-bin", seed=7, note="dropped once")
AT_ONCE = Plan(task="put-cube-in-bin", seed=7, countdown_s=0.0)
READY, OPEN = snapshot(Mode.ARMED), snapshot(Mode.HUMAN, episode="e1", episode_s=4.0)


def test_a_countdown_is_heard_every_second_and_then_the_episode_starts():
    turn = act(Flow(), "record", PLAN, READY, 0)
    heard, asked = list(turn.cues), []
    for tenth in range(1, 32):
        turn = follow(turn.flow, PLAN, READY, tenth * S // 10)
        heard += turn.cues
        asked += turn.asks
    assert heard == ["countdown"] * 3
    assert asked == [StartEpisode(task="put-cube-in-bin", seed=7)]


def test_without_a_countdown_the_episode_starts_at_once():
    assert act(Flow(), "record", AT_ONCE, READY, 0).asks == (
        StartEpisode(task="put-cube-in-bin", seed=7),)


def test_a_second_press_cancels_the_countdown():
    counting = act(Flow(), "record", PLAN, READY, 0).flow
    cancelled = act(counting, "record", PLAN, READY, S)
    assert cancelled.asks == () and cancelled.flow.starts_ns == 0
    assert follow(cancelled.flow, PLAN, READY, 5 * S).asks == ()


def test_a_stop_cancels_whatever_would_have_come_by_itself():
    counting = act(Flow(), "record", PLAN, READY, 0).flow
    stopped = follow(counting, PLAN, snapshot(Mode.STOP), S)
    assert stopped.notice and follow(stopped.flow, PLAN, READY, 9 * S).asks == ()


def test_recording_twice_is_refused_in_words():
    turn = act(Flow(), "record", PLAN, OPEN, 0)
    assert turn.asks == () and "end or discard" in turn.notice


def test_nothing_is_recorded_of_an_arm_that_follows_nobody():
    idle = snapshot(Mode.IDLE)
    refused = act(Flow(), "record", PLAN, idle, 0)
    assert refused.asks == () and "hold Arm first" in refused.notice
    # After a new scene the arm is about to be armed again: recording waits for that.
    waiting = act(Flow(arm_next=True), "record", PLAN, idle, 0)
    arming = follow(waiting.flow, PLAN, idle, 0)
    assert arming.asks == (Arm(),) and arming.flow.record_next
    assert follow(arming.flow, PLAN, READY, S).flow.counts_s(S) > 0


def test_an_episode_ends_with_a_label_and_the_note():
    assert act(Flow(), "failure", PLAN, OPEN, 0).asks == (EndEpisode("failure", "dropped once"),)
    assert act(Flow(), "end", PLAN, OPEN, 0).asks == (EndEpisode("", "dropped once"),)


def test_saved_is_heard_when_the_episode_is_committed_and_not_before():
    ended = act(Flow(), "end", PLAN, OPEN, 0)
    assert ended.cues == ("stop",)
    writing = follow(ended.flow, PLAN, READY, S)
    assert writing.cues == ()
    done = snapshot(Mode.ARMED, recorder=recorder(last_episode="e1", last_label="success"))
    saved = follow(writing.flow, PLAN, done, 2 * S)
    assert (saved.cues, saved.notice) == (("saved",), "Saved as success")
    assert follow(saved.flow, PLAN, done, 3 * S).cues == ()


def test_number_keys_relabel_the_last_episode_and_undo_takes_it_back():
    ended = act(Flow(), "end", PLAN, OPEN, 0).flow
    labelled = act(ended, "partial", PLAN, READY, S, label_before="success")
    assert labelled.asks == (LabelEpisode("e1", "partial", "dropped once"),)
    assert act(labelled.flow, "undo", PLAN, READY, S).asks == (LabelEpisode("e1", "success"),)


def test_a_discarded_episode_comes_back():
    gone = act(Flow(), "discard", PLAN, OPEN, 0)
    assert gone.asks == (DiscardEpisode(),) and gone.cues == ("discarded",)
    back = act(gone.flow, "undo", PLAN, READY, S)
    assert back.asks == (RestoreEpisode("e1"),) and back.flow.last == "e1"
    assert act(back.flow, "undo", PLAN, READY, S).notice == "There is nothing to undo"


def test_the_last_episode_goes_into_the_bin_after_it_was_ended():
    ended = act(Flow(), "end", PLAN, OPEN, 0).flow
    gone = act(ended, "discard", PLAN, READY, S)
    assert gone.asks == (TrashEpisode("e1"),)
    assert act(gone.flow, "discard", PLAN, READY, S).asks == ()


def test_a_refused_discard_is_no_deed_to_take_back():
    gone = act(Flow(), "discard", PLAN, OPEN, 0)
    refused = answered(gone.flow, DiscardEpisode(), False, "no episode is open")
    assert refused.notice == "no episode is open" and refused.cues == ("refused",)
    assert refused.flow.undo == ()


def test_recording_again_discards_sets_the_same_scene_arms_and_counts_down():
    turn = act(Flow(), "rerecord", PLAN, OPEN, 0)
    assert turn.asks == (DiscardEpisode(), ResetScene("put-cube-in-bin", 7))
    writing = follow(turn.flow, PLAN, READY, 1)
    assert writing.asks == () or writing.flow.arm_next
    reset = follow(turn.flow, PLAN, snapshot(Mode.IDLE, position=()), S)
    assert reset.asks == ()
    there = follow(reset.flow, PLAN, snapshot(Mode.IDLE), S)
    assert there.asks == (Arm(),)
    counting = follow(there.flow, PLAN, READY, S)
    assert counting.flow.starts_ns == 4 * S
    started = follow(counting.flow, PLAN, READY, 4 * S)
    assert isinstance(started.asks[0], StartEpisode)


def test_an_arm_that_was_not_armed_is_not_armed_by_a_new_scene():
    turn = act(Flow(), "new scene", PLAN, snapshot(Mode.IDLE), 0)
    assert turn.asks == (ResetScene("put-cube-in-bin", 8),)
    assert follow(turn.flow, PLAN, snapshot(Mode.IDLE), S).asks == ()


def test_a_real_robots_scene_is_set_up_by_hand():
    real = Plan(task="t", resettable=False)
    turn = act(Flow(), "rerecord", real, OPEN, 0)
    assert turn.asks == (DiscardEpisode(),) and "by hand" in turn.notice
    assert follow(turn.flow, real, READY, 9 * S).asks == ()


def test_the_last_three_seconds_are_heard_and_the_time_limit_ends_the_episode_once():
    plan = Plan(task="t", limit_s=10.0)
    flow, heard, asked = Flow(), [], []
    for tenth in range(0, 120):
        now = snapshot(Mode.HUMAN, episode="e1", episode_s=tenth / 10)
        turn = follow(flow, plan, now, tenth * S // 10)
        flow, heard, asked = turn.flow, heard + list(turn.cues), asked + list(turn.asks)
    assert heard == ["warning"] * 3 + ["stop"]
    assert asked == [EndEpisode("", "")]


def test_escape_keeps_the_episode_and_lets_nobody_drive():
    assert act(Flow(), "finish", PLAN, OPEN, 0).asks == (EndEpisode("", "dropped once"), Disarm())


def test_practice_is_never_labelled_saved_or_restored():
    practice = snapshot(Mode.HUMAN, episode="e1", practice=True)
    ended = act(Flow(), "success", PLAN, practice, 0)
    assert ended.flow.last == "" and "nothing was kept" in ended.notice
    gone = act(Flow(), "discard", PLAN, practice, 0)
    assert gone.flow.undo == ()


def test_right_arrow_sets_the_next_scene_when_nothing_is_open():
    assert act(Flow(), "end", PLAN, READY, 0).asks == (ResetScene("put-cube-in-bin", 8),)


def test_a_refused_start_leaves_nothing_behind():
    counting = act(Flow(), "record", AT_ONCE, READY, 0)
    refused = answered(counting.flow, counting.asks[0], False, "the recorder is not running")
    assert refused.notice == "the recorder is not running" and refused.flow == Flow()

"""What hands do to a console: keys, a button that is held, a chunk that is dragged, redraws."""

from hypothesis import given
from hypothesis import strategies as st

from studio.devices.keyboard import KEYS as DRIVING_KEYS
from studio.views.chunk_timeline import Chunk, cut_chunks, refusal, timeline_of
from studio.views.hold_button import HoldButton
from studio.views.keymap import HOT_KEYS, KeyEdges, driving, key_for
from studio.views.redraw import Redraw, RedrawLimits

S = 10**9
HERE = dict(focused=True, typing=False)


def test_no_key_both_drives_the_arm_and_commands():
    assert not HOT_KEYS.keys() & DRIVING_KEYS


def test_a_key_that_is_held_acts_once():
    edges, actions = KeyEdges().seen(frozenset({"space"}), **HERE)
    assert actions == ("stop",)
    for _ in range(10):
        edges, actions = edges.seen(frozenset({"space"}), **HERE)
        assert actions == ()
    edges, _ = edges.seen(frozenset(), **HERE)
    assert edges.seen(frozenset({"space"}), **HERE)[1] == ("stop",)


def test_keys_mean_nothing_while_somebody_types_or_another_window_has_them():
    for where in (dict(focused=True, typing=True), dict(focused=False, typing=False)):
        assert KeyEdges().seen(frozenset({"space", "1"}), **where)[1] == ()
        assert driving(frozenset("w"), **where) == frozenset()


def test_the_enter_that_ends_a_text_starts_no_episode():
    edges, _ = KeyEdges().seen(frozenset({"enter"}), focused=True, typing=True)
    edges, actions = edges.seen(frozenset({"enter"}), **HERE)     # the field was left by it
    assert actions == ()
    edges, _ = edges.seen(frozenset(), **HERE)
    assert edges.seen(frozenset({"enter"}), **HERE)[1] == ("record",)


def test_lerobots_keys_are_ours():
    assert [HOT_KEYS[key] for key in ("right", "left", "escape")] == ["end", "rerecord", "finish"]
    assert key_for("rerecord") == "←" and key_for("success") == "1" and key_for("nothing") == ""


def test_a_button_acts_when_it_was_held_long_enough_and_only_once():
    button, acted = HoldButton(), []
    for tenth in range(1, 30):
        button, acts = button.at(tenth * S // 10, down=tenth < 25, hold_s=0.8)
        acted += [tenth] * acts
    assert acted == [9]


def test_a_slip_of_the_hand_does_not_arm():
    button, _ = HoldButton().at(S, down=True, hold_s=0.8)
    assert button.progress(S + S // 2, 0.8) == 0.625
    button, _ = button.at(S + S // 2, down=False, hold_s=0.8)
    assert button.at(3 * S, down=True, hold_s=0.8)[1] is False


LIMITS = RedrawLimits()
DRAWN = Redraw(drawn_ns=10 * S, cost_ns=S // 100)


def test_a_window_in_which_nothing_changes_is_drawn_once_a_second():
    assert DRAWN.due_ns(LIMITS, changed=False, moving=True) == 11 * S


def test_what_changes_while_the_arm_moves_is_drawn_thirty_times_a_second():
    assert DRAWN.due_ns(LIMITS, changed=True, moving=True) == 10 * S + S // 30
    assert DRAWN.due_ns(LIMITS, changed=True, moving=False) == 10 * S + S // 2


def test_a_hand_at_the_mouse_is_followed_at_once_and_forgotten_soon():
    touched = DRAWN.touched(10 * S + 1)
    assert touched.due_ns(LIMITS, changed=False, moving=False) <= 10 * S + S // 60
    later = touched.drew(12 * S, 12 * S)
    assert later.due_ns(LIMITS, changed=False, moving=False) == 13 * S


@given(cost_ms=st.integers(1, 2000), changed=st.booleans(), moving=st.booleans(),
       touched=st.booleans())
def test_drawing_never_takes_more_than_its_share(cost_ms, changed, moving, touched):
    drew = Redraw(10 * S, cost_ms * 10**6, 10 * S if touched else 0)
    due_ns = drew.due_ns(LIMITS, changed=changed, moving=moving)
    assert cost_ms * 10**6 <= LIMITS.touched_share * (due_ns - 10 * S) + 1


NAMES = ("shoulder", "gripper")
VALUES = tuple((step / 10, 1.0) for step in range(8))
CHUNK = Chunk(number=7, step_s=0.1, names=NAMES, lower=(-1.0, 0.0), upper=(1.0, 1.0),
              values=VALUES, committed=2)


def test_many_drags_become_one_edit_when_the_mouse_lets_go():
    timeline = timeline_of(CHUNK)
    for value in (0.4, 0.5, 0.6):
        timeline = timeline.drag(4, value)
    timeline, edit = timeline.release()
    assert edit is not None and (edit.chunk, edit.first) == (7, 4)
    assert edit.values[4] == (0.6, 1.0) and edit.values[:4] == VALUES[:4]
    assert timeline.release()[1] is None


def test_only_the_dimension_that_is_shown_moves():
    timeline = timeline_of(CHUNK).show(1).drag(5, 0.25)
    assert timeline.values[5] == (0.5, 0.25) and timeline.line()[5] == 0.25


def test_what_is_committed_or_cut_off_cannot_be_dragged():
    timeline = timeline_of(CHUNK).trim(6)
    assert timeline.drag(1, 0.9) == timeline and timeline.drag(6, 0.9) == timeline


def test_the_commit_line_never_goes_back_and_the_cut_never_passes_it():
    timeline = timeline_of(CHUNK).commit(5).commit(3)
    assert timeline.chunk.committed == 5
    assert timeline.trim(1).length == 5


def test_a_cut_alone_is_an_edit_too():
    _, edit = timeline_of(CHUNK).trim(5).release()
    assert edit is not None and len(edit.values) == 5 and refusal(edit, CHUNK) == ""


def test_an_edit_of_an_old_chunk_or_of_a_step_on_its_way_is_refused_in_words():
    _, edit = timeline_of(CHUNK).drag(3, 0.9).release()
    newer = Chunk(number=8, step_s=0.1, names=NAMES, lower=(-1.0, 0.0), upper=(1.0, 1.0),
                  values=VALUES)
    assert edit is not None and "chunk 8 is the newest" in refusal(edit, newer)
    committed = timeline_of(CHUNK).commit(4).chunk
    assert "on its way" in refusal(edit, committed)


def test_reverting_keeps_what_is_committed():
    timeline = timeline_of(CHUNK).drag(2, 0.9).drag(6, -0.9).commit(3).revert()
    assert timeline.values[2] == (0.9, 1.0) and timeline.values[6] == VALUES[6]


@given(st.lists(st.tuples(st.integers(-2, 10), st.floats(-5, 5), st.integers(0, 9)), max_size=20))
def test_no_hand_can_make_a_chunk_that_leaves_its_limits(deeds):
    timeline = timeline_of(CHUNK)
    for step, value, length in deeds:
        timeline = timeline.drag(step, value).trim(length).show(step)
    for row in timeline.values:
        assert all(low <= one <= high for low, one, high
                   in zip(CHUNK.lower, row, CHUNK.upper, strict=True))
    assert timeline.values[:2] == VALUES[:2]
    assert max(CHUNK.committed, 1) <= timeline.length <= len(VALUES)


def test_a_recording_is_cut_into_chunks_without_losing_a_step():
    chunks = cut_chunks(VALUES, step_s=0.1, horizon=3, names=NAMES, lower=(-1.0, 0.0),
                        upper=(1.0, 1.0))
    assert [len(chunk.values) for chunk in chunks] == [3, 3, 2]
    assert tuple(row for chunk in chunks for row in chunk.values) == VALUES

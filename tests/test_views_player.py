"""Pages of a long list, a player's times, and idle time that is proposed to be left away."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recorders.clock import NS_PER_S
from recorders.trim import KEPT_S, WORTH_S, TrimProposal, propose_trim
from studio.views.pages import PAGE_ROWS, between, page_of
from studio.views.player import mark_of, row_at, trim_note, trim_sentence

HZ = 100


@given(st.integers(0, 20_000), st.integers(-5, 1000))
def test_every_page_lies_inside_the_list_and_the_pages_cover_it(total, wanted):
    page = page_of(total, wanted)
    assert 0 <= page.first <= page.last <= total and page.last - page.first <= PAGE_ROWS
    covered = [row for number in range(page.count)
               for row in range(page_of(total, number).first, page_of(total, number).last)]
    assert covered == list(range(total))


def test_a_page_is_said_in_words():
    assert page_of(9871, 1).words == "51–100 of 9,871" and page_of(0, 3).words == "None"


def test_a_range_is_all_in_between_in_either_direction():
    assert between("abcde", "d", "b") == between("abcde", "b", "d") == ("b", "c", "d")
    assert between("abcde", "x", "b") == ("b",)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50).map(sorted), st.floats(0, 120))
def test_the_picture_shown_is_the_newest_that_had_come(times, at):
    row = row_at(times, at)
    assert row == 0 or times[row] <= at
    assert row == len(times) - 1 or times[row + 1] > at


def test_events_are_said_in_a_persons_words():
    assert mark_of(1.0, {"kind": "subtask", "text": "grasp"}).what == "Subtask: grasp"
    assert mark_of(1.0, {"kind": "mode", "before": "ARMED", "after": "STOP", "why": "a key"}
                   ).what == "ARMED → STOP a key"
    assert mark_of(1.0, {"kind": "instruction", "after": "open\nit"}).what == "Instruction: open it"


def speeds(head_s: float, moving_s: float, tail_s: float) -> tuple[np.ndarray, np.ndarray]:
    parts = [np.full(round(seconds * HZ), speed)
             for seconds, speed in ((head_s, 0.0), (moving_s, 0.3), (tail_s, 0.001))]
    speed = np.concatenate(parts)
    return 5 * NS_PER_S + np.arange(len(speed)) * (NS_PER_S // HZ), speed


@given(st.floats(0, 5), st.floats(0.5, 5), st.floats(0, 5))
def test_the_proposal_never_takes_a_moment_of_motion(head_s, moving_s, tail_s):
    stamps, speed = speeds(head_s, moving_s, tail_s)
    trim = propose_trim(stamps, speed)
    if trim is None:
        return
    seconds = (stamps - stamps[0]) / NS_PER_S
    kept = (seconds >= trim.start_s - 1e-9) & (seconds <= trim.end_s + 1e-9)
    assert kept[speed >= 0.01].all()
    assert all(idle_s == 0 or idle_s >= WORTH_S for idle_s in (trim.head_s, trim.tail_s))


def test_waiting_at_both_ends_is_proposed_to_go_but_for_a_moment():
    trim = propose_trim(*speeds(2.0, 3.0, 1.5))
    assert trim is not None
    assert abs(trim.head_s - (2.0 - KEPT_S)) < 0.02 and abs(trim.tail_s - (1.5 - KEPT_S)) < 0.02
    assert trim_sentence(trim) == ("The arm stands still for 1.8 s at the beginning and 1.3 s at "
                                   "the end")


def test_an_episode_that_never_moves_and_one_that_always_does_have_no_proposal():
    assert propose_trim(*speeds(3.0, 0.0, 0.0)) is None
    assert propose_trim(*speeds(0.1, 3.0, 0.1)) is None


def test_a_note_carries_one_proposal_beside_what_people_wrote():
    trim = TrimProposal(start_s=1.0, end_s=4.5, head_s=1.0, tail_s=0.0)
    once = trim_note("slow at the drawer", trim)
    assert once == "slow at the drawer · trim 1.00–4.50 s" and trim_note(once, trim) == once
    assert trim_note("", trim) == "trim 1.00–4.50 s"

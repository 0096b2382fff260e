"""Numbers, people's words, episodes, plots and pictures, as a screen can show them."""

import numpy as np
import pytest
from doubles.snapshots import summary
from hypothesis import given
from hypothesis import strategies as st

from recorders.streams import Batch
from studio.station.messages import Owner
from studio.views.episode_rows import EpisodeFilter, rows_of, shown, who_drove
from studio.views.fitting import fitted
from studio.views.plots import limits_of
from studio.views.robot_tasks import default_task, is_simulated, phrases_of, task_names
from studio.views.traces import Traces
from studio.views.words import age, counted, duration, plain, sentence, shortened, size


@given(st.text(), st.integers(1, 60))
def test_any_text_becomes_one_line_of_at_most_so_many_letters(text, most):
    line = shortened(text, most)
    assert len(line) <= most and "\n" not in line and "\x00" not in line


def test_foreign_words_stay_and_unseen_letters_go():
    assert plain("  把红色方块\n放进盒子\u202e ") == "把红色方块 放进盒子"
    assert shortened("a" * 100_000, 10) == "a" * 9 + "…"


@pytest.mark.parametrize(("said", "wanted"), [
    (duration(8.43), "00:08.4"), (duration(75.0), "01:15.0"), (duration(3723.0), "1:02:03"),
    (duration(float("nan")), "–"), (size(999), "999 bytes"), (size(1500), "1.5 kB"),
    (size(212_000_000_000), "212 GB"), (size(0), "0 bytes"), (age(-1.0), "–"),
    (age(310.4), "310 ms"), (age(4200.0), "4.2 s"), (age(180_000.0), "3 min"),
    (counted(1, "episode"), "1 episode"), (counted(10_000, "episode"), "10,000 episodes"),
    (sentence("the disk is full."), "The disk is full"),
    (sentence("first this. then that."), "First this. then that."),
])
def test_numbers_and_reasons_are_written_as_people_write_them(said, wanted):
    assert said == wanted


def test_rows_tell_length_label_drops_and_who_drove():
    (row,) = rows_of([summary(3, dropped=2, label="failure")], {summary(3).episode: "You"})
    assert (row.number, row.length, row.drops, row.driver) == (1, "00:08.4", "2 drops", "ada")
    assert (row.label_word, row.label_icon) == ("Failure", "circle-x")
    (unread,) = rows_of([summary(1)])
    assert unread.driver == "–"


def test_a_filter_narrows_by_words_label_and_bin_and_keeps_numbers():
    rows = rows_of([summary(1), summary(2, label="partial", note="slipped"),
                    summary(3, trashed=True)])
    assert [row.number for row in shown(rows, EpisodeFilter())] == [1, 2]
    assert [row.number for row in shown(rows, EpisodeFilter(text="SLIPPED red"))] == [2]
    assert [row.number for row in shown(rows, EpisodeFilter(label="success"))] == [1]
    assert [row.number for row in shown(rows, EpisodeFilter(trashed=True))] == [3]


def test_an_absurd_instruction_makes_a_row_all_the_same():
    (row,) = rows_of([summary(1, instruction="ضع المكعب الأحمر\u0000 " * 5000)])
    assert len(row.instruction) <= 80 and "\x00" not in row.instruction_full


def owners(*ticks: Owner) -> np.ndarray:
    return np.array([[int(owner)] * 8 for owner in ticks], np.uint8)


def test_who_drove_is_told_by_the_ticks_in_which_somebody_moved_something():
    you, policy, held = Owner.HUMAN, Owner.POLICY, Owner.HOLD
    assert who_drove(owners(held, you, you)) == "You"
    assert who_drove(owners(policy, policy, policy, you, held)) == "You 25 %, Policy 75 %"
    assert who_drove(owners(held)) == "Nobody"


@given(width=st.integers(-50, 3000), height=st.integers(-50, 2000), count=st.integers(0, 5))
def test_pictures_fit_into_any_room(width, height, count):
    sizes = fitted((width, height), [(320, 240)] * count, 8)
    assert len(sizes) == count
    if width > 400 and height > 100 and count:
        assert sum(w for w, _ in sizes) + 8 * (count - 1) <= width
        assert all(h <= height for _, h in sizes)


def test_an_axis_keeps_still_while_the_lines_fit():
    first = limits_of([[0.1, 0.9]], None)
    assert first[0] <= 0.1 and first[1] >= 0.9
    assert limits_of([[0.2, 0.8]], first) == first
    wider = limits_of([[0.2, 3.0]], first)
    assert wider[1] >= 3.0
    assert limits_of([[float("nan")]], None) == limits_of([], None)


def rows(stamps_s, values) -> Batch:
    dtype = np.dtype([("t_mono_ns", "<i8"), ("position", "<f8", (2,))])
    made = np.zeros(len(stamps_s), dtype)
    made["t_mono_ns"], made["position"] = np.array(stamps_s) * 1e9, np.array(values)[:, None]
    return Batch("arm", made)


def test_traces_keep_the_last_seconds_thinned_to_what_a_plot_can_show():
    traces = Traces({"arm": ("position",)}, window_s=2.0, points=20)
    assert traces.lines("arm", "position") == ([], [])
    stamps = np.arange(1, 501) / 100
    assert traces.add([rows(stamps, stamps), Batch("front", np.zeros(1))])
    seconds, (first, second) = traces.lines("arm", "position")
    assert len(seconds) <= 20 and seconds[-1] == 0.0 and -2.0 <= seconds[0] <= -1.8
    assert first == second and first[-1] >= 4.9


def test_another_world_begins_another_trace():
    traces = Traces({"arm": ("position",)}, points=20)
    traces.add([rows([50.0, 51.0], [1.0, 2.0])])
    traces.add([rows([3.0], [7.0])])
    assert traces.lines("arm", "position") == ([0.0], [[7.0], [7.0]])


def test_a_robot_offers_its_own_tasks_and_an_unknown_one_none():
    assert default_task("sim") in task_names("sim") and phrases_of("sim", default_task("sim"))
    assert task_names("toaster") == () and phrases_of("toaster", "toast") == ()
    assert is_simulated("sim") and is_simulated("gym:pusht") and not is_simulated("so101")

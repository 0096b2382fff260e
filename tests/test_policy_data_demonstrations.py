"""One episode, worked out: chunks that lead where the robot was sent, and what they are worth."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from doubles import moving_tool
from doubles.moving_tool import (
    CLOSE_S,
    DURATION_S,
    LET_GO_S,
    OPEN_S,
    SPEC,
    START_NS,
    TOUCH_S,
    Story,
)

from policy.actions import targets_of
from policy.data.commands import STEPS_PAST_END
from policy.data.demonstrations import Demonstration, read_demonstration
from policy.data.next_event import HOLD_STEPS, event_stamps
from policy.data.senses import within_reach
from policy.data.signals import EpisodeSignals, MissingSignal
from policy.interfaces import PolicySpec
from recorders.clock import NS_PER_S
from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio import cli

STEP_S = SPEC.step_s


@pytest.fixture
def read(tmp_path):
    """Records a story and works it out."""
    number = iter(range(100))

    def make(story: Story | None = None, spec: PolicySpec = SPEC, **told: str) -> Demonstration:
        with moving_tool.open_store(tmp_path / f"store{next(number)}") as store:
            summary = moving_tool.record(store, story or Story())
            if told:
                summary = store.relabel(summary.episode, **told)
            return read_demonstration(EpisodeReader(store.episode_path(summary.episode)), summary,
                                      spec)

    return make


def seconds(stamps_ns: np.ndarray) -> np.ndarray:
    return (stamps_ns - START_NS) / NS_PER_S


def test_chunks_lead_from_the_base_to_where_the_tool_was_sent(read):
    one = read()
    ends_s = seconds(one.moments_ns)[:, None] + STEP_S * np.arange(1, SPEC.steps + 1)
    targets = targets_of(one.base, one.actions.astype(np.float64), "tool")
    last_s = seconds(one.episode["tick"].stamps_ns)[-1]
    wanted = moving_tool.command(Story(), np.minimum(ends_s, last_s))
    np.testing.assert_allclose(targets[..., :3], wanted[..., :3], atol=1e-6)
    apart = np.abs(np.sum(targets[..., 3:7] * wanted[..., 3:7], axis=-1))
    np.testing.assert_allclose(apart, 1.0, atol=1e-6)
    sure = np.abs(ends_s[..., None] - [CLOSE_S, OPEN_S]).min(axis=-1) > 0.01    # within a tick
    np.testing.assert_array_equal(targets[sure, 7], wanted[sure, 7])


def test_a_base_is_the_last_command_before_the_picture(read):
    one = read()
    ticks_s = seconds(one.episode["tick"].stamps_ns)
    before = np.searchsorted(ticks_s, seconds(one.moments_ns), side="right") - 1
    sent = moving_tool.command(Story(), ticks_s[before])
    np.testing.assert_allclose(one.base[:, :7], sent[:, :7], atol=1e-12)
    np.testing.assert_allclose(one.base[:, 7], moving_tool.joints(ticks_s[before])[:, -1])


def test_joint_chunks_lead_to_the_joints_that_were_sent(read):
    one = read(spec=msgspec.structs.replace(SPEC, action_space="joints"))
    assert one.actions.shape[2] == moving_tool.JOINTS
    ends_s = seconds(one.moments_ns)[:, None] + STEP_S * np.arange(1, SPEC.steps + 1)
    within = ends_s <= seconds(one.episode["tick"].stamps_ns)[-1]
    targets = targets_of(one.base, one.actions.astype(np.float64), "joints")
    np.testing.assert_allclose(targets[within][:, :-1], moving_tool.joints(ends_s[within])[:, :-1],
                               atol=1e-6)


def test_steps_from_the_first_error_on_are_masked(read):
    begin_s, end_s = 0.5, 0.7
    one = read(Story(erring=((begin_s, end_s),)))
    moments_s = seconds(one.moments_ns)
    reach_s = moments_s[:, None] + STEP_S * np.arange(1, SPEC.steps + 1)
    touched = (reach_s >= begin_s + 0.01) & (moments_s[:, None] < end_s - 0.02)
    assert touched.any() and not one.action_valid[touched].any()
    clean = (reach_s < begin_s - 0.01) | (moments_s[:, None] > end_s)
    clean &= reach_s < DURATION_S - 0.1
    assert one.action_valid[clean].all()
    assert (np.diff(one.action_valid, axis=1) <= 0).all()       # never valid again in a chunk


def test_at_the_end_standing_still_is_an_example_for_four_steps(read):
    one = read()
    last_s = seconds(one.episode["tick"].stamps_ns)[-1]
    past = seconds(one.moments_ns)[:, None] + STEP_S * np.arange(1, SPEC.steps + 1) - last_s
    valid = past <= STEPS_PAST_END * STEP_S
    np.testing.assert_array_equal(one.action_valid.astype(bool), valid)
    standing = past[:, 1:] > STEP_S
    assert standing.any()
    np.testing.assert_allclose(one.actions[:, 1:, :6][standing], 0.0, atol=1e-6)


def test_events_are_the_gripper_the_contacts_and_the_end(read):
    one = read()
    wanted = [CLOSE_S, TOUCH_S, OPEN_S, LET_GO_S, DURATION_S]
    found = seconds(event_stamps(EpisodeSignals(one.episode)))
    np.testing.assert_allclose(found, wanted, atol=0.03)


def test_the_place_of_an_event_is_told_until_six_steps_after_it(read):
    one = read()
    moments_s = seconds(one.moments_ns)
    events_s = seconds(event_stamps(EpisodeSignals(one.episode)))
    which = [int(np.flatnonzero(events_s + HOLD_STEPS * STEP_S >= moment)[0])
             for moment in moments_s]
    places = moving_tool.command(Story(), events_s - 0.05)[:, :3]
    np.testing.assert_allclose(one.event, places[which], atol=0.002)    # SPEED * a tick
    assert one.event_valid.all()


@pytest.mark.parametrize("span", [(0.9, 1.1), (1.2, 1.3)])
def test_an_error_on_purpose_hides_a_contact_and_no_decision(read, span):
    found = seconds(event_stamps(EpisodeSignals(read(Story(erring=(span,))).episode)))
    assert np.abs(found - CLOSE_S).min() < 0.02
    assert (np.abs(found - TOUCH_S).min() < 0.02) == (span[0] < 1.1)


def test_an_edit_of_the_instruction_cuts_the_episode(read):
    edit_s, words = 0.8, "do something else"
    one = read(Story(edits=((edit_s, words),),
                     subtasks=((0.02, "reach it"), (edit_s + 0.02, "reach the other"))))
    moments_s = seconds(one.moments_ns)
    after = moments_s >= edit_s
    assert [one.instruction_at(at) for at in range(len(one))] == \
        [words if late else "move the tool" for late in after]
    # The new sub-task is noted a tick late; the old one is nobody's any more.
    assert [one.subtask_at(at) for at in range(len(one))] == \
        ["reach the other" if late else "reach it" for late in after]
    np.testing.assert_array_equal(one.segment_begin, np.where(after, np.argmax(after), 0))
    reach_s = moments_s[:, None] + STEP_S * np.arange(1, SPEC.steps + 1)
    across = ~after[:, None] & (reach_s >= edit_s)
    assert across.any() and not one.action_valid[across].any()
    assert not one.event_valid[~after].any()        # all events come after the edit
    assert one.event_valid[after].all()


def test_what_follows_the_last_words_is_learned_under_them_alone(read):
    one = read()        # "reach it" until it closes, then "carry it"
    last = seconds(one.moments_ns) >= CLOSE_S
    np.testing.assert_array_equal(one.oldest, np.where(last, np.argmax(last), 0))


def test_subtasks_hold_from_their_note_on(read):
    one = read()
    said = [one.subtask_at(at) for at in range(len(one))]
    assert said == ["carry it" if moment >= CLOSE_S else "reach it"
                    for moment in seconds(one.moments_ns)]


def test_a_subtask_that_flickers_is_not_said(read):
    one = read(Story(subtasks=((0.02, "reach it"), (1.0, "hold it"), (1.03, "reach it"),
                               (2.0, "hold it"))))
    said = [one.subtask_at(at) for at in range(len(one))]
    assert said == ["hold it" if moment >= 2.0 else "reach it"
                    for moment in seconds(one.moments_ns)]


def test_where_no_subtask_is_known_the_instruction_is_said(read):
    assert set(map(read(Story(subtasks=())).subtask_at, range(80))) == {"move the tool"}
    relabelled = read(Story(), instruction="wave")
    assert {relabelled.instruction_at(at) for at in range(80)} == {"wave"}
    assert {relabelled.subtask_at(at) for at in range(80)} == {"wave"}


def test_pictures_are_the_newest_of_each_camera(read):
    one = read()
    for camera, rows in one.picture_rows.items():
        stamps_ns = one.episode[camera].stamps_ns
        chosen = stamps_ns[rows]
        assert (chosen[1:] <= one.moments_ns[1:]).all()
        following = stamps_ns[np.minimum(rows + 1, len(stamps_ns) - 1)]
        assert ((following > one.moments_ns) | (rows == len(stamps_ns) - 1)).all()


@pytest.mark.parametrize("stream, column, row, step", [
    ("tick", "sent_tool", 17, 17), ("arm", "position", 0, 0), ("contact", "touch", 1000, 199)])
def test_a_number_that_is_none_is_named_with_episode_and_step(read, stream, column, row, step):
    where = rf"episode \S+, step {step} \({stream}/{column}, row {row}\): not a"
    with pytest.raises(ValueError, match=where):
        read(Story(broken=(stream, column, row)))


@pytest.mark.parametrize("column", ["world_from_camera", "intrinsics"])
def test_a_camera_that_does_not_say_where_it_stands_gives_no_cloud(read, column):
    story = Story(broken=("front", column, 3))
    where = rf"episode \S+, step \d+ \(front/{column}, row 3\): not a finite"
    with pytest.raises(ValueError, match=where):
        read(story, msgspec.structs.replace(SPEC, cloud_points=50))
    assert len(read(story)) > 80        # without a cloud nobody asks


def test_a_second_camera_that_is_not_there_is_done_without_and_said(tmp_path):
    only_front = tuple(one for one in moving_tool.STREAMS if one.name != "wrist")
    with moving_tool.open_store(tmp_path / "store") as store:
        moving_tool.record(store, Story(streams=only_front))
    wanted = msgspec.structs.replace(SPEC, cameras={"front": "rgb", "wrist": "rgb"})
    spec, said = within_reach(wanted, [tmp_path / "store"])
    assert spec.cameras == {"front": "rgb"}
    assert any("no pictures of 'wrist': it learns without" in line for line in said)


def test_a_number_that_is_none_is_nobodys_business_where_it_is_not_used(read):
    lean = msgspec.structs.replace(SPEC, proprioception=("tool", "gripper"))
    assert len(read(Story(broken=("contact", "wrench", 5)), lean)) > 80


@pytest.mark.parametrize("changes, missing", [
    ({"cameras": {"side": "rgb"}}, r"side/rgb.*episode \S+ has only front/rgb, front/depth, wrist"),
    ({"cameras": {"wrist": "rgb"}, "cloud_points": 64}, "wrist/depth"),
    ({"cameras": {}}, "at least one camera"),
])
def test_a_camera_that_is_not_there_is_one_sentence_that_lists_what_is(read, changes, missing):
    with pytest.raises(ValueError, match=missing) as refusal:
        read(spec=msgspec.structs.replace(SPEC, **changes))
    assert "\n" not in str(refusal.value)


def test_recordings_from_before_the_tool_was_recorded_are_refused_by_name():
    path = Path(__file__).parent.parent / "datasets" / "samples" / "format-1"
    with DemoStore.open(path) as store:
        summary = store.episodes()[0]
        episode = EpisodeReader(store.episode_path(summary.episode))
    spec = PolicySpec(cameras={"front": "rgb"}, proprioception=("joints",))
    with pytest.raises(MissingSignal, match="tick/sent_tool for action space 'tool'"):
        read_demonstration(episode, summary, spec)
    one = read_demonstration(episode, summary,
                             msgspec.structs.replace(spec, action_space="joints"))
    assert not one.event_valid.any()        # it knows no tool pose
    assert one.actions.shape[1:] == (16, 4) and np.isfinite(one.actions).all()


@pytest.mark.gl
def test_a_demonstration_of_the_simulated_robot_is_whole(tmp_path, capsys):
    store = tmp_path / "store"
    assert cli.main(["record", "--task", "push-button", "--episodes", "1", "--fast", "--perturbed",
                     "--seed", "5000", "--image-size", "48", "64", "--to", str(store),
                     "--json"]) == 0
    with DemoStore.open(store) as demos:
        summary: EpisodeSummary = demos.episodes()[0]
        episode = EpisodeReader(demos.episode_path(summary.episode))
    one = read_demonstration(episode, summary, PolicySpec(
        cameras={"front": "rgb", "wrist": "rgb"}, cloud_points=64,
        proprioception=("tool", "gripper", "lag", "touch", "force", "joints", "objects")))
    assert 0.3 < one.action_valid.mean() <= 1.0
    assert {one.subtask_at(at) for at in range(len(one))} >= {"reach button"}
    # Where the finger first meets the button is where the eye is taught to look on the way there.
    button = episode["sim"]["objects"][0, -4:, :3]
    apart = np.linalg.norm(button[:, None, :2] - one.event[None, :5, :2], axis=2).min(axis=0)
    assert (apart < 0.03).all()
    reached = targets_of(one.base, one.actions.astype(np.float64), "tool")[:-20, 2, :3]
    later = one.base[3:len(reached) + 3, :3]        # three pictures later it was sent there
    np.testing.assert_allclose(reached, later, atol=0.01)

"""The plan that runs, as a timeline shows it and a hand changes it; and its way in a picture."""

import msgspec
import numpy as np
import pytest
from doubles.snapshots import snapshot
from hypothesis import given
from hypothesis import strategies as st

from policy import rotations
from studio.station.chunks.override_commands import FixChunk, FixedStep, TrimChunk
from studio.station.messages import Mode, Owner, RunningChunk
from studio.views.chunk_timeline import timeline_of
from studio.views.ghost import ghost, path_of, projected, with_path
from studio.views.live_plan import History, chunk_of, commands_of, fixed_points, words_of

DOWN = (0.0, 1.0, 0.0, 0.0)
RUNNING = RunningChunk(chunk_id=7, space="tool", step=2, step_s=0.1, observation_ns=0,
                       targets=tuple((0.4, 0.01 * n, 0.2, *DOWN, 1.0) for n in range(8)))
MS = 1_000_000


def test_a_plan_in_tool_space_is_dragged_in_place_and_gripper():
    chunk = chunk_of(RUNNING, None)
    assert chunk.names == ("x", "y", "z", "gripper") and chunk.number == 7
    assert chunk.values[3] == (0.4, 0.03, 0.2, 1.0)
    assert chunk.committed == 3             # the arm is led to step 2 already


def test_a_dragged_point_fixes_that_value_and_nothing_else():
    chunk = chunk_of(RUNNING, None)
    _, edit = timeline_of(chunk, 2).drag(5, 0.3).release()
    assert edit is not None
    assert commands_of(edit, chunk, "tool") == (FixChunk(7, (FixedStep(
        5, (None, None, 0.3, None, None, None, None, None)),)),)


def test_a_cut_end_trims_the_plan_behind_the_last_step_that_stays():
    chunk = chunk_of(RUNNING, None)
    _, edit = timeline_of(chunk).trim(6).release()
    assert edit is not None
    assert commands_of(edit, chunk, "tool") == (TrimChunk(5, 7),)


def test_a_plan_of_joints_is_dragged_joint_by_joint():
    joints = msgspec.structs.replace(RUNNING, space="joints", targets=((0.1,) * 3,) * 4, step=0)
    chunk = chunk_of(joints, None)
    assert chunk.names == ("1", "2", "3")
    _, edit = timeline_of(chunk, 1).drag(2, 0.5).release()
    assert edit is not None
    assert commands_of(edit, chunk, "joints") == (
        FixChunk(7, (FixedStep(2, (None, 0.5, None)),)),)


def test_what_was_fixed_is_shown_in_its_dimension_only():
    fixed = msgspec.structs.replace(RUNNING, fixed=(
        FixedStep(5, (None, None, 0.3, None, None, None, None, None)),))
    assert fixed_points(fixed, 2) == [(5, 0.3)] and fixed_points(fixed, 0) == []


def test_a_line_says_what_stands_about_the_plan():
    assert words_of(RUNNING, stepping=False, scale=1.0) == "Chunk 7, 6 of 8 steps to go"
    waits = msgspec.structs.replace(RUNNING, waits=True)
    assert words_of(waits, stepping=True, scale=0.5) == (
        "Chunk 7, 6 of 8 steps to go, waits until you accept it, at 50%")


def moment(ms: int, mode: Mode = Mode.AUTO, epoch: int = 0, owner: Owner = Owner.POLICY):
    return snapshot(mode, stamp_ns=ms * MS, epoch=epoch, owners=(int(owner),) * 8,
                    tool_pose=(ms / 1000, 0.0, 0.0, *DOWN))


def test_behind_now_stand_the_persons_spans_and_the_changes_of_driver():
    history = History()
    for one in (moment(0), moment(100, Mode.HUMAN, 1, Owner.HUMAN),
                moment(200, Mode.HUMAN, 1, Owner.HUMAN), moment(300, epoch=2), moment(400, epoch=2),
                moment(400, epoch=2)):
        history.add(one)
    seconds, values = history.line("tool", 0)
    assert seconds == pytest.approx([-0.4, -0.3, -0.2, -0.1, 0.0])
    assert values == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert history.hands() == [pytest.approx((-0.3, -0.1))]
    assert history.changes() == pytest.approx([-0.3, -0.1])


def test_a_person_who_still_drives_does_so_until_now_and_old_moments_are_forgotten():
    history = History()
    for ms in range(0, 6000, 500):
        history.add(moment(ms, Mode.HUMAN, 1, Owner.HUMAN))
    (span,) = history.hands()
    assert span[1] == 0.0 and span[0] > -3.0


def test_another_station_begins_anew():
    history = History()
    history.add(moment(5000))
    history.add(moment(100))
    assert history.line("tool", 0)[0] == [0.0]


# ---- the way in a picture ------------------------------------------------------------------------

LENS = np.array([300.0, 300.0, 160.0, 120.0])
SIZE = (320, 240)
coordinates = st.floats(-0.4, 0.4)


def test_only_what_is_still_to_come_is_drawn():
    assert len(path_of(RUNNING)) == 6 and path_of(RUNNING)[0] == pytest.approx([0.4, 0.02, 0.2])
    assert len(path_of(None)) == 0


@given(st.tuples(coordinates, coordinates, st.floats(0.5, 2.0)), st.floats(-3.0, 3.0))
def test_a_point_lies_on_its_pixels_ray_wherever_the_camera_stands(point, turn):
    pose = np.array([0.1, -0.2, 0.3, np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2)])
    world = pose[:3] + rotations.to_matrix(pose[3:]) @ np.array(point)
    pixels = projected(world[None], pose, LENS, SIZE)
    wanted = np.array(point[:2]) / point[2] * LENS[:2] + LENS[2:]
    if len(pixels):
        assert np.allclose(pixels[0], wanted, atol=1e-6)
    else:
        assert (np.abs(wanted - np.array(SIZE) / 2) > np.array(SIZE) * 0.9).any()


def test_what_lies_behind_the_camera_is_left_out():
    behind = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]])
    assert projected(behind, np.array([0, 0, 0, 1.0, 0, 0, 0]), LENS, SIZE).tolist() == [
        [160.0, 120.0]]


def camera_row(pose) -> np.void:
    row = np.zeros(1, [("world_from_camera", "<f8", (7,)), ("intrinsics", "<f8", (4,))])
    row["world_from_camera"], row["intrinsics"] = pose, LENS
    return row[0]


def test_a_camera_from_above_sees_the_way_and_one_without_a_pose_draws_none():
    above = camera_row((0.4, 0.0, 1.2, 0.0, 1.0, 0.0, 0.0))
    way = ghost(RUNNING, (0.4, 0.0, 0.2), above, SIZE)
    assert len(way) == 7 and way[0] == pytest.approx([160.0, 120.0])
    assert len(ghost(RUNNING, (0.4, 0.0, 0.2), np.zeros(1, [("seq", "<i8")])[0], SIZE)) == 0
    lost = camera_row((np.nan,) * 7)
    assert len(ghost(RUNNING, (0.4, 0.0, 0.2), lost, SIZE)) == 0
    assert len(ghost(None, (0.4, 0.0, 0.2), above, SIZE)) == 0


def test_the_way_is_drawn_into_a_copy_of_the_picture():
    picture = np.zeros((240, 320, 3), np.uint8)
    drawn = with_path(picture, np.array([[10.0, 10.0], [100.0, 50.0], [200.0, 60.0]]))
    assert not picture.any() and drawn[50, 100].any() and not drawn[200].any()

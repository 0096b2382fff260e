"""Batches: the right moments together, drawn as asked, the same for the same chance."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from doubles import moving_tool
from doubles.moving_tool import HEIGHT, SPEC, WIDTH, Story
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.data.batches import MAX_AGE_STEPS, Batch, TrainingSet
from policy.data.pictures import SHIFT_PX, cut_out, prepare_padded, prepare_picture
from policy.data.point_cloud import metres_per_count, point_cloud, prepare_depth

FRONT_NS = moving_tool.stamps_ns(moving_tool.FRONT)
FEEL = msgspec.structs.replace(SPEC, proprioception=("tool", "gripper"))


def stories(count: int, first: int = 0, **changes) -> list[Story]:
    return [Story(token=f"{number:08x}", shift_m=0.01 * number, **changes)
            for number in range(first, first + count)]


def record(path: Path, *told: Story) -> list[str]:
    with moving_tool.open_store(path) as store:
        return [moving_tool.record(store, story).episode for story in told]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Six episodes, one of them with an edit in the middle."""
    path = tmp_path_factory.mktemp("batches") / "store"
    record(path, *stories(5), Story(
        token="0000000e", edits=((1.0, "go on"),),
        subtasks=((0.02, "reach it"), (1.02, "go there"))))
    return path


@pytest.fixture(scope="module")
def lessons(store) -> TrainingSet:
    return TrainingSet.open([store], FEEL, hold_out=0.2)


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(mine, theirs) if isinstance(mine, torch.Tensor) else mine == theirs
               for mine, theirs in zip(msgspec.structs.astuple(one),
                                       msgspec.structs.astuple(other), strict=True))


def greys(batch: Batch | None, camera: int = 0) -> np.ndarray:
    """(N,) the row of each picture, which is its grey."""
    assert batch is not None
    return batch.images[:, camera, 0, HEIGHT // 2, WIDTH // 2].numpy().astype(int)


def test_a_batch_has_the_shapes_and_types_that_the_network_reads(lessons):
    batch, pairs = lessons.batch(np.random.default_rng(0), 7), 7
    rows = 2 * pairs
    shapes = {"images": (rows, 2, 3, HEIGHT, WIDTH), "proprioception": (rows, 11),
              "actions": (rows, SPEC.steps, 7), "action_valid": (rows, SPEC.steps),
              "event": (rows, 3), "event_valid": (rows,), "age_steps": (rows,)}
    for name, shape in shapes.items():
        value = getattr(batch, name)
        assert value.shape == shape
        assert value.dtype == (torch.uint8 if name == "images" else torch.float32)
        assert torch.isfinite(value.float()).all()
    assert len(batch.instruction) == len(batch.subtask) == pairs
    assert len(batch.subtask_now) == rows and batch.subtask_now[:pairs] == batch.subtask
    assert batch.cloud is None
    assert same(batch.to("cpu"), batch)


@given(seed=st.integers(0, 2**32), pairs=st.integers(1, 12))
@settings(max_examples=25)
def test_the_same_chance_draws_the_same_batch_and_other_chance_another(lessons, seed, pairs):
    batch = lessons.batch(np.random.default_rng(seed), pairs)
    assert same(batch, lessons.batch(np.random.default_rng(seed), pairs))
    assert not same(batch, lessons.batch(np.random.default_rng(seed + 1), pairs))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_numbers_pictures_and_words_of_a_row_are_of_one_moment(lessons, seed):
    batch = lessons.held_out_batch(np.random.default_rng(seed), 8)
    moments_s = (FRONT_NS[greys(batch)] - moving_tool.START_NS) / 1e9
    felt = lessons.normaliser.denormalise_proprioception(batch.proprioception).numpy()
    # The tool's y is its own clock: it moves steadily, and alike in all episodes.
    arm_s = (0.1 - felt[:, 1]) / 0.1 + 0.05
    assert ((moments_s - arm_s > -0.008) & (moments_s - arm_s < 0.011)).all()
    wrist_s = (moving_tool.stamps_ns(moving_tool.WRIST)[greys(batch, 1)]
               - moving_tool.START_NS) / 1e9
    first = greys(batch) == 0
    assert ((wrist_s <= moments_s) | first).all() and (moments_s - wrist_s < 0.034).all()
    actions = lessons.normaliser.denormalise_actions(batch.actions).numpy()
    moving = batch.action_valid.numpy() * (moments_s < 2.6)[:, None]
    np.testing.assert_allclose(actions[:, 1:, 1] * moving[:, 1:],
                               -0.1 * SPEC.step_s * moving[:, 1:], atol=1e-5)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_a_pair_is_an_older_and_a_later_moment_under_one_instruction(lessons, seed):
    pairs = 16
    batch = lessons.batch(np.random.default_rng(seed), pairs)
    older, later = batch.age_steps[:pairs].numpy(), batch.age_steps[pairs:].numpy()
    assert (older == 0).all() and (later >= 0).all() and (later <= MAX_AGE_STEPS + 0.5).all()
    for pair in range(pairs):
        new = batch.instruction[pair] == "go on"
        # The new phrase is only ever said by, and beside, moments under the new instruction.
        assert {batch.subtask[pair], batch.subtask_now[pairs + pair]} <= \
            ({"go there"} if new else {"reach it", "carry it"})


def test_the_age_is_the_time_between_the_two_pictures(store):
    lessons = TrainingSet.open([store], FEEL, hold_out=0.2)
    batch = lessons.held_out_batch(np.random.default_rng(3), 64)
    assert batch is not None
    rows = greys(batch)
    apart = (FRONT_NS[rows[64:]] - FRONT_NS[rows[:64]]) / SPEC.step_ns
    np.testing.assert_allclose(batch.age_steps[64:].numpy(), apart, atol=1e-3)
    assert len(np.unique(batch.age_steps.numpy().round())) > 20     # all ages, not one


def test_moments_with_nothing_to_learn_are_never_the_later_one(tmp_path):
    record(tmp_path / "store", *stories(4, erring=((0.5, 1.5),)))
    lessons = TrainingSet.open([tmp_path / "store"], FEEL, hold_out=0)
    batch = lessons.batch(np.random.default_rng(0), 200)
    assert (batch.action_valid[200:, 0] == 1).all()
    assert (batch.action_valid[:200, 0] == 0).any()     # System 2 may look then


def test_held_out_episodes_are_never_trained_on_and_keep_their_side(tmp_path):
    path = tmp_path / "store"
    record(path, *stories(8))

    def sides(lessons: TrainingSet) -> tuple[set[str], set[str]]:
        return ({one.episode.episode for one in lessons.demonstrations},
                {one.episode.episode for one in lessons.held_out})

    lessons = TrainingSet.open([path], FEEL, hold_out=0.3, seed=4)
    trained, held = sides(lessons)
    assert trained and held and not trained & held and len(trained | held) == 8
    record(path, *stories(3, first=20))
    assert lessons.follow() == 3
    more_trained, more_held = sides(lessons)
    assert trained <= more_trained and held <= more_held
    assert len(more_trained | more_held) == 11
    assert sides(TrainingSet.open([path], FEEL, hold_out=0.3, seed=4))[0] == more_trained
    assert sides(TrainingSet.open([path], FEEL, hold_out=0.3, seed=5))[0] != more_trained


def test_one_episode_is_held_out_even_of_few_unless_none_shall_be(tmp_path):
    path = tmp_path / "store"
    record(path, *stories(3))
    assert len(TrainingSet.open([path], FEEL, hold_out=0.01).held_out) == 1
    everything = TrainingSet.open([path], FEEL, hold_out=0)
    assert len(everything.demonstrations) == 3
    assert everything.held_out_batch(np.random.default_rng(0), 2) is None


def test_a_growing_store_is_followed_episode_by_episode_and_label_by_label(tmp_path):
    path = tmp_path / "store"
    first, *_ = record(path, *stories(4))
    lessons = TrainingSet.open([path], FEEL, hold_out=0, labels=("success",))
    assert lessons.follow() == 0
    fitted = lessons.normaliser
    with moving_tool.open_store(path) as store:
        failure = moving_tool.record(store, Story(token="000000ff", label="failure")).episode
        assert lessons.follow() == 0
        store.label(failure, "success")
        assert lessons.follow() == 1
        store.relabel(first, instruction="wave")
        assert lessons.follow() == 1 and "wave" in lessons.instructions
        store.trash(first)
        assert lessons.follow() == 1 and "wave" not in lessons.instructions
        store.restore(first)
        assert lessons.follow() == 1
    assert len(lessons.demonstrations) == 5
    assert lessons.normaliser is fitted
    assert lessons.batch(np.random.default_rng(0), 4).images.shape[0] == 8


def test_a_bad_episode_that_comes_later_is_named_and_left_out(tmp_path):
    path = tmp_path / "store"
    record(path, *stories(3))
    lessons = TrainingSet.open([path], FEEL, hold_out=0)
    bad, good = record(path, Story(token="000000ba", broken=("tick", "sent", 30)),
                       Story(token="000000fe"))
    assert lessons.follow() == 1
    assert len(lessons.problems) == 1
    assert bad in lessons.problems[0] and "step 30 (tick/sent, row 30)" in lessons.problems[0]
    assert good in {one.episode.episode for one in lessons.demonstrations}


def test_too_few_episodes_are_counted_in_one_sentence(tmp_path):
    path = tmp_path / "store"
    record(path, *stories(2), *stories(3, first=10, label="failure"))
    with pytest.raises(ValueError, match=r"2 usable episodes labelled success \(there are 3 "
                                         r"failure, 2 success\).*at least 3"):
        TrainingSet.open([path], FEEL)
    assert len(TrainingSet.open([path], FEEL, labels=None, hold_out=0).demonstrations) == 5


def test_a_bad_episode_stops_the_opening_and_is_named(tmp_path):
    path = tmp_path / "store"
    *_, bad = record(path, *stories(3), Story(token="000000ba", broken=("arm", "tool_pose", 9)))
    with pytest.raises(ValueError, match=rf"{bad}, step \d+ \(arm/tool_pose, row 9\)"):
        TrainingSet.open([path], FEEL)


def test_tasks_are_drawn_equally_often_however_many_episodes_they_have(tmp_path):
    few, many = tmp_path / "few", tmp_path / "many"
    record(few, *stories(1, task="press", instruction="press it"))
    record(many, *stories(5, first=10))

    def share(balance: bool) -> float:
        lessons = TrainingSet.open([few, many], FEEL, hold_out=0, balance_tasks=balance)
        said = lessons.batch(np.random.default_rng(0), 400).instruction
        return said.count("press it") / 400

    assert 0.4 < share(True) < 0.6
    assert share(False) < 0.25


def test_weights_decide_which_moments_are_drawn(store):
    def only_late(episodes) -> list[np.ndarray]:
        return [(np.arange(len(one)) >= 60).astype(float) for one in episodes]

    lessons = TrainingSet.open([store], FEEL, weigh=only_late, hold_out=0)
    batch = lessons.batch(np.random.default_rng(1), 64)
    # Light changes the grey by 15 % at most, so a picture from before row 60 is darker than this.
    assert greys(batch)[64:].min() >= 60 * 0.84
    with pytest.raises(ValueError, match="not negative"):
        TrainingSet.open([store], FEEL, weigh=lambda them: [-np.ones(len(one)) for one in them])
    with pytest.raises(ValueError, match="no moment is left"):
        TrainingSet.open([store], FEEL, weigh=lambda them: [np.zeros(len(one)) for one in them])


def test_a_given_normaliser_is_used(store, lessons):
    wide = msgspec.structs.replace(lessons.normaliser, action_scale=(1.0,) * 6)
    assert TrainingSet.open([store], FEEL, normaliser=wide).normaliser is wide


def test_episodes_of_another_robot_are_refused(tmp_path, store):
    record(tmp_path / "two", *stories(1, first=9, robot="another"))
    with pytest.raises(ValueError, match=r"robot name another, episode \S+ with made-up: train on"):
        TrainingSet.open([store, tmp_path / "two"], FEEL)


@given(down=st.integers(0, 2 * SHIFT_PX), right=st.integers(0, 2 * SHIFT_PX),
       seed=st.integers(0, 1000))
def test_a_cut_is_the_picture_shifted_with_its_edge_repeated(down, right, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    out = np.empty((3, 20, 30), np.uint8)
    cut_out(prepare_padded(picture, (20, 30)), out, down, right)
    rows = np.clip(np.arange(20) + down - SHIFT_PX, 0, 19)
    columns = np.clip(np.arange(30) + right - SHIFT_PX, 0, 29)
    np.testing.assert_array_equal(out, picture[rows][:, columns].transpose(2, 0, 1))


@given(light=st.floats(0.5, 1.5), seed=st.integers(0, 1000))
def test_light_scales_every_value_and_never_wraps_around(light, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), np.uint8)
    out = np.empty((3, 8, 9), np.uint8)
    cut_out(prepare_padded(picture, (8, 9)), out, light=light)
    wanted = np.minimum(picture.transpose(2, 0, 1) * light, 255)
    np.testing.assert_allclose(out, wanted, atol=0.51)


def test_shrinking_keeps_the_mean_and_leaves_a_picture_of_the_right_size_alone():
    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    small = prepare_picture(picture, (96, 128))
    assert small.shape == (96, 128, 3)
    assert small.mean() == pytest.approx(picture.mean(), abs=0.5)
    assert prepare_picture(small, (96, 128)) is small


def test_without_age_both_systems_see_the_same_frame(store):
    lessons = TrainingSet.open([store], FEEL, hold_out=0.2, max_age_steps=0)
    batch = lessons.batch(np.random.default_rng(0), 8)
    assert not batch.age_steps.any()
    torch.testing.assert_close(batch.proprioception[:8], batch.proprioception[8:])


def test_a_cloud_is_where_the_camera_looks(store):
    spec = msgspec.structs.replace(FEEL, cloud_points=50)
    lessons = TrainingSet.open([store], spec, hold_out=0.2)
    batch = lessons.held_out_batch(np.random.default_rng(0), 4)
    assert batch is not None and batch.cloud is not None
    assert batch.cloud.shape == (8, 50, 6) and batch.cloud.dtype == torch.float32
    places = lessons.normaliser.denormalise_position(batch.cloud[..., :3]).numpy()
    colours = batch.cloud[..., 3:].numpy()
    # The camera stands 0.6 m above the table at x 0.5 and looks down at something 0.5 m away.
    np.testing.assert_allclose(places[..., 2], 0.1, atol=1e-5)
    half_x, half_y = 0.5 * WIDTH / 2 / WIDTH, 0.5 * HEIGHT / 2 / WIDTH
    assert (np.abs(places[..., 0] - 0.5) < half_x).all()
    assert (np.abs(places[..., 1]) < half_y).all()
    np.testing.assert_allclose(colours, np.broadcast_to(
        (greys(batch) / 255)[:, None, None], colours.shape), atol=1e-6)


@given(seed=st.integers(0, 1000), points=st.integers(1, 40))
def test_a_point_lies_where_its_pixel_looks(seed, points):
    rng = np.random.default_rng(seed)
    depth = rng.integers(300, 500, (6, 8)).astype(np.uint16)
    depth[0] = 0                                                # nothing seen there
    picture = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    fx, fy, cx, cy = intrinsics = np.array([20.0, 22.0, 8.3, 5.6])
    down = np.array([0.5, 0.0, 0.6, 0.0, 1.0, 0.0, 0.0])        # x right stays x, y down is -y
    cloud = point_cloud(depth, picture, down, intrinsics, (12, 16), 0.001, points, rng)
    assert cloud.shape == (points, 6)
    for x, y, z, *colour in cloud:
        pixel = round(colour[0] * 255) // 3
        row, column = divmod(pixel, 8)
        ahead = depth[row, column] / 1000
        assert row > 0
        np.testing.assert_allclose(
            [x, y, z], [0.5 + ((column + 0.5) * 2 - cx) / fx * ahead,
                        -((row + 0.5) * 2 - cy) / fy * ahead, 0.6 - ahead], atol=1e-5)


def test_an_empty_view_gives_an_empty_cloud_and_the_table_is_not_in_it():
    rng, down = np.random.default_rng(0), np.array([0.5, 0.0, 0.6, 0.0, 1.0, 0.0, 0.0])
    for depth in (np.zeros((6, 8), np.uint16), np.full((6, 8), 600, np.uint16)):
        cloud = point_cloud(depth, np.zeros((6, 8, 3), np.uint8), down,
                            np.array([20.0, 20.0, 4.0, 3.0]), (6, 8), 0.001, 5, rng)
        np.testing.assert_array_equal(cloud, np.zeros((5, 6)))


def test_depth_shrinks_without_inventing_depths():
    depth = np.where(np.arange(40) < 20, 400, 900).astype(np.uint16) * np.ones((30, 1), np.uint16)
    assert set(np.unique(prepare_depth(depth, (11, 13)))) == {400, 900}
    assert prepare_depth(depth, (30, 40)) is depth
    assert metres_per_count("0.001 m") == 0.001
    with pytest.raises(ValueError, match=r"'0\.001 m'"):
        metres_per_count("mm")

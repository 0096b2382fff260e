"""A store goes out as a LeRobot dataset, and LeRobot itself reads back what was recorded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from doubles import toy_demonstrations as toy
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.exchange import incoming as inc
from recorders.exchange import lerobot_depth_out
from recorders.exchange.lerobot_import import import_lerobot
from recorders.exchange.pictures_out import resized
from recorders.frames_at_rate import Frames, frames_at_rate, instructions_at
from recorders.lerobot_v3 import ExportSettings, export_lerobot
from recorders.store import DemoStore, StoreError
from recorders.streams import Column, ImageField, StreamSpec
from studio import cli

# Importing LeRobot is most of it: twenty seconds of CPU, once.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return toy.make_store(tmp_path_factory.mktemp("toy") / "store", episodes=3)


def readers(store: Path) -> list[EpisodeReader]:
    with DemoStore.open(store) as opened:
        return [EpisodeReader(opened.episode_path(e.episode)) for e in opened.episodes()]


@pytest.fixture(scope="module")
def exported(store, tmp_path_factory) -> Iterator[tuple[Any, list[Frames]]]:
    """The dataset as LeRobot opens it, and what we meant to write."""
    to = tmp_path_factory.mktemp("out") / "toy"
    with DemoStore.open(store) as opened:
        done = export_lerobot(opened, [e.episode for e in opened.episodes()], to,
                              ExportSettings(sharp=True))
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    yield (LeRobotDataset(done.repo_id, root=to, video_backend="pyav"),
           [frames_at_rate(e, ("front", "wrist"), 30) for e in readers(store)])


def test_lerobot_reads_back_every_number_with_exact_timestamps(exported):
    dataset, meant = exported
    table = dataset.hf_dataset.with_format("numpy")
    for name in ("state", "action"):
        want = np.concatenate([getattr(frames, name) for frames in meant])
        column = "observation.state" if name == "state" else "action"
        np.testing.assert_array_equal(np.stack(list(table[column])), want)
    counts = [len(frames.moments_ns) for frames in meant]
    assert dataset.num_episodes == len(meant) and dataset.num_frames == sum(counts)
    np.testing.assert_allclose(np.array(table["timestamp"][:]),
                               np.concatenate([np.arange(n) / 30 for n in counts]), atol=1e-6)
    np.testing.assert_array_equal(np.array(table["perturbed"][:]).ravel(),
                                  np.concatenate([frames.perturbed for frames in meant]))
    assert dataset.meta.features["action"]["names"] == [f"{j}.pos" for j in toy.JOINTS]


def test_lerobot_finds_what_was_said_who_intervened_and_how_it_ended(exported):
    dataset, meant = exported
    last = len(meant[0].moments_ns) - 1
    assert [bool(dataset[k]["next.success"]) for k in (0, last)] == [False, True]
    assert not bool(dataset[3]["intervention"])
    assert dataset.meta.has_language_columns and dataset[last]["language_events"] == []
    row, = dataset[last]["language_persistent"]
    assert (row["style"], row["role"], row["content"], row["timestamp"]) == (
        "subtask", "assistant", "reach red place", 0.0)


def test_lerobot_decodes_the_picture_that_belongs_to_each_frame(exported, store):
    dataset, meant = exported
    episode, frames = readers(store)[1], meant[1]
    first = len(meant[0].moments_ns)
    for k in (0, 7, len(frames.moments_ns) - 1):
        frame = dataset[first + k]
        assert frame["task"] == "go to the blue place"
        for camera, rows in frames.picture_rows.items():
            want = episode[camera]["rgb"][int(rows[k])].astype(float)
            got = frame[f"observation.images.{camera}"].numpy().transpose(1, 2, 0) * 255
            assert np.abs(got - want).mean() < 2.0
            neighbour = episode[camera]["rgb"][int(rows[k]) + (1 if k == 0 else -1)].astype(float)
            assert np.abs(got - want).mean() < np.abs(got - neighbour).mean()


def test_lerobot_reads_depth_count_by_count_and_what_is_left_behind_is_named(
        tmp_path, capsys, monkeypatch):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    monkeypatch.setattr(lerobot_depth_out, "GROUP_BYTES", 1)    # as a long episode: many groups
    seen = np.random.default_rng(0).integers(0, 9000, (4, 64, 96), dtype=np.uint16)
    with DemoStore.open(tmp_path / "store", write=True, create=True) as opened:
        inc.keep(opened, deep_episode(seen))
    words = ["data", "export", str(tmp_path / "store"), "--all", "--json", "--to"]
    assert cli.main([*words, str(tmp_path / "without")]) == 0
    assert json.loads(capsys.readouterr().out)["left_behind"] == ["eye/depth"]
    assert cli.main([*words, str(tmp_path / "with"), "--depth"]) == 0
    assert json.loads(capsys.readouterr().out)["left_behind"] == []
    table, = (tmp_path / "with").glob("data/*/*.parquet")
    assert pq.ParquetFile(table).num_row_groups == 4
    dataset: Any = LeRobotDataset("tandem/with", root=tmp_path / "with", video_backend="pyav")
    assert dataset.meta.depth_keys == ["observation.images.eye_depth"]
    assert dataset.depth_output_unit == "mm"
    for k in range(4):
        np.testing.assert_array_equal(dataset[k]["observation.images.eye_depth"][0].numpy(),
                                      seen[k])
    told = dataset.meta.stats["observation.images.eye_depth"]
    assert float(told["max"].squeeze()) == seen.max() and told["mean"].shape == (1, 1, 1)
    assert float(told["mean"].squeeze()) == pytest.approx(seen.mean())


def test_depth_that_lerobots_recorder_wrote_as_video_comes_in_as_lerobot_reads_it(tmp_path):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    seen = np.random.default_rng(0).integers(0, 12000, (4, 64, 96, 1), dtype=np.uint16)
    numbers = {"dtype": "float32", "shape": (2,), "names": ["a", "b"]}
    theirs = LeRobotDataset.create("theirs/deep", 30, {
        "observation.images.eye_depth": {
            "dtype": "video", "shape": (64, 96, 1), "names": ["height", "width", "channels"],
            "info": {"is_depth_map": True}},
        "observation.state": numbers, "action": numbers}, root=tmp_path / "theirs")
    for k, counts in enumerate(seen):
        theirs.add_frame({"observation.images.eye_depth": counts, "task": "look",
                          "observation.state": np.full(2, k, np.float32),
                          "action": np.full(2, k, np.float32)})
    theirs.save_episode(parallel_encoding=False)
    theirs.finalize()
    dataset: Any = LeRobotDataset("theirs/deep", root=tmp_path / "theirs")
    done = import_lerobot(tmp_path / "theirs", tmp_path / "store")
    assert done.left_behind == ()
    episode = readers(tmp_path / "store")[0]
    for k in range(4):
        want = dataset[k]["observation.images.eye_depth"][0].numpy()
        got = episode["eye_depth"]["depth"][k].astype(float)
        assert np.abs(got - want).max() <= 1 and (got == want).mean() > 0.995
        assert np.abs(got - seen[k, ..., 0].clip(10, 10_000)).max() <= 2    # 12 bits of it


def deep_episode(seen: np.ndarray) -> inc.Incoming:
    """One with a camera `eye` that sees (N, H, W) u2 mm."""
    frames, *size = seen.shape
    eye = inc.Camera(name="eye", height=size[0], width=size[1], pictures=lambda: iter(
        np.zeros((frames, *size, 3), "u1")), depth=inc.Camera(
            name="depth", height=size[0], width=size[1], pictures=lambda: iter(seen),
            depth_unit="0.001 m"))
    path = np.linspace(0, 1, 2 * frames, dtype="f4").reshape(frames, 2)
    return inc.Incoming(rate_hz=30, tasks=["look"] * frames, action=path, state=path,
                        state_names=("a", "b"), action_names=("a", "b"), cameras=(eye,))


def test_an_interrupted_export_leaves_nothing_and_a_second_try_works(store, tmp_path):
    def interrupt(episode: str, frames: int) -> None:
        raise KeyboardInterrupt

    with DemoStore.open(store) as opened:
        which = [e.episode for e in opened.episodes()][:1]
        with pytest.raises(KeyboardInterrupt):
            export_lerobot(opened, which, tmp_path / "out", progress=interrupt)
        assert list(tmp_path.iterdir()) == []
        assert export_lerobot(opened, which, tmp_path / "out").episodes == 1


def test_the_command_says_what_it_wrote_and_never_overwrites(store, tmp_path, capsys):
    words = ["data", "export", str(store), "0", "--to", str(tmp_path / "out"), "--size", "64x64",
             "--cameras", "front", "--json"]
    assert cli.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["episodes"], told["cameras"]) == (1, ["front"])
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert info["features"]["observation.images.front"]["shape"] == [64, 64, 3]
    assert info["total_frames"] == told["frames"] and info["robot_type"] == "toy"
    assert cli.main(words) == 2
    assert "exists already" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(("settings", "complaint"), [
    (ExportSettings(picture_size=(63, 96)), "63x96 cannot be encoded"),
    (ExportSettings(cameras=("front", "left")), "has no stream 'left': it has tick"),
    (ExportSettings(cameras=("arm",)), "has no 'arm/rgb': there are position"),
])
def test_what_cannot_be_exported_is_said_in_one_line(store, tmp_path, settings, complaint):
    with DemoStore.open(store) as opened, pytest.raises(StoreError, match=complaint):
        export_lerobot(opened, [opened.episode(0).episode], tmp_path / "out", settings)
    assert list(tmp_path.iterdir()) == []


def test_an_episode_of_less_than_two_frames_is_refused(store):
    with pytest.raises(StoreError, match="shorter than two frames"):
        frames_at_rate(readers(store)[0], ("front",), 0.5)


def test_the_gripper_is_the_one_wanted_and_errors_on_purpose_are_marked(store):
    frames = frames_at_rate(readers(store)[0], ("front", "wrist"), 30)
    assert set(np.unique(frames.action[:, -1])) == {0.0, 1.0}
    marked = np.flatnonzero(frames.perturbed)
    # The operator errs in ticks 40..51; a frame is marked if one lies between it and the next.
    since_s = (frames.moments_ns[marked] - toy.START_NS) / NS_PER_S
    assert len(marked) in (4, 5)
    assert since_s[0] + 1 / 30 >= 0.40 > since_s[0] and since_s[-1] < 0.52


def test_words_that_changed_on_the_way_hold_from_then_on(write_episode, tmp_path):
    spec = StreamSpec(name="tick", rate_hz=100, columns=(Column(name="a", dtype="<f8"),))
    group = write_episode(tmp_path / "20250101T000000-00000000", [(spec, {"a": np.zeros(9)})],
                          events=[{"kind": "instruction", "t_mono_ns": 50, "before": "do it",
                                   "after": "stop"}])
    moments = np.array([0, 49, 50, 99])
    assert instructions_at(EpisodeReader(group), moments) == ["do it", "do it", "stop", "stop"]
    assert instructions_at(EpisodeReader(group), moments, "do this")[:2] == ["do this"] * 2


@settings(max_examples=30)
@given(rate_hz=st.sampled_from([10, 15, 30, 50]), seed=st.integers(0, 999))
def test_a_frame_never_sees_the_future_and_a_steady_camera_loses_no_picture(
        rate_hz, seed, write_episode, tmp_path_factory):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 60))
    picture_ns = np.sort(10**9 + (np.arange(n) / 30 * 1e9 + rng.uniform(0, 3e6, n)).astype("i8"))
    arm_ns = 10**9 + (np.arange(4 * n) * 1e7).astype("i8") + int(rng.integers(0, 50_000_000))
    camera = StreamSpec(name="eye", rate_hz=30, images=(
        ImageField(name="rgb", height=4, width=4, encoding="jpeg"),))
    arm = StreamSpec(name="arm", rate_hz=100, columns=(
        Column(name="position", dtype="<f8", shape=(2,)),))
    tick = StreamSpec(name="tick", rate_hz=100, columns=(
        Column(name="sent", dtype="<f8", shape=(2,)),))
    place = np.column_stack([np.arange(4 * n)] * 2).astype(float)
    group = write_episode(
        tmp_path_factory.mktemp("law") / "20250101T000000-00000000",
        [(camera, {"t_mono_ns": picture_ns, "rgb": np.zeros((n, 4, 4, 3), "u1")}),
         (arm, {"t_mono_ns": arm_ns, "position": place}),
         (tick, {"t_mono_ns": arm_ns, "sent": place})])
    frames = frames_at_rate(EpisodeReader(group), ("eye",), rate_hz)
    assert (np.diff(frames.moments_ns) > 0).all()
    rows = frames.picture_rows["eye"]
    assert (picture_ns[rows] <= frames.moments_ns).all()
    assert (arm_ns[frames.state[:, 0].astype(int)] <= frames.moments_ns).all()
    assert (frames.action[:, 0] >= frames.state[:, 0]).all()
    if rate_hz == 30:
        assert (np.diff(rows) == 1).all()


def test_shrinking_keeps_the_mean_of_what_a_pixel_covers():
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    small = resized(picture, (32, 48)).astype(float)
    blocks = picture.reshape(32, 2, 48, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).max() <= 0.51
    assert resized(picture, None) is picture

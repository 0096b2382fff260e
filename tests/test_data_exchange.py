"""Data goes out to other programs' formats and comes back as it was."""

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from doubles import toy_demonstrations as toy
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from recorders.episode_reader import EpisodeReader
from recorders.exchange import incoming as inc
from recorders.exchange import lerobot_depth_out
from recorders.exchange import lerobot_layout as layout
from recorders.exchange.lerobot_import import import_lerobot
from recorders.exchange.lerobot_pictures import cameras_of
from recorders.exchange.lerobot_pictures_left import PicturesLeft
from recorders.exchange.lerobot_reader import Recorded
from recorders.exchange.parquet_repair import is_whole, repair
from recorders.frames_at_rate import Frames, frames_at_rate
from recorders.lerobot_v3 import ExportSettings, export_lerobot
from recorders.store import DemoStore, StoreError
from studio import cli

CAMERAS, FRONT = ("front", "wrist"), "observation.images.front"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return toy.make_store(tmp_path_factory.mktemp("toy") / "store", episodes=2)


@pytest.fixture(scope="module")
def dataset(store, tmp_path_factory) -> Path:
    to = tmp_path_factory.mktemp("out") / "toy"
    export(store, to)
    return to


def export(store: Path, to: Path, fps: int = 30) -> None:
    with DemoStore.open(store) as opened:
        export_lerobot(opened, [e.episode for e in opened.episodes()], to,
                       ExportSettings(fps=fps, sharp=True, depth=True))


def laid(store: Path, fps: int = 30, cameras: tuple[str, ...] = CAMERAS
         ) -> list[tuple[EpisodeReader, Frames]]:
    with DemoStore.open(store) as opened:
        episodes = [EpisodeReader(opened.episode_path(e.episode)) for e in opened.episodes()]
        return [(e, frames_at_rate(e, cameras, fps)) for e in episodes]


def tables(dataset: Path) -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(path).read()
                             for path in sorted(dataset.glob("data/*/*.parquet"))])


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1,
                max_size=12)


@st.composite
def small_episodes(draw: Any, fps: int, unit: str = "0.001 m") -> inc.Incoming:
    """An episode that somebody steps into, whose instruction is edited and whose parts are named.

    Its events are where an edit and a sub-task may be: between frames, and at the very first.
    """
    frames = draw(st.integers(3, 9))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    at_ns = inc.stamps_ns(frames, fps)
    events: list[dict[str, Any]] = []
    text = draw(words)
    tasks = [text] * frames
    for k in sorted(draw(st.sets(st.integers(1, frames - 1), max_size=3))):
        before, text = text, draw(words)
        tasks[k:] = [text] * (frames - k)
        events.append({"t_mono_ns": int(at_ns[k]) - draw(st.integers(0, 9)), "kind": "instruction",
                       "before": before, "after": text})
    for k in sorted(draw(st.sets(st.integers(0, frames - 1), max_size=3))):
        kind = draw(st.sampled_from(["subtask", "operator subtask"]))
        events.append({"t_mono_ns": int(at_ns[k]), "kind": kind, "text": draw(words)})
    steps = rng.random(frames) < 0.4
    seen = rng.integers(0, 1 << 16, (frames, 64, 64), dtype=np.uint16)
    deep = inc.Camera(name="depth", height=64, width=64, pictures=lambda: iter(seen),
                      depth_unit=unit)
    return inc.Incoming(
        rate_hz=fps, tasks=tasks[:1] * frames, action=rng.normal(size=(frames, 3)).astype("f4"),
        state=rng.normal(size=(frames, 3)).astype("f4"), state_names=("a", "b", "gripper"),
        action_names=("a", "b", "gripper"), task="toy", robot="toy", operator="somebody", seed=7,
        outcomes={"intervention": np.where(steps, np.cumsum(steps), 0).astype("i4"),
                  "perturbed": rng.random(frames) < 0.3},
        events=sorted(events, key=lambda event: event["t_mono_ns"]),
        label=draw(st.sampled_from(["success", "failure", "partial"])), note=draw(words),
        cameras=(inc.Camera(name="front", height=64, width=64, pictures=lambda: iter(
            [np.full((64, 64, 3), 20 * k, "u1") for k in range(frames)]), depth=deep),))


@settings(max_examples=8)
@given(data=st.data(), fps=st.sampled_from([20, 30]),
       unit=st.sampled_from(["0.001 m", "0.0001 m", "0.00025 m"]))
def test_what_goes_to_lerobot_and_back_is_the_same_bit_for_bit(data, fps, unit, tmp_path_factory):
    episodes = data.draw(st.lists(small_episodes(fps, unit), min_size=1, max_size=2))
    folder = tmp_path_factory.mktemp("law")
    with DemoStore.open(folder / "a", write=True, create=True) as store:
        for episode in episodes:
            inc.keep(store, episode)
    export(folder / "a", folder / "there", fps)
    import_lerobot(folder / "there", folder / "b")
    export(folder / "b", folder / "again", fps)
    assert tables(folder / "there").equals(tables(folder / "again"))
    pairs = zip(laid(folder / "a", fps, CAMERAS[:1]), laid(folder / "b", fps, CAMERAS[:1]),
                strict=True)
    for episode, ((given_out, before), (back, after)) in zip(episodes, pairs, strict=True):
        assert next(i.unit for i in back["front"].spec.images if i.name == "depth") == unit
        np.testing.assert_array_equal(given_out["front"]["depth"][:], back["front"]["depth"][:])
        assert len(before.moments_ns) == len(episode.tasks)
        np.testing.assert_array_equal(before.state, episode.state)
        np.testing.assert_array_equal(before.action, episode.action)
        for name in ("state", "action", "perturbed", "intervention"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
        assert before.instructions == after.instructions
        assert after.residuals_ns == {"front": 0, "arm": 0, "tick": 0}
    with DemoStore.open(folder / "a") as one, DemoStore.open(folder / "b") as other:
        for left, right in zip(one.episodes(), other.episodes(), strict=True):
            for name in ("task", "instruction", "label", "note", "seed", "operator"):
                assert getattr(left, name) == getattr(right, name), name


def test_a_recording_keeps_its_numbers_and_its_pictures(store, dataset, tmp_path):
    done = import_lerobot(dataset, tmp_path / "back")
    assert (done.episodes, done.left_behind, done.lost) == (2, (), ())
    for (_, meant), (got, frames) in zip(laid(store), laid(tmp_path / "back"), strict=True):
        for name in ("state", "action", "perturbed", "intervention", "instructions"):
            np.testing.assert_array_equal(getattr(frames, name), getattr(meant, name))
        assert got["arm"].spec.columns[0].names == toy.JOINTS
        assert got["tick"]["next.success"].tolist()[-2:] == [False, True]
    episode, frames = laid(store)[1]
    back = laid(tmp_path / "back")[1][0]
    for camera in CAMERAS:
        for k in (0, 20, len(frames.moments_ns) - 1):
            want = episode[camera]["rgb"][int(frames.picture_rows[camera][k])].astype(float)
            assert np.abs(back[camera]["rgb"][k] - want).mean() < 2.5


def test_frames_stand_at_multiples_of_the_period_and_rows_are_as_many_as_pictures(dataset):
    from recorders.exchange.videos import frames_in

    rows = tables(dataset)
    k = rows["frame_index"].to_numpy()
    np.testing.assert_array_equal(rows["timestamp"].to_numpy(), (k / 30).astype("f4"))
    for camera in CAMERAS:
        video = dataset / f"videos/observation.images.{camera}/chunk-000/file-000.mp4"
        assert frames_in(video) == rows.num_rows


@pytest.mark.parametrize(("spoil", "complaint"), [
    (lambda folder: (folder / "meta/info.json").unlink(), "it has no meta/info.json"),
    (lambda folder: change_info(folder, codebase_version="v2.1"), "convert_dataset_v21_to_v30"),
    (lambda folder: change_info(folder, codebase_version="v4.0"), "of version v4.0"),
    (lambda folder: cut(next(folder.rglob("*.mp4"))), "no whole video"),
    (lambda folder: next(folder.rglob("*.mp4")).unlink(), "is not there"),
    (lambda folder: cut(next(folder.glob("data/*/*.parquet"))), "--damaged"),
    (lambda folder: change_info(folder, total_episodes=9), "tells of 2 episodes"),
])
def test_a_dataset_that_cannot_be_read_is_one_line_and_leaves_nothing(
        dataset, tmp_path, spoil, complaint, capsys):
    folder = shutil.copytree(dataset, tmp_path / "theirs")
    spoil(folder)
    words = ["data", "import", "--lerobot", str(folder), "--to", str(tmp_path / "s"), "--json"]
    assert cli.main(words) == 2
    assert complaint in json.loads(capsys.readouterr().out)["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def change_info(folder: Path, **changes: Any) -> None:
    path = folder / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-path.stat().st_size // 3])


def test_an_import_that_is_interrupted_leaves_nothing(dataset, tmp_path):
    def interrupt(done: int, of: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_lerobot(dataset, tmp_path / "store", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25)
@given(groups=st.lists(st.integers(1, 40), min_size=1, max_size=4), axes=st.integers(1, 4),
       alike=st.booleans(), keep=st.floats(0, 1))
def test_every_row_group_that_is_in_a_file_without_a_footer_is_found(
        groups, axes, alike, keep, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    rng = np.random.default_rng(axes)

    def rows(count: int) -> pa.Table:
        values = np.ones(count * axes) if alike else rng.normal(size=count * axes)
        said = [[{"role": f"r{k}", "calls": [None, [], ["a", "b"]][k % 3]}
                 for k in range(0 if alike else int(rng.integers(0, 4)))] for _ in range(count)]
        return pa.table({"state": pa.FixedSizeListArray.from_arrays(pa.array(values), axes),
                         "done": pa.array(np.arange(count) % 2 == 0),
                         "said": pa.array(said, pa.list_(pa.struct({
                             "role": pa.string(), "calls": pa.list_(pa.string())}))),
                         "index": np.arange(count)})

    made = [rows(count) for count in groups]
    ends: list[int] = []
    with pq.ParquetWriter(folder / "whole", made[0].schema, compression="snappy") as writer:
        for table in made:
            writer.write_table(table)
            ends.append((folder / "whole").stat().st_size)
    left = 4 + round(keep * (ends[-1] - 4))
    (folder / "cut").write_bytes((folder / "whole").read_bytes()[:left])
    assert is_whole(folder / "whole") and not is_whole(folder / "cut")
    found = repair(folder / "cut", made[0].slice(0, 1), folder / "mended")
    there = sum(end <= left for end in ends)
    assert list(found.rows) == groups[:there]
    assert found.lost_bytes == left - (ends[there - 1] if there else 4)
    if there:
        assert pq.read_table(folder / "mended").equals(pa.concat_tables(made[:there]))


def test_what_was_said_comes_back_from_a_table_that_was_copied_in_part(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "part")
    table = next((tmp_path / "part").glob("data/*/*.parquet"))
    table.write_bytes(table.read_bytes()[:-200])
    assert not is_whole(table)
    done = import_lerobot(tmp_path / "part", tmp_path / "mended", damaged=True)
    import_lerobot(dataset, tmp_path / "whole")
    assert done.episodes == 2 and len(done.lost) == 1       # what is left of the footer
    (before, _), (after, _) = laid(tmp_path / "whole")[0], laid(tmp_path / "mended")[0]
    assert before.events == after.events
    assert any(event["kind"] == "subtask" for event in after.events)


def test_depth_of_a_long_episode_goes_out_in_groups_of_rows_and_comes_back_whole(
        tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_depth_out, "GROUP_BYTES", 1)
    seen = np.random.default_rng(0).integers(0, 9000, (4, 64, 64), dtype=np.uint16)
    eye = inc.Camera(name="eye", height=64, width=64, pictures=lambda: iter(
        np.zeros((4, 64, 64, 3), "u1")), depth=inc.Camera(
            name="depth", height=64, width=64, pictures=lambda: iter(seen), depth_unit="0.001 m"))
    path = np.linspace(0, 1, 8, dtype="f4").reshape(4, 2)
    with DemoStore.open(tmp_path / "store", write=True, create=True) as opened:
        inc.keep(opened, inc.Incoming(
            rate_hz=30, tasks=["look"] * 4, action=path, state=path, state_names=("a", "b"),
            action_names=("a", "b"), cameras=(eye,)))
    export(tmp_path / "store", tmp_path / "out")
    table = next((tmp_path / "out").glob("data/*/*.parquet"))
    assert pq.ParquetFile(table).num_row_groups == 4
    import_lerobot(tmp_path / "out", tmp_path / "back")
    table.write_bytes(table.read_bytes()[:-8])                  # the footer of a crash
    done = import_lerobot(tmp_path / "out", tmp_path / "mended", damaged=True)
    assert done.episodes == 1
    for store in ("back", "mended"):
        with DemoStore.open(tmp_path / store) as opened:
            episode = EpisodeReader(opened.episode_path(0))
            np.testing.assert_array_equal([episode["eye"]["depth"][k] for k in range(4)], seen)


def test_a_picture_that_is_missing_in_a_folder_is_named_by_its_number(tmp_path):
    folder = tmp_path / layout.IMAGE_FOLDER.format(key=FRONT, episode=0)
    folder.mkdir(parents=True)
    shown = [np.full((8, 8, 3), k, "u1") for k in (10, 20, 30)]
    for k, picture in enumerate(shown):
        Image.fromarray(picture).save(folder / f"frame-{k:06d}.png")
    info = layout.Info(codebase_version="v3.0", fps=30, features={
        FRONT: {"dtype": "video", "shape": [8, 8, 3], "names": ["height", "width", "channels"]}})
    _, folders = PicturesLeft(tmp_path, info, []).of(0, 3, None)
    episode = Recorded(number=0, rows=pa.table({"index": [0, 1, 2]}), tasks=[], folders=folders)
    (front,) = cameras_of(episode, info, {})
    np.testing.assert_array_equal(list(front.pictures()), shown)
    (folder / "frame-000001.png").rename(folder / "frame-000007.png")
    with pytest.raises(StoreError, match="has no picture 1 of 3"):
        list(front.pictures())
    lost: list[str] = []
    assert PicturesLeft(tmp_path, info, lost).of(0, 3, None) == ({}, {})
    assert lost == ["episode 0: the pictures of 'front'"]


def test_a_table_that_is_damaged_inside_costs_nothing_but_its_own_rows(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "part")
    table = next((tmp_path / "part").glob("data/*/*.parquet"))
    whole = table.read_bytes()
    damaged = bytearray(whole)
    damaged[8:len(whole) // 2] = bytes(len(whole) // 2 - 8)     # the footer is still there
    (table.parent / "file-001.parquet").write_bytes(damaged)
    table.write_bytes(whole[:-200])
    done = import_lerobot(tmp_path / "part", tmp_path / "mended", damaged=True)
    assert done.episodes == 2
    assert any("file-001.parquet" in what for what in done.lost)


@pytest.mark.parametrize(("option", "name"), [
    ("--diffusion-policy", "buffer"), ("--umi", "buffer.zarr.zip")])
def test_a_replay_buffer_goes_out_and_comes_back(store, tmp_path, option, name, capsys):
    assert cli.main(["data", "export", str(store), option, str(tmp_path / name), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["residuals_ms"]) == {"front", "wrist", "arm", "tick"}
    assert cli.main(["data", "import", "--umi", str(tmp_path / name), "--to",
                     str(tmp_path / "back"), "--fps", "30", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == told["frames"]
    (episode, meant), (back, frames) = laid(store)[1], laid(tmp_path / "back", 30, (
        "camera_0",) if option != "--umi" else ("camera0",))[1]
    if option == "--umi":
        np.testing.assert_allclose(frames.state[:, 6], meant.state[:, 2] * 0.08, atol=1e-6)
        np.testing.assert_array_equal(frames.action[:-1], frames.state[1:])
        assert back["camera0"]["rgb"][3].shape == (224, 224, 3)
    else:
        np.testing.assert_array_equal(frames.state, meant.state)
        np.testing.assert_array_equal(frames.action, meant.action)
        want = episode["front"]["rgb"][int(meant.picture_rows["front"][5])].astype(float)
        assert np.abs(back["camera_0"]["rgb"][5] - want).mean() < 2.0


def test_a_robomimic_file_comes_in(tmp_path, capsys):
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "demo.hdf5", "w") as file:
        file.create_group("data").attrs["env_args"] = json.dumps({"env_name": "Lift"})
        for number, count in enumerate((5, 7)):
            demo = file.create_group(f"data/demo_{number}")
            demo["actions"] = rng.normal(size=(count, 7))
            demo["states"] = rng.normal(size=(count, 9))
            demo["rewards"] = np.eye(count)[-1] * number
            demo["next_obs/object"] = np.zeros((count, 3))
            demo["obs/robot0_joint_pos"] = rng.normal(size=(count, 7))
            demo["obs/robot0_gripper_qpos"] = rng.normal(size=(count, 2))
            demo["obs/agentview_image"] = rng.integers(0, 255, (count, 64, 64, 3), dtype=np.uint8)
    words = ["data", "import", "--hdf5", str(tmp_path / "demo.hdf5"), "--to", str(tmp_path / "s"),
             "--lossless", "--json"]
    assert cli.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["episodes"], told["frames"], told["left_behind"]) == (2, 12, ["next_obs"])
    with DemoStore.open(tmp_path / "s") as store, h5py.File(tmp_path / "demo.hdf5") as file:
        assert [(e.task, e.instruction, e.label) for e in store.episodes()] == [
            ("Lift", "Lift", "unlabelled"), ("Lift", "Lift", "success")]
        episode = EpisodeReader(store.episode_path(1))
        demo: Any = file["data/demo_1"]
        np.testing.assert_array_equal(episode["tick"]["sent"], demo["actions"])
        np.testing.assert_array_equal(episode["observation"]["states"], demo["states"])
        assert episode["arm"]["position"].shape == (7, 9)
        np.testing.assert_array_equal(episode["agentview"]["rgb"][3],
                                      demo["obs/agentview_image"][3])
    (tmp_path / "demo.hdf5").write_bytes(b"no")
    assert cli.main(words) == 2
    assert "no whole HDF5 file" in json.loads(capsys.readouterr().out)["error"]


def test_importing_wants_exactly_one_source(tmp_path, capsys):
    assert cli.main(["data", "import", "--to", str(tmp_path / "s"), "--json"]) == 2
    assert "exactly one of --lerobot" in json.loads(capsys.readouterr().out)["error"]

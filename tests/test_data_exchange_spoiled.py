"""Foreign data that is not as it should be: one line, or what can be had; never a wrong number."""

import gc
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from doubles import toy_demonstrations as toy
from doubles.small_disk import fill, small_disk

from recorders.episode_reader import EpisodeReader
from recorders.exchange import incoming as inc
from recorders.exchange.hdf5_import import import_hdf5
from recorders.exchange.lerobot_import import import_lerobot
from recorders.exchange.replay_buffer_import import import_replay_buffer
from recorders.exchange.videos import pictures_of
from recorders.lerobot_v3 import ExportSettings, export_lerobot
from recorders.store import DemoStore, StoreError
from studio import cli

SAMPLE = Path(__file__).parent.parent / "datasets/samples/format-1"
VIDEO = "videos/observation.images.front/chunk-000/file-000.mp4"
TABLE, EPISODES = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("spoiled")
    toy.make_store(folder / "store", episodes=3)
    with DemoStore.open(folder / "store") as store:
        export_lerobot(store, [e.episode for e in store.episodes()], folder / "dataset",
                       ExportSettings(sharp=True))
    return folder / "dataset"


@pytest.fixture
def theirs(dataset, tmp_path) -> Path:
    return shutil.copytree(dataset, tmp_path / "theirs")


def episodes(store: Path) -> list[EpisodeReader]:
    with DemoStore.open(store) as opened:
        return [EpisodeReader(opened.episode_path(e.episode)) for e in opened.episodes()]


def spoil_info(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "meta/info.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


def test_the_sample_store_goes_out_although_its_words_are_noted_in_an_older_way(tmp_path):
    to = tmp_path / "buffer.zarr"
    assert cli.main(["data", "export", str(SAMPLE), "--all", "--diffusion-policy", str(to)]) == 0
    with DemoStore.open(SAMPLE) as store:
        export_lerobot(store, [store.episodes()[0].episode], tmp_path / "lerobot",
                       ExportSettings(picture_size=(64, 64)))
    assert import_lerobot(tmp_path / "lerobot", tmp_path / "back").frames == 30
    assert episodes(tmp_path / "back")[0].instruction == "put cube 0 in the bin"


@pytest.mark.parametrize(("words", "says"), [
    (["--lerobot", "{}/out", "--fps", "0"], "0 frames in a second are none"),
    (["--umi", "{}/out.zarr.zip", "--fps", "-5"], "-5 frames in a second are none"),
    (["--diffusion-policy", "{}/out", "--size", "0x64"], "give HEIGHTxWIDTH"),
    (["--umi", "{}/out.zarr.zip", "--gripper-opening", "nan"], "give metres"),
    (["--size", "64x64", "--lerobot", "{}/file/out"], "cannot be made"),
    (["--size", "64x64", "--lerobot", "{}/" + "n" * 252], "cannot be made"),
])
def test_options_that_nothing_can_be_made_of_are_one_line_and_leave_nothing(
        words, says, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    told = [word.format(tmp_path) for word in words]
    assert cli.main(["data", "export", str(SAMPLE), "--all", *told]) == 2
    errors = capsys.readouterr().err.strip()
    assert says in errors and "\n" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_is_full_is_said_once_and_leaves_nothing(
        dataset, tmp_path, monkeypatch, capsys):
    unheard: list[Any] = []             # what a video says that nobody closed
    monkeypatch.setattr(sys, "unraisablehook", lambda said: unheard.append(said.exc_value))
    words = ["data", "export", str(dataset.parent / "store"), "--all", "--sharp", "--lerobot"]
    with small_disk(tmp_path, 1) as disk:
        for left_kib in (8, 16, 32, 64):
            ballast = fill(disk, left_kib << 10)
            assert cli.main([*words, str(disk / "out")]) == 2
            gc.collect()
            assert [path.name for path in disk.iterdir()] == ["ballast"] and not unheard
            ballast.unlink()
            told = capsys.readouterr().err.splitlines()
            assert "No space left on device" in told[-1]


@pytest.mark.parametrize(("change", "says"), [
    (lambda info: info.update(fps=-30), "> 0.0"),
    (lambda info: info["features"]["action"].pop("dtype"), "`dtype`"),
    (lambda info: info["features"]["action"].pop("shape"), "`shape`"),
    (lambda info: info["features"]["observation.images.front"].update(shape=[]), "three lengths"),
    (lambda info: info["features"]["observation.images.front"].update(shape=[8, 8, 3]),
     "and 8x8 is said of it"),
    (lambda info: info.update(video_path="{nowhere}"), "does not say where the pictures"),
])
def test_an_info_that_does_not_fit_is_one_line(theirs, tmp_path, change, says):
    spoil_info(theirs, change)
    with pytest.raises(StoreError, match=says):
        import_lerobot(theirs, tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_what_macos_lays_beside_a_table_is_no_table(theirs, tmp_path):
    (theirs / "data/chunk-000/._file-000.parquet").write_bytes(b"no table")
    assert import_lerobot(theirs, tmp_path / "store").episodes == 3


def test_a_video_with_a_hole_costs_its_own_episode_and_is_refused_without_damaged(
        theirs, tmp_path, capfd):
    whole = (theirs / VIDEO).read_bytes()
    at, length = len(whole) // 10, 2000
    (theirs / VIDEO).write_bytes(whole[:at] + bytes(length) + whole[at + length:])
    with pytest.raises(StoreError, match="breaks off after"):
        import_lerobot(theirs, tmp_path / "store")
    done = import_lerobot(theirs, tmp_path / "store", damaged=True)
    assert len(done.lost) == 1 and "episode 0: the pictures of 'front'" in done.lost[0]
    assert [set(e.streams) & {"front", "wrist"} for e in episodes(tmp_path / "store")] == [
        {"wrist"}, {"front", "wrist"}, {"front", "wrist"}]
    assert capfd.readouterr().err == ""             # what the decoder says is said once, by us


def test_pictures_after_an_episode_that_is_lost_are_given_to_nobody_by_guess(theirs, tmp_path):
    table = pq.ParquetFile(theirs / TABLE)
    lengths = [table.metadata.row_group(k).num_rows for k in range(3)]
    rows = table.read().slice(lengths[0])           # the first episode's rows are lost
    pq.write_table(rows, theirs / TABLE)
    shutil.copytree(theirs, tmp_path / "known")
    (theirs / EPISODES).unlink()
    done = import_lerobot(theirs, tmp_path / "store", damaged=True)
    assert done.episodes == 2 and "episode 1: the pictures of 'front'" in done.lost
    assert all("front" not in episode.streams for episode in episodes(tmp_path / "store"))
    import_lerobot(tmp_path / "known", tmp_path / "told", damaged=True)
    seen = episodes(tmp_path / "told")[0]["front"]["rgb"][0].astype(float)
    want = next(pictures_of(theirs / VIDEO, lengths[0], 1))
    assert np.abs(seen - want).mean() < 3           # JPEG


def test_names_of_others_become_names_that_columns_can_have(tmp_path):
    told = {"seq": 0, "t_mono_ns": 1, "a b": 2, "a_b": 3, "größe": 4, "_x": 5, "t_taken_ns": 6}
    path = np.zeros((3, 2), "f4")
    with DemoStore.open(tmp_path / "store", write=True, create=True) as store:
        kept = inc.keep(store, inc.Incoming(
            rate_hz=10, tasks=["Zwölf 立方体"] * 3, action=path, state=path,
            observed={name: np.full(3, value) for name, value in told.items()}))
        episode = EpisodeReader(store.episode_path(kept.episode))
    values = {name: int(episode["observation"][name][2])
              for name in episode["observation"].column_names[4:]}
    assert values == {"their_seq": 0, "their_t_mono_ns": 1, "a_b": 2, "a_b_": 3, "gr__e": 4,
                      "their__x": 5, "their_t_taken_ns": 6}
    assert episode.instruction == "Zwölf 立方体"


def buffer(path: Path, codec: str = "blosc") -> Path:
    """A replay buffer of one episode."""
    packed = {"id": "zlib", "level": 1} if codec == "zlib" else "auto"
    rng = np.random.default_rng(0)
    root = zarr.open_group(path, mode="w", zarr_format=2)
    for name, values in {"data/action": rng.random((8, 2)), "data/state": rng.random((8, 2)),
                         "data/timestamp": 1 + np.arange(8) / 10,
                         "data/img": rng.integers(1, 255, (8, 16, 16, 3), dtype=np.uint8),
                         "meta/episode_ends": np.array([8])}.items():
        root.create_array(name, data=values, chunks=(4, *values.shape[1:]),
                          compressors=packed)
    return path


@pytest.mark.parametrize(("name", "says"), [
    ("data/action/1.0", "1 of 2 pieces of data/action are not there"),
    ("data/img/0.0.0.0", "1 of 2 pieces of data/img are not there"),
    ("data/state/.zarray", "does not say what it holds"),
])
def test_a_piece_that_is_missing_in_a_replay_buffer_is_never_read_as_zeros(tmp_path, name, says):
    path = buffer(tmp_path / "theirs.zarr")
    assert import_replay_buffer(path, tmp_path / "whole").frames == 8
    (path / name).unlink()
    with pytest.raises(StoreError, match=says):
        import_replay_buffer(path, tmp_path / "store")


@pytest.mark.parametrize("name", ["data/action/1.0", "data/img/1.0.0.0"])
def test_a_piece_that_was_copied_in_part_is_one_line(tmp_path, name):
    piece = buffer(tmp_path / "theirs.zarr") / name
    piece.write_bytes(piece.read_bytes()[:-9])
    with pytest.raises(StoreError, match="was copied only in part"):
        import_replay_buffer(tmp_path / "theirs.zarr", tmp_path / "store")


def test_a_piece_with_a_hole_is_one_line(tmp_path):
    piece = buffer(tmp_path / "theirs.zarr", "zlib") / "data/action/1.0"
    piece.write_bytes(bytes(piece.stat().st_size))
    with pytest.raises(StoreError, match="is damaged: copy it anew"):
        import_replay_buffer(tmp_path / "theirs.zarr", tmp_path / "store")


@pytest.mark.parametrize(("name", "values", "says"), [
    ("data/img", np.full((8, 16, 16, 3), 0.5, "f4"), "counts from 0 to 1"),
    ("data/timestamp", np.full(8, 3.0), "does not grow"),
    ("data/extra", np.array(3.0), "has no rows"),
    ("meta/episode_ends", np.array([1, 8]), "has one row"),
])
def test_a_replay_buffer_that_means_something_else_is_one_line(tmp_path, name, values, says):
    path = buffer(tmp_path / "theirs.zarr")
    shutil.rmtree(path / name, ignore_errors=True)
    zarr.open_group(path, mode="a", zarr_format=2).create_array(name, data=values)
    with pytest.raises(StoreError, match=says):
        import_replay_buffer(path, tmp_path / "store")


def test_what_has_no_place_in_an_hdf5_file_is_named_and_the_rest_comes_in(tmp_path):
    with h5py.File(tmp_path / "demo.hdf5", "w") as file:
        file["data/demo_0/actions"] = np.arange(10.0).reshape(5, 2)
        file["data/demo_0/obs/nested/deep"] = np.zeros(5)
        file["data/demo_0/obs/scalar"] = 3.0
        file["data/demo_0/obs/said"] = np.array([b"go"] * 5)
        file["data/demo_0/obs/seq"] = np.arange(5)
        file["data/demo_0/obs/bright"] = np.full((5, 8, 8, 3), 0.5, "f4")     # no u1: numbers
    done = import_hdf5(tmp_path / "demo.hdf5", tmp_path / "store")
    assert done.left_behind == ("obs/nested", "obs/said", "obs/scalar")
    episode = episodes(tmp_path / "store")[0]
    np.testing.assert_array_equal(episode["tick"]["sent"][:, 1], [1, 3, 5, 7, 9])
    np.testing.assert_array_equal(episode["observation"]["their_seq"], np.arange(5))
    assert episode["observation"]["bright"].shape == (5, 8, 8, 3)


@pytest.mark.parametrize(("name", "values", "says"), [
    ("data", np.zeros(3), "has no demonstrations"),
    ("data/demo_0/actions", 5.0, "has no demonstrations"),
    ("data/demo_0/actions", np.zeros((1, 7)), "demo_0 has 1 actions"),
])
def test_an_hdf5_file_of_another_shape_is_one_line(tmp_path, name, values, says):
    with h5py.File(tmp_path / "demo.hdf5", "w") as file:
        file[name] = values
    with pytest.raises(StoreError, match=says):
        import_hdf5(tmp_path / "demo.hdf5", tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["demo.hdf5"]

"""The sample stores of every format version so far open, and say what they always said."""

import shutil
from pathlib import Path

import numpy as np
import zarr

from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore

SAMPLES = Path(__file__).parent.parent / "datasets/samples"


def test_the_sample_of_format_1_is_sound() -> None:
    store = DemoStore.open(SAMPLES / "format-1")
    assert store.check() == []
    assert store.interrupted() == []


def test_a_sample_that_went_through_git_is_as_good(tmp_path: Path) -> None:
    copy = shutil.copytree(SAMPLES / "format-1", tmp_path / "format-1")
    for folder in copy.iterdir():           # git keeps no empty folders
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    assert DemoStore.open(copy).check() == DemoStore.open(copy).interrupted() == []
    with DemoStore.open(copy, write=True, reserve_bytes=4096) as store:
        store.restore(store.episodes(include_trashed=True)[2].episode)
        assert store.check() == []


def test_the_sample_of_format_1_lists_what_was_said_about_its_episodes() -> None:
    store = DemoStore.open(SAMPLES / "format-1")
    told = [(one.seed, one.label, one.label_by, one.instruction, one.trashed)
            for one in store.episodes(include_trashed=True)]
    assert told == [(0, "success", "detector", "put cube 0 in the bin", False),
                    (1, "failure", "ana", "lift the cube", False),
                    (2, "unlabelled", "", "put cube 2 in the bin", True)]
    assert [(one.rows, one.duration_s) for one in store.episodes()] == 2 * [
        ({"tick": 100, "arm": 100, "front": 30, "wrist": 30}, 1.0)]


def test_the_sample_of_format_1_reads_with_plain_zarr() -> None:
    store = DemoStore.open(SAMPLES / "format-1")
    for summary in store.episodes(include_trashed=True):
        group = zarr.open_group(store.episode_path(summary.episode), mode="r")
        position, depth, wrist, front = (
            np.asarray(group[name]) for name in
            ("arm/position", "front/depth", "wrist/rgb", "front/rgb"))
        np.testing.assert_array_equal(position, np.add.outer(np.arange(100), np.arange(4)) / 7)
        for i in (0, 29):
            assert depth[i].shape == (24, 32) and (depth[i, 8:16, i:i + 3] == 200).all()
            assert depth[i, 23, 31] == 54
            assert wrist[i, 0, 5].tolist() == [5, 45, 85]
            assert np.abs(front[i, 40, 60].astype(int) - [100, 140, 180]).max() < 12


def test_the_sample_with_reduced_pictures_reads_with_plain_zarr_and_with_ours() -> None:
    store = DemoStore.open(SAMPLES / "format-1-reduced")
    assert store.check() == []
    path = store.episode_path(0)
    small = zarr.open_array(path / "front/rgb_small", mode="r")
    assert small.attrs.asdict() == {"reduced_from": "rgb", "factor": 3}
    ours = EpisodeReader(path)["front"]
    assert ours.spec.images[1].reduced_from == "rgb"
    np.testing.assert_array_equal(np.asarray(small[...]), ours.images("rgb_small")[:])
    for i, copy in enumerate(ours.images("rgb_small")[:]):
        assert copy.shape == (96, 128, 3)
        assert np.abs(copy[35, 10 * i + 5].astype(int) - [230, 60, 30]).max() < 12
        assert np.abs(copy[80, 60].astype(int) - [70, 110, 150]).max() < 12

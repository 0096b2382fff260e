"""LeRobot's own recorder is killed in the middle, and what it had finished is recovered."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from doubles import lerobot_recorder as recorder

from recorders.episode_reader import EpisodeReader
from recorders.exchange.lerobot_import import import_lerobot
from recorders.store import DemoStore, StoreError
from studio import cli

# Importing LeRobot, in the process that is killed, is most of it.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FRAMES = 6
MODES = {"stream": 11, "png": 2, "batch": 2, "image": 2}


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """Folders of datasets whose recorder got a SIGKILL in the middle of an episode."""
    folder = tmp_path_factory.mktemp("killed")
    words = [f"{mode}:{finished}:{FRAMES}" for mode, finished in MODES.items()]
    child = subprocess.Popen([sys.executable, recorder.__file__, str(folder), *words], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    assert child.stdout is not None
    said = child.stdout.readline()
    child.kill()
    _, errors = child.communicate(timeout=30)
    assert said == "ready\n", errors[-2000:]
    return folder


@pytest.mark.parametrize("mode", MODES)
def test_every_finished_episode_of_a_killed_recording_comes_back(killed, tmp_path, mode):
    finished = MODES[mode]
    theirs = killed / f"{mode}-{finished}"
    with pytest.raises(StoreError, match=r"--damaged"):
        import_lerobot(theirs, tmp_path / "store")
    done = import_lerobot(theirs, tmp_path / "store", damaged=True)
    assert (done.episodes, done.frames) == (finished, finished * FRAMES)
    assert "in memory only" in " ".join(done.lost)
    with DemoStore.open(tmp_path / "store") as store:
        for number, summary in enumerate(store.episodes()):
            episode = EpisodeReader(store.episode_path(summary.episode))
            assert summary.instruction == ("pour the water", "wipe the table")[number % 2]
            want = np.stack([recorder.numbers(number, k) for k in range(FRAMES)])
            np.testing.assert_array_equal(episode["arm"]["position"], want)
            np.testing.assert_array_equal(episode["tick"]["sent"], -want)
            for camera in recorder.CAMERAS:
                for k in (0, FRAMES - 1):
                    shown = recorder.picture(camera, number, k).astype(float)
                    assert np.abs(episode[camera]["rgb"][k] - shown).mean() < 3


def test_a_video_that_was_copied_in_part_is_named_and_the_rest_comes_back(killed, tmp_path, capsys):
    video = next((killed / "png-2").glob("videos/*wrist/*/*.mp4"))
    whole = video.read_bytes()
    video.write_bytes(whole[:len(whole) // 2])
    try:
        assert cli.main(["data", "import", "--lerobot", str(killed / "png-2"), "--damaged", "--to",
                         str(tmp_path / "store")]) == 0
    finally:
        video.write_bytes(whole)
    told = capsys.readouterr().err
    assert "lost: episode 1: the pictures of 'wrist'" in told
    with DemoStore.open(tmp_path / "store") as store:
        episode = EpisodeReader(store.episode_path(1))
    assert "wrist" not in episode and len(episode["front"]) == FRAMES

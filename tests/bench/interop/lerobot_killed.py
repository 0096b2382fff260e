"""Datasets of LeRobot's own recorder after a SIGKILL: what its loader opens, what we recover."""

import subprocess
import sys
from functools import partial
from pathlib import Path

from row import Row, one_by_one, timed

from recorders.exchange.lerobot_import import import_lerobot

RECORDER = Path(__file__).parents[2] / "doubles" / "lerobot_recorder.py"
FRAMES = 30
WORDS = ("stream:4", "stream:12", "png:4", "png:12", "batch:3", "image:4")
_LABELS = {"stream": "streaming video", "png": "PNG, then video", "batch": "PNG, video later",
           "image": "pictures in the table"}


def run(work: Path) -> list[Row]:
    """Record, kill, load with LeRobot, recover."""
    folder = work / "killed"
    with (work / "recorder.log").open("w") as log:
        child = subprocess.Popen([sys.executable, str(RECORDER), str(folder),
                                  *(f"{word}:{FRAMES}" for word in WORDS)], text=True, stderr=log,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdout is not None
        said = child.stdout.readline()
        child.kill()
        child.wait(30)
    assert said == "ready\n", f"LeRobot's recorder did not come so far: {log.name}"
    return one_by_one(*(partial(_row, folder, word, work) for word in WORDS))


def _row(folder: Path, word: str, work: Path) -> Row:
    mode, finished = word.split(":")
    dataset = folder / f"{mode}-{finished}"
    theirs = _loaded(dataset)
    with timed() as timer:
        done = import_lerobot(dataset, work / f"recovered-{mode}-{finished}", damaged=True)
    return Row(path=f"killed lerobot recorder ({_LABELS[mode]}, {finished} finished) → store",
               rows=done.frames, frames=done.frames * 2, seconds=timer.seconds,
               check=f"{done.episodes} of {finished} episodes; LeRobot's loader: {theirs}",
               ok=done.episodes == int(finished),
               figures={"recovered": done.episodes, "finished": int(finished), "theirs": theirs,
                        "lost": "; ".join(done.lost)})


def _loaded(dataset: Path) -> str:
    """How many episodes LeRobot's own loader opens, or why none."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    try:
        return f"{LeRobotDataset('killed/it', root=dataset).num_episodes} episodes"
    except Exception as error:      # whatever it says is the result
        return f"none, {type(error).__name__}"

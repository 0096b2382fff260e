"""What lerobot-train left drives our simulated arm: `tandem eval`, and a recorded rollout."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lerobot_train
from row import TASK, Row, timed

from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore

SECONDS = 2


def run(work: Path) -> list[Row]:
    """Drive with the folder as it is; nothing is said about it."""
    folder, store = lerobot_train.trained(work), work / "driven"
    with timed() as trying:
        tried = _tandem("eval", folder, "--task", TASK, "--seeds", "5000:5001", "--max-s", SECONDS)
    with timed() as driving:
        driven = _tandem("rollout", "--policy", folder, "--task", TASK, "--max-s", SECONDS,
                         "--fast", "--record", store)
    with DemoStore.open(store) as opened:
        episodes = [EpisodeReader(opened.episode_path(one.episode)) for one in opened.episodes()]
    chunks = sum(len(episode["chunk"]) for episode in episodes)
    frames = sum(len(episode["front"]) for episode in episodes)
    calls = tried.get("system1_calls_per_s")
    return [
        Row(path="lerobot-train → tandem eval", rows=int(tried.get("episodes", 0)), frames=0,
            seconds=trying.seconds, ok="error" not in tried and bool(calls),
            check=tried.get("error") or f"{calls:.1f} chunks/s of the robot's time"),
        Row(path="lerobot-train → tandem rollout → store", rows=chunks, frames=frames,
            seconds=driving.seconds, ok=chunks > SECONDS and not driven.get("problem"),
            check=driven.get("error") or f"{chunks} chunks recorded")]


def _tandem(*words: object) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "studio.cli", *map(str, words), "--json"],
                          capture_output=True, text=True, timeout=300)
    return json.loads(done.stdout or "{}") or {"error": done.stderr.strip().splitlines()[-1]}

"""Our arm, operator, task and data in LeRobot's own commands, by `discover_packages_path`.

Each command is run as it is for some frames; lerobot-teleoperate runs with the small distribution
lerobot_robot_tandem instead, which makes LeRobot find everything by itself.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import lerobot_train
import numpy as np
import pyarrow.parquet as pq
from row import Row, one_by_one, timed

SHIM = Path(__file__).parents[3] / "lerobot_robot_tandem"
PLUGIN, SECONDS, FPS, FRAMES = "studio.lerobot_plugin", 3, 10, 20
ROBOT = ("--robot.type=tandem_sim", f"--robot.discover_packages_path={PLUGIN}")
SILENT = ("--play_sounds=false", "--display_data=false")


def run(work: Path) -> list[Row]:
    """Record, teleoperate, evaluate and roll out."""
    return one_by_one(*(partial(step, work)
                        for step in (_record, _teleoperate, _evaluate, _roll_out)))


def _record(work: Path) -> Row:
    to = work / "by-lerobot-record"
    seconds, problem = run_lerobot("record", [
        *ROBOT, "--teleop.type=tandem_scripted", "--dataset.repo_id=tandem/recorded",
        f"--dataset.root={to}", "--dataset.no_stamp=true", "--dataset.single_task=put it in",
        "--dataset.num_episodes=1", f"--dataset.episode_time_s={SECONDS}",
        "--dataset.reset_time_s=0", "--dataset.push_to_hub=false", f"--dataset.fps={FPS}", *SILENT])
    files = sorted(to.glob("data/*/*.parquet"))
    states = np.concatenate([np.stack(pq.read_table(file)["observation.state"].to_numpy())
                             for file in files]) if files else np.zeros((0, 8))
    moved = float(np.ptp(states, axis=0).max()) if len(states) else 0.0
    return Row(path="lerobot-record: tandem_sim, tandem_scripted", rows=len(states),
               frames=2 * len(states), seconds=seconds, ok=not problem and moved > 0.05,
               check=problem or f"a joint moved by {moved:.2f} rad")


def _teleoperate(work: Path) -> Row:
    packages = shim(work)
    seconds, problem = run_lerobot("teleoperate", [
        "--robot.type=tandem_sim", "--teleop.type=tandem_scripted", f"--fps={FPS}",
        f"--teleop_time_s={SECONDS}"], {"PYTHONPATH": str(packages)})
    return Row(path="lerobot-teleoperate: found by lerobot_robot_tandem", rows=SECONDS * FPS,
               frames=0, seconds=seconds, ok=not problem, check=problem or "it ran to its end")


def shim(work: Path) -> Path:
    """A folder with the small distribution installed; installed once.

    Raises:
        RuntimeError: it could not be built.
    """
    packages = work / "shim"
    if not packages.exists():
        done = subprocess.run(
            [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--no-deps",
             "--python", sys.executable, "--target", packages, SHIM],
            capture_output=True, text=True, timeout=200)
        if done.returncode:
            raise RuntimeError(f"lerobot_robot_tandem was not built: {done.stderr.strip()[-200:]}")
    return packages


def _evaluate(work: Path) -> Row:
    policy = lerobot_train.trained(work) / "checkpoints/last/pretrained_model"
    to = work / "by-lerobot-eval"
    seconds, problem = run_lerobot("eval", [
        f"--policy.path={policy}", "--env.type=tandem", f"--env.discover_packages_path={PLUGIN}",
        f"--env.episode_length={FRAMES}", "--eval.n_episodes=1", "--eval.batch_size=1",
        f"--output_dir={to}"])
    found = (to / "eval_info.json").is_file()
    return Row(path="lerobot-eval: ACT on env tandem", rows=FRAMES, frames=2 * FRAMES,
               seconds=seconds, ok=not problem and found,
               check=problem or "eval_info.json written")


def _roll_out(work: Path) -> Row:
    policy = lerobot_train.trained(work) / "checkpoints/last/pretrained_model"
    seconds, problem = run_lerobot("rollout", [
        f"--policy.path={policy}", *ROBOT, "--strategy.type=base", f"--duration={SECONDS}",
        f"--fps={FPS}", "--task=put it in", *SILENT])
    return Row(path="lerobot-rollout: ACT on tandem_sim", rows=SECONDS * FPS, frames=0,
               seconds=seconds, ok=not problem, check=problem or "it ran to its end")


def run_lerobot(command: str, words: Sequence[str], more: dict[str, str] | None = None
                ) -> tuple[float, str]:
    """How long a command of LeRobot took, and what went wrong."""
    with timed() as timer:
        done = subprocess.run(
            [sys.executable, "-m", f"lerobot.scripts.lerobot_{command}", *words],
            env={**os.environ, "HF_HUB_OFFLINE": "1", **(more or {})}, capture_output=True,
            text=True, timeout=600)
    lines = done.stderr.strip().splitlines() or [""]
    return timer.seconds, f"exit code {done.returncode}: {lines[-1]}" if done.returncode else ""

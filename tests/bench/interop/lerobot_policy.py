"""Our dual-system policy in LeRobot's own commands: exported, lerobot-eval, lerobot-rollout.

Without a trained run it is one whose network never learned: everything runs, nothing succeeds. With
`--run FOLDER` LeRobot's loop and `tandem eval` drive it through the same scenes. lerobot-rollout
finds the type through the small distribution lerobot_robot_tandem.
"""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import lerobot_commands
from row import RUN, TASK, Row, one_by_one, timed

sys.path.insert(0, str(Path(__file__).parents[2]))
from doubles.random_checkpoint import write_random_run

SEEDS, FEW, SECONDS = (5000, 5020), 2, 3


def run(work: Path) -> list[Row]:
    """Export, evaluate, roll out."""
    trained = os.environ.get(RUN, "")
    folder, to = Path(trained or write_random_run(work / "random-run")), work / "as-lerobot"
    told = _tandem("export-policy", folder, "--to", to)
    if "error" in told:
        return [Row(path="tandem export-policy", rows=0, frames=0, seconds=0, ok=False,
                    check=told["error"])]
    scenes = SEEDS[1] - SEEDS[0] if trained else FEW
    return one_by_one(partial(_evaluate, work, to, scenes, folder if trained else None),
                      partial(_roll_out, work, to))


def _evaluate(work: Path, policy: Path, scenes: int, trained: Path | None) -> Row:
    to = work / "ours-by-lerobot-eval"
    seconds, problem = lerobot_commands.run_lerobot("eval", [
        f"--policy.path={policy}", "--env.type=tandem", f"--env.task={TASK}", "--env.senses=true",
        f"--env.discover_packages_path={lerobot_commands.PLUGIN}", f"--eval.n_episodes={scenes}",
        "--eval.batch_size=1", f"--seed={SEEDS[0]}", f"--output_dir={to}",
        *([] if trained else ["--env.episode_length=20"])])
    path = "tandem train → lerobot-eval: policy tandem on env tandem"
    if problem:
        return Row(path=path, rows=0, frames=0, seconds=seconds, ok=False, check=problem)
    theirs = round(json.loads((to / "eval_info.json").read_text())["overall"]["pc_success"]
                   * scenes / 100)
    check, figures = f"{scenes} episodes of a network that never learned", {}
    if trained is not None:
        with timed() as timer:
            tried = _tandem("eval", trained, "--task", TASK, "--seeds",
                            f"{SEEDS[0]}:{SEEDS[0] + scenes}")
        check = (f"{theirs} of {scenes} succeed; by tandem eval {tried['successes']} of "
                 f"{tried['episodes']} in {timer.seconds:.0f} s")
        figures: dict[str, float | str] = {"lerobot": theirs, "tandem": tried["successes"],
                                           "scenes": scenes}
    return Row(path=path, rows=scenes, frames=0, seconds=seconds, ok=True, check=check,
               figures=figures)


def _roll_out(work: Path, policy: Path) -> Row:
    packages = lerobot_commands.shim(work)
    seconds, problem = lerobot_commands.run_lerobot("rollout", [
        f"--policy.path={policy}", f"--policy.fps={lerobot_commands.FPS}",
        "--robot.type=tandem_sim", "--robot.senses=true", "--strategy.type=base",
        f"--duration={SECONDS}", f"--fps={lerobot_commands.FPS}",
        "--task=put the red cube in the bin", *lerobot_commands.SILENT],
        {"PYTHONPATH": str(packages)})
    return Row(path="tandem train → lerobot-rollout: policy tandem, found by lerobot_robot_tandem",
               rows=SECONDS * lerobot_commands.FPS, frames=0, seconds=seconds, ok=not problem,
               check=problem or "it ran to its end")


def _tandem(*words: object) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "studio.cli", *map(str, words), "--json"],
                          capture_output=True, text=True, timeout=600)
    return json.loads(done.stdout or "{}") or {"error": done.stderr.strip().splitlines()[-1]}

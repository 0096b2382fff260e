"""`lerobot-train` learns from our export: a small ACT, a few steps, on the CPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import lerobot_export
from row import Row, timed

STEPS = 4


def run(work: Path) -> list[Row]:
    """Train for a few steps; the loss must be a number and a checkpoint be there."""
    dataset, out = lerobot_export.exported(work), work / "act"
    words = [f"--dataset.root={dataset}", "--dataset.repo_id=tandem/interop", "--policy.type=act",
             "--policy.device=cpu", "--policy.push_to_hub=false", "--policy.dim_model=64",
             "--policy.n_heads=4", "--policy.dim_feedforward=128", "--policy.chunk_size=8",
             "--policy.n_action_steps=8", "--policy.pretrained_backbone_weights=null",
             "--batch_size=2", "--num_workers=0", f"--steps={STEPS}", "--log_freq=1",
             f"--save_freq={STEPS}", f"--output_dir={out}", "--wandb.enable=false"]
    log = work / "lerobot-train.log"
    with timed() as timer, log.open("w") as file:
        code = subprocess.run([sys.executable, "-m", "lerobot.scripts.lerobot_train", *words],
                              stdout=file, stderr=file, timeout=400,
                              env={**os.environ, "HF_HUB_OFFLINE": "1"}).returncode
    losses = [float(found) for found in re.findall(r"loss:([0-9.]+)", log.read_text())]
    kept = (out / "checkpoints/last/pretrained_model/model.safetensors").exists()
    return [Row(path="store → LeRobot v3.0 → lerobot-train (ACT)", rows=2 * STEPS, frames=4 * STEPS,
                seconds=timer.seconds, ok=code == 0 and kept and len(losses) >= STEPS,
                check=f"{len(losses)} steps logged, loss {losses[0]:.2f} to {losses[-1]:.2f}, "
                      f"checkpoint kept" if losses else
                f"exit code {code}: {log.read_text().strip().splitlines()[-1]}")]


def trained(work: Path) -> Path:
    """What lerobot-train wrote; trained once.

    Raises:
        RuntimeError: it wrote nothing.
    """
    if not (work / "act").exists() and not (row := run(work)[0]).ok:
        raise RuntimeError(f"lerobot-train: {row.check}")
    return work / "act"

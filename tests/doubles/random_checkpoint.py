"""A run whose network never learned anything: real files, real sizes, real speed, random weights.

It is as sure of what it says as a trained one (its words' logits are blown up), so that it drives.
"""

from pathlib import Path

import msgspec
import torch

from policy.data.normaliser import Normaliser
from policy.interfaces import PolicySpec
from policy.network.building import DualDescription, build
from policy.network.config import DualConfig
from policy.runs.checkpoints import weights_of
from policy.runs.run_folder import RunFolder, RunState
from policy.words import WordTokenizer

WORDS = ("put the red cube in the bin", "put the blue cube in the bin")
FELT = 9 + 2 + 3 + 2        # tool, gripper, lag and touch of the simulated arm
SURE = 1000.0


def write_random_run(folder: Path, step: int = 7, **says: object) -> Path:
    """A run with one checkpoint, that sees the front camera; `says` stands in its config."""
    torch.manual_seed(step)
    spec = PolicySpec(cameras={"front": "rgb"})
    words = WordTokenizer.fitted(WORDS).words
    described = DualDescription(
        spec=spec, config=DualConfig(), words=words, phrase_words=words,
        proprioception=FELT, action=7,
        normaliser=Normaliser(
            proprioception_mean=(0.0,) * FELT, proprioception_scale=(1.0,) * FELT,
            position_mean=(0.4, 0.0, 0.2), position_scale=(0.1,) * 3, action_scale=(0.002,) * 6))
    model = build(described)
    with torch.no_grad():
        model.body.word_out.weight *= SURE      # pyright: ignore[reportOperatorIssue]
    run = RunFolder.create(folder, {"kind": "dual", "dual": msgspec.to_builtins(described),
                                     **says})
    run.save(RunState(step=step, minutes=0.0, seed=0), {"model": weights_of(model)})
    return folder

"""The rule policy as a checkpoint: a folder that says its version, and whether it is broken.

Stands in for `policy.runs.checkpoints:load_policy` in the policy's process.
"""

import json
from pathlib import Path

import msgspec
import numpy as np
from doubles.rule_policy import RulePolicy

from policy.errors import CheckpointError
from policy.interfaces import Chunk, Held, Latent, Observation

LOADER = "doubles.rule_policy_files:load"


class VersionedRule(RulePolicy):
    """Says its version; a broken one acts in NaN."""

    def __init__(self, version: int, broken: bool = False) -> None:
        super().__init__()
        self.weights_version, self._broken = version, broken

    def think(self, observation: Observation) -> Latent:
        return msgspec.structs.replace(super().think(observation),
                                       weights_version=self.weights_version)

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        asked = latent if latent.payload else msgspec.structs.replace(latent, payload="red")
        chunk = super().act(observation, asked, held)
        return msgspec.structs.replace(chunk, targets=chunk.targets * np.nan) if self._broken \
            else chunk


def write(folder: Path, version: int, broken: bool = False) -> Path:
    folder.mkdir(parents=True)
    (folder / "rule.json").write_text(json.dumps({"version": version, "broken": broken}))
    return folder


def load(folder: str, device: str) -> VersionedRule:
    try:
        return VersionedRule(**json.loads((Path(folder) / "rule.json").read_text()))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} holds no rule") from error

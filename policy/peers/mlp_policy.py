"""The plain network as a `Policy`.

Knows the network, the statistics and the units; knows no clock, no robot and no store.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import torch

from policy.actions import targets_of
from policy.interfaces import Chunk, Held, Latent, Observation
from policy.peers.instruction_words import InstructionWords
from policy.peers.mlp import MlpDescription, MlpNetwork
from policy.peers.one_speed import OneSpeed
from policy.runs.checkpoints import load_weights, read_weights


class MlpPolicy(OneSpeed):
    """Drives with a `MlpNetwork`; see `policy.interfaces.Policy`."""

    def __init__(self, network: MlpNetwork, description: MlpDescription, *,
                 weights_version: int = 0) -> None:
        super().__init__(description.spec, weights_version)
        self.network, self._description = network.eval(), description
        self._words = InstructionWords(description.words)
        self._device = next(network.parameters()).device

    @classmethod
    def from_checkpoint(cls, checkpoint: Path, config: Mapping[str, Any], device: str = "cpu"
                        ) -> Self:
        """From a run's folder; see policy/runs/checkpoints.py.

        Raises:
            CheckpointError: if the weights are damaged or do not fit.
        """
        description = msgspec.convert(config["mlp"], MlpDescription)
        network = MlpNetwork(description).to(device)
        load_weights(network, read_weights(checkpoint, device), checkpoint)
        return cls(network, description, weights_version=int(checkpoint.name))

    def reset(self, seed: int = 0) -> None:
        """Nothing is remembered between observations."""

    @torch.no_grad()
    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        """A chunk from what is seen and felt now."""
        normaliser = self._description.normaliser
        felt = normaliser.normalise_proprioception(observation.proprioception)
        images = None
        if self._description.pixels:
            seen = np.stack([observation.images[camera] for camera in self.spec.cameras])
            images = torch.from_numpy(seen).permute(0, 3, 1, 2)[None].to(self._device)
        wanted = self.network(self._tensor(felt), self._tensor(
            self._words.encode(observation.instruction)), images)[0]
        actions = normaliser.denormalise_actions(wanted.cpu().numpy().astype(np.float64))
        actions[:, -1] = np.clip(actions[:, -1], 0.0, 1.0)
        targets = targets_of(observation.base, actions, self.spec.action_space)
        return self.chunk(targets, observation, latent, held)

    def _tensor(self, row: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.asarray(row, np.float32))[None].to(self._device)

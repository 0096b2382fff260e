"""A LeRobot policy behind our `Policy` protocol, so that everything drives with it unchanged.

It is asked for a chunk when a chunk is wanted, and predicts anew every time: a fresh answer to a
fresh picture, which is kinder to it than LeRobot's habit of playing whole chunks blindly.
Knows LeRobot's batches and the units; knows no clock, no robot and no store.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import torch

from policy.interfaces import Chunk, Held, Latent, Observation
from policy.peers.instruction_words import InstructionWords
from policy.peers.lerobot_build import PICTURES, STATE, Peer, PeerDescription, build_peer
from policy.peers.one_speed import OneSpeed
from policy.runs.checkpoints import load_weights, read_weights


class LeRobotPolicy(OneSpeed):
    """Drives with ACT or Diffusion Policy; see `policy.interfaces.Policy`."""

    def __init__(self, peer: Peer, description: PeerDescription, *,
                 weights_version: int = 0) -> None:
        super().__init__(description.spec, weights_version)
        self.peer, self._description = peer, description
        peer.network.eval()
        self._words = InstructionWords(description.words)
        self._noise = torch.Generator().manual_seed(0)
        self._device = next(peer.network.parameters()).device

    @classmethod
    def from_checkpoint(cls, checkpoint: Path, config: Mapping[str, Any], device: str = "cpu"
                        ) -> Self:
        """From a run's folder; see policy/runs/checkpoints.py.

        Raises:
            CheckpointError: if the weights are damaged or do not fit.
        """
        description = msgspec.convert(config["peer"], PeerDescription)
        peer = build_peer(description, device=device)
        load_weights(peer.network, read_weights(checkpoint, device), checkpoint)
        return cls(peer, description, weights_version=int(checkpoint.name))

    def reset(self, seed: int = 0) -> None:
        """A new episode: the noise of its chunks begins at `seed`."""
        self._noise.manual_seed(seed)

    @torch.no_grad()
    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        """Joint targets from what is seen and felt now."""
        batch = self.peer.before(self._batch(observation))
        network, settings = self.peer.network, self._description.settings
        noise = {}
        if self._description.kind == "diffusion":
            noise["noise"] = torch.randn(1, settings.horizon, self._description.joints,
                                         generator=self._noise).to(self._device)
        actions = self.peer.after(network.predict_action_chunk(batch, **noise))     # (1, H, D)
        targets = actions[0, :settings.steps].numpy().astype(np.float64)
        targets[:, -1] = np.clip(targets[:, -1], 0.0, 1.0)
        return self.chunk(targets, observation, latent, held)

    def _batch(self, observation: Observation) -> dict[str, torch.Tensor]:
        state = np.concatenate([observation.proprioception,
                                self._words.encode(observation.instruction)])
        batch = {STATE: torch.from_numpy(state.astype(np.float32))[None]}
        for camera in self.spec.cameras:
            picture = torch.from_numpy(observation.images[camera]).permute(2, 0, 1)
            batch[f"{PICTURES}{camera}"] = picture[None].float() / 255
        if self._description.kind == "diffusion":       # it wants a time axis
            batch = {name: value[:, None] for name, value in batch.items()}
        return batch

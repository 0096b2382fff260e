"""What policies without a System 2 have in common.

They think nothing: the latent is empty, says no sub-task, and never grows stale in any way that
matters to them. Knows the `Policy` contract; knows no networks.
"""

import numpy as np

from policy.interfaces import Chunk, Held, Latent, Observation, PolicySpec


class OneSpeed:
    """The slow half of a policy that has none, and the form of its answers.

    Attributes:
        spec: what it wants to see and how it answers.
        weights_version: said in every latent and chunk.
    """

    def __init__(self, spec: PolicySpec, weights_version: int) -> None:
        self.spec, self.weights_version = spec, weights_version
        self._latents = 0

    def think(self, observation: Observation) -> Latent:
        """An empty latent."""
        self._latents += 1
        return Latent(latent_id=self._latents, observation_ns=observation.stamp_ns,
                      instruction_id=observation.instruction_id,
                      weights_version=self.weights_version)

    def chunk(self, targets: np.ndarray, observation: Observation, latent: Latent,
              held: Held | None) -> Chunk:
        """Targets as a chunk, where held the held ones.

        Args:
            targets: (H, T) in the policy's action space; the first is one step away.
            observation, latent, held: what `act` was given.
        """
        if held is not None:
            targets = np.where(held.mask, held.targets, targets)
        return Chunk(
            targets=targets, space=self.spec.action_space,
            first_ns=observation.stamp_ns + self.spec.step_ns, step_ns=self.spec.step_ns,
            observation_ns=observation.stamp_ns, latent_id=latent.latent_id,
            latent_ns=latent.observation_ns, instruction_id=observation.instruction_id,
            weights_version=latent.weights_version)

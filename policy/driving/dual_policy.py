"""The dual-system network as a `Policy`: observations in, latents and chunks out.

Turns pictures and poses into the network's tensors and back, and lets System 2 work in slices, so
that whoever serves it can run System 1 in between. Knows the network, the statistics and the units;
knows no clock, no robot and no store.
"""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
import torch
from torch import Tensor

from policy.actions import targets_of
from policy.data.normaliser import Normaliser
from policy.driving.held_actions import HeldActions
from policy.interfaces import Chunk, Held, Latent, Observation, PolicySpec
from policy.monitoring.novelty import signature
from policy.network.building import DualDescription, build
from policy.network.dual_system import DualSystem
from policy.network.speech import saying
from policy.runs.checkpoints import load_weights, read_weights
from policy.words import STOP_WORDS, split

HALF_OPEN = 0.5     # a gripper is told to open or to close, as operators do
SURE = 0.5      # System 2 must be surer than this of every word that says what is meant
CHANGES = 0.8   # and surer than this of the first (what to do next) to change its mind


class Thought(NamedTuple):
    """A latent's payload: all that System 1 gets to know of System 2.

    Attributes:
        latents: Z (1, Q, d).
        code: (1, 2 c) what it said, as System 1 hears it.
    """

    latents: Tensor
    code: Tensor


class DualPolicy:
    """Drives with a `DualSystem`; see `policy.interfaces.Policy`.

    Args:
        model: trained; put into evaluation mode.
        spec: what it wants to see.
        normaliser: fitted on the demonstrations.
        weights_version: said in every latent and chunk.
        subtasks: phrases that System 2 was taught.

    Attributes:
        flow_steps: Euler steps of a chunk; 0 lets the direct head answer.
    """

    def __init__(self, model: DualSystem, spec: PolicySpec, normaliser: Normaliser, *,
                 weights_version: int = 0, subtasks: tuple[str, ...] = ()) -> None:
        self.model, self.spec, self.normaliser = model.eval(), spec, normaliser
        self.weights_version, self.subtasks = weights_version, subtasks
        self.flow_steps = model.config.flow_steps
        self._device = next(model.parameters()).device
        self._noise = torch.Generator().manual_seed(0)
        self._latents = 0
        self._last: Latent | None = None        # of this episode
        self._instructions: dict[str, tuple[Tensor, Tensor]] = {}   # the last one, as tokens

    @classmethod
    def from_checkpoint(cls, checkpoint: Path, config: Mapping[str, Any], device: str = "cpu"
                        ) -> Self:
        """From a run's folder; see policy/runs/checkpoints.py.

        Raises:
            CheckpointError: if the weights are damaged or do not fit.
        """
        description = msgspec.convert(config["dual"], DualDescription)
        model = build(description).to(device)
        load_weights(model, read_weights(checkpoint, device), checkpoint)
        return cls(model, description.spec, description.normaliser,
                   weights_version=int(checkpoint.name), subtasks=description.subtasks)

    def reset(self, seed: int = 0) -> None:
        """A new episode: the noise of its chunks begins at `seed`."""
        self._noise.manual_seed(seed)
        self._last = None

    def think(self, observation: Observation) -> Latent:
        """System 2, on one observation."""
        *_, latent = self.think_slices(observation)
        assert latent is not None
        return latent

    @torch.no_grad()
    def think_slices(self, observation: Observation) -> Iterator[Latent | None]:
        """System 2 in slices of one block or one word: None after each, the latent at last."""
        model, said = self.model, observation.instruction
        if said not in self._instructions:
            self._instructions = {said: model.body.tokenizer.encode([said])}
        ids, known = (t.to(self._device) for t in self._instructions[said])
        tokens, there = model.read(self._pictures(observation), ids, known,
                                   self._state(observation), self._cloud(observation))
        yield None
        cache = []
        for block in range(model.trunk_blocks):
            tokens, grown = model.body.run(tokens, block, block + 1, mask=there)
            cache += grown
            yield None
        z, words, likely, entropy = model.bridge(tokens), [], [], []
        for spoken in saying(model, z, tuple(cache), there, model.hints(tokens)):
            words, likely, entropy = spoken.words[0], spoken.likely[0], spoken.entropy[0]
            yield None
        phrase = model.body.tokenizer.decode(words)
        asked = said if model.config.code == "instruction" else phrase
        self._latents += 1
        self._last = self._decided(Latent(
            latent_id=self._latents, observation_ns=observation.stamp_ns,
            instruction_id=observation.instruction_id, weights_version=self.weights_version,
            subtask=phrase, understood=self.understands(said, likely),
            entropy=max(entropy, default=math.nan),
            signature=tuple(signature(z.float().cpu().numpy()).tolist()),
            payload=Thought(z, model.code([asked]))), likely)
        yield self._last

    def _decided(self, new: Latent, likely: list[float]) -> Latent:
        """With the words before, where the new ones are a close call.

        A picture may look alike before and after something was done (a hand above a button). There
        System 2 is about as sure of either, and changing its words at every run keeps the arm to
        and fro; so it stays with what it said until it is sure of something else.
        """
        last = self._last
        if last is None or not last.understood or last.instruction_id != new.instruction_id \
                or not likely or likely[0] >= CHANGES:
            return new
        before: Thought = last.payload
        return msgspec.structs.replace(new, subtask=last.subtask, payload=Thought(
            new.payload.latents, before.code))

    @torch.no_grad()
    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        """System 1, on a fresh observation and a latent of any age."""
        spec, model = self.spec, self.model
        age = (observation.stamp_ns - latent.observation_ns) / spec.step_ns
        thought: Thought = latent.payload
        context = model.look(thought.latents, thought.code,
                             torch.tensor([age], device=self._device).float(),
                             self._pictures(observation), self._state(observation),
                             self._cloud(observation))
        decided = None if held is None else HeldActions(held, observation.base, spec.action_space)
        values, clean = self._known(decided)
        fit = partial(self._fitted, decided) if decided is not None and decided.bends else None
        if self.flow_steps:
            noise = torch.randn(values.shape, generator=self._noise).to(self._device)
            chunk = model.denoise(context, noise, self.flow_steps, values, clean, fit)
        else:
            chunk = torch.where(clean > 0, values, context.direct)
            chunk = chunk if fit is None else fit(chunk)
        actions = self._actions(chunk)
        free = ~held.mask[:, -1] if held else slice(None)
        actions[free, -1] = actions[free, -1] > HALF_OPEN
        return Chunk(
            targets=targets_of(observation.base, actions, spec.action_space),
            space=spec.action_space, first_ns=observation.stamp_ns + spec.step_ns,
            step_ns=spec.step_ns, observation_ns=observation.stamp_ns,
            latent_id=latent.latent_id, latent_ns=latent.observation_ns,
            instruction_id=latent.instruction_id, weights_version=latent.weights_version,
            subtask=latent.subtask)

    @property
    def subtask_words(self) -> tuple[str, ...]:
        """That a person may make a sub-task of; none if System 1 hears the instruction itself."""
        return () if self.model.config.code == "instruction" else self.model.code.tokenizer.words

    @torch.no_grad()
    def told(self, latent: Latent, subtask: str) -> Latent:
        """The latent as if System 2 had said this, and understood what is asked for."""
        thought: Thought = latent.payload
        return msgspec.structs.replace(
            latent, subtask=subtask, understood=True,
            payload=Thought(thought.latents, self.model.code([subtask])))

    def understands(self, instruction: str, likely: list[float]) -> bool:
        """Whether System 2 knows what is asked for: it knows a word that matters, and is sure of
        every word that it says but the first (what to do next may be a close call, with what not).

        Args:
            instruction: what was asked.
            likely: how likely each word was that it said.
        """
        matter = [word for word in split(instruction) if word not in STOP_WORDS]
        unknown = set(self.model.body.tokenizer.unknown(instruction))
        return bool(likely) and any(word not in unknown for word in matter) \
            and min(likely[1:], default=0.0) >= SURE

    def _pictures(self, observation: Observation) -> Tensor:
        """(1, V, 3, height, width) in 0..1."""
        pictures = np.stack([observation.images[camera] for camera in self.spec.cameras])
        return torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2)[None].float() / 255

    def _cloud(self, observation: Observation) -> Tensor | None:
        """(1, points, 6) normalised."""
        if observation.cloud is None:
            return None
        cloud = self.normaliser.normalise_cloud(torch.from_numpy(observation.cloud))
        return cloud[None].to(self._device)

    def _state(self, observation: Observation) -> Tensor:
        """(1, P) normalised."""
        state = self.normaliser.normalise_proprioception(observation.proprioception)
        return torch.from_numpy(np.asarray(state, np.float32))[None].to(self._device)

    def _known(self, decided: HeldActions | None) -> tuple[Tensor, Tensor]:
        """(1, C) normalised actions and where they are decided."""
        if decided is None:
            nothing = torch.zeros(1, self.spec.steps * self.model.action, device=self._device)
            return nothing, nothing
        normal = self.normaliser.normalise_actions(decided.actions)
        return (self._flat(np.where(decided.mask, normal, 0.0)), self._flat(decided.mask))

    def _fitted(self, decided: HeldActions, chunk: Tensor) -> Tensor:
        """(1, C) normalised actions led through every place that is held."""
        return self._flat(self.normaliser.normalise_actions(decided.fitted(self._actions(chunk))))

    def _actions(self, chunk: Tensor) -> np.ndarray:
        """(H, A) of a chunk (1, C) as the network says it."""
        return self.normaliser.denormalise_actions(
            chunk.view(self.spec.steps, -1).cpu().numpy().astype(np.float64))

    def _flat(self, actions: np.ndarray) -> Tensor:
        """(1, C) of (H, A)."""
        return torch.from_numpy(actions.astype(np.float32).reshape(1, -1)).to(self._device)

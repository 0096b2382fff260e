"""A policy that LeRobot trained, behind our `Policy` protocol.

It drives as any other: asked for a chunk when one is wanted, it predicts anew, and takeover,
override, recording and joining are the station's. Policies that look back are shown the past at the
rate that they learned at, which is why this one sees every observation. Knows LeRobot's batches;
knows no robot, no clock and no store.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import torch

from policy.foreign.action_forms import targets
from policy.foreign.lerobot_folder import LeRobotFolder, inner_folder
from policy.foreign.lerobot_network import LeRobotNetwork
from policy.foreign.lerobot_wiring import Wiring, misfits, wiring_of
from policy.foreign.policy_map import PolicyMap
from policy.interfaces import Chunk, Held, Latent, Observation
from policy.peers.one_speed import OneSpeed
from recorders.streams import StreamSpec


class FolderPolicy(OneSpeed):
    """Drives with a LeRobot policy; see `policy.interfaces.Policy`."""

    def __init__(self, folder: LeRobotFolder, wiring: Wiring, network: LeRobotNetwork) -> None:
        self._folder, self._wiring, self._network = folder, wiring, network
        self._felt, self._past = wiring.felt, deque[Observation]()
        self._chance = torch.Generator().manual_seed(0).get_state()
        steps = len(network.chunk([self._blank()]))
        super().__init__(wiring.spec(folder, steps), 0)
        self.reset()

    @classmethod
    def open(cls, path: Path, device: str = "cpu", wishes: Sequence[str] = ()) -> Self:
        """From a folder that lerobot-train left.

        Args:
            path: of the folder itself, of a checkpoint, or what lerobot-train was told to write to.
            device: "cpu" or "cuda".
            wishes: pairs of `--policy-map`.

        Raises:
            CheckpointError: it cannot be loaded, or does not say what its numbers mean.
        """
        folder = LeRobotFolder.read(inner_folder(path))
        wiring = wiring_of(folder, PolicyMap.parse(wishes))
        return cls(folder, wiring, LeRobotNetwork.load(folder, device))

    def misfits(self, robot: str, joint_names: Sequence[str], streams: Sequence[StreamSpec]
                ) -> list[str]:
        """See `policy.interfaces.Choosy`."""
        return misfits(self._folder, self._wiring, robot, joint_names, streams)

    def reset(self, seed: int = 0) -> None:
        """A new episode: nothing was seen yet, and chance begins at `seed`."""
        self._past.clear()
        self._network.reset()
        self._chance = torch.Generator().manual_seed(seed).get_state()

    def see(self, observation: Observation) -> None:
        """Keep an observation as the past of those that follow."""
        self._past.append(observation)
        oldest_ns = observation.stamp_ns - self._folder.history * self.spec.step_ns
        while self._past[0].stamp_ns < oldest_ns or self._past[0].stamp_ns > observation.stamp_ns:
            self._past.popleft()

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        """Targets from what is seen and felt now, and was before."""
        batches = [self._batch(one) for one in self._history(observation)]
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._chance)
            actions = self._network.chunk(batches).numpy()                          # (H, A)
            self._chance = torch.get_rng_state()
        return self.chunk(targets(self._wiring.action, actions, observation.base), observation,
                          latent, held)

    def _history(self, now: Observation) -> list[Observation]:
        """What was seen one step ago, two steps ago, …, oldest first; `now` is the last."""
        seen = [one for one in self._past if one.stamp_ns < now.stamp_ns]
        found = [now]
        for back in range(1, self._folder.history):
            until_ns = now.stamp_ns - (back - 0.5) * self.spec.step_ns
            found.append(next((one for one in reversed(seen) if one.stamp_ns <= until_ns),
                              found[-1]))
        return found[::-1]

    def _batch(self, observation: Observation) -> dict[str, Any]:
        batch: dict[str, Any] = {"task": observation.instruction, "robot_type": ""}
        for name, form in self._wiring.states.items():
            batch[name] = torch.from_numpy(
                self._felt.numbers(form, observation.proprioception))[None]
        for name, size in self._folder.pictures.items():
            batch[name] = _tensor(observation.images[self._wiring.cameras[name]], size)
        return self._there(batch)

    def _blank(self) -> dict[str, Any]:
        """A batch of nothing, to learn how long its chunks are."""
        batch: dict[str, Any] = {"task": "", "robot_type": ""}
        batch |= {name: torch.zeros(1, width) for name, width in self._folder.numbers.items()}
        batch |= {name: torch.zeros(1, 3, *size) for name, size in self._folder.pictures.items()}
        return self._there(batch)

    def _there(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {name: value.to(self._network.device) if isinstance(value, torch.Tensor) else value
                for name, value in batch.items()}


def _tensor(picture: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """(1, 3, H, W) in 0..1."""
    if picture.shape[:2] != size:
        picture = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255

"""Our dual-system policy as LeRobot calls one: `select_action`, frame after frame.

One driver (frame_driver.py) per environment of a batch; all share the network. What a robot or an
environment does not show is refused by name with the first frame. It is not trained here. Knows
LeRobot's base class and names; how the policy drives is the driver's business.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from lerobot.policies.pretrained import PreTrainedPolicy
from safetensors.torch import load_file
from torch import Tensor, from_numpy

from policy.driving.dual_policy import DualPolicy
from policy.driving.two_speeds import Pace
from policy.foreign.lerobot_export import (
    STATE,
    all_senses,
    depth_of,
    inputs_of,
    load_exported_weights,
    senses_of,
)
from policy.foreign.lerobot_folder import PICTURES
from policy.network.building import DualDescription, build
from studio.lerobot_plugin.configuration_tandem import TRAINED_BY_US, TandemConfig
from studio.lerobot_plugin.frame_driver import Frame, FrameDriver
from studio.sim.robot import SimRobot


class TandemPolicy(PreTrainedPolicy):
    """A dual-system policy for LeRobot's commands.

    Args:
        config: exported; one without a description is refused.

    Raises:
        ValueError: there is no description: it was not exported.
    """

    config_class = TandemConfig         # pyright: ignore[reportAssignmentType]
    name = "tandem"                     # pyright: ignore[reportAssignmentType]

    def __init__(self, config: TandemConfig, **_: Any) -> None:
        super().__init__(config)
        if not config.description:
            raise ValueError(TRAINED_BY_US)
        self._described = msgspec.convert(config.description, DualDescription)
        self._info = SimRobot(render=False).info
        self.model = build(self._described)
        self._asked: TandemConfig = config
        self._drivers: list[FrameDriver] = []
        self._episodes = 0

    @classmethod
    def _load_as_safetensor(cls, model: Any, model_file: str, map_location: str, strict: bool
                            ) -> Any:
        """All weights or none: a policy with some random ones would drive, too."""
        load_exported_weights(model.model, load_file(model_file, device=str(map_location)),
                              Path(model_file))
        return model

    def reset(self) -> None:
        """Another episode begins."""
        self._drivers, self._episodes = [], self._episodes + 1

    def select_action(self, batch: dict[str, Any], **_: Any) -> Tensor:
        """(B, D) where the joints shall be by the next frame.

        Raises:
            ValueError: something that it wants to see or feel is not there; names all of it.
        """
        frames = self._frames(batch)
        if not self._drivers:
            self._drivers = [self._driver() for _ in frames]
        actions = [driver.act(frame)
                   for driver, frame in zip(self._drivers, frames, strict=True)]
        return from_numpy(np.asarray(actions, np.float32)).to(batch[STATE].device)

    def predict_action_chunk(self, batch: dict[str, Any], **_: Any) -> Tensor:
        """It decides frame by frame when to look again."""
        raise NotImplementedError("a policy of the type tandem is asked for one action at a time: "
                                  "use --inference.type=sync")

    def forward(self, batch: dict[str, Any]) -> tuple[Tensor, dict | None]:
        """It is not trained here."""
        raise NotImplementedError(TRAINED_BY_US)

    def get_optim_params(self) -> dict:
        """It is not trained here."""
        raise NotImplementedError(TRAINED_BY_US)

    def _driver(self) -> FrameDriver:
        asked, described = self._asked, self._described
        policy = DualPolicy(self.model, described.spec, described.normaliser,
                            weights_version=asked.weights_version, subtasks=described.subtasks)
        pace = Pace(act_every_steps=asked.act_every, think_every=asked.think_every)
        return FrameDriver(policy, self._info, pace, 1 / asked.fps,
                           asked.noise_seed + self._episodes)

    def _frames(self, batch: dict[str, Any]) -> list[Frame]:
        """What each environment of a batch shows."""
        spec, joints = self._described.spec, len(self._asked.joints)
        given = _apart(batch, joints, next(iter(spec.cameras)))
        wanted = inputs_of(spec, joints)
        lacking = [name for name in wanted if name not in given]
        state = given.get(STATE)
        if state is not None and state.shape[-1] != joints:
            lacking.append(f"{STATE} as {joints} numbers ({', '.join(self._asked.joints)}), not "
                           f"{state.shape[-1]}")
        if lacking:
            raise ValueError(
                f"this policy wants {', '.join(lacking)}, which the robot or environment does not "
                "show: tandem_sim does with --robot.senses=true, the environment tandem with "
                "--env.senses=true; a robot without these senses needs a policy without them")
        words, depth = batch.get("task") or "", f"{PICTURES}{depth_of(spec)}"
        return [Frame(
            position=given[STATE][k].astype(float),
            pictures={camera: _picture(given[f"{PICTURES}{camera}"][k]) for camera in spec.cameras},
            senses={name: given[f"observation.{name}"][k].astype(float)
                    for name in senses_of(spec)},
            depth=given[depth][k, 0].astype(np.uint16) if depth in wanted else None,
            instruction=words if isinstance(words, str) else words[k])
            for k in range(len(given[STATE]))]


def _apart(batch: dict[str, Any], joints: int, camera: str) -> dict[str, np.ndarray]:
    """The observations as arrays; a robot's state with senses behind the joints, taken apart."""
    given = {name: value.cpu().numpy() for name, value in batch.items()
             if name.startswith("observation.") and isinstance(value, Tensor)}
    state, senses = given.get(STATE), all_senses(camera)
    if state is not None and state.shape[-1] == joints + sum(map(len, senses.values())):
        given[STATE], at = state[:, :joints], joints
        for name, names in senses.items():
            given[f"observation.{name}"], at = state[:, at:at + len(names)], at + len(names)
    return given


def _picture(channels_first: np.ndarray) -> np.ndarray:
    """(H, W, 3) u1 of (3, H, W) in 0..1."""
    return np.rint(channels_first.transpose(1, 2, 0) * 255).astype(np.uint8)

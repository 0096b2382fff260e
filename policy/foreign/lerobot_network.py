"""A LeRobot policy's network and processors out of its folder, whatever its type.

LeRobot makes them by its own registry, plug-ins included, and nothing is fetched: weights that a
backbone would begin from are in the checkpoint. Needs LeRobot, which takes seconds to import.
Knows how LeRobot's policies keep their past; knows no robot and no names of ours.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import torch

from policy.errors import CheckpointError
from policy.foreign.lerobot_folder import ACTION, BEFORE, LeRobotFolder

_STACKED, _FIRST = "observation.images", "observation.image"


class LeRobotNetwork:
    """Observations in LeRobot's units in, a chunk of actions in LeRobot's units out.

    Attributes:
        device: where it computes.
    """

    def __init__(self, network: Any, before: Any, after: Any) -> None:
        self._network, self._before, self._after = network, before, after
        self.device = next(network.parameters()).device

    @classmethod
    def load(cls, folder: LeRobotFolder, device: str = "cpu") -> Self:
        """Build it and give it its weights.

        Raises:
            CheckpointError: LeRobot has no such policy here, or cannot load it; says why.
        """
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors
        from lerobot.utils.import_utils import register_third_party_plugins

        if folder.type not in PreTrainedConfig.get_known_choices():
            register_third_party_plugins()
        if folder.type not in (known := PreTrainedConfig.get_known_choices()):
            raise CheckpointError(f"{folder.path} holds a policy of type '{folder.type}', which "
                                  "LeRobot does not know here: it knows "
                                  f"{', '.join(sorted(known))}; install the plug-in that it "
                                  "comes from")
        try:
            config = PreTrainedConfig.from_pretrained(folder.path)
            config.device, config.pretrained_path = device, folder.path
            if hasattr(config, "pretrained_backbone_weights"):
                setattr(config, "pretrained_backbone_weights", None)    # noqa: B010 (not of all)
            network = get_policy_class(folder.type).from_pretrained(folder.path, config=config)
            moved = {"device_processor": {"device": device}} if _moves(folder.path) else {}
            before, after = make_pre_post_processors(
                config, str(folder.path), preprocessor_overrides=moved)
        except Exception as error:      # LeRobot's own code, any type of policy: anything may come
            raise CheckpointError(f"{folder.path} cannot be loaded by LeRobot: "
                                  f"{type(error).__name__}: {_one_line(error)}") from error
        return cls(network.to(device).eval(), before, after)

    def reset(self) -> None:
        """Forget every past."""
        for one in (self._network, self._before, self._after):
            if hasattr(one, "reset"):
                one.reset()

    @torch.no_grad()
    def chunk(self, past: Sequence[dict[str, Any]]) -> torch.Tensor:
        """(H, A) actions, on the CPU.

        Args:
            past: the batches of one, oldest first; the last is now.
        """
        self._network.reset()
        batch: dict[str, Any] = {}
        for observed in past:
            batch = {name: value for name, value in self._before(dict(observed)).items()
                     if name != ACTION and value is not None}
            self._remember(batch)
        actions = self._after(self._network.predict_action_chunk(batch))
        if actions.ndim == 3:           # (1, H, A), or TD-MPC's (H, 1, A)
            actions = actions[0] if actions.shape[0] == 1 else actions[:, 0]
        return actions.float().cpu()

    def _remember(self, batch: dict[str, Any]) -> None:
        """Fill the queues from which some policies take their past, as their own loop would."""
        queues = getattr(self._network, "_queues", None) or {}
        if not queues.keys() - {ACTION}:
            return
        from lerobot.policies.utils import populate_queues

        pictures = [batch[name] for name in self._network.config.image_features]
        if _STACKED in queues:
            batch[_STACKED] = torch.stack(pictures, dim=-4)
        if _FIRST in queues and _FIRST not in batch:
            batch[_FIRST] = pictures[0]
        self._network._queues = populate_queues(queues, batch)


def _moves(folder: Path) -> bool:
    """Whether its preprocessor puts things on a device, which may be another one here."""
    steps = msgspec.json.decode((folder / BEFORE).read_bytes()).get("steps", ())
    return any(step.get("registry_name") == "device_processor" for step in steps)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]

"""LeRobot's ACT and Diffusion Policy, built as somebody would who has minutes and a CPU.

Their own classes, preprocessors and optimizer presets; what differs from LeRobot's defaults stands
in `SETTINGS`, each with its reason, and docs/peers.md says the same in words. A description plus
weights is a policy again. LeRobot is imported only when something is built: it takes seconds.
Knows LeRobot's configs; knows no files and no training.

Letters: D joints and gripper, K features of an instruction, S = D + K, H steps of a chunk.
"""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor

from policy.interfaces import PolicySpec

if TYPE_CHECKING:
    from lerobot.policies.pretrained import PreTrainedPolicy

PeerKind = Literal["act", "diffusion"]
PEER_KINDS: tuple[PeerKind, ...] = ("act", "diffusion")
STATE, ACTION, PICTURES = "observation.state", "action", "observation.images."
IMAGENET = "ResNet18_Weights.IMAGENET1K_V1"

# LeRobot normalises pictures with these unless told otherwise (`use_imagenet_stats`).
_PICTURE_STATS = {"mean": [[[0.485]], [[0.456]], [[0.406]]],
                  "std": [[[0.229]], [[0.224]], [[0.225]]],
                  "min": [[[0.0]]] * 3, "max": [[[1.0]]] * 3}


class PeerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is chosen for a peer.

    Attributes:
        horizon: steps that the network predicts.
        steps: H, how many of them are handed out.
        rows: of a batch.
        config: changes to LeRobot's own config of the policy.
    """

    horizon: int
    steps: int
    rows: int
    config: dict[str, Any]


SETTINGS: dict[PeerKind, PeerSettings] = {
    "act": PeerSettings(
        horizon=60, steps=60,                   # 100 steps at ALOHA's 50 Hz are 2 s: 60 at 30 Hz
        rows=8,                                 # LeRobot's default
        config={
            "chunk_size": 60, "n_action_steps": 60,
            # A third of the default's weights: 51.6 M took 1.8 s of CPU for a step of 8 rows.
            "dim_model": 256, "dim_feedforward": 1024,
            # 1e-5 is meant for 100,000 steps; in minutes a CPU makes a thousand.
            "optimizer_lr": 1e-4, "optimizer_lr_backbone": 1e-4,
        }),
    "diffusion": PeerSettings(
        horizon=64, steps=32,                   # LeRobot's defaults
        rows=16,
        config={
            "horizon": 64, "n_action_steps": 32,
            "n_obs_steps": 1,                   # a chunk is asked for now and then, not every frame
            "down_dims": (128, 256, 512),       # 40 M; the default's 275 M took 10 s for a step
            "noise_scheduler_type": "DDIM", "num_inference_steps": 10,
            "do_mask_loss_for_padding": True,   # steps that are no example are masked as padding
            "optimizer_lr": 3e-4,
        }),
}


class PeerDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A peer without its weights.

    Attributes:
        words: features of an instruction (policy/peers/instruction_words.py), K of them.
        joints: D.
        stats: of state and action, as LeRobot's normalisation wants them.
        imagenet: began with torchvision's ImageNet weights.
    """

    kind: PeerKind
    spec: PolicySpec
    settings: PeerSettings
    words: tuple[str, ...]
    joints: int
    stats: dict[str, dict[str, list[float]]]
    imagenet: bool = False


class Peer(NamedTuple):
    """A network of LeRobot's with what goes before and after it."""

    network: "PreTrainedPolicy"
    before: Any                 # a batch in units to a batch as the network wants it
    after: Any                  # actions of the network to units


def describe(
    kind: PeerKind, cameras: dict[str, str], picture_size: tuple[int, int],
    words: tuple[str, ...], state: np.ndarray, action: np.ndarray, *, imagenet: bool = False,
    settings: PeerSettings | None = None,
) -> PeerDescription:
    """Describe a peer for some demonstrations: pictures and joints in, absolute joints out.

    Args:
        kind: which.
        cameras: camera to picture.
        picture_size: (height, width).
        words: features of the instructions.
        state, action: (N, D) of all frames, for normalisation.
        imagenet: begin with torchvision's ImageNet weights, as LeRobot does by default.
        settings: in place of `SETTINGS[kind]`.
    """
    # The words are zeros and ones: they stay so, or become -1 and 1.
    words_stats = {"mean": 0.0, "std": 1.0, "min": 0.0, "max": 1.0}
    stats = {name: {how: [float(x) for x in getattr(np, how)(values, axis=0)]
                    for how in words_stats}
             for name, values in ((STATE, state), (ACTION, action))}
    for how, value in words_stats.items():
        stats[STATE][how] += [value] * len(words)
    settings = settings or SETTINGS[kind]
    spec = PolicySpec(cameras=cameras, picture_size=picture_size, proprioception=("joints",),
                      action_space="joints", steps=settings.steps)
    return PeerDescription(kind=kind, spec=spec, settings=settings, words=words,
                           joints=action.shape[1], stats=stats, imagenet=imagenet)


def config_of(description: PeerDescription, *, pretrained: bool = False, device: str = "cpu"
              ) -> Any:
    """LeRobot's config of the policy; see `build_peer`."""
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig

    size = description.spec.picture_size
    inputs = {f"{PICTURES}{camera}": PolicyFeature(type=FeatureType.VISUAL, shape=(3, *size))
              for camera in description.spec.cameras}
    inputs[STATE] = PolicyFeature(type=FeatureType.STATE,
                                  shape=(description.joints + len(description.words),))
    outputs = {ACTION: PolicyFeature(type=FeatureType.ACTION, shape=(description.joints,))}
    changes = dict(description.settings.config)
    if description.kind == "diffusion":
        # Without pretrained weights its authors normalise by groups (arXiv 2303.04137, III-B).
        changes["use_group_norm"] = not description.imagenet
    return {"act": ACTConfig, "diffusion": DiffusionConfig}[description.kind](
        input_features=inputs, output_features=outputs, device=device,
        pretrained_backbone_weights=IMAGENET if pretrained and description.imagenet else None,
        **changes)


def build_peer(description: PeerDescription, *, pretrained: bool = False, device: str = "cpu"
               ) -> Peer:
    """The network with its processors.

    Args:
        description: what to build.
        pretrained: fetch ImageNet weights if the description says so; not for weights from a
            checkpoint.
        device: "cpu" or "cuda".
    """
    from lerobot.policies.act.modeling_act import ACTPolicy
    from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy
    from lerobot.policies.factory import make_pre_post_processors

    config = config_of(description, pretrained=pretrained, device=device)
    network = {"act": ACTPolicy, "diffusion": DiffusionPolicy}[description.kind](config).to(device)
    stats: dict[str, dict[str, Tensor]] = {
        name: {how: torch.tensor(values) for how, values in one.items()}
        for name, one in (description.stats | {
            f"{PICTURES}{camera}": _PICTURE_STATS for camera in description.spec.cameras}).items()}
    before, after = make_pre_post_processors(config, dataset_stats=stats)
    return Peer(network, before, after)


@torch.no_grad()
def settle_frozen_norms(network: torch.nn.Module, forward: Any) -> int:
    """Give frozen batch norms the statistics of what flows through them.

    ACT's batch norms never learn: they keep the statistics of ImageNet. Without ImageNet weights
    they would do nothing, and a ResNet that begins from scratch would hardly learn.

    Args:
        network: the policy.
        forward: runs it once on typical pictures.

    Returns:
        How many norms were settled.
    """
    from torchvision.ops.misc import FrozenBatchNorm2d

    def settle(norm: Any, inputs: tuple[Tensor]) -> None:
        norm.running_mean.copy_(inputs[0].mean(dim=(0, 2, 3)))
        norm.running_var.copy_(inputs[0].var(dim=(0, 2, 3)))

    norms = [m for m in network.modules() if isinstance(m, FrozenBatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(settle) for norm in norms]
    try:
        forward()
    finally:
        for hook in hooks:
            hook.remove()
    return len(norms)

"""From a description to the network: what a checkpoint must say so that it can be built again.

Knows the parts and how they fit together. Refuses to know files and weights.
"""

import msgspec
from torch import nn

from policy.backbones import registry
from policy.data.normaliser import Normaliser
from policy.interfaces import PolicySpec
from policy.network.config import DualConfig
from policy.network.dual_system import DualSystem


class DualDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A dual-system policy without its weights.

    Attributes:
        words: what it can read and say, for a backbone that brings no language of its own.
        phrase_words: what a look-for code can be made of.
        proprioception, action: P and A.
        subtasks: phrases that System 2 was taught; empty in checkpoints that do not say.
    """

    spec: PolicySpec
    config: DualConfig
    normaliser: Normaliser
    words: tuple[str, ...]
    phrase_words: tuple[str, ...]
    proprioception: int
    action: int
    subtasks: tuple[str, ...] = ()


def build(description: DualDescription) -> DualSystem:
    """The network, with random weights."""
    spec = description.spec
    return DualSystem(
        description.config, _backbone(description), description.phrase_words,
        cameras=len(spec.cameras), proprioception=description.proprioception, steps=spec.steps,
        action=description.action, cloud=spec.cloud_points > 0,
        subtasks=description.subtasks)


def _backbone(description: DualDescription) -> nn.Module:
    spec, config = description.spec, description.config
    surroundings = registry.Surroundings(words=description.words, picture_size=spec.picture_size,
                                         cameras=len(spec.cameras))
    return registry.build(config.backbone, surroundings, config.backbone_options)

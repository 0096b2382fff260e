"""Behaviour cloning with a plain network: state, words and perhaps pictures in, a chunk out.

On the state of the simulator's objects it is the upper bound: what the demonstrations are worth to
somebody who need not look. On pictures it is the simplest peer: a few convolutions per camera,
pooled to the places of keypoints by a spatial softmax (Levine et al., arXiv 1504.00702, section 5),
then the same network. No language model, no attention, one answer (no flow).

Letters: R rows, V cameras, P numbers of proprioception, K of the words, H steps, A of an action.
"""

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from policy.data.normaliser import Normaliser
from policy.interfaces import PolicySpec
from policy.peers.object_picker import ObjectPicker, ObjectPlaces

_LARGE_ERROR = 0.1          # of a normalised action: beyond it the loss grows linearly


class MlpDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A plain policy without its weights.

    Attributes:
        spec, normaliser: as of any policy of ours.
        words: features of an instruction (policy/peers/instruction_words.py), K of them.
        proprioception, action: P and A.
        pixels: whether it looks at the pictures.
        objects: where the simulator's objects stand in proprioception, if it is told.
        width, layers: of the network.
        keypoints: per camera.
    """

    spec: PolicySpec
    normaliser: Normaliser
    words: tuple[str, ...]
    proprioception: int
    action: int
    pixels: bool
    objects: ObjectPlaces | None = None
    width: int = 512
    layers: int = 3
    keypoints: int = 32


class MlpBatch(msgspec.Struct, frozen=True, kw_only=True):
    """R rows to learn from.

    Attributes:
        proprioception: (R, P) normalised.
        words: (R, K).
        images: (R, V, 3, height, width) u1, or None for a policy that does not look.
        actions: (R, H, A) normalised.
        action_valid: (R, H).
    """

    proprioception: Tensor
    words: Tensor
    images: Tensor | None
    actions: Tensor
    action_valid: Tensor

    def to(self, device: torch.device | str) -> "MlpBatch":
        """The same on a device."""
        moved = {name: value.to(device) for name, value in msgspec.structs.asdict(self).items()
                 if value is not None}
        return msgspec.structs.replace(self, **moved)


class KeypointEye(nn.Module):
    """One camera's pictures to the places of keypoints, in -1..1."""

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 32, 5, stride=2, padding=2), nn.GroupNorm(8, 32), nn.GELU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1), nn.GroupNorm(8, 48), nn.GELU(),
            nn.Conv2d(48, 64, 3, padding=1), nn.GroupNorm(8, 64), nn.GELU(),
            nn.Conv2d(64, keypoints, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(R, 3, height, width) in 0..1 to (R, 2 * keypoints)."""
        return places_of(self.convolutions(images - 0.5))


def places_of(heat: Tensor) -> Tensor:
    """(R, k, h, w) to (R, 2 k): where each map is hottest on average, all y and then all x."""
    rows, columns = (torch.linspace(-1, 1, n, device=heat.device) for n in heat.shape[2:])
    share = heat.flatten(2).softmax(-1).view(heat.shape)
    return torch.cat([(share.sum(3) * rows).sum(2), (share.sum(2) * columns).sum(2)], dim=1)


class MlpNetwork(nn.Module):
    """The network of a `MlpDescription`, with random weights."""

    def __init__(self, description: MlpDescription) -> None:
        super().__init__()
        self.steps, self.action = description.spec.steps, description.action
        cameras = len(description.spec.cameras) if description.pixels else 0
        self.eyes = nn.ModuleList(KeypointEye(description.keypoints) for _ in range(cameras))
        width = description.proprioception + len(description.words)
        self.picker: ObjectPicker | None = None
        if description.objects:
            normaliser = description.normaliser
            self.picker = ObjectPicker(description.objects, normaliser.proprioception_mean,
                                       normaliser.proprioception_scale, len(description.words))
            width = self.picker.width
        width += 2 * description.keypoints * cameras
        layers: list[nn.Module] = []
        for _ in range(description.layers):
            layers += [nn.Linear(width, description.width), nn.LayerNorm(description.width),
                       nn.GELU()]
            width = description.width
        self.body = nn.Sequential(*layers, nn.Linear(width, self.steps * self.action))

    def forward(self, proprioception: Tensor, words: Tensor, images: Tensor | None) -> Tensor:
        """(R, P), (R, K) and (R, V, 3, height, width) u1 to (R, H, A) normalised actions."""
        parts = [proprioception, words] if self.picker is None \
            else [self.picker(proprioception, words)]
        if self.eyes and images is not None:
            seen = images.float() / 255
            parts += [eye(seen[:, view]) for view, eye in enumerate(self.eyes)]
        return self.body(torch.cat(parts, dim=1)).view(-1, self.steps, self.action)

    def loss(self, batch: MlpBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The error of the actions that are examples."""
        wanted = self(batch.proprioception, batch.words, batch.images)
        error = functional.smooth_l1_loss(wanted, batch.actions, beta=_LARGE_ERROR,
                                          reduction="none").mean(-1)       # (R, H)
        loss = (error * batch.action_valid).sum() / batch.action_valid.sum().clamp_min(1)
        return loss, {"action": loss.detach()}

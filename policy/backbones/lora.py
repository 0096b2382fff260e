"""Few numbers that change a large network: low-rank adapters, and weights that stay as they are.

LoRA (Hu et al., arXiv 2106.09685): a linear layer W becomes W + scale * up @ down with `up` zero at
first, so that training begins at the pretrained network. What is frozen is no parameter any more
and leaves the state dict: optimiser, moving average and checkpoints carry only what was learnt
here, and the rest comes again from its pinned package. Knows layers; knows no model.
"""

import math
from collections.abc import Collection
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Learns = Literal["adapters", "all"]


def freeze(module: nn.Module) -> None:
    """Make every parameter of a module, in place, a buffer that no state dict holds."""
    for part in module.modules():
        for name, weight in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, weight.detach(), persistent=False)


class LoraLinear(nn.Module):
    """A linear layer that stays as it is, and what is added to it.

    Args:
        base: the layer; it is frozen.
        rank: r; the adapter has r * (in + out) numbers.
        scale: of what is added.
    """

    def __init__(self, base: nn.Linear, rank: int, scale: float = 1.0) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"an adapter's rank is at least 1, not {rank}")
        freeze(base)
        self.base, self.scale = base, scale
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) to (…, out)."""
        return self.base(x) + self.scale * F.linear(F.linear(x, self.down), self.up)

    def folded(self) -> nn.Linear:
        """One linear layer that does the same, frozen, for serving."""
        base = self.base
        layer = nn.Linear(base.in_features, base.out_features, base.bias is not None,
                          device=base.weight.device, dtype=base.weight.dtype)
        with torch.no_grad():
            layer.weight.copy_(base.weight + self.scale * self.up @ self.down)
            if base.bias is not None:
                layer.bias.copy_(base.bias)
        freeze(layer)
        return layer


def adapt(module: nn.Module, layers: Collection[str], rank: int, scale: float = 1.0) -> int:
    """Put an adapter on every linear layer of a module whose own name is in `layers`, in place.

    Returns:
        How many there were.
    """
    found = [(parent, name, child) for parent in module.modules() for name, child
             in parent.named_children() if name in layers and isinstance(child, nn.Linear)]
    for parent, name, layer in found:
        setattr(parent, name, LoraLinear(layer, rank, scale))
    return len(found)


def restrict(body: nn.Module, beside: Collection[nn.Module], layers: Collection[str],
             learns: Learns, rank: int) -> None:
    """Decide what of a pretrained model learns, in place.

    Args:
        body: its blocks.
        beside: what is frozen with them, e.g. a table of 49,152 words.
        layers: names of the blocks' linear layers.
        learns: "adapters" on these layers (and the blocks' norms), or "all".
        rank: of the adapters.

    Raises:
        ValueError: for anything else.
    """
    if learns not in ("adapters", "all"):
        raise ValueError(f"a pretrained model learns by adapters or all of it, not {learns!r}")
    if learns == "adapters":
        for module in beside:
            freeze(module)
        adapt(body, layers, rank)


def fold(module: nn.Module) -> int:
    """Fold every adapter of a module into its layer, in place: the same answers, quicker.

    Returns:
        How many there were.
    """
    found = [(parent, name, child) for parent in module.modules() for name, child
             in parent.named_children() if isinstance(child, LoraLinear)]
    for parent, name, adapted in found:
        setattr(parent, name, adapted.folded())
    return len(found)

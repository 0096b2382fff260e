"""What a network must offer so that it can be trained, and which of its parameters learn.

Knows modules and their parameters' names. Refuses to know losses, batches and time.
"""

from typing import Any, Protocol

from torch import Tensor, nn


class Learner(Protocol):
    """What a network must offer beside being a `torch.nn.Module`.

    It may also offer `measure(batch) -> dict[str, Tensor]`, scalars that say more about how it
    would drive than the loss does, the most telling first; and `tail_parameters() -> set[str]`.
    """

    def loss(self, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """() what is minimised, and its parts, detached."""
        ...


def frozen_names(model: nn.Module) -> set[str]:
    """The parameters that a network was built never to train."""
    return {name for name, p in model.named_parameters() if not p.requires_grad}


def names_at_rest(model: nn.Module) -> set[str]:
    """The parameters that do not learn in tail-only mode.

    Raises:
        ValueError: if the network names no tail, or what is no parameter of it.
    """
    names = {name for name, _ in model.named_parameters()}
    if not hasattr(model, "tail_parameters"):
        raise ValueError(f"{type(model).__name__} names no tail_parameters(): it cannot be trained "
                         f"in tail-only mode")
    tail = set(model.tail_parameters())                 # type: ignore[operator]
    if unknown := tail - names:
        raise ValueError(f"tail_parameters() names what is no parameter: "
                         f"{', '.join(sorted(unknown)[:3])}")
    return names - tail

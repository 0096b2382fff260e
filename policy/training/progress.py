"""What a training says while it goes on; consoles, curves and logs listen.

Plain values, no tensors: whoever listens needs no torch.
"""

from collections.abc import Callable

import msgspec


class Learned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Some times a second: how learning goes.

    Attributes:
        step: so many were made.
        minutes: they took, all resumed parts of the run together.
        share: of the budget, 0..1.
        losses: means since the last report; "loss" is the sum that is minimised.
        rate: learning rate of a parameter whose multiplier is 1.
        samples_per_s: rows that System 1 learned from, per second.
        left_s: until the budget is used up.
    """

    step: int
    minutes: float
    share: float
    losses: dict[str, float]
    rate: float
    samples_per_s: float
    left_s: float


class HeldOut(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How well the mean weights do on episodes that are not learned from."""

    step: int
    minutes: float
    metrics: dict[str, float]


class Saved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A checkpoint is on the disk."""

    step: int
    minutes: float
    checkpoint: str


class Grown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Episodes were added to what is learned from."""

    step: int
    minutes: float
    episodes: int


class Problem(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that a person should see to; training goes on."""

    step: int
    minutes: float
    what: str


Report = Learned | HeldOut | Saved | Grown | Problem
Listener = Callable[[Report], None]

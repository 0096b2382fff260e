"""A real network and real lessons that take a millisecond a step: what a trainer needs to see."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

WIDE = 6


class Sums(msgspec.Struct, frozen=True):
    """Numbers, and a fixed mixture of them to be guessed."""

    numbers: Tensor         # (N, WIDE)
    answers: Tensor         # (N, 2)

    def to(self, device: torch.device) -> "Sums":
        return Sums(self.numbers.to(device), self.answers.to(device))


class SumLessons:
    """Batches of sums; `asked` counts, so that a test can stop or spoil the lessons in between."""

    def __init__(self, *, held_out: bool = True, grows_by: int = 0) -> None:
        self._held_out, self._grows_by = held_out, grows_by
        self.problems: list[str] = []
        self.asked = 0
        self.spoil_at: int | None = None

    def batch(self, rng: np.random.Generator, pairs: int) -> Sums:
        self.asked += 1
        numbers = rng.normal(size=(2 * pairs, WIDE)).astype(np.float32)
        answers = numbers @ np.linspace(-1, 1, 2 * WIDE, dtype=np.float32).reshape(WIDE, 2)
        if self.asked == self.spoil_at:
            answers[0] = np.nan
        return Sums(torch.from_numpy(numbers), torch.from_numpy(answers))

    def held_out_batch(self, rng: np.random.Generator, pairs: int) -> Sums | None:
        return self.batch(rng, pairs) if self._held_out else None

    def follow(self) -> int:
        return self._grows_by


class SmallLearner(nn.Module):
    """Trunk and tail, noise in training, a buffer that counts, and a weight that never learns.

    `on_step` is called whenever it learns: a test turns its clock there.
    """

    seen: Tensor

    def __init__(self, width: int = 8, on_step: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.on_step = on_step
        self.trunk = nn.Sequential(nn.Linear(WIDE, width), nn.GELU(), nn.Dropout(0.2))
        self.tail = nn.Linear(width, 2)
        self.scale = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def loss(self, batch: Sums) -> tuple[Tensor, dict[str, Tensor]]:
        if self.training:
            self.seen += len(batch.numbers)
            self.on_step()
        noisy = batch.numbers + 0.1 * torch.randn_like(batch.numbers)
        wrong = self.scale * self.tail(self.trunk(noisy)) - batch.answers
        parts = {"near": wrong.abs().mean().detach(), "square": wrong.square().mean().detach()}
        return wrong.square().mean(), parts

    def tail_parameters(self) -> set[str]:
        return {"tail.weight", "tail.bias"}


class SmallPolicy:
    """No policy, but it remembers what it was made of."""

    def __init__(self, checkpoint: Path, config: dict[str, Any], device: str) -> None:
        self.checkpoint, self.config, self.device = checkpoint, config, device

    @classmethod
    def from_checkpoint(cls, checkpoint: Path, config: dict[str, Any], device: str
                        ) -> "SmallPolicy":
        return cls(checkpoint, config, device)

"""System 1's actions: from noise to a chunk, through the same blocks that System 2 ends with.

Flow matching (Lipman et al., arXiv 2210.02747) on a straight path: x(t) = (1 - t) noise + t chunk,
and the network gives dx/dt. Every entry of a chunk has its own time, so that what is decided
already (a prefix that is being executed, a value that the operator fixed) stands there clean with
time 1 while the rest is still noise (training-time real-time chunking, arXiv 2512.05964). This file
knows chunks and tokens; it knows no blocks, which it is given as a function.
Letters: B batch, M draws, n tokens of a chunk, E entries of a token, C = n * E = H * A, d width.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

TIME_WIDTH = 32

# (B, T, d) action tokens and a mask among them (T, T) or None to what the blocks make of them.
Blocks = Callable[[Tensor, Tensor | None], Tensor]
# A chunk (B, C) to the nearest one that leads through what is decided of its sums.
Fit = Callable[[Tensor], Tensor]


class Residual(nn.Module):
    """A small network, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(),
                                  nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(…, d) to (…, d)."""
        return x + self.body(x)


class FlowHead(nn.Module):
    """Turns noisy chunks into tokens and what the blocks made of them into velocities."""

    def __init__(self, width: int, entries: int, tokens: int) -> None:
        """For chunks of `entries` numbers.

        Raises:
            ValueError: if a chunk cannot be cut into so many tokens.
        """
        super().__init__()
        if entries % tokens:
            raise ValueError(f"a chunk of {entries} numbers cannot be cut into {tokens} tokens")
        self.tokens, self.per_token = tokens, entries // tokens
        self.chunk_in = nn.Linear(2 * self.per_token, width)        # values and their times
        self.place = nn.Parameter(0.1 * torch.randn(tokens, width))
        self.time_in = nn.Sequential(nn.Linear(TIME_WIDTH, width), nn.GELU(),
                                     nn.Linear(width, width))
        self.after = nn.Sequential(Residual(width), nn.LayerNorm(width),
                                   nn.Linear(width, self.per_token))

    def velocity(self, x: Tensor, time: Tensor, clean: Tensor, context: Tensor, blocks: Blocks
                 ) -> Tensor:
        """dx/dt.

        Args:
            x: (B, M, C) chunks on their way, clean where they are held.
            time: (B, M) from 0, noise, to 1, clean.
            clean: (B, M, C) 1 where an entry is held.
            context: (B, d) added to every token.
            blocks: see `Blocks`; draws must not see each other, so the mask is block-diagonal.

        Returns:
            (B, M, C).
        """
        b, m, c = x.shape
        times = torch.where(clean > 0, torch.ones_like(x), time[..., None])
        entries = torch.cat([x.view(b, m, self.tokens, -1), times.view(b, m, self.tokens, -1)], -1)
        tokens = (self.chunk_in(entries) + self.place + context[:, None, None]
                  + self.time_in(waves(time))[:, :, None])                      # (B, M, n, d)
        draw = torch.arange(m * self.tokens, device=x.device) // self.tokens
        mask = draw[:, None] == draw[None] if m > 1 else None
        out = blocks(tokens.flatten(1, 2), mask)
        return self.after(out).view(b, m, c)

    @torch.no_grad()
    def sample(self, noise: Tensor, steps: int, held: Tensor, clean: Tensor, context: Tensor,
               blocks: Blocks, fit: Fit | None = None) -> Tensor:
        """Euler steps from noise to a chunk.

        Args:
            noise: (B, C).
            steps: at least 1.
            held: (B, C) values that stand already where `clean` is 1.
            clean: (B, C).
            context, blocks: as in `velocity`.
            fit: applied to where every step says that the noise leads.

        Returns:
            (B, C); the held entries come out as they went in, and the whole as `fit` left it.
        """
        x = torch.where(clean > 0, held, noise)[:, None]
        for step in range(steps):
            time = torch.full(x.shape[:2], step / steps, device=x.device, dtype=x.dtype)
            slope = self.velocity(x, time, clean[:, None], context, blocks)
            if fit is not None:
                left = 1.0 - step / steps
                leads = torch.where(clean > 0, held, (x + left * slope)[:, 0])
                slope = (fit(leads)[:, None] - x) / left
            x = torch.where(clean[:, None] > 0, x, x + slope / steps)
        return x[:, 0]


def waves(value: Tensor, width: int = TIME_WIDTH) -> Tensor:
    """(…,) numbers in 0..1 as (…, width) sines and cosines of growing frequency."""
    frequency = torch.exp(torch.linspace(0, 4, width // 2, device=value.device)) * torch.pi
    angle = value[..., None] * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)


def random_holds(draws: tuple[int, int], steps: int, width: int, share: float,
                 generator: torch.Generator | None = None) -> Tensor:
    """Which entries of the chunks in a batch are held clean in training.

    Half of the held draws keep a prefix of up to half of the chunk (what is being executed while
    the network thinks), half keep random numbers over a random stretch (what an operator fixed).

    Args:
        draws: (B, M).
        steps, width: H and A.
        share: of draws that hold anything.
        generator: None: torch's own.

    Returns:
        (B, M, H * A) f4 of 0 and 1.
    """
    def uniform(*shape: int) -> Tensor:
        return torch.rand(*draws, *shape, generator=generator)

    step = torch.arange(steps).view(1, 1, steps, 1)
    kind = uniform(1, 1)
    prefix = step < (uniform(1, 1) * (steps // 2 + 1)).floor()
    first, last = (uniform(2, 1, 1) * steps).sort(2).values.unbind(2)           # (B, M, 1, 1)
    chosen = uniform(1, width) < 0.5
    stretch = (step >= first) & (step <= last) & chosen
    held = torch.where(kind < share / 2, prefix.expand(*draws, steps, width), stretch)
    return (held & (kind < share)).float().flatten(2)

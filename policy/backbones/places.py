"""Where a token stands in its sequence, for transformers whose attention turns by position.

A token stands behind those that it may look at: its place is the number of tokens before it that
its row of the mask shows. So padding takes no place wherever it lies, a run over a cache goes on
counting where the cache ends, and draws that do not see each other all begin behind their common
context. Knows masks; knows no angles. Letters: B batch (or 1), T new tokens, S seen and new.
"""

import torch
from torch import Tensor


def places(mask: Tensor | None, new: int, seen: int, device: torch.device | None = None) -> Tensor:
    """Places of new tokens behind a cache.

    Args:
        mask: bool, broadcast to (B, 1, T, S), True where a token may look; None: everywhere.
        new: T.
        seen: tokens in the cache; S = seen + new.
        device: of the answer if there is no mask.

    Returns:
        (B, T) or, if all rows of a batch are alike, (1, T).
    """
    if mask is None:
        return torch.arange(seen, seen + new, device=device)[None]
    before = torch.ones(new, seen + new, dtype=torch.bool, device=mask.device).tril(seen - 1)
    return (mask & before).sum(-1)[:, 0]

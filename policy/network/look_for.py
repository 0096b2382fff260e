"""What both eyes have in common: a code says what to attend to, and where that is comes out.

The code scales and shifts early features (FiLM, Perez et al., arXiv 1709.07871) and makes the
queries of heat-maps by multiplication; of each heat-map its centre of mass is kept (spatial
softmax, Finn et al., arXiv 1509.06113). Knows features and their places, in a picture or in space.

Letters: B batch, N features, C channels, M modulated channels, Q heat-maps, c width of the code.
"""

import torch
from torch import Tensor, nn


class LookFor(nn.Module):
    """A code to what an eye attends to."""

    def __init__(self, code_width: int, modulated: int, channels: int, heat_maps: int) -> None:
        super().__init__()
        self.code = nn.LayerNorm(code_width)
        self.gain_and_shift = nn.Linear(code_width, 2 * modulated)
        self.query = nn.Linear(code_width, heat_maps * channels)
        nn.init.normal_(self.gain_and_shift.weight, 0, 0.15)
        nn.init.zeros_(self.gain_and_shift.bias)
        nn.init.normal_(self.query.weight, 0, 0.3)
        self.heat_maps = heat_maps

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, c) to gain and shift (B, M) each and queries (B, Q, C)."""
        code = self.code(code)
        gain, shift = self.gain_and_shift(code).chunk(2, -1)
        return gain, shift, self.query(code).view(len(code), self.heat_maps, -1)


def centres(query: Tensor, features: Tensor, places: Tensor) -> Tensor:
    """Where what the queries ask for is.

    Args:
        query: (B, Q, C).
        features: (B, C, N).
        places: (N, k) or (B, N, k) of every feature.

    Returns:
        (B, Q k) every heat-map's centre of mass.
    """
    heat = torch.softmax(query @ features * (2 / query.shape[-1] ** 0.5), -1)
    return (heat @ places).flatten(1)

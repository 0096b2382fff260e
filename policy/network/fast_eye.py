"""System 1's eye: looks for one thing in a picture and says where it is.

A stride-4 stem, one 3 x 3 convolution, and heat-maps whose queries are made from the look-for code
*by multiplication*; from each heat-map only its centre of mass goes on (spatial softmax, Finn et
al., arXiv 1509.06113). That the code multiplies matters more than anything else in this policy: it
is the difference between 5 and 92 successes of 48 and 96 in ../shared/notes/learning-on-a-cpu.md.
Letters: B batch, Q heat-maps, C channels, c width of the code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policy.network.look_for import LookFor, centres

CHANNELS, HEAT_MAPS = 24, 8
GAIN = 4.0              # of the picture: with values of 0..1 the heat-maps begin flat and stay so


class FastEye(nn.Module):
    """One camera's eye."""

    def __init__(self, code_width: int, channels: int = CHANNELS, heat_maps: int = HEAT_MAPS
                 ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 6, 4, 1)
        self.look = nn.Conv2d(channels, channels, 3, 1, 1)
        self.look_for = LookFor(code_width, channels, channels, heat_maps)
        self.heat_maps = heat_maps
        self.width = 2 * heat_maps

    def forward(self, picture: Tensor, code: Tensor) -> Tensor:
        """Where what the code asks for is.

        Args:
            picture: (B, 3, height, width) in 0..1.
            code: (B, c).

        Returns:
            (B, 2 Q) x and y of every heat-map's centre, -1..1 from the left and from the top.
        """
        gain, shift, query = self.look_for(code)
        early = self.stem(GAIN * (picture - 0.5)) * (1 + gain[..., None, None])
        seen = F.relu(self.look(F.relu(early + shift[..., None, None])))
        rows, columns = seen.shape[2:]
        return centres(query, seen.flatten(2), _grid(rows, columns, picture.device, seen.dtype))


def _grid(rows: int, columns: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(rows * columns, 2) x and y of every cell."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, rows, device=device, dtype=dtype),
                          torch.linspace(-1, 1, columns, device=device, dtype=dtype),
                          indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)

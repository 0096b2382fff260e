"""System 1's third sense: a coloured point cloud, read for what the code asks for.

A small network on every point, scaled and shifted by the look-for code, and the largest value over
all points (PointNet, Qi et al., arXiv 1612.00593; as FiS-VLA's point cloud, a hundred times
smaller). Letters: B batch, P points, c width of the code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Middle and half extent of the space over the table, so that coordinates are about -1..1.
_MIDDLE_M, _HALF_M = (0.5, 0.0, 0.12), (0.25, 0.42, 0.15)


class CloudEncoder(nn.Module):
    """A cloud to a vector."""

    width = 64

    def __init__(self, code_width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 48), nn.Linear(48, 64)
        self.after_first, self.after_second = nn.LayerNorm(48), nn.LayerNorm(64)
        self.out = nn.Linear(64, self.width)
        self.gain_and_shift = nn.Linear(code_width, 128)
        nn.init.normal_(self.gain_and_shift.weight, 0, 0.1)
        nn.init.zeros_(self.gain_and_shift.bias)

    def forward(self, cloud: Tensor, code: Tensor) -> Tensor:
        """(B, P, 6) x y z in metres and r g b in 0..1, and (B, c), to (B, width)."""
        place = (cloud[..., :3] - cloud.new_tensor(_MIDDLE_M)) / cloud.new_tensor(_HALF_M)
        points = F.relu(self.after_first(self.first(torch.cat([place, cloud[..., 3:]], -1))))
        gain, shift = self.gain_and_shift(code)[:, None].chunk(2, -1)
        points = F.relu(self.after_second(self.second(points)) * (1 + gain) + shift)
        return self.out(points).amax(1)

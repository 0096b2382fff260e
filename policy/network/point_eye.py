"""System 1's third sense: looks for things among coloured points and says where they are.

Like the fast eye, but what it attends to are points that have a place: a small network on every
point (PointNet, Qi et al., arXiv 1612.00593), heat-maps over the points whose queries are made from
the look-for code by multiplication, and of each heat-map only its centre of mass. With a cloud, in
the world's frame, nothing about the camera must be learned: "what is green" is all that it takes to
know where the green cube is (spatial softmax, arXiv 1509.06113, lifted to 3-D as in Act3D, arXiv
2306.17817). The cloud is FiS-VLA's third sense (arXiv 2506.01953, section 3.1). Without one, points
out of a picture serve (picture_points.py), and unprojection.py says where they are in the world.

Letters: B batch, N points, k numbers of a place, Q heat-maps, C channels, c width of the code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policy.network.look_for import LookFor, centres

CHANNELS, HEAT_MAPS = 32, 8
COLOUR_GAIN = 4.0       # so that colours tell as much as a cloud's places, which are about -2..2
# In a picture, where all else hides behind colours, the eye must not begin with a place in mind.
PICTURE_GAIN = 0.5


class PointEye(nn.Module):
    """Points to places among them.

    Args:
        code_width: c.
        dimensions: k; 3 in the world, 2 in a picture.
    """

    def __init__(self, code_width: int, dimensions: int = 3, channels: int = CHANNELS,
                 heat_maps: int = HEAT_MAPS) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(dimensions + 3, 48), nn.Linear(48, channels)
        self.look_for = LookFor(code_width, 48, channels, heat_maps)
        self.gain = PICTURE_GAIN if dimensions == 2 else 1.0
        self.width = dimensions * heat_maps

    def forward(self, points: Tensor, code: Tensor) -> Tensor:
        """Where what the code asks for is.

        Args:
            points: (B, N, k + 3) place, in the world normalised as positions of the tool or in a
                picture -1..1, and r g b in 0..1.
            code: (B, c).

        Returns:
            (B, k Q) every heat-map's centre, in the points' own frame.
        """
        gain, shift, query = self.look_for(code)
        place, colour = points[..., :-3], COLOUR_GAIN * (points[..., -3:] - 0.5)
        seen = self.first(torch.cat([self.gain * place.clamp(-4, 4), colour], -1))
        seen = F.relu(self.second(F.relu(seen * (1 + gain[:, None]) + shift[:, None])))
        return centres(query, seen.transpose(1, 2), place)

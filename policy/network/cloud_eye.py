"""System 1's third sense: looks for things in a coloured point cloud and says where they are.

Like the fast eye, but what it attends to are points that have a place: a small network on every
point (PointNet, Qi et al., arXiv 1612.00593), heat-maps over the points whose queries are made from
the look-for code by multiplication, and of each heat-map only its centre of mass, in the world's
frame. So nothing about the camera must be learned: "what is green" is all that it takes to know
where the green cube is (spatial softmax, arXiv 1509.06113, lifted to 3-D as in Act3D, arXiv
2306.17817). The cloud is FiS-VLA's third sense (arXiv 2506.01953, section 3.1).

Letters: B batch, N points, Q heat-maps, C channels, c width of the code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policy.network.look_for import LookFor, centres

CHANNELS, HEAT_MAPS = 32, 8
COLOUR_GAIN = 4.0       # so that colours tell as much as places, which are about -2..2


class CloudEye(nn.Module):
    """A cloud to places in it."""

    def __init__(self, code_width: int, channels: int = CHANNELS, heat_maps: int = HEAT_MAPS
                 ) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 48), nn.Linear(48, channels)
        self.look_for = LookFor(code_width, 48, channels, heat_maps)
        self.heat_maps = heat_maps
        self.width = 3 * heat_maps

    def forward(self, cloud: Tensor, code: Tensor) -> Tensor:
        """Where what the code asks for is.

        Args:
            cloud: (B, N, 6) x y z, normalised as positions of the tool, and r g b in 0..1.
            code: (B, c).

        Returns:
            (B, 3 Q) x y z of every heat-map's centre, normalised like the cloud.
        """
        gain, shift, query = self.look_for(code)
        place, colour = cloud[..., :3], COLOUR_GAIN * (cloud[..., 3:] - 0.5)
        points = self.first(torch.cat([place.clamp(-4, 4), colour], -1))
        points = F.relu(self.second(F.relu(points * (1 + gain[:, None]) + shift[:, None])))
        return centres(query, points.transpose(1, 2), place)

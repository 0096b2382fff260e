"""Points out of a picture, for an eye without depth: every colour has one vote, not every pixel.

A cube is half a percent of a picture. A heat-map that begins flat is the table, and what it learns
about the cube drowns in it. So a picture becomes a cloud of a few hundred of its pixels, taken in
proportion to one over how many pixels share their colour: all colours get as many points, and what
is small and of its own colour is a fair part of what the eye begins with. Which pixels follows from
the picture alone (systematic resampling, as particle filters do: Kitagawa 1996); nothing is drawn
by lot, and an equal picture gives equal points.

Letters: B batch, N points.
"""

import torch
from torch import Tensor

SHADES = 16                 # per channel: pixels of a cell of 16 x 16 x 16 share a colour
POINTS = 512


@torch.no_grad()
def picture_points(picture: Tensor, number: int = POINTS) -> Tensor:
    """Pixels of a picture as coloured points.

    Args:
        picture: (B, 3, height, width) in 0..1.
        number: N.

    Returns:
        (B, N, 5) x and y, -1..1 from the left and from the top, and r g b in 0..1.
    """
    pixels = picture.flatten(2)                                                 # (B, 3, P)
    shade = (pixels * SHADES).long().clamp(0, SHADES - 1)
    colour = (shade[:, 0] * SHADES + shade[:, 1]) * SHADES + shade[:, 2]        # (B, P)
    ones = torch.ones_like(colour, dtype=torch.float32)
    shared_by = ones.new_zeros(len(pixels), SHADES ** 3).scatter_add_(1, colour, ones)
    votes = (1 / shared_by.gather(1, colour)).cumsum(1)
    wanted = (torch.arange(number, device=votes.device) + 0.5) / number * votes[:, -1:]
    chosen = torch.searchsorted(votes, wanted).clamp(max=colour.shape[1] - 1)   # (B, N)
    rows, columns = picture.shape[2:]
    x = 2 * (chosen % columns) / max(columns - 1, 1) - 1
    y = 2 * (chosen // columns) / max(rows - 1, 1) - 1
    rgb = pixels.gather(2, chosen[:, None].expand(-1, 3, -1)).transpose(1, 2)
    return torch.cat([torch.stack([x, y], -1).to(rgb.dtype), rgb], -1)

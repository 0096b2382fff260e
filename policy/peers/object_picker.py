"""Where the objects that matter are, seen from the hand: the eye of a policy that need not look.

Out of the simulator's list of objects it picks a few, by the words and by what the hand feels
(a soft choice that is learned), and gives their places relative to the tool, coarse and fine: what
a camera's eye would have had to find out. Where in the world they are it keeps to itself: with a
hundred demonstrations a network would learn those places by heart. Knows where things stand in
proprioception.

Letters: R rows, P numbers of proprioception, F of them without the objects, K of the words,
O objects, S picked.
"""

from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor, nn

POSE = 7
PICKED = 3
_FAR_M, _NEAR_M = 0.1, 0.02
_SEEN = 2 * 3 + 4           # of each: coarse and fine place, quaternion
_TASK = 6                   # numbers that say what is to be done; all words would be too many


class ObjectPlaces(msgspec.Struct, frozen=True):
    """Where to look in proprioception.

    Attributes:
        tool: first of the tool's x y z.
        begin, end: the objects' poses, O times 7 numbers.
    """

    tool: int
    begin: int
    end: int


class ObjectPicker(nn.Module):
    """Picks objects."""

    mean: Tensor
    scale: Tensor

    def __init__(self, places: ObjectPlaces, mean: Sequence[float], scale: Sequence[float],
                 words: int) -> None:
        """For proprioception normalised by `mean` and `scale`, P numbers each."""
        super().__init__()
        self._places = places
        self._objects = (places.end - places.begin) // POSE
        felt = len(mean) - places.end + places.begin
        self.width = felt + _TASK + PICKED * _SEEN
        self.task = nn.Linear(words, _TASK)
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.choose = nn.Sequential(nn.Linear(felt + words, 64), nn.GELU(),
                                    nn.Linear(64, PICKED * self._objects))

    def forward(self, proprioception: Tensor, words: Tensor) -> Tensor:
        """(R, P) normalised and (R, K) to (R, width): what is felt, the task, what was picked."""
        places, raw = self._places, proprioception * self.scale + self.mean
        poses = raw[:, places.begin:places.end].view(-1, self._objects, POSE)
        away = poses[..., :3] - raw[:, None, places.tool:places.tool + 3]           # (R, O, 3) m
        seen = torch.cat([away / _FAR_M, torch.tanh(away / _NEAR_M), poses[..., 3:]], dim=-1)
        felt = torch.cat([proprioception[:, :places.begin], proprioception[:, places.end:]], dim=1)
        chosen = self.choose(torch.cat([felt, words], dim=1))
        share = chosen.view(-1, PICKED, self._objects).softmax(-1)                  # (R, S, O)
        return torch.cat([felt, self.task(words), (share @ seen).flatten(1)], dim=1)

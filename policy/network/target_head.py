"""Where the tool will be at the next event: the gaze, and what experience adds to it.

Along a demonstration the hand's own pose gives the target away, and a network that may use it never
learns to look (the copycat problem, de Haan et al., arXiv 1905.11979). So the *gaze* is built from
what the eye found alone: a mixture of its places, in shares that the words and the gripper decide
and the hand's pose does not. Its loss is its own. What else there is to know is added afterwards.

Letters: B batch, E numbers of the eyes, P proprioception, Q places, c code.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from policy.network.unprojection import Unprojection

HAND, POSE = 3, 9           # "tool", the first part of proprioception: its position, then the rest


class Event(NamedTuple):
    """Where the tool will be at the next event, known in training.

    Attributes:
        place: (B, 3) normalised.
        known: (B,) 1 where there is one, else 0.
    """

    place: Tensor
    known: Tensor


class TargetHead(nn.Module):
    """From eyes and state to a place.

    Args:
        seen, proprioception, code: E, P and the code's width.
        places: Q.
        flat: places come as x y in a picture of a camera that stands still; otherwise they are
            places in space already.
    """

    def __init__(self, seen: int, proprioception: int, code: int, places: int, *, flat: bool
                 ) -> None:
        super().__init__()
        self.places = places
        if places:
            self.choose = nn.Sequential(nn.Linear(max(proprioception - POSE, 0) + code, 32),
                                        nn.GELU(), nn.Linear(32, places))
            self.offset = nn.Parameter(torch.zeros(places, HAND))   # of the tool to what is seen
        self.unproject = Unprojection(HAND) if places and flat else None
        self.correct = nn.Sequential(nn.Linear(seen + proprioception, 128), nn.GELU(),
                                     nn.Linear(128, HAND))

    def forward(self, eye: Tensor, places: Tensor, state: Tensor, code: Tensor,
                event: Event | None = None) -> tuple[Tensor, Tensor]:
        """What is looked at, and where the tool goes.

        Args:
            eye: (B, E) all that the eyes found.
            places: (B, 2 Q or 3 Q) of one eye; the latter normalised as positions of the tool.
            state: (B, P).
            code: (B, c).
            event: in training, so that what is flat finds its place in space.

        Returns:
            Gaze (zeros without an eye) and target, (B, 3) each, normalised.
        """
        gaze = self.gaze(places, torch.cat([state[:, POSE:], code], 1), event) if self.places \
            else state.new_zeros(len(state), HAND)
        return gaze, gaze + self.correct(torch.cat([eye, state], 1))

    def gaze(self, places: Tensor, wanted: Tensor, event: Event | None = None) -> Tensor:
        """(B, 3) of places as `forward` takes them, and what is felt and wanted, (B, P - 9 + c)."""
        share = torch.softmax(self.choose(wanted), 1)[..., None]                    # (B, Q, 1)
        place = (share * places.view(len(places), self.places, -1)).sum(1)
        offset = (share * self.offset).sum(1)
        if self.unproject is not None and event is not None:
            place = self.unproject(place, event.place - offset.detach(), event.known)
        elif self.unproject is not None:
            place = self.unproject(place)
        return place + offset

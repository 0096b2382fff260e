"""Where things are, for System 2: it reads what the eye finds, and points at what it means.

A relation ("the cube nearest the drawer") is hard to learn from pictures and easy to learn from
places. The eye knows where each thing is that a sub-task can be about, since System 1 looks for it;
so System 2 reads a token for each of them, made of its name and its place, and its choice among
these tokens makes their names likelier words (a pointer, Vinyals et al., arXiv 1506.03134, mixed
with the words as in See et al., arXiv 1704.04368). One rule then serves every thing.

Letters: B batch, O phrases, n things, d width, c code, P proprioception, T words, V vocabulary.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from policy.backbones.interface import Tokenizer
from policy.network.target_head import HAND, POSE

GAIN = 5.0              # of a certain choice, in nats, before it is learned


class FoundThings(nn.Module):
    """Tokens for System 2, and what choosing one of them says.

    Args:
        phrases: O sub-tasks.
        width, code_width: d and c.
        tokenizer: of what System 2 says.
    """

    ids: Tensor
    names: Tensor

    def __init__(self, phrases: Sequence[str], width: int, code_width: int, tokenizer: Tokenizer
                 ) -> None:
        super().__init__()
        self.phrases = tuple(phrases)
        # Phrases that differ in their verb alone are about the same, and the eye looks for it once.
        things = [phrase.partition(" ")[2] for phrase in phrases]
        each = [*dict.fromkeys(things)]
        self._first = [things.index(thing) for thing in each]
        self._thing = [each.index(thing) for thing in things]
        self.place_in, self.name_in = nn.Linear(HAND, width), nn.Linear(2 * code_width, width)
        self.point = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
        self.gain = nn.Parameter(torch.tensor(GAIN))
        ids, there = tokenizer.encode(self.phrases)
        _, verbs = tokenizer.encode([phrase.partition(" ")[0] for phrase in self.phrases])
        # Which verb it is, is not the eye's to say.
        names = there & (torch.arange(ids.shape[1]) >= verbs.sum(1, keepdim=True))
        self.register_buffer("ids", ids, persistent=False)
        self.register_buffer("names", names, persistent=False)

    def forward(self, codes: Tensor, state: Tensor, eye: Callable[[Tensor, int], Tensor],
                gaze: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """A token for each phrase, of its name and of where the gaze goes for it.

        The eye and the gaze learn from System 1's losses alone.

        Args:
            codes: (O, 2 c) of the phrases; the first c say what to look for.
            state: (B, P), normalised.
            eye: of (B n, c) what to look for, and n, to what is seen, row by row.
            gaze: see `TargetHead.gaze`.

        Returns:
            (B, O, d).
        """
        with torch.no_grad():
            rows, things = len(state), len(self._first)
            look_for = codes[self._first, :codes.shape[1] // 2].repeat(rows, 1)
            seen = eye(look_for, things).view(rows, things, -1)[:, self._thing].flatten(0, 1)
            felt = state[:, POSE:].repeat_interleave(len(codes), 0)
            places = gaze(seen, torch.cat([felt, codes.repeat(rows, 1)], 1))
        return self.place_in(places.view(rows, -1, HAND)) + self.name_in(codes)

    def hints(self, read: Tensor) -> Tensor:
        """How much likelier its choice makes the words of each phrase.

        Args:
            read: (B, O, d) its tokens after the trunk.

        Returns:
            (B, O) shares of the phrases, each times the gain, in nats.
        """
        return self.gain * torch.softmax(self.point(read)[..., 0], 1)

    def hinted(self, logits: Tensor, hints: Tensor, first: int = 0) -> Tensor:
        """Logits (B, T, V) of the words from number `first` on, with the hints (B, O)."""
        last = min(first + logits.shape[1], self.ids.shape[1])
        if first >= last:
            return logits
        ids, names = self.ids[:, first:last].T, self.names[:, first:last].T         # (T, O)
        more = torch.zeros_like(logits)
        more[:, :last - first].scatter_add_(
            2, ids.expand(len(logits), -1, -1), hints[:, None] * names)
        return logits + more

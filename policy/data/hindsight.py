"""What a rollout shows the policy's eye, though nobody should follow what the policy did in it.

Where it closed or opened its gripper is known afterwards, as hindsight experience replay relabels
goals (Andrychowicz et al. 2017, arXiv 1707.01495), and so is where it should have: the place at
which a person's hand, who had to step in, brought the sub-task on. It was there to be seen before,
so the moments of that sub-task that led to the correction point there. Moments after which
something was touched get no label, because what is looked at may have been moved since. The
policy's own way is no example, here or anywhere. Knows recorded episodes; knows no weights.

Letters: M moments.
"""

import msgspec
import numpy as np

from policy.data.demonstrations import Demonstration
from policy.data.next_event import contact_stamps
from policy.data.signals import EpisodeSignals
from policy.data.whose import Whose

_POLICYS = (Whose.POLICY, Whose.BEFORE)


def in_hindsight(one: Demonstration) -> Demonstration:
    """The same episode, with people's way to follow and places to look at that are true."""
    own = np.isin(one.whose, _POLICYS)
    if not own.any():
        return one
    action_valid = np.where(own[:, None], np.float32(0), one.action_valid)
    contacts_ns = contact_stamps(EpisodeSignals(one.episode))
    event, event_valid = np.array(one.event), np.array(one.event_valid)
    for begin, end, shown in _lost_spans(one):
        lost = np.arange(begin, end)[own[begin:end]]
        touched = np.searchsorted(contacts_ns, one.moments_ns[[*lost, end]])
        event[lost] = one.event[shown]
        event_valid[lost] = one.event_valid[shown] * (touched[:-1] == touched[-1])
    return msgspec.structs.replace(one, action_valid=action_valid, event=event,
                                   event_valid=event_valid)


def _lost_spans(one: Demonstration) -> list[tuple[int, int, int]]:
    """For each correction: the first moment of its sub-task, its own first moment, and the last
    one in which the person was still at that sub-task."""
    words = np.unique([*one.phrases], return_inverse=True)[1][one.phrase]        # (M,)
    corrected = one.whose == Whose.CORRECTION
    begins = np.flatnonzero(corrected & ~np.append(False, corrected[:-1]))
    return [(_back(words, corrected, int(first), int(one.segment_begin[first])), int(first),
             _on(words, corrected, int(first))) for first in begins]


def _back(words: np.ndarray, corrected: np.ndarray, first: int, floor: int) -> int:
    """The earliest moment from which on nothing but this sub-task was said and nobody helped."""
    others = np.flatnonzero((words[floor:first] != words[first]) | corrected[floor:first])
    return floor + int(others[-1]) + 1 if len(others) else floor


def _on(words: np.ndarray, corrected: np.ndarray, first: int) -> int:
    """The last moment of this correction under the same words."""
    others = np.flatnonzero((words[first:] != words[first]) | ~corrected[first:])
    return first + int(others[0]) - 1 if len(others) else len(words) - 1

"""What a person's correction says about the moments that led to it.

Where somebody had to step in, what the policy had done in that sub-task led nowhere: its way is no
example, and the places at which it closed or opened its gripper are not where to look. What the
person then did shows where to look, and it was there to be seen before: the labels of those moments
become the place at which the person's hand brought the sub-task on, as hindsight experience replay
relabels goals (Andrychowicz et al. 2017, arXiv 1707.01495). Moments after which something was
touched get none, because what is looked at may have been moved since. Knows recorded episodes;
knows no weights.

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
    """The same episode, with what led to a correction as the correction shows it."""
    spans = _lost_spans(one)
    if not spans:
        return one
    contacts_ns = contact_stamps(EpisodeSignals(one.episode))
    action_valid, event, event_valid = (np.array(array) for array in
                                        (one.action_valid, one.event, one.event_valid))
    for begin, end, shown in spans:
        lost = np.arange(begin, end)[np.isin(one.whose[begin:end], _POLICYS)]
        touched = np.searchsorted(contacts_ns, one.moments_ns[[*lost, end]])
        action_valid[lost] = 0.0
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

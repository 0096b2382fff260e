"""Where the tool will be when something next happens: the label that teaches an eye where to look.

The policy's target head predicts the tool's position at the next *event*: the gripper is wanted
otherwise, a contact begins or ends, the episode ends. Events come from the recording alone, so
demonstrations of any robot have them. A label is held a few steps past its event, because a label
that jumps on the very tick of closing cannot be seen in any picture (notes/learning-on-a-cpu.md).
Letters: M moments, E events, N rows.
"""

from itertools import pairwise

import numpy as np

from policy.data.commands import erring, gripper_wishes
from policy.data.signals import Signals, has_column, latest
from recorders import align

HOLD_STEPS = 6
SHORTEST_NS = 60_000_000        # what lasts less is a bounce, or flickers at a threshold

# (column of `contact`, newtons at which a contact begins, newtons at which it ends), best first.
# The wrist feels its own acceleration, some 5 N here, so it must be hit harder than a finger tip.
_FEELERS = (("touch", 1.0, 0.3), ("wrench", 12.0, 6.0))


def next_event(
    signals: Signals, moments_ns: np.ndarray, edits_ns: np.ndarray, step_ns: int
) -> tuple[np.ndarray, np.ndarray]:
    """The tool's position at the next event.

    Args:
        signals: of an episode.
        moments_ns: (M,) ascending.
        edits_ns: (E,) ascending stamps at which the instruction changed: nobody can foresee what
            follows.
        step_ns: of the policy's chunks.

    Returns:
        (M, 3) m in the world, and (M,) bool; nowhere valid for a robot without a tool pose.
    """
    if not has_column(signals.streams, "arm", "tool_pose"):
        return np.zeros((len(moments_ns), 3)), np.zeros(len(moments_ns), bool)
    events_ns = event_stamps(signals)
    held_ns = events_ns + HOLD_STEPS * step_ns
    which = np.minimum(np.searchsorted(held_ns, moments_ns, side="left"), len(events_ns) - 1)
    at_ns = events_ns[which]
    foreseen = np.searchsorted(edits_ns, moments_ns, side="right") \
        >= np.searchsorted(edits_ns, at_ns, side="left")
    return latest(signals, "arm", "tool_pose", at_ns)[:, :3], foreseen


def event_stamps(signals: Signals) -> np.ndarray:
    """(E,) ascending stamps in ns of all events of an episode; the last is its end."""
    ticks_ns, wanted = gripper_wishes(signals)
    flips_ns = ticks_ns[_lasting_changes(ticks_ns, wanted > 0)]
    contacts_ns = contact_stamps(signals)
    _, errs = erring(signals)
    meant = ~errs[np.maximum(align.latest_before(ticks_ns, contacts_ns), 0)]
    end_ns = signals.series("arm", "tool_pose")[0][-1:]
    return np.unique(np.concatenate([flips_ns, contacts_ns[meant], end_ns]))


def contact_stamps(signals: Signals) -> np.ndarray:
    """Stamps at which a contact begins or ends; empty for a robot that feels nothing."""
    for column, begin_n, end_n in _FEELERS:
        if not has_column(signals.streams, "contact", column):
            continue
        stamps_ns, felt = signals.series("contact", column)
        force = np.abs(felt).max(axis=1) if column == "touch" \
            else np.linalg.norm(felt[:, :3], axis=1)
        return stamps_ns[_lasting_changes(stamps_ns, _touching(force, begin_n, end_n))]
    return np.zeros(0, np.int64)


def _touching(force: np.ndarray, begin_n: float, end_n: float) -> np.ndarray:
    """(N,) bool with hysteresis: between the two thresholds what was before holds on."""
    said = np.where(force >= begin_n, 1, np.where(force < end_n, 0, -1))
    rows = np.maximum.accumulate(np.where(said >= 0, np.arange(len(said)), 0))
    return said[rows] == 1


def _lasting_changes(stamps_ns: np.ndarray, states: np.ndarray) -> np.ndarray:
    """The rows at which a state begins that lasts; shorter ones count as what was before."""
    lasting: list[int] = []
    state = bool(states[0])
    rows = [*np.flatnonzero(np.diff(states)) + 1, len(states)]
    for row, following in pairwise(rows):
        until_ns = stamps_ns[min(following, len(stamps_ns) - 1)]
        if states[row] != state and until_ns - stamps_ns[row] >= SHORTEST_NS:
            lasting.append(int(row))
            state = not state
    return np.asarray(lasting, np.int64)

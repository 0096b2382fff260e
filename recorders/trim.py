"""Where a demonstration could begin later and end sooner: a proposal, never a cut.

People wait before they move and after they have finished, and a policy that learns from waiting
waits. Found is the idle time at an episode's head and tail, by the speed at which the joints were
told to move. It knows ticks; it changes nothing, and what becomes of the proposal is up to people.
"""

import msgspec
import numpy as np

from recorders.array_layout import DamagedRecording
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.quality import read_ticks

STILL = 0.01        # of a joint's velocity limit, as in quality.py
KEPT_S = 0.2        # of stillness left at either end: the policy sees the arm at rest
WORTH_S = 0.5       # less than this is not worth a word


class TrimProposal(msgspec.Struct, frozen=True, kw_only=True):
    """What would stay.

    Attributes:
        start_s, end_s: seconds from the episode's first tick.
        head_s, tail_s: idle seconds that would go; 0 where it is not worth it.
    """

    start_s: float
    end_s: float
    head_s: float
    tail_s: float


def propose_trim(stamps_ns: np.ndarray, speed: np.ndarray) -> TrimProposal | None:
    """What to leave away of an episode.

    Args:
        stamps_ns: (T,) ascending stamps of the ticks.
        speed: (T,) the fastest joint, as a share of its velocity limit.

    Returns:
        None where there is nothing to leave away, or no motion at all.
    """
    moving = np.flatnonzero(speed >= STILL)
    if not len(moving):
        return None
    seconds = (stamps_ns - stamps_ns[0]) / NS_PER_S
    whole_s = float(seconds[-1])
    head_s = max(0.0, float(seconds[moving[0]]) - KEPT_S)
    tail_s = max(0.0, whole_s - float(seconds[moving[-1]]) - KEPT_S)
    head_s, tail_s = (idle_s if idle_s >= WORTH_S else 0.0 for idle_s in (head_s, tail_s))
    if not head_s and not tail_s:
        return None
    return TrimProposal(start_s=head_s, end_s=whole_s - tail_s, head_s=head_s, tail_s=tail_s)


def trim_of(episode: EpisodeReader) -> TrimProposal | None:
    """The proposal for a recorded episode; None also where its ticks cannot be read."""
    try:
        ticks = read_ticks(episode)
    except (DamagedRecording, ValueError):
        return None
    return propose_trim(ticks.stamps_ns, ticks.speed)

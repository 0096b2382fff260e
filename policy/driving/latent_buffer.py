"""Where System 2 leaves what it thought and System 1 takes it, without either waiting.

Publishing is one assignment of a reference, which Python makes atomic: one thread may publish while
another reads, without a lock. The latest wins (DuoCore-FS, arXiv 2512.20188, keeps its latents the
same way). The buffer also judges a latent's age: System 1 goes on with an old one, more slowly
with a very old one, and not at all with one that means nothing any more. Knows stamps; knows no
network and no clock.
"""

import math
from enum import Enum

import msgspec

from policy.interfaces import Latent
from recorders.clock import NS_PER_S


class Verdict(Enum):
    """What System 1 may do with the newest latent."""

    USE = "use"
    SLOW = "slow"       # it is old: move, but more slowly
    HOLD = "hold"       # there is none, it is too old, of other words, or was not understood


class AgeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How old a latent may be; without limits by default."""

    slow_after_s: float = math.inf
    """Age of what System 2 saw from which the arm moves more slowly."""
    hold_after_s: float = math.inf
    """Age from which the arm holds until System 2 has looked again."""


class LatentBuffer:
    """Holds the newest latent.

    One thread publishes; any number may read.
    """

    def __init__(self, limits: AgeLimits | None = None) -> None:
        self._limits = limits or AgeLimits()
        self._newest: Latent | None = None

    @property
    def newest(self) -> Latent | None:
        """The latest latent, or None before the first."""
        return self._newest

    def publish(self, latent: Latent) -> bool:
        """Make a latent the newest one.

        Returns:
            False if it was made from an older observation than the one that is there: a run of
            System 2 that was overtaken.
        """
        newest = self._newest
        if newest is not None and latent.observation_ns < newest.observation_ns:
            return False
        self._newest = latent
        return True

    def clear(self) -> None:
        """Forget: a new episode begins."""
        self._newest = None

    def read(self, now_ns: int, instruction_id: int | None = None) -> tuple[Latent | None, Verdict]:
        """The newest latent and what may be done with it, of one moment.

        Args:
            now_ns: monotonic.
            instruction_id: the words that hold now; None takes a latent of any words.
        """
        latent = self._newest
        return latent, self.judge(latent, now_ns, instruction_id)

    def judge(self, latent: Latent | None, now_ns: int, instruction_id: int | None = None
              ) -> Verdict:
        """What may be done with a latent; arguments as in `read`."""
        if latent is None or not latent.understood:
            return Verdict.HOLD
        if instruction_id is not None and latent.instruction_id != instruction_id:
            return Verdict.HOLD
        age_s = (now_ns - latent.observation_ns) / NS_PER_S
        if age_s > self._limits.hold_after_s:
            return Verdict.HOLD
        return Verdict.SLOW if age_s > self._limits.slow_after_s else Verdict.USE

    def verdict(self, now_ns: int, instruction_id: int | None = None) -> Verdict:
        """What may be done with the newest latent; see `read`."""
        return self.read(now_ns, instruction_id)[1]

"""A button that must be held: an arm is not armed by a slip of the hand.

Pure: it is told when it is down and what time it is. Once it has fired it waits to be let go.
"""

import msgspec

from recorders.clock import NS_PER_S


class HoldButton(msgspec.Struct, frozen=True):
    """How long a button has been held.

    Attributes:
        since_ns: when it went down; 0 while it is up.
        fired: it did what it does and waits to be let go.
    """

    since_ns: int = 0
    fired: bool = False

    def at(self, now_ns: int, *, down: bool, hold_s: float) -> "tuple[HoldButton, bool]":
        """After a look at it; also whether it acts now."""
        if not down:
            return HoldButton(), False
        if self.since_ns == 0:
            return HoldButton(now_ns), False
        if not self.fired and now_ns - self.since_ns >= hold_s * NS_PER_S:
            return HoldButton(self.since_ns, fired=True), True
        return self, False

    def progress(self, now_ns: int, hold_s: float) -> float:
        """From 0 (up) to 1 (acts)."""
        if self.since_ns == 0:
            return 0.0
        return min(1.0, (now_ns - self.since_ns) / (hold_s * NS_PER_S))

"""When a window is drawn again: only for what changed, and never so often that it eats the machine.

Under software rendering one frame costs a tenth of a second of processor time, which the control
loop next door may need. So: at once for the hand at the mouse, often while the arm moves, seldom
while nothing does, and never more than a share of one core. Knows times; refuses to know widgets.
"""

import msgspec

from recorders.clock import NS_PER_S


class RedrawLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How often a window is drawn."""

    touched_hz: float = 60.0
    """While somebody moves the mouse or types."""
    moving_hz: float = 30.0
    """While the arm moves or an episode is open."""
    changed_hz: float = 2.0
    """While numbers change and nothing moves: a rate, an age, a clock."""
    idle_hz: float = 1.0
    """Always: a window must answer its window manager."""
    busy_share: float = 0.5
    """Of the time, at most, is spent drawing, unless somebody's hand is at it."""
    touched_share: float = 0.8
    """The same while somebody's hand is at it."""
    lingers_s: float = 0.7
    """How long a hand counts as being at it after its last motion."""


class Redraw(msgspec.Struct, frozen=True):
    """When the window was drawn last, and what that cost.

    Attributes:
        drawn_ns: when the last frame began.
        cost_ns: how long it took.
        touched_ns: when somebody's hand was last seen.
    """

    drawn_ns: int = 0
    cost_ns: int = 0
    touched_ns: int = 0

    def touched(self, now_ns: int) -> "Redraw":
        """Somebody moved the mouse or pressed a key."""
        return msgspec.structs.replace(self, touched_ns=now_ns)

    def drew(self, began_ns: int, now_ns: int) -> "Redraw":
        """A frame was drawn."""
        return msgspec.structs.replace(self, drawn_ns=began_ns, cost_ns=now_ns - began_ns)

    def due_ns(self, limits: RedrawLimits, *, changed: bool, moving: bool) -> int:
        """When the next frame is due, as things stand."""
        at_hand = self.touched_ns > 0 and (
            self.drawn_ns - self.touched_ns < limits.lingers_s * NS_PER_S)
        rate_hz = (limits.touched_hz if at_hand else limits.moving_hz if changed and moving
                   else limits.changed_hz if changed else limits.idle_hz)
        share = limits.touched_share if at_hand else limits.busy_share
        return self.drawn_ns + max(int(NS_PER_S / rate_hz), int(self.cost_ns / share))

"""Who drives: the station's modes as a table.

Every transition that exists is a row; whatever is not in the table is refused with a reason. A
change of driver starts a new epoch, so that whatever was planned under the old one can be told
apart and thrown away. Knows no device, no joint and no clock.
"""

from enum import Enum

from studio.station.messages import Mode


class Event(Enum):
    """What can change the mode."""

    ARM = "arm"
    DISARM = "disarm"
    PAUSE = "pause"
    INPUT = "human input"           # the clutch closed
    JOIN = "join in"                # the clutch closed, and the person takes some axes only
    RELEASE = "release"             # the clutch opened
    YIELD = "hand back"             # the clutch opened, and the policy is to go on
    PLAY = "let the policy drive"
    STOP = "stop"
    REARM = "re-arm"
    TROUBLE = "trouble"             # a guard holds the arm: stale, forced, recorder lost
    FAULT = "fault"                 # a device failed
    REWIND = "rewind"               # drive back along the way that the arm came
    REWOUND = "be back"             # the arm is there, or the world was taken back


M = Mode
MOVING = (M.AUTO, M.SHARED, M.HUMAN, M.HANDBACK, M.REWIND)
TABLE: dict[tuple[Mode, Event], Mode] = {
    (M.IDLE, Event.ARM): M.ARMED,
    (M.ARMED, Event.ARM): M.ARMED,
    (M.HOLD, Event.ARM): M.ARMED,
    (M.ARMED, Event.INPUT): M.HUMAN,
    (M.AUTO, Event.INPUT): M.HUMAN,         # one motion takes over: no pause, no key first
    (M.HANDBACK, Event.INPUT): M.HUMAN,
    (M.HUMAN, Event.INPUT): M.HUMAN,
    (M.AUTO, Event.JOIN): M.SHARED,
    (M.HANDBACK, Event.JOIN): M.SHARED,
    (M.SHARED, Event.JOIN): M.SHARED,
    **{(mode, Event.RELEASE): M.ARMED for mode in (M.HUMAN, M.SHARED)},
    **{(mode, Event.YIELD): M.HANDBACK for mode in (M.HUMAN, M.SHARED)},
    (M.HANDBACK, Event.PLAY): M.AUTO,       # once it has planned from where the arm is
    (M.ARMED, Event.PLAY): M.AUTO,
    **{(mode, Event.REWIND): M.REWIND for mode in (M.ARMED, M.AUTO, M.HANDBACK)},
    (M.REWIND, Event.INPUT): M.HUMAN,
    **{(mode, Event.REWOUND): M.ARMED for mode in (M.ARMED, M.HOLD, *MOVING)},
    (M.STOP, Event.REARM): M.IDLE,
    (M.FAULT, Event.REARM): M.IDLE,
    **{(mode, Event.PAUSE): M.HOLD for mode in (M.ARMED, *MOVING)},
    **{(mode, Event.TROUBLE): M.HOLD for mode in (M.ARMED, *MOVING)},
    **{(mode, Event.DISARM): M.IDLE for mode in (M.IDLE, M.ARMED, M.HOLD, *MOVING)},
    **{(mode, Event.STOP): M.STOP for mode in Mode},
    **{(mode, Event.FAULT): M.FAULT for mode in Mode if mode is not M.STOP},
}
DRIVER = {M.HUMAN: "human", M.AUTO: "policy", M.HANDBACK: "policy", M.SHARED: "both",
          M.REWIND: "way back"}
ALWAYS_NEW = (Event.STOP, Event.REWIND, Event.REWOUND)      # what was planned before is void


class Ownership:
    """The present mode, why, and the epoch."""

    def __init__(self) -> None:
        self.mode = Mode.IDLE
        self.reason = ""
        self.epoch = 0

    def on(self, event: Event, reason: str = "") -> bool:
        """Apply an event; returns whether the table knows it in this mode."""
        following = TABLE.get((self.mode, event))
        if following is None:
            return False
        if DRIVER.get(following) != DRIVER.get(self.mode) or event in ALWAYS_NEW:
            self.epoch += 1
        if following is not self.mode or event in (Event.STOP, Event.FAULT):
            keep_first = self.mode is following and bool(self.reason)
            self.reason = self.reason if keep_first else reason
        self.mode = following
        return True

    def can(self, event: Event) -> bool:
        """Whether the table knows an event in this mode."""
        return (self.mode, event) in TABLE

    @property
    def may_move(self) -> bool:
        """Whether the arm follows anybody in this mode."""
        return self.mode in (Mode.ARMED, *MOVING)

    def refusal(self, event: Event) -> str:
        """One sentence on why an event was refused."""
        remedy = {M.STOP: "re-arm first", M.FAULT: "mend the fault, then re-arm",
                  M.IDLE: "arm first", M.HOLD: "arm first", M.HUMAN: "let go of the device first",
                  M.SHARED: "let go of the device first"}.get(self.mode, "wait")
        return f"cannot {event.value} while {self.mode.name}: {remedy}"

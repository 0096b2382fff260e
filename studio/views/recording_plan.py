"""What recording as a person does it is made of: what is wanted, what is remembered, what follows.

Plain data, frozen. Knows names only; what leads from one to the next is in recording_flow.py.
"""

from typing import Literal

import msgspec

from recorders.clock import NS_PER_S
from studio.station.commands import Command
from studio.views.undo import Undo

Action = Literal["record", "end", "success", "failure", "partial", "unlabelled", "discard",
                 "rerecord", "undo", "new scene", "finish", "let drive"]
ACTIONS: tuple[str, ...] = Action.__args__
Cue = Literal["countdown", "start", "stop", "saved", "discarded", "warning", "refused",
              "software_stop", "alert"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the next episode is to be.

    Attributes:
        task: its name.
        instruction: what is asked for; empty takes what the scene's reset says.
        seed: of the scene.
        practice: drive and watch, keep nothing.
        note: goes with the label.
        countdown_s: before an episode begins; 0 begins at once.
        limit_s: after which an episode ends by itself; 0 never.
        operator: who drives, as the recording shall say.
        resettable: the robot is a simulator, whose scene is set up by a command.
    """

    task: str
    instruction: str = ""
    seed: int = 0
    practice: bool = False
    note: str = ""
    countdown_s: float = 3.0
    limit_s: float = 0.0
    operator: str = ""
    resettable: bool = True


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What the station does not know.

    Attributes:
        starts_ns: when the countdown ends; 0 without one.
        said_s: the last second that was heard.
        arm_next, record_next: to be done as soon as the station lets us.
        ending: the episode that was ended and is not committed yet.
        last: the episode that labels and the bin speak of while none is open.
        undo: what can be taken back, newest last.
        cut_short: the last episode that the recorder could not take to its end, as was told.
        alerted_ns: when the alert began that was heard last.
    """

    starts_ns: int = 0
    said_s: int = 0
    arm_next: bool = False
    record_next: bool = False
    ending: str = ""
    last: str = ""
    undo: tuple[Undo, ...] = ()
    cut_short: str = ""
    alerted_ns: int = 0

    def counts_s(self, now_ns: int) -> float:
        """Seconds left of the countdown; 0 without one."""
        return max(0.0, (self.starts_ns - now_ns) / NS_PER_S) if self.starts_ns else 0.0


class Turn(msgspec.Struct, frozen=True):
    """What follows from something.

    Attributes:
        flow: from now on.
        asks: commands in order; the first refusal ends them.
        cues: what is to be heard.
        notice: what is to be read; empty leaves what stands.
    """

    flow: Flow
    asks: tuple[Command, ...] = ()
    cues: tuple[Cue, ...] = ()
    notice: str = ""

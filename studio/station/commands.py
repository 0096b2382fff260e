"""What anybody may ask of the station; each is accepted, or refused with a reason.

Plain frozen structs, encoded with msgspec (MessagePack). Knows what can be asked; who asks (a
console, a script, a device's button) and how it is carried (command_link.py) is not said here.
"""

from typing import Any

import msgspec

from studio.station.chunks.override_commands import OverrideCommand


class Arm(msgspec.Struct, tag=True, frozen=True):
    """Start holding the present position and accept motion."""


class Disarm(msgspec.Struct, tag=True, frozen=True):
    """Stop accepting motion; the arm keeps holding."""


class Stop(msgspec.Struct, tag=True, frozen=True):
    """Latched software stop. It is no safety device."""

    reason: str = "the operator pressed stop"


class Rearm(msgspec.Struct, tag=True, frozen=True):
    """Leave STOP or FAULT, once its cause is gone."""


class Pause(msgspec.Struct, tag=True, frozen=True):
    """Hold where the arm is; `Arm` goes on."""


class SetSpeed(msgspec.Struct, tag=True, frozen=True):
    """Scale every velocity limit by a factor in (0, 1]."""

    scale: float


class ResetScene(msgspec.Struct, tag=True, frozen=True):
    """Set up the simulated scene for a task; refused by a real robot and during an episode."""

    task: str
    seed: int


class StartEpisode(msgspec.Struct, tag=True, frozen=True):
    """Begin to record."""

    task: str
    instruction: str = ""       # empty: what the scene's reset said
    practice: bool = False      # drive and watch, keep nothing
    seed: int = 0
    operator: str = ""


class StartPolicy(msgspec.Struct, tag=True, frozen=True):
    """Let the policy drive. Moving the device takes over, letting go of it hands back."""


class JoinPolicy(msgspec.Struct, tag=True, frozen=True):
    """Tell the station that a policy's process serves it from now on, or that none does."""

    name: str = ""              # of the policy; empty: none


class Rewind(msgspec.Struct, tag=True, frozen=True):
    """Go back to where it went wrong; the arm then holds, and waits for a person or StartPolicy.

    A simulator goes back to that state of its world at once. Any other arm drives back along the
    way that it came, at half its speed, until somebody moves the device, pauses or stops.
    """

    seconds: float = 2.0        # of driving
    to_tick: int = -1           # if it is 0 or more: the last tick that stays, instead of `seconds`


class SetSharing(msgspec.Struct, tag=True, frozen=True):
    """What a person gets who steps in while the policy drives; holds from the next time on."""

    human: tuple[float, ...] = (1.0,) * 6   # x y z roll pitch yaw: 1 yours, 0 the policy's, or both
    hand_back: bool = True                  # letting go of the device hands the arm back


class AnswerAlert(msgspec.Struct, tag=True, frozen=True):
    """Say that an alert was none: its signal raises no other in this scene. Taking the arm, other
    words and a hold answer an alert by themselves."""

    number: int


class EndEpisode(msgspec.Struct, tag=True, frozen=True):
    """Commit the open episode."""

    label: str = ""             # empty: the task's detector decides
    note: str = ""


class DiscardEpisode(msgspec.Struct, tag=True, frozen=True):
    """Put the open episode into the trash."""


class SetInstruction(msgspec.Struct, tag=True, frozen=True):
    """Change the instruction; recorded with the tick from which it holds."""

    text: str
    flush: bool = True          # cancel what the policy is doing; else it goes on until it has read


class SetSubtask(msgspec.Struct, tag=True, frozen=True):
    """Say what is to be done now in System 2's place; it holds until you take it back, the
    instruction changes, the scene ends, or System 2 says the same by itself."""

    text: str                   # empty: System 2 says it again


class NoteVersion(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """Write into the open episode what was decided about a version of the policy's weights."""

    what: str                   # promoted, refused, rolled back
    version: int
    run: str = ""               # its run's name
    before: int = 0             # the version that drove
    says: str = ""              # what spoke against it
    reason: str = ""            # the operator's
    by: str = ""                # who asked for it
    figures: dict[str, Any] = {}


class LabelEpisode(msgspec.Struct, tag=True, frozen=True):
    """Judge a committed episode; the last word holds."""

    episode: str
    label: str
    note: str = ""


class RelabelEpisode(msgspec.Struct, tag=True, frozen=True):
    """Say which task a committed episode shows, or how it should be asked for; None leaves it."""

    episode: str
    task: str | None = None
    instruction: str | None = None


class TrashEpisode(msgspec.Struct, tag=True, frozen=True):
    """Put a committed episode away; `RestoreEpisode` is the undo."""

    episode: str


class RestoreEpisode(msgspec.Struct, tag=True, frozen=True):
    """Take an episode out of the trash."""

    episode: str


class SettleInterrupted(msgspec.Struct, tag=True, frozen=True):
    """Keep or discard an episode that a crash interrupted."""

    episode: str
    keep: bool


class Keys(msgspec.Struct, tag=True, frozen=True):
    """The keys that a console sees held down now; to be repeated at least every 50 ms."""

    held: tuple[str, ...]
    stamp_ns: int


class Shutdown(msgspec.Struct, tag=True, frozen=True):
    """Hold the arm, close the open episode as interrupted, and end the station."""


AboutEpisode = (LabelEpisode | RelabelEpisode | TrashEpisode | RestoreEpisode
                | SettleInterrupted)
"""What is said of episodes that are not open; the recorder does it, in the order of asking."""

DESKTOP, PAGE, TERMINAL, SCRIPT, SESSION = "desktop", "page", "command line", "script", "session"
"""Who asks, as the record calls them. A second window is "desktop-" and its process."""

Command = (Arm | Disarm | Stop | Rearm | Pause | SetSpeed | ResetScene | StartEpisode | StartPolicy
           | JoinPolicy | NoteVersion | Rewind | SetSharing | EndEpisode | DiscardEpisode
           | SetInstruction | SetSubtask | Keys | AnswerAlert | Shutdown | AboutEpisode
           | OverrideCommand)


class Reply(msgspec.Struct, frozen=True):
    """Every command is accepted, or refused with a reason that the operator is shown."""

    accepted: bool
    reason: str = ""
    value: str = ""             # StartEpisode: the episode's id; ResetScene: the instruction

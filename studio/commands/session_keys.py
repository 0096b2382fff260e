"""The keys of this terminal during a session: some drive the arm, some steer the session.

    space   software stop           →       end the episode; the task's detector judges
    enter   re-arm, then arm        1 2 3   end it as success, failure, partial
    escape  end the session         ←       put it into the trash and record it anew
    P       let the policy drive (again)

The terminal's thread only leaves keys here; they are sent from the thread that follows the
session, because a socket belongs to one thread. Knows commands; refuses to know how they are sent.
"""

from collections import deque
from collections.abc import Callable

from studio.station.commands import (
    Arm,
    Command,
    DiscardEpisode,
    EndEpisode,
    Keys,
    Rearm,
    Reply,
    Shutdown,
    StartPolicy,
    Stop,
)
from studio.station.messages import Mode

SESSION_HELP = ("space: software stop · enter: re-arm, arm · →: end the episode · 1 2 3: end it as "
                "success, failure, partial · ←: record it anew · escape: end the session")
DRIVE_HELP = ("W S forward, back · A D left, right · E Q up, down · J L yaw · I K pitch · U O roll "
              "· C V close, open the gripper · capital letters: slow")
POLICY_HELP = "move the device: take over · P: let the policy drive again"
_COMMANDS: dict[str, Command] = {
    "space": Stop("the operator pressed the space bar"),
    "right": EndEpisode(),
    "1": EndEpisode(label="success"),
    "2": EndEpisode(label="failure"),
    "3": EndEpisode(label="partial"),
    "left": DiscardEpisode(),
    "escape": Shutdown(),
    "p": StartPolicy(),
}


class SessionKeys:
    """Turns held keys into commands: once per press, except those that drive.

    Args:
        driving: whether held keys also go to the teleoperator.
        refused: is told why a command was refused.
    """

    def __init__(self, driving: bool, refused: Callable[[str], None]) -> None:
        self._driving, self._refused = driving, refused
        self._held: frozenset[str] = frozenset()
        self._newest: Keys | None = None
        self._pressed: deque[str] = deque()
        self._call: Callable[[Command], Reply] | None = None
        self._mode = Mode.IDLE

    def attach(self, call: Callable[[Command], Reply]) -> None:
        """The station serves: commands go there from now on."""
        self._call = call

    def held(self, names: frozenset[str], stamp_ns: int) -> None:
        """Remember what is held now; called by the terminal's thread."""
        self._pressed.extend(sorted(names - self._held))
        self._held = names
        self._newest = Keys(tuple(sorted(names)), stamp_ns)

    def seen(self, mode: Mode) -> None:
        """What Enter means depends on the station's mode."""
        self._mode = mode

    def send(self) -> None:
        """Tell the station what was pressed, and what is held, also that nothing is."""
        if self._call is None:
            return
        while self._pressed:
            command = self._command_of(self._pressed.popleft())
            if command is not None and not (reply := self._call(command)).accepted:
                self._refused(reply.reason)
        if self._driving and self._newest is not None:
            self._call(self._newest)

    def _command_of(self, key: str) -> Command | None:
        if key == "enter":
            return Rearm() if self._mode in (Mode.STOP, Mode.FAULT) else Arm()
        return _COMMANDS.get(key)

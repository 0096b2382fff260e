"""Runs a session and tells how it goes; with `--teleop keyboard` this terminal is the device.

Shared by `record`, `teleop` and `demo`. Knows the screen and the terminal. Refuses to know which
processes a session needs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from recorders.clock import SystemClock
from studio.commands.output import Screen
from studio.commands.session_report import Narrator
from studio.devices.terminal_keys import TerminalKeys
from studio.station.messages import Keys, Snapshot

if TYPE_CHECKING:
    from studio.station.launch import SessionRequest
    from studio.station.session import Outcome

KEY_HELP = ("keys: W S forward, back · A D left, right · E Q up, down · J L yaw · I K pitch · "
            "U O roll · C V close, open the gripper · capital letters: slow · Ctrl-C ends")


class KeySender:
    """Passes the keys that are held in this terminal on to the station.

    The terminal's thread only leaves the newest keys here; they are sent from the thread that
    follows the session, twenty times a second, because a socket belongs to one thread.
    """

    def __init__(self) -> None:
        self._newest: Keys | None = None
        self._commands: Any = None

    def attach(self, commands: Any) -> None:
        """The station serves: keys go there from now on."""
        self._commands = commands

    def held(self, names: frozenset[str], stamp_ns: int) -> None:
        """Remember what is held now; called by the terminal's thread."""
        self._newest = Keys(tuple(sorted(names)), stamp_ns)

    def send(self) -> None:
        """Tell the station; also that nothing is held."""
        if self._commands is not None and self._newest is not None:
            self._commands.call(self._newest)


@contextmanager
def _keys_for(teleop: str, screen: Screen) -> Iterator[KeySender]:
    sender = KeySender()
    if teleop != "keyboard":
        yield sender
        return
    screen.say(KEY_HELP)
    with TerminalKeys(SystemClock(), sender.held):
        yield sender


def run_and_tell(screen: Screen, request: "SessionRequest", what: str,
                 outcomes: "list[Outcome]") -> str:
    """Run a session to its end.

    Args:
        screen: shows progress.
        request: what to run.
        what: the progress bar's words.
        outcomes: each episode's end is appended, so that it is known also after Ctrl-C.

    Returns:
        Empty, or one sentence on why the session ended early.
    """
    from studio.station.launch import run_session

    with (screen.progress(what, len(request.plan.tasks)) as progress,
          _keys_for(request.teleop, screen) as keys):
        narrator = Narrator(progress, outcomes)

        def on_snapshot(snapshot: Snapshot) -> None:
            narrator.on_snapshot(snapshot)
            keys.send()

        return run_session(request, on_outcome=narrator.on_outcome, on_snapshot=on_snapshot,
                           say=screen.say, on_start=keys.attach)

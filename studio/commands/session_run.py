"""Runs a session and tells how it goes; this terminal's keys steer it while a person drives.

Shared by `record`, `teleop`, `rollout` and `demo`. Knows the screen and the terminal. Refuses to
know which processes a session needs.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from recorders.clock import SystemClock
from studio.commands.output import Screen
from studio.commands.session_keys import DRIVE_HELP, POLICY_HELP, SESSION_HELP, SessionKeys
from studio.commands.session_report import Narrator
from studio.devices.terminal_keys import TerminalKeys
from studio.station.messages import Mode, Snapshot

if TYPE_CHECKING:
    from studio.station.launch import SessionRequest
    from studio.station.session import Outcome

KEYBOARD = "keyboard"


@contextmanager
def _session_keys(request: "SessionRequest", screen: Screen) -> Iterator[SessionKeys]:
    driving, policy = request.teleop == KEYBOARD, request.plan.policy
    keys = SessionKeys(driving, refused=screen.say)
    if not driving and not ((request.plan.attended or policy) and sys.stdin.isatty()):
        yield keys
        return
    with TerminalKeys(SystemClock(), keys.held):
        for line in [DRIVE_HELP] * driving + [POLICY_HELP] * policy + [SESSION_HELP]:
            screen.say(line)
        yield keys


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
          _session_keys(request, screen) as keys):
        narrator = Narrator(progress, outcomes)
        remarks: set[str] = set()

        def on_snapshot(snapshot: Snapshot) -> None:
            narrator.on_snapshot(snapshot)
            keys.seen(snapshot.mode)
            # A bar shows what is wrong with the arm; without a terminal there is no bar.
            broken = snapshot.mode is Mode.FAULT and not screen.watched
            if not screen.watched and (news := narrator.news(snapshot)):
                screen.say(news)
            for remark in (snapshot.policy.remark if snapshot.policy else "",
                           snapshot.reason if broken else ""):
                if remark not in ("", *remarks):
                    remarks.add(remark)
                    screen.say(remark)

        return run_session(request, on_outcome=narrator.on_outcome, on_snapshot=on_snapshot,
                           say=screen.say, on_start=keys.attach, on_turn=keys.send)

"""The thread of the operator's hands: a display that is late costs neither the keys nor a stop."""

import threading

import pytest

from recorders.clock import SystemClock
from studio.console.keys import KeyThread
from studio.console.x11 import Hands
from studio.station.commands import Command, Reply, Stop
from studio.station.processes.bus import CommandServer, open_context, private_endpoints

PATIENCE_MS = 20_000    # ends a broken test; a passing one never waits for it


class LateHands:
    """Hands on a display that refuses until it is let."""

    def __init__(self) -> None:
        self.let, self.refused = threading.Event(), threading.Event()
        self.looked = threading.Event()

    def __call__(self) -> "LateHands":
        if not self.let.is_set():
            self.refused.set()
            raise OSError("the X display cannot be opened")
        return self

    def look(self) -> Hands:
        self.looked.set()
        return Hands(True, frozenset(), (0, 0, 0))

    def close(self) -> None:
        pass


@pytest.mark.alone
def test_a_display_that_refuses_at_first_is_asked_again_and_a_stop_does_not_wait_for_it():
    with private_endpoints() as links, open_context() as context:
        server = CommandServer[Command, Reply](context, links.command, Command,
                                               lambda why: Reply(False, why))
        hands = LateHands()
        keys = KeyThread(context, links, SystemClock(), open_hands=hands)  # type: ignore[arg-type]
        try:
            assert hands.refused.wait(PATIENCE_MS / 1000)
            keys.stop_now()
            assert server.wait(PATIENCE_MS)
            ((asked, answer),) = server.poll()
            answer(Reply(True))
            assert isinstance(asked, Stop)
            assert keys.stops.get(timeout=PATIENCE_MS / 1000).accepted
            hands.let.set()
            assert hands.looked.wait(PATIENCE_MS / 1000)
        finally:
            keys.close()
            server.close()

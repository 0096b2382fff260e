"""The operator's hands, fifty times a second and apart from the window's frames.

A thread of its own with a link of its own: the keys that drive the arm go to the station while the
window has the focus and nobody types; Space is a software stop at once, however long a frame
takes; other hot-keys are kept for the window. Losing the focus lets go of every key, and so does
the end of this process, because the station expects to hear twenty times a second.
"""

import queue
import threading
from collections.abc import Callable

import zmq

from recorders.clock import NS_PER_S, Clock
from studio.console.asking import desktop_named
from studio.console.x11 import Hands, X11Hands
from studio.station.commands import Command, Keys, Reply, Stop
from studio.station.processes.bus import CommandClient, Endpoints, StationSilent
from studio.views.keymap import KeyEdges, driving

POLL_NS = NS_PER_S // 125     # shorter than the quickest tap of a key
SAY_NS = NS_PER_S // 50       # what is held is repeated so often, and said at once when it changes
_PATIENCE_S = 0.1
_PAUSE_NS = NS_PER_S // 2       # after a station did not answer
_DISPLAY_PAUSE_S = 0.1           # after a display could not be opened
STOP = "stop"


class KeyThread:
    """Looks at the hands, drives, and stops.

    Args:
        context: of this process.
        links: of the desk.
        clock: the machine's.
        open_hands: opens what looks at the hands; X11's by default.
        name: of the console.

    Attributes:
        typing: the window says that somebody types into it.
        keyboard_drives: the desk's teleoperator is the keyboard.
        held: keys that drive, as seen last.
        focused: whether the window has the keyboard.
        down: some key that we know is down.
        touched: set whenever a hand moved; the window clears it.
    """

    def __init__(self, context: zmq.Context, links: Endpoints, clock: Clock,
                 open_hands: Callable[[], X11Hands] = X11Hands, name: str = "console") -> None:
        self._context, self._links, self._clock = context, links, clock
        self._open_hands, self._by = open_hands, desktop_named(name)
        self._actions: queue.Queue[str] = queue.Queue()
        self._stop_asked, self._ending = threading.Event(), threading.Event()
        self._quiet_until_ns = self._say_ns = 0
        self.typing = self.keyboard_drives = self.focused = self.down = False
        self.held: frozenset[str] = frozenset()
        self.touched = threading.Event()
        self.stops: queue.Queue[Reply] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
        self._thread.start()

    def stop_now(self) -> None:
        """Ask for a software stop, ahead of everything else; returns at once."""
        self._stop_asked.set()

    def actions(self) -> list[str]:
        """What hot-keys asked for since the last call, in order."""
        actions = []
        while not self._actions.empty():
            actions.append(self._actions.get_nowait())
        return actions

    def close(self) -> None:
        """End; whatever was held is let go by the silence."""
        self._ending.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        station: CommandClient[Command, Reply] = CommandClient(
            self._context, self._links.command, Reply, name=self._by)
        if (hands := self._find_hands(station)) is None:
            station.close()
            return
        edges, before = KeyEdges(), Hands(False, frozenset(), (0, 0, 0))
        deadline_ns = self._clock.now_ns()
        try:
            while not self._ending.is_set():
                now = hands.look()
                if now != before:
                    self.touched.set()
                self.down = bool(now.held)
                edges, actions = edges.seen(now.held, focused=now.focused, typing=self.typing)
                for action in actions:
                    (self._stop_asked.set() if action == STOP else self._actions.put(action))
                if self._stop_asked.is_set():
                    self._stop(station)
                self._drive(station, now)
                before = now
                deadline_ns = max(deadline_ns + POLL_NS, self._clock.now_ns())
                self._clock.wait_until(deadline_ns)
        finally:
            station.close()
            hands.close()

    def _find_hands(self, station: CommandClient[Command, Reply]) -> X11Hands | None:
        """The hands, as soon as the display can be opened; None at the end.

        An X server that starts anew when its last client has left refuses meanwhile. A stop does
        not wait for it.
        """
        while not self._ending.is_set():
            try:
                return self._open_hands()
            except OSError:
                if self._stop_asked.is_set():
                    self._stop(station)
                self._ending.wait(_DISPLAY_PAUSE_S)
        return None

    def _stop(self, station: CommandClient[Command, Reply]) -> None:
        self._stop_asked.clear()
        self.stops.put(self._ask(station, Stop(), timeout_s=1.0))
        self.touched.set()

    def _drive(self, station: CommandClient[Command, Reply], hands: Hands) -> None:
        self.focused = hands.focused
        before, self.held = self.held, driving(hands.held, focused=hands.focused,
                                               typing=self.typing)
        now_ns = self._clock.now_ns()
        due = now_ns >= self._say_ns or self.held != before
        if self.keyboard_drives and hands.focused and due and now_ns >= self._quiet_until_ns:
            self._say_ns = now_ns + SAY_NS
            reply = self._ask(station, Keys(tuple(sorted(self.held)), now_ns), _PATIENCE_S)
            if not reply.accepted:
                self._quiet_until_ns = now_ns + _PAUSE_NS

    def _ask(self, station: CommandClient[Command, Reply], command: Command,
             timeout_s: float) -> Reply:
        try:
            return station.call(command, timeout_s)
        except StationSilent as silent:
            return Reply(False, str(silent))

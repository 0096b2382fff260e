"""Keys from a terminal: the poor man's console behind `tandem teleop --teleop keyboard`.

Knows terminals: they report no key release and repeat a held key only after a pause of a quarter
to two thirds of a second. So a fresh press jogs for `TAP_MS`, and the key counts as held from its
first repetition until the repetitions stop. A terminal repeats only the key pressed last, so one
key at a time moves the arm. Refuses to know what keys mean.

The terminal's settings are restored on every way out of the `with` block.
"""

import contextlib
import os
import select
import termios
import threading
import tty
from typing import Any

import msgspec

from recorders.clock import Clock
from studio.devices.interfaces import DeviceError
from studio.devices.keyboard import KeySink

TAP_MS = 120.0          # longer than three repetition periods of a slow terminal (30 ms each)
FEED_S = 0.02           # half of what the station demands (50 ms), and a finer release
_NS_PER_MS = 1_000_000
_ESCAPES = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left"}
_NAMES = {" ": "space", "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace",
          "\x1b": "escape"}


class TypedKeys(msgspec.Struct, frozen=True):
    """The keys that a terminal lately reported.

    Attributes:
        until_ns: key name to the time up to which it counts as held.
    """

    until_ns: dict[str, int] = {}

    def typed(self, names: frozenset[str], stamp_ns: int) -> "TypedKeys":
        """After a chunk of input: these keys are held now, and no other one repeats any more."""
        if not names:
            return self
        return TypedKeys(dict.fromkeys(names, stamp_ns + int(TAP_MS * _NS_PER_MS)))

    def held(self, now_ns: int) -> frozenset[str]:
        """The keys that count as held now."""
        return frozenset(name for name, until in self.until_ns.items() if now_ns < until)


def key_names(typed: bytes) -> frozenset[str]:
    """The keys in a chunk of terminal input, by name; a capital letter is Shift and the letter."""
    names: set[str] = set()
    for sequence, name in _ESCAPES.items():
        if sequence in typed:
            names.add(name)
            typed = typed.replace(sequence, b"")
    for character in typed.decode("utf-8", errors="ignore"):
        if character in _NAMES:
            names.add(_NAMES[character])
        elif character.isprintable():
            names.add(character.lower())
            if character != character.lower():
                names.add("shift")
    return frozenset(names)


class TerminalKeys:
    """Feeds a console's keys from a terminal while its `with` block lasts."""

    def __init__(self, clock: Clock, sink: KeySink, fd: int = 0) -> None:
        """Prepare.

        Args:
            clock: stamps what is typed.
            sink: is called with the held keys every 20 ms, from this object's own thread.
            fd: of the terminal; standard input by default.
        """
        self.fault = ""
        self._clock = clock
        self._sink = sink
        self._fd = fd
        self._keys = TypedKeys()
        self._settings: Any = None
        self._wake_read, self._wake_write = -1, -1
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "TerminalKeys":
        if not os.isatty(self._fd):
            raise DeviceError(
                "the keyboard needs a terminal, and standard input is none: start it in a "
                "terminal, or choose another --teleop")
        self._settings = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd)     # keys at once and unechoed; Ctrl-C still interrupts
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="terminal keys", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.write(self._wake_write, b"x")
            if self._thread:
                self._thread.join()
        finally:
            if self._settings is not None:
                # What was typed but not read belongs to the arm, not to the shell. A terminal
                # that has hung up has nothing left to restore.
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(self._fd, termios.TCSAFLUSH, self._settings)
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._sink(frozenset(), self._clock.now_ns())

    def _run(self) -> None:
        try:
            while self.feed(FEED_S):
                pass
        except OSError as error:    # it hung up; silence lets go of every key
            self.fault = f"the terminal is gone ({error.strerror}): start again in a terminal"
        except Exception as error:  # the worker's outermost edge: the sink failed
            self.fault = f"keys reach nobody ({type(error).__name__}: {error}): start again"

    def feed(self, wait_s: float) -> bool:
        """Take what was typed, for at most `wait_s`, and tell the sink which keys are held.

        Returns:
            False when it is time to end.

        Raises:
            OSError: if the terminal has hung up.
        """
        ready, _, _ = select.select([self._fd, self._wake_read], [], [], wait_s)
        if self._wake_read in ready:
            return False
        now_ns = self._clock.now_ns()
        if self._fd in ready:
            typed = os.read(self._fd, 1024)
            if not typed:
                raise OSError(0, "end of input")
            self._keys = self._keys.typed(key_names(typed), now_ns)
        self._sink(self._keys.held(now_ns), now_ns)
        return True

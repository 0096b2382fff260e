"""Push to talk: what the operator says while a button is held, as text to look at and to send.

Hands the phrases that may be said to a process that listens once (listener.py), has the next one
ready, and waits for nothing. What was understood acts on nothing: it stands in a field until a
person sends it. Refuses to know widgets.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Literal

import msgspec

from studio.console.listener import Heard, Listen

LISTENER = (sys.executable, "-P", "-m", "studio.console.listener")
INSTALL = 'pip install "tandem-studio[speech]"'
NOT_UNDERSTOOD = "Not understood: nothing has changed; say it again, or type it"

State = Literal["idle", "opening", "listening", "recognising"]


def missing() -> str:
    """Why nobody can be understood here, and what to do; empty if somebody can."""
    return "" if find_spec("pocketsphinx") else f"To speak, install the extra: {INSTALL}"


class Hearing:
    """Somebody's voice.

    Args:
        listener: words of the command that listens.

    Attributes:
        state: what it is at.
    """

    def __init__(self, listener: Sequence[str] = LISTENER) -> None:
        self.state: State = "idle"
        self._words = listener
        self._process: subprocess.Popen[bytes] | None = None
        self._old: list[subprocess.Popen[bytes]] = []
        self._rest = b""

    def listen(self, phrases: Sequence[str], words: Sequence[str] = ()) -> None:
        """The button went down: one of these phrases may be said, or, without any, these words."""
        if self.state != "idle":
            return
        if self._process is None or self._process.poll() is not None:
            self._start()
        self.state = "opening"
        self._write(msgspec.json.encode(Listen(tuple(phrases), tuple(words))))

    def done(self) -> None:
        """The button was let go: what was said is recognised."""
        if self.state in ("opening", "listening"):
            self.state = "recognising"
            self._write(b"")

    def news(self) -> Heard | None:
        """What was understood since the last call, or what is wrong; None if nothing is new."""
        if self.state == "idle" or self._process is None or self._process.stdout is None:
            return None
        try:
            said = os.read(self._process.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return None
        if not said:
            return self._answered(Heard(problem="nobody is heard: the listener has ended; "
                                                "try again"))
        *lines, self._rest = (self._rest + said).split(b"\n")
        for line in lines:
            heard = msgspec.json.decode(line, type=Heard)
            if not heard.listening:
                return self._answered(heard)
            if self.state == "opening":
                self.state = "listening"
        return None

    def close(self, timeout_s: float = 1.0) -> None:
        """End the listener; waits no longer than `timeout_s` for each."""
        self._let_go()
        for process in self._old:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout_s)

    def _answered(self, heard: Heard) -> Heard:
        self.state = "idle"
        self._let_go()
        self._start()       # for the next time: at once, then
        return heard

    def _start(self) -> None:
        self._let_go()
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            stderr=subprocess.DEVNULL)      # ALSA writes a dozen lines for a missing device
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)

    def _write(self, line: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):     # broken: `news` will say it
                os.write(self._process.stdin.fileno(), line + b"\n")

    def _let_go(self) -> None:
        """The microphone is free again, even where a driver hangs; nobody waits for the end."""
        process, self._process, self._rest = self._process, None, b""
        self._old = [one for one in self._old if one.poll() is None]
        if process is not None:
            process.kill()
            self._old.append(process)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

"""What the operator hears, who looks at the arm and not at the screen.

Hands cues to a process that plays them (sound_player.py) and waits for nothing: without a device,
or with one that hangs, everything is silent, and `problem` says why in a line once it is known.
Refuses to know when a cue is due (recording_flow.py).
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from recorders.clock import Clock, SystemClock
from studio.console.sound_player import LATE, PLAYED, READY
from studio.views.recording_plan import Cue

PLAYER = (sys.executable, "-P", "-m", "studio.console.sound_player")


class Sounds:
    """Plays cues.

    Args:
        muted: begin silently.
        clock: stamps cues, so that none is heard late.
        player: words of the command that plays.

    Attributes:
        muted: whether cues are swallowed.
        played: cues that were handed to the device.
        late: cues that it was too slow for.
    """

    def __init__(self, *, muted: bool = False, clock: Clock | None = None,
                 player: Sequence[str] = PLAYER) -> None:
        self.muted, self.played, self.late = muted, 0, 0
        self._clock, self._words = clock or SystemClock(), player
        self._player: subprocess.Popen[bytes] | None = None
        self._heard, self._problem = b"", ""
        if not muted:
            self._start()       # now, so that the first cue is heard in time

    @property
    def problem(self) -> str:
        """One line on why nothing is heard; empty if all is well as far as is known."""
        self._hear()
        return self._problem

    def play(self, cue: Cue) -> None:
        """Let a cue be heard at once, or never; does not wait."""
        if self.muted or self.problem:
            return
        if self._player is None:
            self._start()
        if self._player is not None and self._player.stdin is not None:
            with suppress(OSError):     # full: it hangs; broken: `problem` will say it
                os.write(self._player.stdin.fileno(),
                         f"{self._clock.now_ns()} {cue}\n".encode())

    def close(self, timeout_s: float = 1.0) -> None:
        """Let the last cue end, and the player; waits no longer than `timeout_s`."""
        player, self._player = self._player, None
        if player is None or player.stdin is None or player.stdout is None:
            return
        player.stdin.close()
        try:
            player.wait(timeout_s)
        except subprocess.TimeoutExpired:
            player.kill()       # it hangs in a driver
            player.wait()
        self._take(player.stdout.read() or b"")
        player.stdout.close()
        self.muted = True

    def _start(self) -> None:
        try:
            self._player = subprocess.Popen(
                self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                stderr=subprocess.DEVNULL)      # ALSA writes a dozen lines for a missing device
        except OSError as error:
            self._problem = f"no sound is heard: {error.strerror}"
            return
        for pipe in (self._player.stdin, self._player.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)

    def _hear(self) -> None:
        """Take what the player said since; never waits."""
        if self._player is None or self._player.stdout is None:
            return
        with suppress(BlockingIOError):
            said = os.read(self._player.stdout.fileno(), 1 << 12)
            self._take(said)
            if not said and not self._problem:
                self._problem = "no sound is heard: the player has ended"

    def _take(self, said: bytes) -> None:
        *lines, self._heard = (self._heard + said).split(b"\n")
        for line in (line.decode(errors="replace") for line in lines):
            if line == PLAYED:
                self.played += 1
            elif line == LATE:
                self.late += 1
            elif line != READY:
                self._problem = line

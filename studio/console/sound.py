"""What the operator hears, who looks at the arm and not at the screen.

Knows the sound device; refuses to know when a cue is due (recording_flow.py). A thread of its own
opens the device and plays, because opening one may take seconds: nobody waits for a sound, and
without a device everything is silent and `problem` says why in a line.
"""

import ctypes
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import Any

from studio.views.look import asset
from studio.views.recording_flow import Cue

_WAITING = 4        # cues; a fifth comes too late to mean anything
_BUFFER = 512       # samples: a cue is heard 23 ms after it was asked for


@ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int,
                  ctypes.c_char_p)
def _ignore(file: bytes, line: int, function: bytes, error: int, text: bytes) -> None:
    """Instead of ALSA's own handler, which writes a dozen lines for one missing device."""


class Sounds:
    """Plays cues.

    Args:
        muted: begin silently.
        open_device: see `open_mixer`; called in the thread that plays.

    Attributes:
        muted: whether cues are swallowed.
        problem: one line on why nothing is heard; empty if all is well or nothing was tried yet.
        played: cues that were handed to the device.
    """

    def __init__(self, *, muted: bool = False,
                 open_device: Callable[[], Any] | None = None) -> None:
        self.muted, self.problem, self.played = muted, "", 0
        self._open_device = open_device or open_mixer
        self._cues: Queue[Cue | None] = Queue(_WAITING)
        self._thread = Thread(target=self._work, name="sounds", daemon=True)
        self._thread.start()

    def play(self, cue: Cue) -> None:
        """Let a cue be heard soon, or never; returns at once."""
        if self.muted or self.problem:
            return
        with suppress(Full):        # the device does not keep up: an old cue would mislead
            self._cues.put_nowait(cue)

    def close(self, timeout_s: float = 1.0) -> None:
        """Start what waits and let go of the device; waits `timeout_s` or so at most."""
        with suppress(Full):        # it hangs in the driver, and ends with the process
            self._cues.put(None, timeout=timeout_s)
            self._thread.join(timeout_s)

    def _work(self) -> None:
        mixer: Any = None
        sounds: dict[Cue, Any] = {}
        while (cue := self._cues.get()) is not None:
            try:
                mixer = mixer or self._open_device()
                if cue not in sounds:
                    sounds[cue] = mixer.Sound(str(asset(f"sounds/{cue}.wav")))
                sounds[cue].play()
                self.played += 1
            except (RuntimeError, OSError) as error:    # pygame.error is a RuntimeError
                self.problem = f"no sound is heard: {str(error) or type(error).__name__}"
        if mixer is not None:
            mixer.quit()


def open_mixer() -> Any:
    """SDL's mixer (pygame.mixer) on the default device.

    Raises:
        pygame.error: there is no device.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    # pygame 2.6.1 tells every user about its own packaging on import.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    from pygame import mixer

    _hush_alsa()
    mixer.init(frequency=22_050, size=-16, channels=1, buffer=_BUFFER)
    return mixer


def _hush_alsa() -> None:
    """SDL's exception says in a line what ALSA would tell the terminal in a dozen."""
    with suppress(OSError, AttributeError):     # a machine without ALSA
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_ignore)

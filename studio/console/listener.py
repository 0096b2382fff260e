"""Listens to a microphone, in a process of its own: `python -m studio.console.listener`.

A sound driver may hang or crash, and recognising takes its time; a window's frames must not wait
for either. The console writes a line of JSON with the phrases that may be said, and an empty one
once enough was said; this process answers with lines of JSON: that it listens, then what it
understood, or what is wrong. Then it ends, and the microphone with it: pygame 2.6.1 cannot close
one without waiting for a thread that waits for it. Nothing of what it heard is kept. Knows the
microphone; refuses to know what follows from words.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import IO, Any

import msgspec

from studio.console.speech import RATE_HZ, Recogniser

LONGEST_S = 12.0            # of speech; then it counts as said
_SAMPLE_BYTES, _CHUNK = 2, 512


class Listen(msgspec.Struct, frozen=True):
    """Listen for one of these phrases, or, without any, for these words in any order."""

    phrases: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class Heard(msgspec.Struct, frozen=True):
    """An answer.

    Attributes:
        listening: speak now; everything else is still to come.
        text: the phrase that was understood; empty if none.
        problem: why nobody can be heard.
    """

    listening: bool = False
    text: str = ""
    problem: str = ""


class Microphone:
    """SDL's first microphone; it stays open until the process ends.

    Args:
        full: told once `LONGEST_S` were heard.

    Raises:
        RuntimeError: there is none (pygame.error).
    """

    def __init__(self, full: Callable[[], None]) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        # pygame 2.6.1 tells every user about its own packaging on import.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        from pygame._sdl2 import INIT_AUDIO, audio, init_subsystem

        init_subsystem(INIT_AUDIO)
        if not (names := audio.get_audio_device_names(True)):
            raise RuntimeError("there is no microphone")
        self._full, self._heard = full, bytearray()
        self._device: Any = audio.AudioDevice(
            devicename=names[0], iscapture=True, frequency=RATE_HZ, audioformat=audio.AUDIO_S16,
            numchannels=1, chunksize=_CHUNK, allowed_changes=0, callback=self._take)
        self._device.pause(0)

    @property
    def heard(self) -> bytes:
        """So far."""
        return bytes(self._heard)

    def _take(self, _device: Any, samples: memoryview) -> None:
        """In SDL's thread."""
        most = round(LONGEST_S * RATE_HZ) * _SAMPLE_BYTES
        self._heard += bytes(samples)[:most - len(self._heard)]
        if len(self._heard) == most:
            self._full()


def serve(asked: IO[str], answers: IO[str]) -> None:
    """Listen once, when it is asked for; not at all if nobody asks any more."""
    def answer(heard: Heard) -> None:
        answers.write(msgspec.json.encode(heard).decode() + "\n")       # in one piece
        answers.flush()

    try:
        recogniser = Recogniser()
        if not (line := asked.readline()):
            return
        listen, enough = msgspec.json.decode(line, type=Listen), threading.Event()
        microphone = Microphone(enough.set)
        answer(Heard(listening=True))
        threading.Thread(target=_until_said, args=(asked, enough), name="asked",
                         daemon=True).start()
        enough.wait()
        answer(Heard(text=recogniser.heard(microphone.heard, listen.phrases, listen.words)))
    except (RuntimeError, OSError, ImportError) as error:   # pygame.error is a RuntimeError
        answer(Heard(problem=f"nobody is heard: {str(error) or type(error).__name__}"))


def _until_said(asked: IO[str], enough: threading.Event) -> None:
    asked.readline()
    enough.set()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # Ctrl-C is for the console to answer
    serve(sys.stdin, sys.stdout)
    os._exit(0)         # without closing what cannot be closed

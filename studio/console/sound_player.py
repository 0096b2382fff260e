"""Plays cues, in a process of its own: `python -m studio.console.sound_player`.

pygame keeps every thread of its process waiting while a driver opens a device, and a driver may
hang or crash; the console's keys must not wait for that. So the console writes one line for each
cue ("STAMP_NS NAME") to this process and reads one line for each thing that happened. It ends when
its standard input closes. Knows the sound device; refuses to know when a cue is due.
"""

import os
import signal
import sys
import warnings
from typing import IO, Any

from recorders.clock import NS_PER_S, Clock, SystemClock
from studio.views.look import asset

READY, PLAYED, LATE = "ready", "played", "late"
_LATE_NS = NS_PER_S // 2    # an old cue would mislead
_BUFFER = 512               # samples: a cue is heard 23 ms after it was asked for
_TURN_MS = 20


def open_mixer() -> Any:
    """SDL's mixer (pygame.mixer) on the default device.

    Raises:
        pygame.error: there is no device.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    # pygame 2.6.1 tells every user about its own packaging on import.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    from pygame import mixer

    mixer.init(frequency=22_050, size=-16, channels=1, buffer=_BUFFER)
    return mixer


def serve(asked: IO[str], answers: IO[str], clock: Clock) -> None:
    """Play what is asked for until nobody can ask any more; what is being heard is let end."""
    def answer(line: str) -> None:
        answers.write(f"{line}\n")      # in one piece
        answers.flush()

    try:
        mixer = open_mixer()
    except (RuntimeError, OSError) as error:        # pygame.error is a RuntimeError
        answer(f"no sound is heard: {str(error) or type(error).__name__}")
        return
    answer(READY)
    sounds: dict[str, Any] = {}
    for line in asked:
        stamp, name = line.split()
        if clock.now_ns() - int(stamp) > _LATE_NS:
            answer(LATE)
            continue
        if name not in sounds:
            sounds[name] = mixer.Sound(str(asset(f"sounds/{name}.wav")))
        sounds[name].play()
        answer(PLAYED)
    while mixer.get_busy():
        clock.wait_until(clock.now_ns() + _TURN_MS * NS_PER_S // 1000)
    mixer.quit()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # Ctrl-C is for the console to answer
    serve(sys.stdin, sys.stdout, SystemClock())

"""A voice for tests: eSpeak NG's library, as espeakng-loader brings it."""

import ctypes
from functools import cache
from importlib.util import find_spec

import numpy as np

MISSING = "" if find_spec("espeakng_loader") else "no espeakng-loader"
RATE_HZ = 16_000
_SYNCHRONOUS, _RATE = 2, 1      # of speak_lib.h
_TAKE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int,
                         ctypes.c_void_p)
_said: list[np.ndarray] = []


@_TAKE
def _take(samples, count, _events) -> int:
    if samples and count > 0:
        _said.append(np.ctypeslib.as_array(samples, (count,)).copy())
    return 0


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    """The library, and the rate of its samples."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0,
                                        espeakng_loader.get_data_path().encode(), 0)
    library.espeak_SetSynthCallback(_take)
    return library, rate_hz


def speak(text: str, voice: str = "en-us", words_per_minute: int = 150) -> np.ndarray:
    """(N,) i2 of somebody who says it, at `RATE_HZ`, with a little room before and after."""
    library, rate_hz = _library()
    _said.clear()
    library.espeak_SetVoiceByName(voice.encode())
    library.espeak_SetParameter(_RATE, words_per_minute, 0)
    letters = text.encode()
    library.espeak_Synth(letters, len(letters) + 1, 0, 0, 0, 1, None, None)
    library.espeak_Synchronize()
    said = np.concatenate(_said).astype(float)
    times = np.arange(int(len(said) * RATE_HZ / rate_hz)) * rate_hz / RATE_HZ
    heard = np.interp(times, np.arange(len(said)), said)
    quiet = np.random.default_rng(0).normal(0, 3, (2, RATE_HZ * 3 // 10))
    return np.concatenate([quiet[0], heard, quiet[1]]).astype("<i2")

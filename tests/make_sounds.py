"""Makes the sounds of the consoles: short, soft, and told apart with closed eyes.

    python tests/make_sounds.py

Struck bars, as of a marimba: a tone, its fourth and a little of its tenth multiple, each dying
away faster than the one below. Rising is "it begins" or "it is kept", falling is "it ends" or "it
is gone", the same note twice is "look here", two notes to and fro are "help", low and dull is "no".
"""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

SOUNDS = Path(__file__).resolve().parent.parent / "ui_assets" / "sounds"
RATE_HZ = 22_050
VOLUME = 0.7      # of full scale
G3, C4, E4, B4 = 196.00, 261.63, 329.63, 493.88
C5, E5, G5, A5, B5, C6, D6 = 523.25, 659.26, 783.99, 880.00, 987.77, 1046.50, 1174.66

Struck = tuple[float, float, float]     # begins (s), pitch (Hz), loudness 0..1


def bar(pitch_hz: float, t: np.ndarray) -> np.ndarray:
    """A struck wooden bar, at times t (s) after the stroke."""   # (T,) -> (T,)
    tone = np.zeros_like(t)
    for multiple, loudness, lasts_s in ((1, 1.0, 0.14), (4, 0.18, 0.05), (10, 0.05, 0.02)):
        if pitch_hz * multiple < RATE_HZ / 2.5:
            tone += loudness * np.exp(-t / lasts_s) * np.sin(2 * np.pi * pitch_hz * multiple * t)
    return tone * np.clip(t / 0.003, 0, 1)      # 3 ms of rise: no click


def buzz(pitch_hz: float, t: np.ndarray) -> np.ndarray:
    """A horn, for what must not be overheard."""
    tone = sum(np.sin(2 * np.pi * pitch_hz * odd * t) / odd for odd in (1, 3, 5))
    return 0.8 * tone * np.clip(t / 0.004, 0, 1) * np.clip((0.13 - t) / 0.02, 0, 1)


def played(strokes: list[Struck], lasts_s: float,
           voice: Callable[[float, np.ndarray], np.ndarray] = bar) -> np.ndarray:
    """Several strokes on top of each other; the end fades out."""
    t = np.arange(round(lasts_s * RATE_HZ)) / RATE_HZ
    sound = np.zeros_like(t)
    for begins_s, pitch_hz, loudness in strokes:
        after = t[t >= begins_s] - begins_s
        sound[t >= begins_s] += loudness * voice(pitch_hz, after)
    return sound * np.clip((lasts_s - t) / 0.03, 0, 1)


def cues() -> dict[str, np.ndarray]:
    """Every sound by its name, as samples -1..1."""
    return {
        "countdown": played([(0, A5, 0.4)], 0.16),
        "start": played([(0, C5, 0.5), (0.09, G5, 0.65)], 0.45),
        "stop": played([(0, G5, 0.5), (0.09, C5, 0.7)], 0.45),
        "saved": played([(0, C5, 0.4), (0.07, E5, 0.4), (0.14, G5, 0.45), (0.21, C6, 0.45)], 0.6),
        "discarded": played([(0, E4, 0.6), (0.12, C4, 0.7)], 0.5),
        "warning": played([(0, B5, 0.5), (0.1, B5, 0.5)], 0.32),
        "alert": played([(0, A5, 0.5), (0.14, D6, 0.6), (0.34, A5, 0.5), (0.48, D6, 0.6)], 0.68),
        "refused": played([(0, G3, 0.6), (0.1, G3, 0.6)], 0.35),
        "software_stop": played([(0, E5, 1), (0.14, B4, 1), (0.28, E5, 1), (0.42, B4, 1)],
                                0.58, buzz),
    }


def main() -> None:
    """Write one file for every cue, 16 bits, one channel."""
    SOUNDS.mkdir(parents=True, exist_ok=True)
    for name, sound in cues().items():
        samples = np.round(sound * VOLUME * 32767).astype("<i2")
        with wave.open(str(SOUNDS / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(samples.tobytes())
        print(f"{name:14} {len(samples) / RATE_HZ:.2f} s, loudest {np.abs(sound).max():.2f}")


if __name__ == "__main__":
    main()

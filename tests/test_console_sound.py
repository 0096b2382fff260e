"""Sounds: each cue has one of its own, nobody waits for them, and no device is no trouble."""

import os
import subprocess
import sys
import wave
from importlib.util import module_from_spec, spec_from_file_location
from itertools import combinations
from pathlib import Path
from threading import Event
from typing import Any, get_args

import numpy as np
import pytest

from studio.console.sound import Sounds, open_mixer
from studio.views.look import asset
from studio.views.recording_flow import Cue

CUES: tuple[Cue, ...] = get_args(Cue)
PATIENT_S = 60.0        # pygame takes seconds to import on a busy machine


def samples(cue: str) -> np.ndarray:
    with wave.open(str(asset(f"sounds/{cue}.wav"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22_050)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def pitches_over_time(cue: str) -> np.ndarray:
    """How loud each pitch is in every 46 ms of 0.7 s, of length 1: (15, 513)."""
    padded = np.zeros(15 * 1024)
    sound = samples(cue)
    padded[:len(sound)] = sound
    loudness = np.abs(np.fft.rfft(padded.reshape(15, 1024) * np.hanning(1024), axis=1))
    return loudness / np.linalg.norm(loudness)


@pytest.mark.parametrize("cue", CUES)
def test_a_cue_is_short_neither_loud_nor_lost_and_begins_and_ends_without_a_click(cue: str):
    sound = samples(cue)
    assert 0.1 < len(sound) / 22_050 < 0.7
    assert 0.2 < np.abs(sound).max() < 0.8
    assert max(abs(sound[0]), abs(sound[-1])) < 0.01
    assert asset(f"sounds/{cue}.wav").stat().st_size < 32_768


def test_no_two_cues_sound_alike():
    heard = {cue: pitches_over_time(cue) for cue in CUES}
    alike = {f"{one} and {other}": round(float((heard[one] * heard[other]).sum()), 2)
             for one, other in combinations(CUES, 2)}
    assert {pair: likeness for pair, likeness in alike.items() if likeness > 0.75} == {}


def test_the_sounds_are_what_the_script_makes():
    spec = spec_from_file_location("make_sounds", Path(__file__).parent / "make_sounds.py")
    assert spec and spec.loader
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    made = script.cues()
    assert set(made) == set(CUES) == {path.stem for path in asset("sounds").glob("*.wav")}
    for cue, sound in made.items():
        np.testing.assert_allclose(samples(cue), sound * script.VOLUME, atol=2e-4)


def test_every_cue_is_played_on_a_device(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")      # SDL plays and nobody hears
    for cue in CUES:
        sounds = Sounds()
        sounds.play(cue)
        sounds.close(PATIENT_S)
        assert (sounds.played, sounds.problem) == (1, "")


def test_without_a_device_all_is_silent_and_one_line_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SDL_AUDIODRIVER", "no-such-driver")
    sounds = Sounds()
    sounds.play("start")
    sounds.close(PATIENT_S)
    assert sounds.played == 0
    assert sounds.problem.startswith("no sound is heard: ") and "\n" not in sounds.problem
    sounds.play("stop")     # and again without a word


def test_a_machine_without_a_device_writes_nothing_to_the_terminal(tmp_path: Path):
    nothing = tmp_path / "asound.conf"      # an ALSA that knows of no device
    nothing.touch()
    done = subprocess.run(
        [sys.executable, "-c", "from studio.console.sound import Sounds\nsounds = Sounds()\n"
         f"sounds.play('start')\nsounds.close({PATIENT_S})\nprint(sounds.problem)"],
        env={**os.environ, "SDL_AUDIODRIVER": "alsa", "ALSA_CONFIG_PATH": str(nothing)},
        capture_output=True, text=True, timeout=2 * PATIENT_S, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith("no sound is heard: ") and done.stdout.count("\n") == 1


def test_a_muted_console_does_not_even_open_the_device():
    opened: list[bool] = []
    sounds = Sounds(muted=True, open_device=lambda: opened.append(True))
    sounds.play("start")
    sounds.close(PATIENT_S)
    assert (opened, sounds.played) == ([], 0)


def test_nobody_waits_for_a_device_that_hangs_and_old_cues_are_forgotten(
    monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    works = Event()

    def hangs() -> Any:
        assert works.wait(PATIENT_S)
        return open_mixer()

    sounds = Sounds(open_device=hangs)
    for _ in range(100):
        sounds.play("countdown")        # returns at once, or this test would hang
    works.set()
    sounds.close(PATIENT_S)
    assert 1 <= sounds.played <= 6
    assert sounds.problem == ""

"""Sounds: each cue has one of its own, nobody waits for them, and no device is no trouble."""

import select
import sys
import wave
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from itertools import combinations
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from recorders.clock import NS_PER_S, ManualClock, SystemClock
from studio.console.sound import Sounds
from studio.views.look import asset
from studio.views.recording_plan import Cue

pytestmark = pytest.mark.alone

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


@pytest.fixture
def sounds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sounds]:
    """Ready, on a device that nobody hears."""
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    sounds = Sounds()
    wait_for_news(sounds)
    yield sounds
    sounds.close(PATIENT_S)


def wait_for_news(sounds: Sounds) -> None:
    assert sounds._player and sounds._player.stdout
    assert select.select([sounds._player.stdout], [], [], PATIENT_S)[0]


def test_every_cue_is_played_on_a_device(sounds: Sounds):
    for cue in CUES:
        sounds.play(cue)
    sounds.close(PATIENT_S)
    assert (sounds.played, sounds.late, sounds.problem) == (len(CUES), 0, "")


def test_a_muted_console_starts_nothing_until_it_is_heard_again(sounds: Sounds):
    muted = Sounds(muted=True)
    muted.play("start")
    assert muted._player is None
    muted.close()
    sounds.muted = True
    sounds.play("start")
    sounds.muted = False
    sounds.play("stop")
    sounds.close(PATIENT_S)
    assert sounds.played == 1


@pytest.mark.parametrize("driver", ["alsa", "no-such-driver"])
def test_without_a_device_all_is_silent_and_one_line_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, driver: str, capfd: pytest.CaptureFixture[str]
):
    nothing = tmp_path / "asound.conf"      # an ALSA that knows of no device
    nothing.touch()
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(nothing))
    monkeypatch.setenv("SDL_AUDIODRIVER", driver)
    sounds = Sounds()
    wait_for_news(sounds)
    assert sounds.problem.startswith("no sound is heard: ") and "\n" not in sounds.problem
    sounds.play("stop")     # and again without a word
    sounds.close(PATIENT_S)
    assert sounds.played == 0
    assert capfd.readouterr() == ("", "")


def test_a_cue_that_comes_late_is_not_played_at_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    long_ago = ManualClock(SystemClock().now_ns() - NS_PER_S)
    sounds = Sounds(clock=long_ago)
    sounds.play("countdown")
    sounds.close(PATIENT_S)
    assert (sounds.played, sounds.late, sounds.problem) == (0, 1, "")


def test_nobody_waits_for_a_device_that_hangs():
    sounds = Sounds(player=[sys.executable, "-c", "import signal; signal.pause()"])
    for _ in range(10_000):
        sounds.play("countdown")        # more than a pipe holds; returns at once
    sounds.close(0.0)
    assert (sounds.played, sounds.problem) == (0, "")


def test_a_player_that_crashes_is_a_line():
    sounds = Sounds(player=[sys.executable, "-c", "import os; os.abort()"])
    wait_for_news(sounds)
    assert sounds.problem == "no sound is heard: the player has ended"
    sounds.play("start")
    sounds.close(PATIENT_S)


def test_a_player_that_cannot_be_started_is_a_line():
    sounds = Sounds(player=["/no/such/program"])
    sounds.play("start")
    sounds.close()
    assert sounds.problem == "no sound is heard: No such file or directory"


def test_the_player_ends_with_the_console():
    sounds = Sounds(player=[sys.executable, "-c", "import sys; sys.stdin.read(); print('bye')"])
    sounds.close(PATIENT_S)
    assert sounds.problem == "bye"

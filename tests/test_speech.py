"""Push to talk: what is said becomes a phrase to look at, and noise becomes nothing."""

import select
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles.synthetic_voice import MISSING, RATE_HZ, speak

from studio.console import hearing
from studio.console.hearing import INSTALL, Hearing
from studio.console.listener import Heard
from studio.console.speech import Recogniser
from studio.views.robot_tasks import phrases_of

PATIENCE_S = 60.0
pytestmark = [pytest.mark.skipif(bool(hearing.missing()), reason="the extra `speech` is missing")]
spoken = pytest.mark.skipif(bool(MISSING), reason=MISSING)

PHRASES = (*phrases_of("sim", "put-cube-in-bin"), *phrases_of("sim", "push-button"),
           "carry red cube for bin", "reach blue cube", "Open the drawer, please")


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


@spoken
@pytest.mark.parametrize(("voice", "rate"), [("en-us", 140), ("en-gb", 170)])
def test_a_phrase_that_may_be_said_is_understood(recogniser, voice, rate):
    for phrase in ("put the red cube in the bin", "the blue cube goes into the bin",
                   "carry red cube for bin", "reach blue cube", "Open the drawer, please"):
        heard = recogniser.heard(speak(phrase, voice, rate).tobytes(), PHRASES)
        assert heard == phrase


@spoken
def test_a_phrase_is_understood_through_some_noise(recogniser):
    said = speak("put the green cube in the bin")
    noise = np.random.default_rng(1).normal(0, 300, len(said))
    heard = recogniser.heard((said + noise).astype("<i2").tobytes(), PHRASES)
    assert heard == "put the green cube in the bin"


def noises() -> Iterator[np.ndarray]:
    rng, times_s = np.random.default_rng(0), np.arange(2 * RATE_HZ) / RATE_HZ
    yield np.zeros(RATE_HZ)
    for loudness in (3, 300, 3000):
        yield rng.normal(0, loudness, 2 * RATE_HZ)
    yield 3000 * np.sin(2 * np.pi * 200 * times_s)
    yield 8000.0 * (rng.random(2 * RATE_HZ) < 0.002)
    yield rng.normal(0, 2500, 2 * RATE_HZ) * np.sin(2 * np.pi * 4 * times_s)    # as loud as talk


def test_noise_and_silence_are_not_understood(recogniser):
    for noise in noises():
        assert recogniser.heard(noise.astype("<i2").tobytes(), PHRASES) == ""
    assert recogniser.heard(b"", PHRASES) == ""


@spoken
@pytest.mark.parametrize("talk", ["what a lovely day it is", "please call my mother tomorrow",
                                  "the quick brown fox jumps over the lazy dog", "sing a song"])
def test_other_talk_is_not_understood(recogniser, talk):
    assert recogniser.heard(speak(talk).tobytes(), PHRASES) == ""


@spoken
def test_without_phrases_known_words_may_come_in_any_order(recogniser):
    words = ("carry", "grasp", "red", "green", "blue", "cube", "zzxq")
    said = speak("grasp green cube", words_per_minute=130)
    assert recogniser.heard(said.tobytes(), (), words) == "grasp green cube"
    assert recogniser.heard(said.tobytes(), ("zzxq the cube",)) == ""
    assert recogniser.heard(said.tobytes(), ()) == ""


# ---- the process ---------------------------------------------------------------------------------


@pytest.fixture
def ears() -> Iterator[Hearing]:
    made = Hearing()
    yield made
    made.close(10.0)


def answer(ears: Hearing) -> Heard:
    """Its next answer."""
    while (heard := ears.news()) is None:
        assert ears._process is not None and ears._process.stdout is not None
        ready, _, _ = select.select([ears._process.stdout], [], [], PATIENCE_S)
        assert ready, "the listener says nothing"
    return heard


def microphone(monkeypatch: pytest.MonkeyPatch, file: Path, samples: np.ndarray) -> None:
    """SDL's microphone is a file, read a few hundred times as fast, and silence behind it."""
    file.write_bytes(samples.astype("<i2").tobytes())
    for name, value in (("DRIVER", "disk"), ("FILEIN", str(file)), ("DELAY", "1")):
        prefix = "SDL_AUDIO" if name == "DRIVER" else "SDL_DISKAUDIO"
        monkeypatch.setenv(prefix + name, value)


@spoken
def test_what_is_said_into_the_microphone_comes_back_as_text(monkeypatch, tmp_path, ears):
    microphone(monkeypatch, tmp_path / "said.raw", speak("put the red cube in the bin"))
    ears.listen(PHRASES)
    assert ears.state == "opening"
    assert answer(ears) == Heard(text="put the red cube in the bin")        # at its longest
    assert ears.state == "idle"
    ears.listen(("open the drawer",))
    ears.done()
    assert answer(ears) == Heard() and ears.state == "idle"


def test_without_a_microphone_it_says_so_and_may_be_asked_again(monkeypatch, ears):
    monkeypatch.setenv("SDL_AUDIODRIVER", "no such driver")
    for _ in range(2):
        ears.listen(PHRASES)
        assert "nobody is heard" in answer(ears).problem and ears.state == "idle"


def test_a_listener_that_dies_is_told_and_started_again(monkeypatch, tmp_path, ears):
    microphone(monkeypatch, tmp_path / "said.raw", np.zeros(RATE_HZ))
    ears.listen(PHRASES)
    assert ears._process is not None
    ears._process.kill()
    assert "has ended" in answer(ears).problem
    ears.listen(PHRASES)
    ears.done()
    assert answer(ears) == Heard()


def test_without_the_extra_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(hearing, "find_spec", lambda name: None)
    assert INSTALL in hearing.missing()

"""Words in other scripts: a font with all their letters, or none, and never a trouble."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from studio.console import system_fonts
from studio.console.system_fonts import foreign, plainest, system_font
from studio.views.icons import icon


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What fontconfig is asked; it knows one font."""
    system_fonts._font_with.cache_clear()
    calls: list[list[str]] = []

    def fontconfig(words: list[str], **_: object) -> SimpleNamespace:
        calls.append(words)
        return SimpleNamespace(stdout="/fonts/han.ttc|80|0||100\n")

    monkeypatch.setattr(subprocess, "run", fontconfig)
    return calls


def test_words_that_our_typeface_can_write_ask_nobody(asked):
    assert foreign("Put the “größte” куб — λ → 3 °\n\t\0\ud800") == ""
    assert foreign(icon("play")) == ""
    assert system_font("Put the “größte” куб — λ → 3 °") is None
    assert asked == []


def test_a_font_must_have_all_letters_because_a_text_is_drawn_in_one(asked):
    assert foreign("put 漢 on 字") == "字漢"
    assert system_font("put 漢") == Path("/fonts/han.ttc")
    [words] = asked
    assert words[-1] == ":charset=20 70 74 75 6f22:color=false:variable=false"


def test_the_same_letters_are_asked_for_once(asked):
    assert system_font("漢字") == system_font("字漢") == Path("/fonts/han.ttc")
    assert len(asked) == 1


def test_the_plainest_font_is_taken():
    assert plainest("\n".join([
        "/f/A-Bold.ttf|200|0||100", "/f/B-Mono.ttf|80|0|100|100", "/f/C-Italic.ttf|80|100||100",
        "/f/D-Condensed.ttf|80|0||75", "/f/E.ttf|80|0||100", "/f/bitmap.pcf.gz|80|0||100",
        "no font at all"])) == Path("/f/E.ttf")
    assert plainest("/f/Only-Bold.OTF|200|0||100\n") == Path("/f/Only-Bold.OTF")
    assert plainest("") is None


@pytest.mark.parametrize("trouble", [
    FileNotFoundError("fc-list"), subprocess.TimeoutExpired("fc-list", 2.0),
    subprocess.CalledProcessError(1, "fc-list")])
def test_a_machine_that_cannot_say_has_none(monkeypatch: pytest.MonkeyPatch, trouble: Exception):
    def run(*_: object, **__: object) -> None:
        raise trouble

    system_fonts._font_with.cache_clear()
    monkeypatch.setattr(subprocess, "run", run)
    assert system_font("漢") is None


def test_a_letter_that_no_screen_may_be_given_is_no_trouble():
    system_fonts._font_with.cache_clear()
    assert system_font("a broken \ud800 name\0 of \uffff") is None

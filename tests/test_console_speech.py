"""Push to talk in the window: words are understood, looked at, and sent by hand."""

from pathlib import Path

import numpy as np
import pytest
from doubles.desktop import missing, open_desktop, running_desk, virtual_screen
from doubles.synthetic_voice import MISSING, speak

from studio.console import hearing

WHY = missing() or MISSING or hearing.missing()
pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.gl, pytest.mark.timeout(600),
              pytest.mark.skipif(bool(WHY), reason=WHY)]
SIZE = (1280, 720)
SAID = "the green cube goes into the bin"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a short name, because sockets lie in it."""
    return tmp_path_factory.mktemp("seat")


def test_what_is_said_stands_in_the_field_until_it_is_sent(
        monkeypatch: pytest.MonkeyPatch, folder: Path):
    voice = folder / "voice.raw"
    for name, value in (("SDL_AUDIODRIVER", "disk"), ("SDL_DISKAUDIOFILEIN", str(voice)),
                        ("SDL_DISKAUDIODELAY", "1"), ("SDL_DISKAUDIOFILE", "/dev/null")):
        monkeypatch.setenv(name, value)
    voice.write_bytes(speak(SAID).tobytes())
    with (virtual_screen(folder, SIZE) as screen, running_desk(folder, folder / "store") as links,
          open_desktop(folder, links, screen, SIZE) as desktop):
        desktop.click("tandem tab")
        desktop.until(lambda: bool(desktop.snapshot().instruction), "a scene")
        before = desktop.snapshot().instruction
        desktop.hover("talk")
        screen.hands("mousedown", "1")
        desktop.hear("do", action="microphone", value="listening")
        desktop.hear("do", action="microphone", value="idle")       # it has heard enough
        screen.hands("mouseup", "1")
        desktop.hear("do", action="heard", value="")
        assert desktop.snapshot().instruction == before
        desktop.click("tandem words")
        screen.hands("key", "Return")
        desktop.hear("answer", command="SetInstruction", accepted=True)
        desktop.until(lambda: desktop.snapshot().instruction == SAID, "the words")

        voice.write_bytes(np.random.default_rng(0).normal(0, 3000, 64_000).astype("<i2").tobytes())
        desktop.hover("talk")
        screen.hands("mousedown", "1")
        desktop.hear("do", action="microphone", value="listening")
        screen.hands("mouseup", "1")
        desktop.hear("notice", text=hearing.NOT_UNDERSTOOD)
        assert desktop.snapshot().instruction == SAID

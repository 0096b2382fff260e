"""What a console remembers: kept whole or not at all, and never a reason not to work."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.views.settings import (
    MOST_INSTRUCTIONS,
    NAME,
    Settings,
    load_settings,
    remember_instruction,
    save_settings,
    settings_folder,
)


def test_on_the_first_day_everything_is_usual_and_nothing_is_said(tmp_path: Path):
    assert load_settings(tmp_path / "not" / "there") == (Settings(), "")


def test_what_was_chosen_is_there_the_next_day(tmp_path: Path):
    chosen = Settings(palette="light", muted=True, operator="Žofie 漢", countdown_s=0, speed=0.25,
                      window=(1280, 720), task="stack-cubes", instructions=("put it there",))
    assert save_settings(tmp_path / "new" / "folder", chosen) == ""
    assert load_settings(tmp_path / "new" / "folder") == (chosen, "")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == [NAME]


@pytest.mark.parametrize("damage", [
    b"", b"{", b"[]", b'{"muted": "perhaps"}', b'{"countdown_s": -3}', b'{"speed": 7.0}',
    b'{"palette": "pink"}', b'{"window": [1, 1]}', b'{"operator": "\xff\xfe"}',
])
def test_a_damaged_file_is_set_aside_with_a_line_and_work_goes_on(tmp_path: Path, damage: bytes):
    (tmp_path / NAME).write_bytes(damage)
    settings, line = load_settings(tmp_path)
    assert settings == Settings()
    aside = tmp_path / "consoles.damaged.json"
    assert str(aside) in line and "\n" not in line
    assert aside.read_bytes() == damage
    assert load_settings(tmp_path) == (Settings(), "")


def test_what_a_newer_version_remembers_besides_is_overlooked(tmp_path: Path):
    (tmp_path / NAME).write_bytes(b'{"muted": true, "hologram": [1, 2]}')
    assert load_settings(tmp_path) == (Settings(muted=True), "")


def test_a_folder_that_cannot_be_written_is_a_line(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    line = save_settings(tmp_path / "file", Settings())
    assert line.startswith("The settings cannot be kept") and "\n" not in line


def test_settings_that_cannot_be_read_are_a_line(tmp_path: Path):
    (tmp_path / NAME).mkdir()
    settings, line = load_settings(tmp_path)
    assert settings == Settings() and "cannot be read" in line


def test_the_file_is_for_a_person_to_read(tmp_path: Path):
    save_settings(tmp_path, Settings())
    text = (tmp_path / NAME).read_text()
    assert text.endswith("\n") and '\n  "countdown_s": 3,' in text
    assert stat.S_ISREG((tmp_path / NAME).stat().st_mode)


def test_settings_lie_in_the_users_configuration_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    assert settings_folder() == Path("/somewhere/tandem-studio")


@given(st.lists(st.text(max_size=8), max_size=40))
def test_the_newest_instructions_come_first_and_each_once(texts: list[str]):
    settings = Settings()
    for text in texts:
        settings = remember_instruction(settings, text)
    newest_first = list(dict.fromkeys(text.strip() for text in reversed(texts) if text.strip()))
    assert list(settings.instructions) == newest_first[:MOST_INSTRUCTIONS]

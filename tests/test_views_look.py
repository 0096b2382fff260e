"""The look: readable in both palettes, never by colour alone, and every file is there."""

import re
from itertools import product
from pathlib import Path

import msgspec
import pytest

from studio.views import look
from studio.views.icons import ICONS, icon
from studio.views.look import PALETTES, TONE_NAMES, Palette, Tone, asset, font_file, letters, rgba

both = pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
              for part in (byte / 255 for byte in rgba(colour)[:3])]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio 1..21, WCAG 2.2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_wcag_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@both
def test_every_text_can_be_read_on_every_ground_it_stands_on(palette: Palette):
    grounds = ("ground", "panel", "raised", "hover", "selected")
    pairs = [(f"{text} on {ground}", getattr(palette, text), getattr(palette, ground))
             for text, ground in product(("text", "muted"), grounds)]
    pairs += [("text on pressed", palette.text, palette.pressed)]
    pairs += [(f"accent on {ground}", palette.accent, getattr(palette, ground))
              for ground in ("ground", "panel")]
    pairs += [(f"accent_ink on {ground}", palette.accent_ink, getattr(palette, ground))
              for ground in ("accent", "accent_hover")]
    for name, tone in palette.tones.items():
        pairs += [(f"{name}: ink", tone.ink, tone.fill)]
        pairs += [(f"{name}: text on {ground}", tone.text, getattr(palette, ground))
                  for ground in ("ground", "panel", "raised")]
    assert {what: round(contrast(one, other), 2) for what, one, other in pairs
            if contrast(one, other) < 4.5} == {}


@both
def test_plot_lines_and_the_edges_of_states_stand_out_from_a_panel(palette: Palette):
    seen = [*palette.lines, *(tone.edge for tone in palette.tones.values()
                              if palette.name == "dark" or tone.edge != tone.fill)]
    assert len(set(palette.lines)) == 8
    assert {line: round(contrast(line, palette.panel), 2) for line in palette.lines
            if contrast(line, palette.panel) < 3} == {}
    assert {edge for edge in seen if contrast(edge, palette.panel) < 1.5} == set()


@both
def test_every_state_has_its_own_colour_and_its_own_icon(palette: Palette):
    assert tuple(sorted(palette.tones)) == tuple(sorted(TONE_NAMES))
    assert len({tone.fill for tone in palette.tones.values()}) == len(TONE_NAMES)
    assert len({tone.icon for tone in palette.tones.values()}) == len(TONE_NAMES)
    assert {tone.icon for tone in palette.tones.values()} <= set(ICONS)


def test_a_colour_becomes_bytes():
    assert rgba("#5aa2ff") == (90, 162, 255, 255)
    assert rgba("#000000", alpha=0.5) == (0, 0, 0, 128)


@pytest.mark.parametrize("bold", [False, True])
def test_the_typeface_holds_every_icon_and_the_letters_of_three_scripts(bold: bool):
    freetype = pytest.importorskip("pygame.freetype")
    freetype.init()
    font = freetype.Font(str(font_file(bold=bold)), 16)
    assert letters() >= set("Aßéő Ωλ Жщ ệ “…” → × ≥ ° µ ✓ −")
    assert not letters() & set("漢م")
    wanted = {name: chr(code) for name, code in ICONS.items()} | {x: x for x in letters()}
    assert [name for name, letter in wanted.items() if font.get_metrics(letter) == [None]] == []
    assert font.get_metrics("漢") == [None]      # so the test can tell


@pytest.mark.parametrize("bold", [False, True])
def test_numbers_that_change_do_not_dance(bold: bool):
    freetype = pytest.importorskip("pygame.freetype")
    freetype.init()
    font = freetype.Font(str(font_file(bold=bold)), 64)
    assert len({font.get_metrics(digit)[0][4] for digit in "0123456789+−"}) == 1


def test_an_unknown_icon_names_those_that_are_there():
    assert icon("play") == chr(ICONS["play"])
    with pytest.raises(ValueError, match="circle-dot"):
        icon("circle-red")


def test_every_icon_that_a_console_asks_for_by_name_exists():
    rooms = [Path(look.__file__).parent.parent / room for room in ("views", "console", "web")]
    asked = {(path.name, name)
             for room in rooms for path in room.rglob("*.py")
             for name in re.findall(r"\bicon(?:\(|=)[\"']([\w-]+)[\"']", path.read_text())}
    assert asked
    assert {(file, name) for file, name in asked if name not in ICONS} == set()


def test_the_web_sheets_take_their_colours_from_the_palettes():
    ours = {"#000", "#fff"}         # what stands on a picture
    names = {f.replace("_", "-") for f in Palette.__struct_fields__} | {
        f"{tone}-{part}" for tone in TONE_NAMES for part in Tone.__struct_fields__}
    for palette in PALETTES.values():
        ours |= {value for value in msgspec.structs.asdict(palette).values()
                 if isinstance(value, str)}
    for path in [*asset("web").glob("*.css"), *asset("web").glob("*.html")]:
        text = path.read_text()
        assert set(re.findall(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b", text)) <= ours, path
        assert set(re.findall(r"var\(--ts-([a-z-]+)", text)) <= names, path


def test_fonts_are_small_and_their_licences_lie_beside_them():
    assert {path.name for path in asset("fonts").iterdir()} == {
        "tandem-regular.ttf", "tandem-regular.woff2", "tandem-semibold.ttf",
        "tandem-semibold.woff2", "LICENSE-inter.txt", "LICENSE-lucide.txt", "letters.txt"}
    assert all(path.stat().st_size < 400_000 for path in asset("fonts").iterdir())
    assert "Open Font License" in asset("fonts/LICENSE-inter.txt").read_text()


def test_a_file_that_is_not_there_says_where_it_was_looked_for():
    with pytest.raises(FileNotFoundError, match=r"fonts/comic\.ttf.*studio/ui_assets"):
        asset("fonts/comic.ttf")


def test_icons_are_named_as_lucide_does():
    assert [name for name in ICONS if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)] == []
    assert Path(font_file(web=True)).suffix == ".woff2"

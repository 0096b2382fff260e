"""How the consoles look: colours, sizes and the files of ui_assets/, as plain data.

Both consoles draw from these, so that they look like one product. A tone is a state's colours
together with its icon, because a state is never told by colour alone; every text stands on its
ground with a contrast of at least 4.5:1 (WCAG 2.2, criterion 1.4.3). Knows colours and files;
refuses to know a toolkit and which state deserves which tone (banner.py).
"""

from functools import cache
from pathlib import Path
from typing import Literal, get_args

import msgspec

ToneName = Literal["offline", "idle", "ready", "recording", "practice", "policy", "override",
                   "stopped", "fault", "warning"]
TONE_NAMES: tuple[ToneName, ...] = get_args(ToneName)
Rgba = tuple[int, int, int, int]


class Tone(msgspec.Struct, frozen=True):
    """A state's colours, as "#rrggbb", and its icon."""

    fill: str       # ground of a banner, a badge, a button
    ink: str        # text and icon on the fill
    text: str       # text and icon on a panel or on the ground
    edge: str       # line around the fill
    icon: str       # a name of studio.views.icons


class Palette(msgspec.Struct, frozen=True, kw_only=True):
    """All colours of a console, as "#rrggbb"."""

    name: Literal["dark", "light"]
    ground: str                 # behind everything
    panel: str                  # a window on the ground
    raised: str                 # a button or an input on a panel
    hover: str                  # the same under the pointer
    pressed: str                # the same while pressed
    line: str                   # between things
    text: str
    muted: str                  # text that may be overlooked
    accent: str                 # a button that does the next thing; a slider's grip; a link
    accent_hover: str
    accent_ink: str             # text on the accent
    selected: str               # ground of a chosen row
    lines: tuple[str, ...]      # of a plot, in this order; at least 3:1 on a panel
    tones: dict[ToneName, Tone]


_ICONS: dict[ToneName, str] = {
    "offline": "unplug", "idle": "circle", "ready": "circle-check", "recording": "record",
    "practice": "graduation-cap", "policy": "bot", "override": "hand", "stopped": "octagon-x",
    "fault": "circle-alert", "warning": "triangle-alert"}


def _tones(fills: dict[ToneName, tuple[str, str, str]], texts: dict[ToneName, str]
           ) -> dict[ToneName, Tone]:
    return {name: Tone(fill, ink, texts[name], edge, _ICONS[name])
            for name, (fill, ink, edge) in fills.items()}


# name: (fill, ink, edge)
_STRONG: dict[ToneName, tuple[str, str, str]] = {
    "idle": ("#1f5fbf", "#ffffff", "#1f5fbf"),
    "ready": ("#1a7a48", "#ffffff", "#1a7a48"),
    "recording": ("#c8232c", "#ffffff", "#c8232c"),
    "practice": ("#0d6f68", "#ffffff", "#0d6f68"),
    "policy": ("#6a3ccc", "#ffffff", "#6a3ccc"),
    "override": ("#f2a60d", "#1d1400", "#f2a60d"),
    "stopped": ("#260306", "#ffb8b8", "#ff3b43"),
    "fault": ("#9c1152", "#ffffff", "#9c1152"),
}

DARK = Palette(
    name="dark", ground="#11141a", panel="#1a1f27", raised="#272e39", hover="#323b48",
    pressed="#3e4857", line="#353e4b", text="#e9edf2", muted="#a6b0bd",
    accent="#5aa2ff", accent_hover="#7db6ff", accent_ink="#06101f", selected="#1e3a5f",
    lines=("#5aa2ff", "#ffb454", "#56d391", "#ff8a8a", "#b99bff", "#4fd1d9", "#f2d15b", "#f49ac2"),
    tones=_tones(
        {"offline": ("#4b5563", "#ffffff", "#4b5563"),
         "warning": ("#4a3c00", "#ffe28a", "#a67c00"), **_STRONG},
        {"offline": "#a6b0bd", "idle": "#7db3ff", "ready": "#56d391", "recording": "#ff8a8a",
         "practice": "#5fd8cc", "policy": "#b99bff", "override": "#ffc14d", "stopped": "#ff7d82",
         "fault": "#ff8fbe", "warning": "#ffd166"}))

LIGHT = Palette(
    name="light", ground="#eef1f5", panel="#ffffff", raised="#e6eaf0", hover="#d9dfe8",
    pressed="#c8d0dc", line="#ccd4de", text="#161a20", muted="#505b69",
    accent="#1257c4", accent_hover="#0d479f", accent_ink="#ffffff", selected="#d6e6fd",
    lines=("#1257c4", "#b35900", "#14804a", "#c8232c", "#6a3ccc", "#0b7c86", "#8a6d00", "#b0256b"),
    tones=_tones(
        {"offline": ("#5c6675", "#ffffff", "#5c6675"),
         "warning": ("#fff0bf", "#574000", "#c99a00"), **_STRONG},
        {"offline": "#505b69", "idle": "#1257c4", "ready": "#106b3c", "recording": "#b81c25",
         "practice": "#0b655e", "policy": "#5c2fbd", "override": "#8a5200", "stopped": "#8f0d14",
         "fault": "#9c1152", "warning": "#7a5900"}))

PALETTES: dict[str, Palette] = {palette.name: palette for palette in (DARK, LIGHT)}


class Sizes:
    """In pixels at a scale of 1; gaps are steps of four.

    Letter sizes are Dear PyGui's, the height of a line: 1.21 times what CSS calls `font-size`.
    """

    GAP_TIGHT, GAP, GAP_WIDE, GAP_SECTION = 4, 8, 16, 24
    ROUNDING = 6                # of corners
    LETTER_SMALL, LETTER, LETTER_TITLE, LETTER_BANNER, LETTER_COUNTDOWN = 15, 18, 22, 30, 140


def rgba(colour: str, alpha: float = 1.0) -> Rgba:
    """A "#rrggbb" as (red, green, blue, alpha), each 0..255; alpha is given as 0..1."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue, round(255 * alpha)


def asset(name: str) -> Path:
    """A file of ui_assets/: beside the code in a wheel, beside `studio/` in a checkout.

    Args:
        name: from there, as "fonts/tandem-regular.ttf".

    Raises:
        FileNotFoundError: the file is not there; says where it was looked for.
    """
    studio = Path(__file__).resolve().parent.parent
    folders = studio / "ui_assets", studio.parent / "ui_assets"
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{name} is neither in {folders[0]} nor in {folders[1]}: "
                            "install Tandem Studio again")


def font_file(*, bold: bool = False, web: bool = False) -> Path:
    """The typeface: Inter with our icons in it; for Dear PyGui its digits are equally wide."""
    return asset(f"fonts/tandem-{'semibold' if bold else 'regular'}.{'woff2' if web else 'ttf'}")


@cache
def letters() -> frozenset[str]:
    """All that the typeface can write, without our icons."""
    return frozenset(asset("fonts/letters.txt").read_text(encoding="utf-8"))

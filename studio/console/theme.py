"""The palette of look.py as Dear PyGui's themes; one for everything, one for each role and tone.

Knows colours and the toolkit's names for what is coloured. Refuses to know panels.
"""

from studio.console.toolkit import dpg
from studio.views.look import Palette, Sizes, Tone, ToneName, rgba

Item = int | str
_LABELS: tuple[tuple[str, ToneName], ...] = (
    ("success", "ready"), ("failure", "recording"), ("partial", "override"))
_PLOT = dpg.mvThemeCat_Plots


class Themes:
    """All themes of a palette; ids of Dear PyGui.

    Attributes:
        everything: bound to the application.
        pills: by tone: a ground in the tone's fill.
        lamps: by tone: a button that only says something.
        said: by tone: text in the tone.
        lines: by number: a plot's line.
        compact, narrow, thin: for a table's widgets where room is scarce, for words in a row of
            lamps, and for marks under words.
    """

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self.everything = _everything(palette)
        self.pills = {name: _pill(tone) for name, tone in palette.tones.items()}
        self.lamps = {name: _button(tone.fill, tone.fill, tone.ink)
                      for name, tone in palette.tones.items()}
        self.said = {name: _text(tone.text) for name, tone in palette.tones.items()}
        self.muted = _text(palette.muted)
        self.primary = _button(palette.accent, palette.accent_hover, palette.accent_ink)
        stop = palette.tones["recording"]
        self.stop = _button(stop.fill, _lighter(stop.fill), stop.ink)
        ready = palette.tones["ready"]
        self.arm = _button(ready.fill, _lighter(ready.fill), ready.ink)
        self.quiet = _button(palette.panel, palette.hover, palette.text)
        self.plain_button = _button(palette.raised, palette.hover, palette.text)
        self.off = _button(palette.panel, palette.panel, palette.muted)
        self.labels = {label: _button(palette.raised, palette.hover, palette.tones[tone].text)
                       for label, tone in _LABELS}
        self.plain = _text(palette.text)
        self.accented = _text(palette.accent)
        self.unseen = _text(palette.panel)      # keeps its room
        self.chosen = _button(palette.selected, palette.selected, palette.text)
        self.lines = [_line(colour) for colour in palette.lines]
        self.shade = _shade(palette.tones["override"].fill)
        self.fixed = _marks(palette.tones["override"].text)
        self.faint_line = _line(palette.muted)
        self.strip = _strip(palette)
        self.compact, self.thin = _sized(8, 5, 5, 4), _sized(8, 0, 2, 3)
        self.narrow = _sized(2, 3, 4, 2)

    def delete(self) -> None:
        """Let go of them: another palette was chosen."""
        for theme in (self.everything, self.muted, self.primary, self.stop, self.arm, self.quiet,
                      self.plain_button, self.off, self.plain, self.accented, self.unseen,
                      self.chosen, self.faint_line, self.shade, self.fixed, self.strip,
                      self.compact, self.thin, self.narrow,
                      *self.labels.values(), *self.pills.values(), *self.lamps.values(),
                      *self.said.values(), *self.lines):
            dpg.delete_item(theme)


def _lighter(colour: str) -> str:
    return "#" + "".join(f"{min(255, part + 24):02x}" for part in rgba(colour)[:3])


def _everything(palette: Palette) -> Item:
    p = palette
    colours = {
        "WindowBg": p.panel, "ChildBg": p.panel, "PopupBg": p.raised, "DockingEmptyBg": p.ground,
        "MenuBarBg": p.panel, "TitleBg": p.ground, "TitleBgActive": p.ground,
        "TitleBgCollapsed": p.ground, "Border": p.line, "Separator": p.ground,
        "SeparatorHovered": p.accent, "SeparatorActive": p.accent,
        "Text": p.text, "TextDisabled": p.muted, "TextSelectedBg": p.selected,
        "Button": p.raised, "ButtonHovered": p.hover, "ButtonActive": p.pressed,
        "FrameBg": p.raised, "FrameBgHovered": p.hover, "FrameBgActive": p.pressed,
        "Header": p.selected, "HeaderHovered": p.hover, "HeaderActive": p.pressed,
        "Tab": p.ground, "TabHovered": p.hover, "TabSelected": p.panel,
        "TabSelectedOverline": p.accent, "TabDimmed": p.ground, "TabDimmedSelected": p.panel,
        "TabDimmedSelectedOverline": p.line,
        "SliderGrab": p.accent, "SliderGrabActive": p.accent_hover, "CheckMark": p.accent,
        "PlotHistogram": p.accent, "ScrollbarBg": p.panel, "ScrollbarGrab": p.line,
        "ScrollbarGrabHovered": p.hover, "ScrollbarGrabActive": p.pressed,
        "ResizeGrip": p.panel, "ResizeGripHovered": p.hover, "ResizeGripActive": p.pressed,
        "TableHeaderBg": p.raised, "TableBorderLight": p.line, "TableBorderStrong": p.line,
        "TableRowBg": p.panel, "TableRowBgAlt": p.panel, "DockingPreview": p.accent,
        "NavCursor": p.accent,
    }
    styles: dict[str, tuple[float, ...]] = {
        "FrameRounding": (Sizes.ROUNDING,), "ChildRounding": (Sizes.ROUNDING,),
        "PopupRounding": (Sizes.ROUNDING,), "GrabRounding": (Sizes.ROUNDING,),
        "TabRounding": (Sizes.ROUNDING,), "WindowRounding": (0.0,), "WindowBorderSize": (0.0,),
        "ChildBorderSize": (0.0,), "PopupBorderSize": (1.0,), "FrameBorderSize": (0.0,),
        "WindowPadding": (12.0, 10.0), "FramePadding": (10.0, 6.0), "ItemSpacing": (8.0, 8.0),
        "ItemInnerSpacing": (6.0, 4.0), "CellPadding": (6.0, 4.0), "ScrollbarSize": (11.0,),
        "GrabMinSize": (14.0,), "DockingSeparatorSize": (3.0,), "TabBarBorderSize": (0.0,),
        "TabBarOverlineSize": (2.0,),
    }
    plot = {"FrameBg": p.panel, "PlotBg": p.panel, "PlotBorder": p.line, "AxisText": p.muted,
            "AxisGrid": p.line, "AxisTick": p.line, "LegendBg": p.panel, "LegendBorder": p.panel,
            "LegendText": p.text, "InlayText": p.muted, "TitleText": p.muted}
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        for name, colour in colours.items():
            dpg.add_theme_color(getattr(dpg, f"mvThemeCol_{name}"), rgba(colour))
        for name, size in styles.items():
            dpg.add_theme_style(getattr(dpg, f"mvStyleVar_{name}"), *size)
        for name, colour in plot.items():
            dpg.add_theme_color(getattr(dpg, f"mvPlotCol_{name}"), rgba(colour), category=_PLOT)
        dpg.add_theme_style(dpg.mvPlotStyleVar_PlotPadding, 4, 4, category=_PLOT)
        dpg.add_theme_style(dpg.mvPlotStyleVar_LegendPadding, 6, 4, category=_PLOT)
        dpg.add_theme_style(dpg.mvPlotStyleVar_PlotBorderSize, 0, category=_PLOT)
    return theme


def _pill(tone: Tone) -> Item:
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        for name in ("ChildBg", "Button", "ButtonHovered", "ButtonActive"):
            dpg.add_theme_color(getattr(dpg, f"mvThemeCol_{name}"), rgba(tone.fill))
        dpg.add_theme_color(dpg.mvThemeCol_Text, rgba(tone.ink))
        dpg.add_theme_color(dpg.mvThemeCol_Border, rgba(tone.edge))
        dpg.add_theme_style(dpg.mvStyleVar_ChildBorderSize, 2)
        dpg.add_theme_style(dpg.mvStyleVar_WindowPadding, 16, 8)
        dpg.add_theme_style(dpg.mvStyleVar_ItemSpacing, 8, 2)
    return theme


def _text(colour: str) -> Item:
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        dpg.add_theme_color(dpg.mvThemeCol_Text, rgba(colour))
    return theme


def _button(fill: str, hover: str, ink: str) -> Item:
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        dpg.add_theme_color(dpg.mvThemeCol_Button, rgba(fill))
        dpg.add_theme_color(dpg.mvThemeCol_ButtonHovered, rgba(hover))
        dpg.add_theme_color(dpg.mvThemeCol_ButtonActive, rgba(hover, 0.8))
        dpg.add_theme_color(dpg.mvThemeCol_Text, rgba(ink))
    return theme


def _line(colour: str) -> Item:
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        dpg.add_theme_color(dpg.mvPlotCol_Line, rgba(colour), category=_PLOT)
        dpg.add_theme_style(dpg.mvPlotStyleVar_LineWeight, 1.5, category=_PLOT)
    return theme


def _shade(colour: str) -> Item:
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        dpg.add_theme_color(dpg.mvPlotCol_Fill, rgba(colour, 0.25), category=_PLOT)
    return theme


def _marks(colour: str) -> Item:
    """Points that are no drag points: a diamond."""
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        for name in ("MarkerFill", "MarkerOutline"):
            dpg.add_theme_color(getattr(dpg, f"mvPlotCol_{name}"), rgba(colour), category=_PLOT)
        dpg.add_theme_style(dpg.mvPlotStyleVar_Marker, dpg.mvPlotMarker_Diamond, category=_PLOT)
        dpg.add_theme_style(dpg.mvPlotStyleVar_MarkerSize, 5, category=_PLOT)
    return theme


def _sized(across: int, down: int, apart: int, cell: int) -> Item:
    """Where room is scarce: padding in a widget, and the distance to the next one, in pixels."""
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        dpg.add_theme_style(dpg.mvStyleVar_FramePadding, across, down)
        dpg.add_theme_style(dpg.mvStyleVar_ItemSpacing, 8, apart)
        dpg.add_theme_style(dpg.mvStyleVar_CellPadding, cell, 3)
    return theme


def _strip(palette: Palette) -> Item:
    """The bars at the top and at the bottom: little padding, no scroll bar's room."""
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        dpg.add_theme_color(dpg.mvThemeCol_WindowBg, rgba(palette.ground))
        dpg.add_theme_color(dpg.mvThemeCol_ChildBg, rgba(palette.ground))
        dpg.add_theme_style(dpg.mvStyleVar_WindowPadding, 12, 8)
        dpg.add_theme_style(dpg.mvStyleVar_CellPadding, 0, 0)
        dpg.add_theme_style(dpg.mvStyleVar_ItemSpacing, 8, 4)
    return theme

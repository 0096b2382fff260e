"""The bar at the bottom: every rate, lateness, drop and the disk, each with a tooltip."""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon

WINDOW = 9002
HEIGHT = 40
_MOST = 12
_MARKS = {"ready": "", "warning": "triangle-alert", "fault": "circle-x", "idle": "",
          "offline": ""}


class HealthBar:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        with (dpg.window(tag=WINDOW, no_close=True, no_scrollbar=True, no_title_bar=True,
                         no_scroll_with_mouse=True, min_size=(10, 10)) as self.window,
              dpg.table(header_row=False, policy=dpg.mvTable_SizingFixedFit)):
            dpg.add_table_column(width_stretch=True, init_width_or_weight=1.0)
            dpg.add_table_column(width_fixed=True, init_width_or_weight=118)
            with dpg.table_row():
                with dpg.group(horizontal=True, horizontal_spacing=6):
                    self._gauges = [self._gauge() for _ in range(_MOST)]
                with dpg.group(horizontal=True, horizontal_spacing=2):
                    self._mute = self._choice("volume-2", "mute", "Sounds on or off (M)")
                    self.palette = self._choice("sun", "palette", "Light or dark")
                    self._web = self._choice("globe", "web", "Web console: starts it, and says "
                                                             "its address")

    def _choice(self, sign: str, action: str, tip: str) -> int | str:
        button = dpg.add_button(label=icon(sign), width=34, height=24,
                                callback=lambda: self._ui.do(action))
        with dpg.tooltip(button, delay=0.3):
            dpg.add_text(tip)
        return button

    def _gauge(self) -> tuple[int | str, ...]:
        with dpg.group(horizontal=True, horizontal_spacing=6, show=False) as group:
            name, value = dpg.add_text(""), dpg.add_text("")
            dpg.add_spacer(width=6)
        for text in (name, value):
            dpg.bind_item_font(text, self._ui.fonts.small)
        with dpg.tooltip(value, delay=0.2):
            tip = dpg.add_text("", wrap=420)
        return group, name, value, tip

    def show(self, seen: Seen) -> None:
        """Draw the gauges."""
        shown, themes = self._ui.shown, self._ui.themes
        shown.settings(self._mute, label=icon("volume-x" if seen.muted else "volume-2"))
        shown.settings(self.palette, label=icon("sun" if seen.dark else "moon"))
        for button in (self._mute, self.palette, self._web):
            shown.theme(button, themes.quiet)
        for i, (group, name, value, tip) in enumerate(self._gauges):
            shown.settings(group, show=i < len(seen.gauges))
            if i < len(seen.gauges):
                gauge = seen.gauges[i]
                mark = _MARKS.get(gauge.tone, "")
                shown.value(name, gauge.name)
                shown.theme(name, themes.muted)
                shown.value(value, _short(gauge.text, mark))
                well = gauge.tone in ("ready", "idle")
                shown.theme(value, themes.plain if well else themes.said[gauge.tone])
                shown.value(tip, gauge.tip)


def _short(text: str, mark: str) -> str:
    """A gauge where room is scarce: "30 Hz  (!) 7"; the tooltip has the words."""
    if not mark:
        return text
    value, _, drops = text.partition(", ")
    return f"{value} {icon(mark)} {drops.removesuffix(' dropped')}" if drops else (
        f"{icon(mark)} {text}")

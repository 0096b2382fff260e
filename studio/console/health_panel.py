"""The bar at the bottom: every rate, lateness, drop and the disk, each with a tooltip."""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon

WINDOW = 9002
HEIGHT = 40
_MOST = 14
_MARKS = {"ready": "", "warning": "triangle-alert", "fault": "circle-x", "idle": "",
          "offline": ""}


class HealthBar:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        with (dpg.window(tag=WINDOW, no_close=True, no_scrollbar=True, no_title_bar=True,
                         no_scroll_with_mouse=True, min_size=(10, 10)) as self.window,
              dpg.group(horizontal=True, horizontal_spacing=6)):
            self._gauges = [self._gauge() for _ in range(_MOST)]

    def _gauge(self) -> tuple[int | str, ...]:
        with dpg.group(horizontal=True, horizontal_spacing=6, show=False) as group:
            name, value = dpg.add_text(""), dpg.add_text("")
            dpg.add_spacer(width=10)
        for text in (name, value):
            dpg.bind_item_font(text, self._ui.fonts.small)
        with dpg.tooltip(value, delay=0.2):
            tip = dpg.add_text("", wrap=420)
        return group, name, value, tip

    def show(self, seen: Seen) -> None:
        """Draw the gauges."""
        shown, themes = self._ui.shown, self._ui.themes
        for i, (group, name, value, tip) in enumerate(self._gauges):
            shown.settings(group, show=i < len(seen.gauges))
            if i < len(seen.gauges):
                gauge = seen.gauges[i]
                mark = _MARKS.get(gauge.tone, "")
                shown.value(name, gauge.name)
                shown.theme(name, themes.muted)
                shown.value(value, f"{icon(mark)} {gauge.text}" if mark else gauge.text)
                well = gauge.tone in ("ready", "idle")
                shown.theme(value, themes.plain if well else themes.said[gauge.tone])
                shown.value(tip, gauge.tip)

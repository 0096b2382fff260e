"""Seven lamps in a row: who drives each axis now; and below, what a person gets who steps in.

A click on a lamp's switch goes round: yours, both, the policy's. Knows widgets; what a click means
is decided in views/lamps.py.
"""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon
from studio.views.lamps import AXES, TOOL_AXES, blend_of, lamps_of, wish_of

_LAMP_HEIGHT = 38
_WISHES = {"you": "You", "both": "Both", "policy": "Policy"}


class AxisLamps:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        with dpg.table(header_row=False, policy=dpg.mvTable_SizingStretchSame,
                       no_pad_outerX=True) as self._table:
            for _ in AXES:
                dpg.add_table_column()
            with dpg.table_row():
                self._lamps = [self._lamp(axis) for axis in AXES]
            with dpg.table_row():
                self.switches = [self._switch(axis) for axis in range(TOOL_AXES)]
                self._press = dpg.add_button(label=icon("pointer"), width=-1, height=24)
        with dpg.tooltip(self._press, delay=0.3):
            dpg.add_text("The gripper is the policy's until you press a gripper button")
        with dpg.group(horizontal=True):
            self._blend = dpg.add_slider_int(
                min_value=5, max_value=95, default_value=50, width=-136, clamped=True,
                format="Both: %d %% yours",
                callback=lambda _, value: ui.do("blend", value / 100.0))
            self.hand_back = dpg.add_checkbox(
                label="Hand back", default_value=True,
                callback=lambda _, on: ui.do("hand back", bool(on)))
        with dpg.tooltip(self.hand_back, delay=0.3):
            dpg.add_text("Letting go of the device hands the arm back to the policy;\n"
                         "otherwise it holds until you let the policy drive")
        with dpg.tooltip(self._blend, delay=0.3):
            dpg.add_text("Your share of every axis that both drive")
        for item in (self._press, *self._lamps, *self.switches):
            dpg.bind_item_font(item, ui.fonts.small)

    def _lamp(self, axis: str) -> int | str:
        lamp = dpg.add_button(label=axis, width=-1, height=_LAMP_HEIGHT)
        with dpg.tooltip(lamp, delay=0.3):
            dpg.add_text(f"Who drives {axis} in this tick")
        return lamp

    def _switch(self, axis: int) -> int | str:
        switch = dpg.add_button(label="", width=-1, height=24,
                                callback=lambda: self._ui.do("share axis", axis))
        with dpg.tooltip(switch, delay=0.3):
            dpg.add_text(f"What you get of {AXES[axis]} when you step in while the policy drives:\n"
                         "all of it, a share, or nothing; holds from the next time on")
        return switch

    def show(self, seen: Seen) -> None:
        """Draw who drives, and what is wished."""
        shown, themes, snapshot = self._ui.shown, self._ui.themes, seen.snapshot
        shown.theme(self._table, themes.narrow)
        for item, lamp in zip(self._lamps, lamps_of(snapshot, seen.silent), strict=True):
            shown.settings(item, label=f"{icon(lamp.icon)} {lamp.short}\n{lamp.word}")
            shown.theme(item, themes.lamps[lamp.tone])
        shares = snapshot.sharing if snapshot is not None and snapshot.sharing else (1.0,) * 6
        for switch, share in zip(self.switches, shares, strict=True):
            shown.settings(switch, label=_WISHES[wish_of(share)])
            shown.theme(switch, themes.plain_button)
        shown.theme(self._press, themes.quiet)
        if not dpg.is_item_active(self._blend):
            shown.value(self._blend, round(100 * blend_of(snapshot)))
        shown.value(self.hand_back, snapshot.hand_back if snapshot is not None else True)

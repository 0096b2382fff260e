"""A device's axes as marks between two ends: six of a hand in space, eight of a leader's joints."""

from studio.console.seen import Ui
from studio.console.toolkit import dpg
from studio.views.device_values import Axis

_ROWS = 2
_SIX, _EIGHT = 3, 4         # axes in a row


class AxisBars:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._tables = {across: self._table(across) for across in (_SIX, _EIGHT)}

    def _table(self, across: int) -> tuple[int | str, list[tuple[int | str, int | str]]]:
        bars = []
        with dpg.table(header_row=False, policy=dpg.mvTable_SizingStretchSame, show=False,
                       no_pad_outerX=True) as table:
            for _ in range(across):
                dpg.add_table_column()
            for _ in range(_ROWS):
                with dpg.table_row():
                    bars += [self._bar() for _ in range(across)]
        return table, bars

    def _bar(self) -> tuple[int | str, int | str]:
        with dpg.group():
            words = dpg.add_text("")
            mark = dpg.add_slider_float(min_value=-1.0, max_value=1.0, width=-1, enabled=False,
                                        no_input=True, format="")
        for item in (words, mark):
            dpg.bind_item_font(item, self._ui.fonts.small)
        return words, mark

    def show(self, axes: tuple[Axis, ...]) -> None:
        """Draw them; none hides the bars."""
        shown, themes = self._ui.shown, self._ui.themes
        needed = 0 if not axes else _SIX if len(axes) <= _ROWS * _SIX else _EIGHT
        for across, (table, bars) in self._tables.items():
            shown.settings(table, show=across == needed)
            shown.theme(table, themes.thin)
            if across != needed:
                continue
            for (words, mark), axis in zip(bars, axes, strict=False):
                shown.value(words, f"{axis.name}  {axis.text}")
                shown.value(mark, round(axis.at, 2))

"""The alert lamp: whether the policy asks for help, a signal against its limit, and the answer.

One row: icon and word, a bar and numbers of the alert's signal (else of the one that is nearest to
its limit), and a button that says that it is fine. All signals stand in the tooltips. Knows what
`studio/views/alert_lamp.py` says.
"""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.alert_lamp import SignalBar, alert_lamp
from studio.views.icons import icon
from studio.views.words import shortened

_LETTERS = 34           # of a signal; fewer beside the button
_FEWER = 27


class AlertRow:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        with dpg.group(horizontal=True):
            self._lamp = dpg.add_text("")
            self._bar = dpg.add_progress_bar(width=44, height=22, show=False)
            self._signal = dpg.add_text("")
            self.fine = dpg.add_button(label=f"{icon('check')} It is fine", width=-1, height=22,
                                       show=False, callback=lambda: ui.do("no alert"))
        self._tips = []
        for item in (self._lamp, self._bar, self._signal):
            dpg.bind_item_font(item, ui.fonts.small)
            with dpg.tooltip(item, delay=0.3):
                self._tips.append(dpg.add_text("", wrap=420))
        with dpg.tooltip(self.fine, delay=0.3):
            dpg.add_text("This signal asks no more in this scene; taking the arm,\n"
                         "other words and a hold answer an alert, too")

    def show(self, seen: Seen) -> None:
        """Draw the lamp, the bar and, while an alert stands, the button."""
        shown, themes = self._ui.shown, self._ui.themes
        lamp = alert_lamp(seen.snapshot, seen.silent)
        word = "" if lamp.number else f"  {lamp.word}"      # the line above says it
        shown.value(self._lamp, icon(lamp.icon) + word)
        shown.theme(self._lamp, themes.said[lamp.tone])
        shown.settings(self.fine, show=lamp.number > 0)
        shown.theme(self.fine, themes.plain_button)
        bar = lamp.nearest
        shown.value(self._signal, shortened(
            f"{bar.name}: {bar.text}", _FEWER if lamp.number else _LETTERS) if bar else "")
        shown.theme(self._signal, themes.muted)
        shown.settings(self._bar, show=bar is not None)
        shown.value(self._bar, round(bar.share, 2) if bar else 0.0)
        everything = "\n".join([*filter(None, [lamp.says]), *map(_line, lamp.bars)])
        for tip in self._tips:
            shown.value(tip, everything)


def _line(bar: SignalBar) -> str:
    return f"{icon(bar.icon)}  {bar.name}: {bar.text}"

"""The question about an episode that was interrupted, above the list: keep it, as what, or discard.

One at a time, the oldest first; nothing is shown while there is none. Knows widgets.
"""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon
from studio.views.interrupted import CHOICES, heading
from studio.views.look import Sizes
from studio.views.words import shortened

_LETTERS = 52


class InterruptedPanel:
    """See the head of this file; made inside the window that it belongs to."""

    def __init__(self, ui: Ui) -> None:
        self._ui, self._episode = ui, ""
        with dpg.group(show=False) as self._group:
            self._heading = dpg.add_text("")
            self._words = dpg.add_text("")
            with dpg.tooltip(self._words, delay=0.3):
                self._all = dpg.add_text("", wrap=420)
            with dpg.table(header_row=False, policy=dpg.mvTable_SizingStretchSame,
                           no_pad_outerX=True):
                for _ in CHOICES:
                    dpg.add_table_column()
                with dpg.table_row():
                    self.buttons = {name: dpg.add_button(
                        label=words, width=-1, user_data=name,
                        callback=lambda _, __, name: ui.do("settle", (self._episode, name)))
                        for name, words, _ in CHOICES}
            dpg.add_separator()
        for item in (self._words, *self.buttons.values()):
            dpg.bind_item_font(item, ui.fonts.small)
        with dpg.tooltip(self.buttons["keep"], delay=0.3):
            dpg.add_text("Keeps it without a label")
        with dpg.tooltip(self.buttons["discard"], delay=0.3):
            dpg.add_text("Puts it into the bin, from where it can be restored")

    def show(self, seen: Seen) -> None:
        """Ask about the oldest; say how many there are."""
        shown, themes = self._ui.shown, self._ui.themes
        shown.settings(self._group, show=bool(seen.interrupted))
        if not seen.interrupted:
            return
        row = seen.interrupted[0]
        self._episode = row.episode
        shown.value(self._heading, f"{icon('triangle-alert')}  {heading(len(seen.interrupted))}")
        shown.theme(self._heading, themes.said["warning"])
        words = shortened(f"{row.when}   {row.length}   {row.words}", _LETTERS)
        shown.value(self._words, words)
        shown.font(self._words, self._ui.fonts.for_text(words, self._ui.fonts.small,
                                                        Sizes.LETTER_SMALL))
        shown.value(self._all, "\n".join(filter(None, (row.episode, row.words, row.damage))))
        for name, button in self.buttons.items():
            shown.theme(button, themes.labels.get(name, themes.plain_button))

"""Which store is recorded into, and another one: a button that says it, a small window that asks.

A refusal is a line in that window, which stays open with what was typed. Knows widgets; the desk
decides.
"""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.station.commands import Reply
from studio.views.icons import icon
from studio.views.words import sentence, shortened

_WIDTH, _HEIGHT = 620, 232


class StoreDialog:
    """See the head of this file.

    Args:
        ui: to make it with.

    Attributes:
        button: opens the window.
        text: into which somebody may type.
    """

    def __init__(self, ui: Ui) -> None:
        self._ui, self._store = ui, ""
        self.button = dpg.add_button(label="", width=-1, callback=self._open)
        dpg.bind_item_font(self.button, ui.fonts.small)
        with dpg.tooltip(self.button, delay=0.3):
            self._tip = dpg.add_text("", wrap=420)
        with dpg.window(label=f"{icon('folder-open')}  Record into", show=False, no_docking=True,
                        no_collapse=True, no_resize=True, no_saved_settings=True, width=_WIDTH,
                        height=_HEIGHT) as self._window:    # not modal: stop must stay in reach
            dpg.add_text("Folder of a store; a new one is made")
            self.text = dpg.add_input_text(width=-1, on_enter=True, callback=self._ask)
            self._refusal = dpg.add_text("", wrap=_WIDTH - 30)
            with dpg.group(horizontal=True):
                self._go = dpg.add_button(label="Record into it", width=160, callback=self._ask)
                self._none = dpg.add_button(label="Keep nothing", width=160,
                                            callback=lambda: ui.do("store", ""))
                self._cancel = dpg.add_button(label="Cancel", width=100, callback=self._close)
        with dpg.tooltip(self._none, delay=0.3):
            dpg.add_text("No store is open: drive, and keep nothing")

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return {"store": self.button, "store path": self.text, "store go": self._go,
                "store cancel": self._cancel}

    def _open(self) -> None:
        room = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        dpg.set_value(self.text, self._store)
        dpg.set_value(self._refusal, "")
        dpg.configure_item(self._window, show=True, pos=(
            (room[0] - _WIDTH) // 2, (room[1] - _HEIGHT) // 3))
        dpg.focus_item(self.text)
        self._ui.shown.changed = True

    def _close(self) -> None:
        dpg.configure_item(self._window, show=False)
        self._ui.shown.changed = True

    def _ask(self) -> None:
        if path := str(dpg.get_value(self.text)).strip():
            self._ui.do("store", path)

    def answered(self, reply: Reply) -> None:
        """The desk has answered: close, or say why not."""
        if reply.accepted:
            self._close()
        dpg.set_value(self._refusal, "" if reply.accepted else
                      f"{icon('triangle-alert')}  {shortened(sentence(reply.reason), 300)}")
        self._ui.shown.theme(self._refusal, self._ui.themes.said["warning"])
        self._ui.shown.changed = True

    def show(self, seen: Seen) -> None:
        """Say which store is recorded into."""
        shown, themes = self._ui.shown, self._ui.themes
        for button in (self._go, self._none, self._cancel):
            shown.theme(button, themes.primary if button == self._go else themes.plain_button)
        self._store = seen.state.store if seen.state is not None else ""
        folder = f"…{self._store[-40:]}" if len(self._store) > 41 else self._store
        shown.settings(self.button, label=f"{icon('database')}  {folder or 'No store'}   Change…")
        shown.theme(self.button, themes.plain_button)
        shown.value(self._tip, f"{self._store}\nOpens another store; not while an episode is open"
                    if self._store else "Nothing is kept: opens a store")

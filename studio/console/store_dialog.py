"""Which store is recorded into, and another one: a button that says it, a small window that asks.

A refusal is a line in that window, which stays open with what was typed. Knows widgets; the desk
decides.
"""

from studio.console.path_window import PathWindow
from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.station.commands import Reply
from studio.views.icons import icon


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
        self._window = PathWindow(
            ui, ("folder-open", "Record into"), "Folder of a store; a new one is made",
            ("Record into it", 160), self._ask,
            ("Keep nothing", 160, lambda: ui.do("store", "")), height=232)
        self.text = self._window.text
        with dpg.tooltip(self._window.others[0], delay=0.3):
            dpg.add_text("No store is open: drive, and keep nothing")

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        window = self._window
        return {"store": self.button, "store path": window.text, "store go": window.go,
                "store cancel": window.cancel}

    def _open(self) -> None:
        dpg.set_value(self._window.text, self._store)
        self._window.open()

    def _ask(self) -> None:
        self._ui.do("store", self._window.path)

    def answered(self, reply: Reply) -> None:
        """The desk has answered: close, or say why not."""
        if reply.accepted:
            self._window.close()
        self._window.refuse("" if reply.accepted else reply.reason)

    def show(self, seen: Seen) -> None:
        """Say which store is recorded into."""
        shown, themes = self._ui.shown, self._ui.themes
        self._window.show()
        self._store = seen.state.store if seen.state is not None else ""
        folder = f"…{self._store[-40:]}" if len(self._store) > 41 else self._store
        shown.settings(self.button, label=f"{icon('database')}  {folder or 'No store'}   Change…")
        shown.theme(self.button, themes.plain_button)
        shown.value(self._tip, f"{self._store}\nOpens another store; not while an episode is open"
                    if self._store else "Nothing is kept: opens a store")

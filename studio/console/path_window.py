"""A small window that asks for a path: a line to type in, why it was refused, and a few buttons.

It stays open with what was typed until it is closed. Knows widgets; what the path is for is its
owner's business.
"""

from collections.abc import Callable

from studio.console.seen import Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon
from studio.views.words import sentence, shortened

_WIDTH = 620


class PathWindow:
    """See the head of this file. It is hidden until `open`.

    Args:
        ui: to make it with.
        title: of the window, after its icon's name.
        about: what is asked for.
        go: label and width of the button that Enter also presses.
        ask: called then, if something was typed.
        others: label, width and work of each further button, before Cancel.
        height: of the window, in pixels.
        hint: stands in the line while nothing does.

    Attributes:
        text: into which somebody may type.
        go: the button that asks.
        others: the further buttons, in order.
        cancel: the one that closes.
    """

    def __init__(self, ui: Ui, title: tuple[str, str], about: str, go: tuple[str, int],
                 ask: Callable[[], None], *others: tuple[str, int, Callable[[], None]],
                 height: int, hint: str = "") -> None:
        self._ui, self._ask, self._height = ui, ask, height
        with dpg.window(label=f"{icon(title[0])}  {title[1]}", show=False, no_docking=True,
                        no_collapse=True, no_resize=True, no_saved_settings=True, width=_WIDTH,
                        height=height) as self._window:     # not modal: stop must stay in reach
            dpg.add_text(about)
            self.text = dpg.add_input_text(width=-1, on_enter=True, callback=self._go, hint=hint)
            self._refusal = dpg.add_text("", wrap=_WIDTH - 30, show=False)
            with dpg.group(horizontal=True):
                self.go = dpg.add_button(label=go[0], width=go[1], callback=self._go)
                self.others = [dpg.add_button(label=label, width=width, callback=work)
                               for label, width, work in others]
                self.cancel = dpg.add_button(label="Cancel", width=100, callback=self.close)

    @property
    def path(self) -> str:
        """What is typed."""
        return str(dpg.get_value(self.text)).strip()

    def open(self) -> None:
        """Show it in the middle, ready for typing."""
        room = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        self.refuse("")
        dpg.configure_item(self._window, show=True, pos=(
            (room[0] - _WIDTH) // 2, (room[1] - self._height) // 3))
        dpg.focus_item(self.text)

    def close(self) -> None:
        """Hide it; what was typed stays."""
        dpg.configure_item(self._window, show=False)
        self._ui.shown.changed = True

    def refuse(self, why: str) -> None:
        """Say why not; nothing, if there is nothing to say."""
        dpg.configure_item(self._refusal, show=bool(why))
        dpg.set_value(self._refusal, why and f"{icon('triangle-alert')}  "
                                             f"{shortened(sentence(why), 300)}")
        self._ui.shown.theme(self._refusal, self._ui.themes.said["warning"])
        self._ui.shown.changed = True

    def show(self) -> None:
        """Give the buttons their looks."""
        shown, themes = self._ui.shown, self._ui.themes
        shown.theme(self.go, themes.primary)
        for button in (*self.others, self.cancel):
            shown.theme(button, themes.plain_button)

    def _go(self) -> None:
        if self.path:
            self._ask()

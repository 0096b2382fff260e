"""The countdown, large over everything: an operator looks at the arm and sees it from afar."""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg


class Countdown:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        with dpg.window(no_title_bar=True, no_move=True, no_resize=True, no_docking=True,
                        no_background=True, no_scrollbar=True, no_saved_settings=True, show=False,
                        width=200, height=190, no_focus_on_appearing=True) as self._window:
            self._number = dpg.add_text("")
        dpg.bind_item_font(self._number, ui.fonts.countdown)

    def show(self, seen: Seen) -> None:
        """Draw the second that runs; nothing without a countdown."""
        left_s = seen.flow.counts_s(seen.now_ns)
        self._ui.shown.settings(self._window, show=left_s > 0)
        if left_s > 0:
            self._ui.shown.value(self._number, str(int(left_s) + 1))
            self._ui.shown.theme(self._number, self._ui.themes.said["recording"])
            width, height = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
            self._ui.shown.settings(self._window, pos=(width * 2 // 5 - 60, height // 3 - 90))

"""A station file: read it, or keep in it what is chosen. A button that opens a small window.

A mistake is a line in that window, which stays open with what was typed. Knows widgets; what
stands in such a file is worked out in `studio.views.station_file`.
"""

from collections.abc import Callable

from studio.console.seen import Ui
from studio.console.toolkit import dpg
from studio.devices.interfaces import DeviceError
from studio.station.desk.link import DeskState
from studio.views.device_choices import Choice
from studio.views.icons import icon
from studio.views.station_file import choice_in, keep, left_out
from studio.views.words import plain, sentence, shortened

WIDTH = 36                  # of the button
_WIDTH, _HEIGHT = 620, 216


class StationDialog:
    """See the head of this file.

    Args:
        ui: to make it with.
        wanted: what is chosen now.
        desk: what the desk says now.
        choose: told what a file says.
        height: of the button, in pixels.

    Attributes:
        text: into which somebody may type.
    """

    def __init__(self, ui: Ui, wanted: Callable[[], Choice], desk: Callable[[], DeskState | None],
                 choose: Callable[[Choice], None], height: int) -> None:
        self._ui, self._wanted, self._desk, self._choose = ui, wanted, desk, choose
        self.button = dpg.add_button(label=icon("folder-open"), width=WIDTH, height=height,
                                     callback=self._open)
        with dpg.tooltip(self.button, delay=0.3):
            dpg.add_text("Station file…: robot, leader and cameras that were kept under a name")
        with dpg.window(label=f"{icon('folder-open')}  Station file", show=False, no_docking=True,
                        no_collapse=True, no_resize=True, no_saved_settings=True, width=_WIDTH,
                        height=_HEIGHT) as self._window:    # not modal: stop must stay in reach
            dpg.add_text("A YAML file with robot, teleop and cameras, as --station takes it")
            self.text = dpg.add_input_text(width=-1, on_enter=True, callback=self._read,
                                           hint="desk.yaml")
            self._said = dpg.add_text("", wrap=_WIDTH - 30)
            with dpg.group(horizontal=True):
                self._go = dpg.add_button(label="Read it", width=140, callback=self._read)
                self._keep = dpg.add_button(label="Keep what is chosen in it", width=230,
                                            callback=self._write)
                self._cancel = dpg.add_button(label="Cancel", width=100, callback=self._close)

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return {"station file": self.button, "station path": self.text, "station read": self._go,
                "station keep": self._keep}

    def _open(self) -> None:
        room = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        dpg.set_value(self._said, "")
        dpg.configure_item(self._window, show=True, pos=(
            (room[0] - _WIDTH) // 2, (room[1] - _HEIGHT) // 3))
        dpg.focus_item(self.text)
        self._ui.shown.changed = True

    def _close(self) -> None:
        dpg.configure_item(self._window, show=False)
        self._ui.shown.changed = True

    def _read(self) -> None:
        self._try(lambda path: self._choose(choice_in(path)))

    def _write(self) -> None:
        def keep_in(path: str) -> None:
            choice, desk = self._wanted(), self._desk()
            self._ui.do("kept station", keep(path, choice, desk) + left_out(choice, desk))

        self._try(keep_in)

    def _try(self, work: Callable[[str], None]) -> None:
        if not (path := plain(str(dpg.get_value(self.text))).strip()):
            return
        try:
            work(path)
            self._close()
        except DeviceError as mistake:
            dpg.set_value(self._said, f"{icon('triangle-alert')}  "
                                      f"{shortened(sentence(str(mistake)), 300)}")
            self._ui.shown.theme(self._said, self._ui.themes.said["warning"])
            self._ui.shown.changed = True

    def show(self) -> None:
        """Give the buttons their looks."""
        shown, themes = self._ui.shown, self._ui.themes
        for button in (self._go, self._keep, self._cancel, self.button):
            shown.theme(button, themes.primary if button == self._go else themes.plain_button)

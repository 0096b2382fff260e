"""A station file: read it, or keep in it what is chosen. A button that opens a small window.

A mistake is a line in that window, which stays open with what was typed. Knows widgets; what
stands in such a file is worked out in `studio.views.station_file`.
"""

from collections.abc import Callable

from studio.console.path_window import PathWindow
from studio.console.seen import Ui
from studio.console.toolkit import dpg
from studio.devices.interfaces import DeviceError
from studio.station.desk.link import DeskState
from studio.views.device_choices import Choice
from studio.views.icons import icon
from studio.views.station_file import choice_in, keep, left_out

WIDTH = 36                  # of the button


class StationDialog:
    """See the head of this file.

    Args:
        ui: to make it with.
        wanted: what is chosen now.
        desk: what the desk says now.
        choose: told what a file says.
        height: of the button, in pixels.

    Attributes:
        button: opens the window.
        text: into which somebody may type.
    """

    def __init__(self, ui: Ui, wanted: Callable[[], Choice], desk: Callable[[], DeskState | None],
                 choose: Callable[[Choice], None], height: int) -> None:
        self._ui, self._wanted, self._desk, self._choose = ui, wanted, desk, choose
        self.button = dpg.add_button(label=icon("folder-open"), width=WIDTH, height=height,
                                     callback=lambda: self._window.open())
        with dpg.tooltip(self.button, delay=0.3):
            dpg.add_text("Station file…: robot, leader and cameras that were kept under a name")
        self._window = PathWindow(
            ui, ("folder-open", "Station file"),
            "A YAML file with robot, teleop and cameras, as --station takes it",
            ("Read it", 140), self._read, ("Keep what is chosen in it", 230, self._write),
            height=216, hint="desk.yaml")
        self.text = self._window.text

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        window = self._window
        return {"station file": self.button, "station path": window.text,
                "station read": window.go, "station keep": window.others[0]}

    def _read(self) -> None:
        self._try(lambda path: self._choose(choice_in(path)))

    def _write(self) -> None:
        def keep_in(path: str) -> None:
            choice, desk = self._wanted(), self._desk()
            self._ui.do("kept station", keep(path, choice, desk) + left_out(choice, desk))

        self._try(keep_in)

    def _try(self, work: Callable[[str], None]) -> None:
        if not (path := self._window.path):
            return
        try:
            work(path)
            self._window.close()
        except DeviceError as mistake:
            self._window.refuse(str(mistake))

    def show(self) -> None:
        """Give the buttons their looks."""
        self._window.show()
        self._ui.shown.theme(self.button, self._ui.themes.plain_button)

"""All panels of the window: made once, shown every turn, and coloured anew on demand."""

from collections.abc import Callable

from studio.console.cameras_panel import CamerasPanel
from studio.console.countdown import Countdown
from studio.console.devices_panel import DevicesPanel
from studio.console.episodes_panel import EpisodesPanel
from studio.console.fonts import Fonts
from studio.console.health_panel import HealthBar
from studio.console.hearing import Hearing
from studio.console.library import Library
from studio.console.lower_tabs import lower_tabs
from studio.console.plots_panel import PlotsPanel
from studio.console.record_panel import RecordPanel
from studio.console.seen import Seen, Ui
from studio.console.shown import Shown
from studio.console.side_tabs import WINDOW as SIDE
from studio.console.side_tabs import side_tabs
from studio.console.tandem_panel import TandemPanel
from studio.console.timeline_panel import TimelinePanel
from studio.console.toolkit import dpg
from studio.console.top_bar import TopBar
from studio.console.training_panel import TrainingPanel
from studio.console.window import colour, typing
from studio.views.recording_plan import Plan
from studio.views.robot_tasks import task_names


def _middle(item: int | str) -> tuple[int, int]:
    state = dpg.get_item_state(item)
    (x, y), (width, height) = state.get("rect_min", state["pos"]), state["rect_size"]
    return int(x + width / 2), int(y + height / 2)


class Panels:
    """See the head of this file.

    Attributes:
        typing: somebody types into one of them.
        pressed: the mouse is pressed, as the last frame saw it.
    """

    def __init__(self, do: Callable[..., None], library: Library, plan: Plan, palette: str,
                 phrases: Callable[[str, str], tuple[str, ...]], runs: tuple[str, ...] = ()
                 ) -> None:
        self.shown = Shown()
        self._ui = ui = Ui(self.shown, colour(palette), Fonts(), do)
        dpg.bind_font(ui.fonts.normal)
        self._robot = "sim"
        self.typing = self.pressed = False
        self.top, self._health = TopBar(ui), HealthBar(ui)
        self._cameras = CamerasPanel(ui)
        with side_tabs():
            self.record = RecordPanel(ui, plan, task_names(self._robot),
                                      lambda task: phrases(self._robot, task))
            self.tandem = TandemPanel(ui, runs)
        self._episodes = EpisodesPanel(ui, library)
        with lower_tabs():
            self._plots, self.timeline = PlotsPanel(ui), TimelinePanel(ui, library)
            self._training, self._devices = TrainingPanel(ui), DevicesPanel(ui)
        self._countdown = Countdown(ui)
        self.store = self._episodes.store
        self._texts = (*self.record.texts, *self.tandem.texts, *self._training.texts,
                       *self._devices.texts, *self._episodes.texts)
        self._strip()

    def _strip(self) -> None:
        for bar in (self.top, self._health):
            self.shown.theme(bar.window, self._ui.themes.strip)

    def show(self, seen: Seen) -> None:
        """Put on the screen what differs from what stands there."""
        if seen.state is not None:
            self._robot = seen.state.robot or self._robot
        for panel in (self.top, self._health, self._cameras, self.record, self.tandem,
                      self._episodes, self._training, self._plots, self.timeline, self._devices,
                      self._countdown):
            panel.show(seen)

    @property
    def hearing(self) -> Hearing:
        """Who listens to the operator, to be closed."""
        return self.tandem.words.talk.hearing

    def look(self) -> bool:
        """After a frame: what the mouse and the text cursor are at; whether a button moved."""
        self.top.look()
        self.typing = typing(self._texts)
        before, self.pressed = self.pressed, dpg.is_mouse_button_down(dpg.mvMouseButton_Left)
        if not self.pressed:
            self.timeline.let_go()
        return before != self.pressed

    def places(self) -> dict[str, tuple[int, int]]:
        """Where the middles of some widgets that are in sight are, for tests with a real mouse."""
        items = ({"arm": self.top.arm, "stop": self.top.stop, "palette": self._health.palette,
                  "cameras": self._cameras.window, "record panel": SIDE}
                 | self.record.items | self.tandem.items | self.timeline.items
                 | self._training.items | self._devices.items | self._episodes.items)
        return {name: _middle(item) for name, item in items.items() if dpg.is_item_visible(item)}

    def recolour(self, palette: str) -> None:
        """Light or dark."""
        before = self._ui.themes
        self._ui.themes = colour(palette)
        self.shown.forget_themes()
        self._strip()
        self._plots.recolour()
        self.timeline.recolour()
        self._training.recolour()
        before.delete()

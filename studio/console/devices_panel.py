"""Which robot, device and cameras to use; and live values, to see that they work.

What is chosen stands there until it is asked for; then the panel shows what the desk uses. Knows
widgets; what may be chosen and what a device says is worked out in `studio.views`.
"""

from typing import Any

import msgspec

from studio.console.axis_bars import AxisBars
from studio.console.device_lines import DeviceLines
from studio.console.seen import Seen, Ui
from studio.console.station_dialog import WIDTH, StationDialog
from studio.console.toolkit import dpg
from studio.station.desk.link import DeskState
from studio.views import device_choices
from studio.views.device_choices import Choice
from studio.views.device_values import device_of
from studio.views.icons import icon
from studio.views.words import sentence, shortened

_OPERATORS, _CAMERAS = 6, 4     # the most that any robot offers
_TALL = 30


class DevicesPanel:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._used = device_choices.choice_of(None)
        self._desk: DeskState | None = None
        self._used_of: tuple[Any, ...] = ()     # what of the desk's state that was worked out from
        self._choice: Choice | None = None      # while it is not asked for yet
        self._complaint = ""                    # of that choice
        with dpg.tab(label=f"{icon('joystick')}  Devices") as self.tab, dpg.child_window(
                border=False), dpg.table(header_row=False,
                                         policy=dpg.mvTable_SizingStretchProp) as self._table:
            for weight in (7, 5, 7):
                dpg.add_table_column(init_width_or_weight=weight)
            with dpg.table_row():
                for build in (self._build_operators, self._build_cameras, self._build_values):
                    with dpg.group():
                        build()

    def _small(self, words: str) -> int | str:
        text = dpg.add_text(words)
        dpg.bind_item_font(text, self._ui.fonts.small)
        return text

    def _build_operators(self) -> None:
        with dpg.group(horizontal=True):
            self._small("Robot")
            self._robot = dpg.add_combo(
                device_choices.robots(), width=-1, callback=lambda _, robot: self._choose(
                    device_choices.with_robot(self._wanted, robot)))
        self._operators = []
        with dpg.table(header_row=False, policy=dpg.mvTable_SizingStretchSame,
                       no_pad_outerX=True):
            for _ in range(2):
                dpg.add_table_column()
            for _ in range(_OPERATORS // 2):
                with dpg.table_row():
                    self._operators += [dpg.add_button(
                        label="", width=-1, callback=lambda _s, _a, name: self._change(teleop=name))
                        for _ in range(2)]

    def _build_cameras(self) -> None:
        with dpg.group(horizontal=True) as self._cameras_row:
            self._small(icon("camera"))
            self._cameras = [dpg.add_checkbox(label="", callback=self._look_from)
                             for _ in range(_CAMERAS)]
        self._lines = DeviceLines(self._ui, self._change)
        with dpg.group(horizontal=True):
            self._use = dpg.add_button(label=f"{icon('plug')}  Use these", height=_TALL,
                                       width=-WIDTH - 10, callback=self._ask)
            self._station = StationDialog(self._ui, lambda: self._wanted, lambda: self._desk,
                                          self._choose, _TALL)
        with dpg.tooltip(self._use, delay=0.3):
            self._tip = dpg.add_text("")
        self._said = dpg.add_text("", wrap=0)
        dpg.bind_item_font(self._said, self._ui.fonts.small)

    def _build_values(self) -> None:
        self._status = dpg.add_text("")
        dpg.bind_item_font(self._status, self._ui.fonts.strong)
        self._bars = AxisBars(self._ui)
        self._facts = self._small("")
        dpg.configure_item(self._facts, wrap=0)

    @property
    def texts(self) -> tuple[int | str, ...]:
        """The items into which somebody may type."""
        return *self._lines.texts, self._station.text

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        operators = zip(device_choices.operators(self._wanted.robot), self._operators, strict=False)
        cameras = zip(device_choices.cameras(self._wanted.robot), self._cameras, strict=False)
        return ({"devices tab": self.tab, "use devices": self._use, "robot": self._robot}
                | self._lines.items | self._station.items
                | {f"device {name}": item for name, item in operators}
                | {f"camera {name}": item for name, item in cameras})

    # ---- what is chosen ----

    @property
    def _wanted(self) -> Choice:
        return self._choice or self._used

    def _choose(self, choice: Choice) -> None:
        self._choice = choice if choice != self._used else None
        self._complaint = choice.complaint
        self._ui.shown.changed = True

    def _change(self, **changes: Any) -> None:
        self._choose(msgspec.structs.replace(self._wanted, **changes))

    def _look_from(self) -> None:
        names = device_choices.cameras(self._wanted.robot)
        for box in self._cameras:
            self._ui.shown.typed(box)
        self._change(cameras=tuple(name for name, box in zip(names, self._cameras, strict=False)
                                   if dpg.get_value(box)))

    def _ask(self) -> None:
        wanted, self._choice = self._wanted, None
        self._ui.do("devices", wanted)

    # ---- what is shown ----

    def show(self, seen: Seen) -> None:
        """Draw what is chosen, what is used, and what it says."""
        self._desk = seen.state
        if (state := seen.state) is not None:
            of = (state.robot, state.robot_options, state.teleop, state.teleop_options)
            if of != self._used_of:
                self._used_of, self._used = of, device_choices.choice_of(state)
        if self._choice == self._used:
            self._choice = None
        self._ui.shown.theme(self._table, self._ui.themes.compact)
        self._show_choice(seen)
        self._show_values(seen)

    def _show_choice(self, seen: Seen) -> None:
        shown, themes, wanted = self._ui.shown, self._ui.themes, self._wanted
        shown.value(self._robot, wanted.robot)
        for item, name in _slots(self._operators, device_choices.operators(wanted.robot)):
            words, sign = device_choices.operator_words(name)
            chosen = name == wanted.teleop
            shown.settings(item, show=bool(name), user_data=name,
                           label=f"{icon('check' if chosen else sign)}  {words}")
            shown.theme(item, themes.chosen if chosen else themes.plain_button)
        names = device_choices.cameras(wanted.robot)
        shown.settings(self._cameras_row, show=bool(names))
        for item, name in _slots(self._cameras, names):
            shown.settings(item, show=bool(name), label=name.capitalize())
            shown.value(item, name in wanted.cameras)
        self._lines.show(wanted)
        self._station.show()
        complaint = self._complaint if self._choice is not None else ""
        refusal = seen.controls.devices or complaint
        shown.settings(self._use, enabled=not refusal)
        shown.theme(self._use, themes.off if refusal else
                    themes.primary if self._choice is not None else themes.plain_button)
        shown.value(self._tip, refusal or "The processes are started anew; the arm holds meanwhile "
                                          "and is not armed afterwards")
        refused = seen.state.refused if seen.state is not None and self._choice is None else ""
        said = refused or complaint
        shown.value(self._said, f"{icon('triangle-alert')}  {shortened(sentence(said), 300)}"
                    if said else "")
        shown.theme(self._said, themes.said["warning"])

    def _show_values(self, seen: Seen) -> None:
        shown, themes = self._ui.shown, self._ui.themes
        device = device_of(seen.snapshot, seen.state, silent=seen.silent)
        shown.value(self._status, f"{icon(device.icon)}  {device.line}")
        shown.theme(self._status, themes.said[device.tone])
        self._bars.show(device.axes)
        said = [f"{process.name} {'runs' if process.running else 'ended'}"
                + (f", restarted {process.restarts} times" if process.restarts else "")
                + (f": {process.reason}" if process.reason else "")
                for process in (seen.state.processes if seen.state is not None else ())]
        shown.value(self._facts, f"Buttons: {device.buttons}\n{shortened(device.report, 200)}\n"
                                 f"{shortened(' · '.join(said), 300)}")
        shown.theme(self._facts, themes.muted)


def _slots(items: list[int | str], names: tuple[str, ...]) -> list[tuple[int | str, str]]:
    """Every widget with the name that it stands for; those that are left over stand for none."""
    return [(item, names[i] if i < len(names) else "") for i, item in enumerate(items)]

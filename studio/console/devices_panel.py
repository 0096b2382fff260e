"""Which robot, which device and which cameras; and live values, to see that they work."""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.devices.interfaces import DeviceStatus
from studio.station.desk_link import UseDevices
from studio.views.icons import icon
from studio.views.words import shortened

_AXES = ("x", "y", "z", "roll", "pitch", "yaw", "7", "8")
_STATUS = {DeviceStatus.OFF: ("Off", "circle", "offline"),
           DeviceStatus.OK: ("Works", "circle-check", "ready"),
           DeviceStatus.STALE: ("Stale", "triangle-alert", "warning"),
           DeviceStatus.LOST: ("Lost", "unplug", "fault")}


class DevicesPanel:
    """See the head of this file."""

    def __init__(self, ui: Ui, robots: tuple[str, ...], teleops: tuple[str, ...]) -> None:
        self._ui = ui
        self._touched = False
        with (dpg.tab(label=f"{icon('joystick')}  Devices"), dpg.child_window(),
              dpg.table(header_row=False, policy=dpg.mvTable_SizingStretchProp)):
            dpg.add_table_column(init_width_or_weight=5)
            dpg.add_table_column(init_width_or_weight=7)
            with dpg.table_row():
                with dpg.group():
                    self._build_choice(robots, teleops)
                with dpg.group():
                    self._build_values()

    def _build_choice(self, robots: tuple[str, ...], teleops: tuple[str, ...]) -> None:
        def chosen() -> None:
            self._touched = True

        for words, items, name in (("Robot", robots, "_robot"), ("Your device", teleops, "_teleop")
                                   ):
            label = dpg.add_text(words)
            dpg.bind_item_font(label, self._ui.fonts.small)
            setattr(self, name, dpg.add_combo(items, width=-1, callback=chosen))
        label = dpg.add_text("Cameras, by name; empty takes all")
        dpg.bind_item_font(label, self._ui.fonts.small)
        self._cameras = dpg.add_input_text(width=-1, hint="front wrist", callback=chosen)
        self._use = dpg.add_button(label=f"{icon('plug')}  Use these", width=-1, height=34,
                                   callback=self._ask)
        self._processes = dpg.add_text("", wrap=300)
        dpg.bind_item_font(self._processes, self._ui.fonts.small)

    def _build_values(self) -> None:
        self._status = dpg.add_text("")
        dpg.bind_item_font(self._status, self._ui.fonts.strong)
        with dpg.table(header_row=False):
            for _ in range(4):
                dpg.add_table_column()
            self._axes = []
            for first in (0, 4):
                with dpg.table_row():
                    for i in range(first, first + 4):
                        with dpg.group():
                            bar = dpg.add_progress_bar(default_value=0.5, width=-1, height=20,
                                                       overlay=_AXES[i])
                        self._axes.append(bar)
        self._buttons = dpg.add_text("")
        self._report = dpg.add_text("", wrap=520)
        for item in (self._buttons, self._report):
            dpg.bind_item_font(item, self._ui.fonts.small)

    @property
    def texts(self) -> tuple[int | str, ...]:
        """The items into which somebody may type."""
        return (self._cameras,)

    def _ask(self) -> None:
        cameras = tuple(dpg.get_value(self._cameras).replace(",", " ").split())
        self._touched = False
        self._ui.do("devices", UseDevices(
            robot=dpg.get_value(self._robot), teleop=dpg.get_value(self._teleop),
            robot_options={"cameras": cameras} if cameras else {}))

    def show(self, seen: Seen) -> None:
        """Draw what is used, and what it says."""
        shown, themes, state, snapshot = self._ui.shown, self._ui.themes, seen.state, seen.snapshot
        if state is not None and not self._touched:
            shown.value(self._robot, state.robot)
            shown.value(self._teleop, state.teleop)
            shown.value(self._cameras, " ".join(state.robot_options.get("cameras", ())))
        refusal = seen.controls.devices
        shown.settings(self._use, enabled=not refusal)
        shown.theme(self._use, themes.off if refusal else
                    themes.primary if self._touched else themes.plain_button)
        if state is not None:
            said = [f"{process.name} {'runs' if process.running else 'ended'}"
                    + (f", restarted {process.restarts} times" if process.restarts else "")
                    + (f": {process.reason}" if process.reason else "")
                    for process in state.processes]
            shown.value(self._processes, shortened(" · ".join(said), 300))
            shown.theme(self._processes, themes.muted)
        if snapshot is None:
            return
        word, sign, tone = _STATUS[DeviceStatus(snapshot.human_status)]
        name = state.teleop if state else "Your device"
        clutch = "clutch held" if snapshot.human_enabled else "clutch open"
        shown.value(self._status, f"{icon(sign)}  {name.capitalize()}: {word.lower()}, {clutch}")
        shown.theme(self._status, themes.said[tone])
        for i, bar in enumerate(self._axes):
            axis = snapshot.human_axes[i] if i < len(snapshot.human_axes) else 0.0
            shown.value(bar, round(0.5 + 0.5 * max(-1.0, min(1.0, axis)), 2))
            shown.settings(bar, overlay=f"{_AXES[i]}  {axis:+.2f}")
        pressed = [str(i) for i in range(16) if snapshot.human_buttons >> i & 1]
        held = f"   Keys: {' '.join(sorted(seen.held))}" if seen.held else ""
        shown.value(self._buttons, f"Buttons: {' '.join(pressed) or 'none'}{held}")
        shown.value(self._report, f"Raw: {snapshot.human_report}" if snapshot.human_report else
                    "Raw: this device gives no raw report")
        shown.theme(self._report, themes.muted)

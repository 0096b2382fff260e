"""Real devices in a line each: a robot's fields, its cameras, a leader's type and fields.

Types are chosen out of LeRobot's, or typed where a plug-in brings them. Knows widgets; what a line
means is worked out in `studio.station.given_devices`.
"""

from collections.abc import Callable
from typing import Any

from studio.console.seen import Ui
from studio.console.toolkit import dpg
from studio.station.given_devices import camera_types
from studio.views.device_choices import LEADER_ARM, Choice, leader_types, with_camera

_ARROW = -34        # leaves room for the arrow that opens a list


class DeviceLines:
    """See the head of this file.

    Args:
        ui: to make it with.
        change: told what somebody typed or chose, by the choice's attributes.

    Attributes:
        texts: the items into which somebody may type.
    """

    def __init__(self, ui: Ui, change: Callable[..., None]) -> None:
        self._ui, self._change, self._choice = ui, change, Choice()
        self._lines: dict[int | str, str] = {}
        with dpg.group() as self._real:
            self._robot = self._line("robot_fields", "Robot's fields: port=/dev/ttyACM0 id=mine")
            with dpg.group(horizontal=True):
                self._cameras = self._line("cameras_line",
                                           "Cameras: front opencv index_or_path=0; …", _ARROW)
                self._add = self._list(camera_types(), self._another, "Adds a camera")
        with dpg.group() as self._leader:
            with dpg.group(horizontal=True):
                self._type = self._line("leader_type", "LeRobot type: so101_leader", _ARROW)
                self._types = self._list(leader_types(), lambda kind: change(leader_type=kind),
                                         "LeRobot's leaders; plug-ins' types can be typed")
            self._fields = self._line("leader_fields", "Its fields: port=/dev/ttyACM1 id=mine")
        self.texts = tuple(self._lines)

    def _line(self, name: str, hint: str, width: int = -1) -> int | str:
        item = dpg.add_input_text(hint=hint, width=width, callback=lambda _, text: self._change(
            **{name: text}))
        self._lines[item] = name
        return item

    def _list(self, names: tuple[str, ...], choose: Callable[[str], None], tip: str) -> int | str:
        def chosen(item: int | str, name: str) -> None:
            dpg.set_value(item, "")         # the same may be chosen again
            choose(name)

        item = dpg.add_combo(names, no_preview=True, callback=chosen,
                             height_mode=dpg.mvComboHeight_Large)
        with dpg.tooltip(item, delay=0.3):
            dpg.add_text(tip)
        return item

    def _another(self, kind: str) -> None:
        self._change(cameras_line=with_camera(self._choice.cameras_line, kind))

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return {"robot fields": self._robot, "robot cameras": self._cameras,
                "leader type": self._type, "leader types": self._types,
                "leader fields": self._fields, "add camera": self._add}

    def show(self, choice: Choice) -> None:
        """Show what is chosen; what somebody is typing stays theirs."""
        self._choice = choice
        shown = self._ui.shown
        shown.settings(self._real, show=choice.real)
        shown.settings(self._leader, show=choice.teleop == LEADER_ARM)
        for item, name in self._lines.items():
            text: Any = getattr(choice, name)
            if not dpg.is_item_active(item):
                shown.typed(item)
                if dpg.get_value(item) != text:
                    shown.value(item, text)

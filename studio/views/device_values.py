"""What a person's device says, live, to see that it works.

From a snapshot to words and bars. A station that says nothing has no values: what it said last is
not shown as if it were live. Knows what each kind of device can tell; refuses to know how a bar is
drawn.
"""

import math

import msgspec

from studio.devices.interfaces import DeviceStatus
from studio.station.desk.link import DeskState
from studio.station.messages import Snapshot
from studio.station.robots import EXPERT, LEADER, NOBODY, SCRIPTED
from studio.views.device_choices import operator_words

UNKNOWN = "–"
_TWIST = ("x", "y", "z", "roll", "pitch", "yaw")
_STATUS = {DeviceStatus.OFF: ("off", "circle", "offline"),
           DeviceStatus.OK: ("works", "circle-check", "ready"),
           DeviceStatus.STALE: ("stale", "triangle-alert", "warning"),
           DeviceStatus.LOST: ("lost", "unplug", "fault")}
# What stands there while a device has reported nothing in its own words.
_NO_REPORT = {
    "keyboard": "No key that drives is held",
    "spacemouse": "No report has come yet: move it",
    "gamepad": "A gamepad tells its axes and buttons, and nothing else",
    SCRIPTED: "A script drives: there is no device",
    EXPERT: "A script drives: there is no device",
    NOBODY: "There is no device: only a policy could drive"}
_NO_LEADER_REPORT = "A leader arm tells its joints, and nothing else"


class Axis(msgspec.Struct, frozen=True):
    """One axis of a device.

    Attributes:
        name: of the axis: "x", or "joint 3" of a leader arm.
        text: its value, or "–".
        at: the value, -1..1; 0 if it is not known.
    """

    name: str
    text: str
    at: float = 0.0


class DeviceShown(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a device.

    Attributes:
        line: its name, whether it works, and its clutch.
        icon, tone: names in look.py.
        axes: none for somebody without a device.
        buttons: those that are held.
        report: what it said last in its own words, or why there is nothing.
    """

    line: str
    icon: str
    tone: str
    axes: tuple[Axis, ...] = ()
    buttons: str = UNKNOWN
    report: str = UNKNOWN


def device_of(snapshot: Snapshot | None, state: DeskState | None, *, silent: bool) -> DeviceShown:
    """What is shown of the device at the desk.

    Args:
        snapshot: the newest of the station.
        state: the newest of the desk.
        silent: the station has said nothing for a second: what it said before is old.
    """
    teleop = state.teleop if state is not None else ""
    name = operator_words(teleop)[0] if teleop else "Your device"
    if snapshot is None or silent:
        return DeviceShown(line=f"{name}: not known", icon="unplug", tone="offline",
                           report="The station says nothing",
                           axes=tuple(Axis(axis, UNKNOWN) for axis in _axis_names(teleop)))
    word, sign, tone = _STATUS[DeviceStatus(snapshot.human_status)]
    if teleop == NOBODY:
        return DeviceShown(line="Nobody sits here", icon="circle-slash", tone="offline",
                           report=_NO_REPORT[NOBODY])
    clutch = "clutch held" if snapshot.human_enabled else "clutch open"
    held = [str(bit) for bit in range(32) if snapshot.human_buttons >> bit & 1]
    return DeviceShown(
        line=f"{name}: {word}, {clutch}", icon=sign, tone=tone,
        axes=tuple(_axis(axis, value) for axis, value in
                   zip(_axis_names(teleop), snapshot.human_axes, strict=False)),
        buttons=" ".join(held) or "none", report=_report(teleop, snapshot))


def _axis(name: str, value: float) -> Axis:
    if not math.isfinite(value):
        return Axis(name, UNKNOWN)
    return Axis(name, f"{value:+.2f}", max(-1.0, min(1.0, value)))


def _axis_names(teleop: str) -> tuple[str, ...]:
    if teleop == NOBODY:
        return ()
    if teleop.startswith(LEADER):
        return tuple(f"joint {number}" for number in range(1, 9))
    return _TWIST


def _report(teleop: str, snapshot: Snapshot) -> str:
    said = snapshot.human_report
    if teleop == "keyboard":
        return f"Held: {said}" if said else _NO_REPORT[teleop]
    if said:
        return f"Raw: {said}"
    return _NO_LEADER_REPORT if teleop.startswith(LEADER) else _NO_REPORT.get(
        teleop, "It has reported nothing in its own words")

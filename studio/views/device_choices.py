"""What may be chosen at the desk: a robot, who drives it, and which of its cameras look.

Knows the names, what fits which robot, and how a choice becomes a request. Refuses to know whether
a device is plugged in: the desk finds that out, and goes back if it is not.
"""

from typing import Any

import msgspec

from studio.devices.interfaces import DeviceError
from studio.station.desk.link import DeskState, UseDevices
from studio.station.robots import (
    EXPERT,
    LEADER,
    NOBODY,
    SCRIPTED,
    cameras_of,
    operators_for,
    robot_names,
)

LEADER_ARM = "leader"       # stands for every LeRobot type; the type is typed in
_WORDS = {
    "keyboard": ("Keyboard", "keyboard"), "spacemouse": ("SpaceMouse", "move-3d"),
    "gamepad": ("Gamepad", "gamepad-2"), LEADER_ARM: ("Leader arm…", "hand-grab"),
    SCRIPTED: ("Script", "terminal"), EXPERT: ("Expert script", "terminal"),
    NOBODY: ("Nobody", "circle-slash")}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has chosen, whether it is used yet or not.

    Attributes:
        robot: a name out of `robots`.
        teleop: a name out of `operators`.
        leader_type: LeRobot's type of a leader arm, such as so101_leader.
        leader_port: where it is plugged in, such as /dev/ttyACM0.
        cameras: those that shall look; empty for a robot whose cameras nobody knows.
    """

    robot: str = "sim"
    teleop: str = "keyboard"
    leader_type: str = ""
    leader_port: str = ""
    cameras: tuple[str, ...] = ()

    @property
    def complaint(self) -> str:
        """What is still missing; empty if nothing is."""
        if self.teleop == LEADER_ARM and not self.leader_type.strip():
            return "Say which leader arm: its LeRobot type, such as so101_leader"
        if cameras(self.robot) and not self.cameras:
            return "Choose at least one camera"
        return ""


def robots() -> tuple[str, ...]:
    """The robots that may be chosen by name alone."""
    return tuple(name for name in robot_names() if "<" not in name)


def operators(robot: str) -> tuple[str, ...]:
    """Who may drive a robot, devices first; a leader arm of any type is one of them."""
    known = [name if not name.startswith(LEADER) else LEADER_ARM for name in operators_for(robot)]
    return tuple(name for name in _WORDS if name in known)


def cameras(robot: str) -> tuple[str, ...]:
    """The cameras of a robot; none if nobody knows them."""
    try:
        return cameras_of(robot)
    except DeviceError:
        return ()


def operator_words(name: str) -> tuple[str, str]:
    """Who drives, as a person calls it, and an icon."""
    if name.startswith(LEADER):
        return f"Leader {name.removeprefix(LEADER)}", _WORDS[LEADER_ARM][1]
    return _WORDS.get(name, (name.capitalize(), "plug"))


def choice_of(state: DeskState | None) -> Choice:
    """What the desk uses now."""
    if state is None:
        return Choice(cameras=cameras("sim"))
    leader = state.teleop.startswith(LEADER)
    return Choice(
        robot=state.robot, teleop=LEADER_ARM if leader else state.teleop,
        leader_type=state.teleop.removeprefix(LEADER) if leader else "",
        leader_port=str(state.teleop_options.get("fields", {}).get("port", "")) if leader else "",
        cameras=tuple(state.robot_options.get("cameras") or cameras(state.robot))
        if cameras(state.robot) else ())


def with_robot(choice: Choice, robot: str) -> Choice:
    """The same choice with another robot: who does not fit it is replaced, and all cameras look."""
    if robot == choice.robot:
        return choice
    fits = operators(robot)
    return msgspec.structs.replace(
        choice, robot=robot, cameras=cameras(robot),
        teleop=choice.teleop if choice.teleop in fits else fits[0])


def request_of(choice: Choice, robot_options: dict[str, Any], teleop_options: dict[str, Any]
               ) -> UseDevices:
    """What is asked of the desk.

    Args:
        choice: what somebody chose.
        robot_options, teleop_options: further options; what the choice says goes before them.
    """
    teleop = (f"{LEADER}{choice.leader_type.strip()}" if choice.teleop == LEADER_ARM
              else choice.teleop)
    known = cameras(choice.robot)
    robot_options = {name: value for name, value in robot_options.items()
                     if name != "cameras" or not known}
    if choice.cameras != known:
        robot_options["cameras"] = list(choice.cameras)
    if choice.teleop == LEADER_ARM:
        teleop_options = teleop_options | _with_port(teleop_options, choice.leader_port.strip())
    return UseDevices(robot=choice.robot, robot_options=robot_options, teleop=teleop,
                      teleop_options=teleop_options)


def changed(choice: Choice, state: DeskState | None) -> UseDevices:
    """The same, beginning from what is used: options that a choice cannot say stay as they are."""
    request = request_of(choice, {}, {})
    return request_of(
        choice, state.robot_options if state and state.robot == request.robot else {},
        state.teleop_options if state and state.teleop == request.teleop else {})


def _with_port(options: dict[str, Any], port: str) -> dict[str, Any]:
    fields = {name: value for name, value in options.get("fields", {}).items() if name != "port"}
    return {"fields": fields | ({"port": port} if port else {})}

"""What may be chosen at the desk: a robot, who drives it, and which of its cameras look.

Knows the names, what fits which robot, and how a choice becomes a request. Refuses to know whether
a device is plugged in: the desk finds that out, and goes back if it is not.
"""

from typing import Any

import msgspec

from studio.devices.interfaces import DeviceError
from studio.devices.lerobot_types import built_in_types
from studio.station.desk.link import DeskState, UseDevices
from studio.station.given_devices import (
    CAMERAS,
    FIELDS,
    LATENCY,
    LEADERS_OWN,
    ROBOTS_OWN,
    apart,
    are_cameras,
    cameras_in,
    cameras_line,
    fields_in,
    line_of,
    require_cameras,
    still_measured,
    together,
)
from studio.station.robots import (
    EXPERT,
    LEADER,
    NOBODY,
    SCRIPTED,
    cameras_of,
    is_simulated,
    operators_for,
    robot_names,
)

LEADER_ARM = "leader"       # stands for every LeRobot type; the type is typed in
_CAMERA_FIELDS = {
    "opencv": "index_or_path=0 width=640 height=480 fps=30",
    "realsense": "width=640 height=480 fps=30",
    "zmq": "server_address=127.0.0.1 port=5555 camera_name=front width=640 height=480 fps=30"}
_WORDS = {
    "keyboard": ("Keyboard", "keyboard"), "spacemouse": ("SpaceMouse", "move-3d"),
    "gamepad": ("Gamepad", "gamepad-2"), LEADER_ARM: ("Leader arm…", "hand-grab"),
    SCRIPTED: ("Script", "terminal"), EXPERT: ("Expert script", "terminal"),
    NOBODY: ("Nobody", "circle-slash")}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has chosen, whether it is used yet or not.

    Attributes:
        robot: a name out of `robots`, or of a LeRobot plug-in.
        robot_fields: of a real robot, in a line as `given_devices` reads it.
        teleop: a name out of `operators`.
        leader_type: LeRobot's type of a leader arm, such as so101_leader.
        leader_fields: of a leader arm, in a line.
        cameras: those of a simulator that shall look; empty where nobody knows which there are.
        cameras_line: those beside a real robot, in a line.
        more, teleop_more: further options out of a station file.
    """

    robot: str = "sim"
    robot_fields: str = ""
    teleop: str = "keyboard"
    leader_type: str = ""
    leader_fields: str = ""
    cameras: tuple[str, ...] = ()
    cameras_line: str = ""
    more: dict[str, Any] = {}
    teleop_more: dict[str, Any] = {}

    @property
    def real(self) -> bool:
        """Whether the robot is one that somebody could be hurt by."""
        return not is_simulated(self.robot)

    @property
    def complaint(self) -> str:
        """What is still missing or cannot be read; empty if nothing."""
        if self.teleop == LEADER_ARM and not self.leader_type.strip():
            return "Say which leader arm: its LeRobot type, such as so101_leader"
        if cameras(self.robot) and not self.cameras:
            return "Choose at least one camera"
        if not self.real and (self.robot_fields.strip() or self.cameras_line.strip()):
            return f"{self.robot} is simulated: it has no fields, and cameras of its own"
        try:
            request_of(self, {}, {})
        except DeviceError as refusal:
            return str(refusal)
        return ""


def robots() -> tuple[str, ...]:
    """The robots that may be chosen by name: simulated ones, then LeRobot's types."""
    return (*(name for name in robot_names() if "<" not in name),
            *sorted(built_in_types("robot")))


def leader_types() -> tuple[str, ...]:
    """LeRobot's types of teleoperators that are arms or hands, as far as their names tell."""
    return tuple(name for name in sorted(built_in_types("teleoperator"))
                 if not name.startswith(("keyboard", "gamepad", "phone")))


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
    """What the desk uses now, or what it was asked to: options that are none are left out."""
    if state is None:
        return Choice(cameras=cameras("sim"))
    leader, real = state.teleop.startswith(LEADER), not is_simulated(state.robot)
    looking = state.robot_options.get(CAMERAS)
    seen = tuple(name for name in looking if isinstance(name, str)) if isinstance(
        looking, list | tuple) else ()
    return Choice(
        robot=state.robot, teleop=LEADER_ARM if leader else state.teleop,
        robot_fields=line_of(together(state.robot_options)) if real else "",
        leader_type=state.teleop.removeprefix(LEADER) if leader else "",
        leader_fields=line_of(together(state.teleop_options)) if leader else "",
        cameras=(seen or cameras(state.robot)) if cameras(state.robot) else (),
        cameras_line=cameras_line(looking) if real and are_cameras(looking) else "")


def with_robot(choice: Choice, robot: str) -> Choice:
    """The same choice with another robot: who does not fit it is replaced, and all cameras look."""
    if robot == choice.robot:
        return choice
    fits = operators(robot)
    return msgspec.structs.replace(
        choice, robot=robot, robot_fields="", cameras=cameras(robot), cameras_line="", more={},
        teleop=choice.teleop if choice.teleop in fits else fits[0])


def with_camera(line: str, kind: str) -> str:
    """A line of cameras with one more of a type, whose fields are still to be said."""
    count = len([piece for piece in line.split(";") if piece.strip()])
    name = ("front", "wrist")[count] if count < 2 else f"camera{count + 1}"
    return "; ".join(filter(None, (line.strip().rstrip(";"),
                                   " ".join((name, kind, _CAMERA_FIELDS.get(kind, ""))).strip())))


def request_of(choice: Choice, robot_options: dict[str, Any], teleop_options: dict[str, Any]
               ) -> UseDevices:
    """What is asked of the desk.

    Args:
        choice: what somebody chose.
        robot_options, teleop_options: further options; what the choice says goes before them.

    Raises:
        DeviceError: a line of the choice cannot be read.
    """
    robot_options, teleop_options = robot_options | choice.more, teleop_options | choice.teleop_more
    teleop = choice.teleop
    if choice.real:
        robot_options |= apart(fields_in(choice.robot_fields, "robot"), ROBOTS_OWN)
        if found := cameras_in(choice.cameras_line):
            robot_options[CAMERAS] = found
        require_cameras(robot_options.get(CAMERAS, {}))
    else:
        known = cameras(choice.robot)
        robot_options = {name: value for name, value in robot_options.items()
                         if name != CAMERAS or not known}
        if choice.cameras != known:
            robot_options[CAMERAS] = list(choice.cameras)
    if choice.teleop == LEADER_ARM:
        teleop = f"{LEADER}{choice.leader_type.strip()}"
        teleop_options |= apart(fields_in(choice.leader_fields, "leader arm"), LEADERS_OWN)
    return UseDevices(robot=choice.robot, robot_options=robot_options, teleop=teleop,
                      teleop_options=teleop_options)


def unsaid(state: DeskState) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the robot and of the teleoperator that a choice has no words for."""
    real, leader = not is_simulated(state.robot), state.teleop.startswith(LEADER)
    of_robot = {CAMERAS, *((FIELDS, *ROBOTS_OWN) if real else ())}
    of_teleop = {FIELDS, *LEADERS_OWN} if leader else set()
    return ({name: value for name, value in state.robot_options.items() if name not in of_robot},
            {name: value for name, value in state.teleop_options.items() if name not in of_teleop})


def changed(choice: Choice, state: DeskState | None) -> UseDevices:
    """The same, beginning from what is used: options that a choice cannot say stay as they are,
    but for the latencies of cameras that are others now.

    Raises:
        DeviceError: a line of the choice cannot be read.
    """
    request = request_of(choice, {}, {})
    of_robot, of_teleop = unsaid(state) if state else ({}, {})
    if state and choice.real and (late := of_robot.pop(LATENCY, None)):
        late = still_measured(late, state.robot_options, request.robot_options)
        of_robot |= {LATENCY: late} if late else {}
    return request_of(choice,
                      of_robot if state and state.robot == request.robot else {},
                      of_teleop if state and state.teleop == request.teleop else {})

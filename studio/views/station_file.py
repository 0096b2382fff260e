"""A station file at the consoles: which robot, leader and cameras somebody keeps under a name.

The same file as `--station` takes. What else stands in it, such as a store or a task, is for the
command line, and stays when the file is written again. Knows YAML and choices; refuses to open a
device.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recorders.files import write_atomically
from studio.devices.interfaces import DeviceError
from studio.devices.lerobot_types import parsed
from studio.station.given_devices import (
    CAMERAS,
    cameras_in,
    cameras_line,
    fields_in,
    line_of,
    require_cameras,
)
from studio.station.robots import LEADER, is_simulated
from studio.views.device_choices import LEADER_ARM, Choice, cameras, operators, request_of

EXAMPLE = "'robot: {type: so101_follower, port: /dev/ttyACM0}'"
_LATENCY = "latency_ms"


def choice_in(path: str) -> Choice:
    """What a file says.

    Raises:
        DeviceError: it cannot be read or used; one line.
    """
    file = _at(path)
    said = _read(file)
    robot, of_robot = _device("robot", said.get("robot", "sim"))
    teleop, of_teleop = _device("teleop", said.get("teleop", "keyboard"))
    looking, late = said.get(CAMERAS, {}), said.get("latency", {})
    if isinstance(late, str):       # a file beside the station file
        late = _read(file.parent / _at(late))
    if not isinstance(late, Mapping):
        raise DeviceError("the latency of a station file is names with milliseconds, as in "
                          f"{{front: 41.2}}, not {late!r}")
    if is_simulated(robot):
        chosen, line = _names(robot, looking) or cameras(robot), ""
    else:
        chosen, line = (), cameras_line(require_cameras(looking or {}))
    leader = teleop not in operators(robot)
    return Choice(
        robot=robot, robot_fields=line_of(of_robot), cameras=chosen, cameras_line=line,
        teleop=LEADER_ARM if leader else teleop,
        leader_type=teleop.removeprefix(LEADER) if leader else "",
        leader_fields=line_of(of_teleop) if leader else "",
        more={_LATENCY: dict(late)} if late else {}, teleop_more={} if leader else of_teleop)


def keep(path: str, choice: Choice) -> str:
    """Write a choice into a file, all or nothing; returns its whole path.

    Raises:
        DeviceError: what is chosen is not whole, or the file cannot be read or written.
    """
    import yaml

    if choice.complaint:
        raise DeviceError(choice.complaint)
    file = _at(path).absolute()
    request = request_of(choice, {}, {})
    said: dict[str, Any] = _read(file) if os.path.lexists(file) else {}
    said["robot"] = {"type": choice.robot, **fields_in(choice.robot_fields, "robot")}
    said["teleop"] = {"type": request.teleop, **(
        fields_in(choice.leader_fields, "leader arm") if choice.teleop == LEADER_ARM
        else request.teleop_options)}
    said[CAMERAS] = cameras_in(choice.cameras_line) or list(choice.cameras)
    if _LATENCY in request.robot_options:
        said["latency"] = request.robot_options[_LATENCY]
    said = {name: value for name, value in said.items() if value}
    try:
        write_atomically(file, yaml.safe_dump(said, sort_keys=False, allow_unicode=True).encode())
    except (OSError, ValueError) as error:      # or no name of a file
        raise DeviceError(f"{file} cannot be written: {error}") from error
    return str(file)


def _at(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:       # nobody of that name is here
        raise DeviceError(f"{path} is no file: {error}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        said = parsed(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:      # or it is not text, or no name of a file
        raise DeviceError(f"{file} cannot be read: {error}") from error
    if not isinstance(said, Mapping):
        raise DeviceError(f"{file} is no station file: it must say things like {EXAMPLE}")
    return dict(said)


def _names(robot: str, looking: Any) -> tuple[str, ...]:
    """Those of a simulator's cameras that look."""
    if looking and (not isinstance(looking, list)
                    or not all(isinstance(name, str) for name in looking)):
        raise DeviceError(f"the cameras of {robot} are a list out of "
                          f"[{', '.join(cameras(robot))}], not {looking!r}")
    return tuple(looking or ())


def _device(what: str, said: Any) -> tuple[str, dict[str, Any]]:
    """A device's type and its fields."""
    if isinstance(said, str):
        return said, {}
    if not isinstance(said, Mapping) or not isinstance(said.get("type"), str):
        raise DeviceError(f"the {what} of a station file is a name, or has a type as in {EXAMPLE}, "
                          f"not {said!r}")
    return said["type"], {str(name): value for name, value in said.items() if name != "type"}

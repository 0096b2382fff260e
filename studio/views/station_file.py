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
from studio.station.desk.link import DeskState, UseDevices
from studio.station.given_devices import (
    CAMERAS,
    FIELDS,
    LATENCY,
    LEADERS_OWN,
    ROBOTS_OWN,
    cameras_line,
    cameras_said,
    line_of,
    require_cameras,
    still_measured,
    together,
)
from studio.station.robots import LEADER, is_simulated
from studio.views.device_choices import LEADER_ARM, Choice, cameras, changed, operators

EXAMPLE = "'robot: {type: so101_follower, port: /dev/ttyACM0}'"
_LATENCY = "latency"


def choice_in(path: str) -> Choice:
    """What a file says.

    Raises:
        DeviceError: it cannot be read or used; one line.
    """
    file = _at(path)
    said = _read(file)
    robot, of_robot = _device("robot", said.get("robot", "sim"))
    teleop, of_teleop = _device("teleop", said.get("teleop", "keyboard"))
    looking, late = said.get(CAMERAS, {}), said.get(_LATENCY, {})
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
        more={LATENCY: dict(late)} if late else {}, teleop_more={} if leader else of_teleop)


def keep(path: str, choice: Choice, state: DeskState | None = None) -> str:
    """Write a choice into a file, all or nothing; returns its whole path.

    Args:
        path: of the file; what it says of other things stays.
        choice: of devices.
        state: of the desk, whose options that a choice has no words for are kept as well, such as
            the latencies that were measured.

    Raises:
        DeviceError: what is chosen is not whole, or the file cannot be read or written.
    """
    import yaml

    if choice.complaint:
        raise DeviceError(choice.complaint)
    file = _at(path).absolute()
    request = changed(choice, state)
    said: dict[str, Any] = _read(file) if os.path.lexists(file) else {}
    said[_LATENCY] = request.robot_options.get(LATENCY) or _still_true(said, request)
    said["robot"] = {"type": choice.robot,
                     **(together(request.robot_options) if choice.real else {})}
    said["teleop"] = {"type": request.teleop, **(
        together(request.teleop_options) if choice.teleop == LEADER_ARM
        else request.teleop_options)}
    said[CAMERAS] = (request.robot_options.get(CAMERAS) if choice.real else list(choice.cameras))
    said = {name: value for name, value in said.items() if value}
    try:
        write_atomically(file, yaml.safe_dump(said, sort_keys=False, allow_unicode=True).encode())
    except (OSError, ValueError) as error:      # or no name of a file
        raise DeviceError(f"{file} cannot be written: {error}") from error
    return str(file)


def left_out(choice: Choice, state: DeskState | None = None) -> str:
    """Words on what `keep` has no place for; empty if nothing."""
    request = changed(choice, state)
    held = {CAMERAS, LATENCY, *((FIELDS, *ROBOTS_OWN) if choice.real else ())}
    names = [name for name in request.robot_options if name not in held]
    if choice.teleop == LEADER_ARM:
        names += [name for name in request.teleop_options if name not in (FIELDS, *LEADERS_OWN)]
    return f", but for {', '.join(names)}: a station file has no place for it" if names else ""


def _still_true(said: Mapping[str, Any], request: UseDevices) -> Any:
    """The latencies that a file says already, as far as they are of these devices."""
    robot, late = said.get("robot", "sim"), said.get(_LATENCY)
    if (robot.get("type") if isinstance(robot, Mapping) else robot) != request.robot:
        return None
    if not isinstance(late, str):
        return still_measured(late, said, request.robot_options)
    same = cameras_said(said) == cameras_said(request.robot_options)
    return late if same else None       # a file beside it, which is measured anew


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

"""Options of devices on the command line: `--robot.port /dev/ttyACM0`, `--teleop.id mine`, a file.

LeRobot's fields keep LeRobot's names and are written as LeRobot writes them; those that tell the
studio more (`--robot.model`) stand beside them. `gathered` makes of them what the option parser
understands; the rest makes of that what a robot and a teleoperator are opened with. A station file
says the same in YAML. Knows words and names; refuses to open anything.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.commands.output import UsersMistakeError
from studio.devices.interfaces import DeviceError
from studio.devices.latency import checked
from studio.devices.lerobot_types import built_in_types, parsed
from studio.station.robots import LEADER, cameras_of, is_simulated, operator_names

FIELD, _STATION, _LATENCY, _CAMERAS = "FIELD", "--station", "latency", "cameras"
_DEVICES = ("robot", "teleop")
_WRITTEN_OTHERWISE = ("robot_fields", "teleop_fields", "station")   # within robot, teleop; never


def gathered(words: Sequence[str], options: Collection[str] = ()) -> list[str]:
    """The words with every `--robot.NAME VALUE` in one option, and a station file's words in front.

    Args:
        words: as typed.
        options: fields of the command's config, so that a station file says nothing else.

    Raises:
        UsersMistakeError: a field has no value, or the station file cannot be used.
    """
    rest, fields = _apart(words)
    if _STATION in rest:
        path = rest[rest.index(_STATION) + 1:][:1]
        said, more = _apart(_words_of(Path(path[0]) if path else None, options))
        fields = {device: more[device] | fields[device] for device in _DEVICES}
        rest = [word for option in _options(said) if option[0] not in rest
                for word in option] + rest
    for device, given in fields.items():
        if given:
            rest += [f"--{device}.{FIELD}", json.dumps(given)]
    return rest


def robot_options(robot: str, robot_fields: str, cameras: str, latency: str = "") -> dict[str, Any]:
    """What a robot is opened with.

    Raises:
        UsersMistakeError: naming what is valid.
    """
    options = _options_of(robot, robot_fields, cameras)
    if not latency:
        return options
    named = [*cameras_of(robot), *(() if is_simulated(robot) else options.get("cameras", ()))]
    late = _latencies(latency)
    try:        # once the robot is open, its own cameras are known and this is checked again
        checked(late, [*named, *options.get("fields", {}).get("cameras", {})])
    except DeviceError as error:
        raise UsersMistakeError(f"--latency: {error}") from error
    return options | {"latency_ms": late}


def _options_of(robot: str, robot_fields: str, cameras: str) -> dict[str, Any]:
    given = _values(robot_fields)
    if is_simulated(robot):
        if given:
            raise UsersMistakeError(f"--robot.{next(iter(given))} is for real robots: {robot} has "
                                    "no such field")
        return {"cameras": _own_cameras(robot, cameras)} if cameras else {}
    from studio.station.given_devices import FIELDS, ROBOTS_OWN, apart

    options: dict[str, Any] = {FIELDS: {}} | apart(given, ROBOTS_OWN)
    return options | ({"cameras": parsed(cameras)} if cameras else {})


def teleop_options(teleop: str, teleop_fields: str) -> dict[str, Any]:
    """What a teleoperator is opened with; of a leader arm, LeRobot's fields apart from ours."""
    given = _values(teleop_fields)
    if not teleop.startswith(LEADER):
        return given
    from studio.station.given_devices import LEADERS_OWN, apart

    return apart(given, LEADERS_OWN)


def operator_of(teleop: str) -> str:
    """A teleoperator by its own name also where it is LeRobot's: so101_leader."""
    theirs = teleop not in operator_names() and teleop in built_in_types("teleoperator")
    return f"{LEADER}{teleop}" if theirs else teleop


def _apart(words: Sequence[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Words that are no device's fields, and the fields by device."""
    rest: list[str] = []
    fields: dict[str, dict[str, str]] = {device: {} for device in _DEVICES}
    left = [piece for word in words for piece in (
        word.split("=", 1) if word.startswith("--") and "=" in word else [word])]
    while left:
        word = left.pop(0)
        device, dot, name = word.removeprefix("--").partition(".")
        if not (word.startswith("--") and dot and device in _DEVICES):
            rest.append(word)
        elif not left or not name:
            raise UsersMistakeError(f"{word} needs a value")
        else:
            fields[device][name] = left.pop(0)
    return rest, fields


def _options(words: Sequence[str]) -> list[list[str]]:
    """Each option with its values."""
    found: list[list[str]] = []
    for word in words:
        if word.startswith("--") or not found:
            found.append([])
        found[-1].append(word)
    return found


def _words_of(path: Path | None, options: Collection[str]) -> list[str]:
    """A station file as if it had been typed."""
    if path is None:
        raise UsersMistakeError(f"{_STATION} needs a file")
    try:
        said = parsed(path.expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError) as error:    # or nobody has that home
        raise UsersMistakeError(f"{path} cannot be read: {error}") from error
    if not isinstance(said, Mapping):
        raise UsersMistakeError(f"{path} is no station file: it must say things like 'robot: "
                                "{type: so101_follower, port: /dev/ttyACM0}'")
    valid = [name for name in options if name not in _WRITTEN_OTHERWISE]
    words: list[str] = []
    for name, value in said.items():
        if valid and str(name).replace("-", "_") not in valid:
            raise UsersMistakeError(f"{path} says '{name}', which is no option of this command: "
                                    f"valid are {', '.join(valid)}")
        if name in _DEVICES and isinstance(value, Mapping):
            words += [f"--{name}", str(value["type"])] if "type" in value else []
            words += [word for field, of in value.items() if field != "type"
                      for word in (f"--{name}.{field}", _text(of))]
        elif name == _LATENCY and isinstance(value, str):     # beside the station file
            beside = Path() if value.startswith("~") else path.expanduser().parent
            words += [f"--{name}", str(beside / value)]
        elif isinstance(value, bool):
            words += [f"--{str(name).replace('_', '-')}"] * value
        elif isinstance(value, list) and name != _CAMERAS:
            words += [f"--{str(name).replace('_', '-')}", *map(_text, value)]
        else:
            words += [f"--{str(name).replace('_', '-')}", _text(value)]
    return words


def _latencies(latency: str) -> dict[str, Any]:
    """What `--latency` says: a mapping, or a file with one, as `tandem calibrate latency` saves."""
    said = parsed(latency)
    if isinstance(said, str):
        try:
            said = parsed(Path(said).expanduser().read_text(encoding="utf-8"))
        except (OSError, ValueError, RuntimeError) as error:
            raise UsersMistakeError(f"--latency {latency} cannot be read: {error}") from error
    if not isinstance(said, Mapping):
        raise UsersMistakeError(f"--latency {latency} is no mapping of cameras to milliseconds, "
                                "such as '{front: 41.2}'; `tandem calibrate latency --save FILE` "
                                "makes one")
    return dict(said)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _values(fields: str) -> dict[str, Any]:
    return {name: parsed(text) for name, text in json.loads(fields).items()} if fields else {}


def _own_cameras(robot: str, cameras: str) -> list[str]:
    wanted, valid = parsed(cameras), cameras_of(robot)
    if not isinstance(wanted, list) or not set(wanted) <= set(valid):
        raise UsersMistakeError(f"--cameras of {robot} is a list out of [{', '.join(valid)}], not "
                                f"{cameras}")
    return wanted

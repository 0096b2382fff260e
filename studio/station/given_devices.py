"""What a person says of real devices in one line, as what they are opened with, and back again.

`port=/dev/ttyACM0 id=mine` are fields of a robot or a leader, LeRobot's by LeRobot's names and the
studio's beside them; `front opencv index_or_path=0; wrist realsense serial=0123` are cameras.
Values are written as LeRobot writes them. Knows words and names; refuses to open anything, and
leaves it to whoever opens a device to say which fields there are.
"""

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import fields as fields_of
from typing import Any, TypeGuard

from studio.devices.interfaces import DeviceError
from studio.devices.leader_mapping import LeaderConfig
from studio.devices.lerobot_types import built_in_types, parsed

ROBOTS_OWN = ("model", "tool", "joints", "unit", "gripper_open", "max_velocity",
              "max_acceleration", "max_jerk", "rate_hz", "image_encoding")
LEADERS_OWN = tuple({field.name for field in fields_of(LeaderConfig)} - {"teleop_type", "fields"})
FIELDS, CAMERAS, LATENCY = "fields", "cameras", "latency_ms"
_NUMBER_OF_A_DEVICE = re.compile(r"0\d+")       # YAML would take it for an octal number
_FIELD = re.compile(r"[A-Za-z_]\w*=")
_PIECE = re.compile(r"""(?:'[^']*'|"[^"]*"|[^;])+""")   # a semicolon in quotes parts nothing


def camera_types() -> tuple[str, ...]:
    """The types of cameras that need no plug-in: the studio's own, and LeRobot's."""
    from studio.devices.realsense import TYPE  # brings encoders, which the rest need not

    return (TYPE, *sorted(built_in_types("camera")))


def fields_in(line: str, whose: str) -> dict[str, Any]:
    """The fields in a line; a word that is a path alone is the port.

    Args:
        line: as `port=/dev/ttyACM0 id=mine`.
        whose: for the message.

    Raises:
        DeviceError: a word is no field, stands there twice, or quotes are left open.
    """
    fields: dict[str, Any] = {}
    for word in _words(line, whose):
        name, is_one, value = (word.partition("=") if _FIELD.match(word) else
                               ("port", word.startswith("/"), word))
        if not is_one or not value:
            raise DeviceError(f"{word!r} is no field of the {whose}: write NAME=VALUE, as in "
                              "port=/dev/ttyACM0 id=mine")
        if name in fields:
            raise DeviceError(f"{name} of the {whose} is said twice")
        fields[name] = value if _NUMBER_OF_A_DEVICE.fullmatch(value) else parsed(value)
    return fields


def line_of(fields: Mapping[str, Any]) -> str:
    """The line that says these fields."""
    return " ".join(f"{name}={shlex.quote(_text(value))}" for name, value in fields.items())


def cameras_in(line: str) -> dict[str, dict[str, Any]]:
    """The cameras in a line: each a name, a type and fields, with a semicolon between two.

    Raises:
        DeviceError: naming the types, if a camera has none.
    """
    found: dict[str, dict[str, Any]] = {}
    for piece in _PIECE.findall(line):
        words = piece.split(maxsplit=2)
        if not words:
            continue
        if len(words) < 2 or any("=" in word for word in words[:2]):
            raise DeviceError(f"the camera {piece.strip()!r} is not said whole: write NAME TYPE "
                              "FIELD=VALUE, as in front opencv index_or_path=0; types are "
                              f"{', '.join(camera_types())}")
        name, kind = words[:2]
        if name in found:
            raise DeviceError(f"there are two cameras of the name '{name}'")
        found[name] = {"type": kind, **fields_in(" ".join(words[2:]), f"camera '{name}'")}
    return found


def cameras_line(cameras: Mapping[str, Any]) -> str:
    """The line that says these cameras; see `require_cameras`."""
    return "; ".join(
        " ".join(filter(None, (name, str(of.get("type", "opencv")), line_of(
            {field: value for field, value in of.items() if field != "type"}))))
        for name, of in cameras.items())


def are_cameras(said: Any) -> TypeGuard[Mapping[str, Mapping[str, Any]]]:
    """Whether these are cameras of a real robot: names, each with a type and fields."""
    return isinstance(said, Mapping) and all(
        isinstance(name, str) and isinstance(of, Mapping) for name, of in said.items())


def require_cameras(said: Any) -> Mapping[str, Mapping[str, Any]]:
    """The cameras of a real robot.

    Raises:
        DeviceError: they are none.
    """
    if not are_cameras(said):
        raise DeviceError("the cameras of a real robot are names with types and fields, as in "
                          f"{{front: {{type: opencv, index_or_path: 0}}}}, not {said!r}")
    return said


def apart(given: Mapping[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    """Options out of fields: those of the studio's own as they are, LeRobot's together."""
    theirs = {name: value for name, value in given.items() if name not in own}
    return ({name: value for name, value in given.items() if name in own}
            | ({FIELDS: theirs} if theirs else {}))


def together(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that options were made of, as far as they are fields; cameras and latencies apart.
    """
    theirs = options.get(FIELDS)
    return {**(theirs if isinstance(theirs, Mapping) else {}),
            **{name: value for name, value in options.items()
               if name in (*ROBOTS_OWN, *LEADERS_OWN)}}


def cameras_said(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The cameras in a real robot's options, whether said beside its fields or among them."""
    fields = options.get(FIELDS)
    among = fields.get(CAMERAS) if isinstance(fields, Mapping) else None
    return {name: {"type": "opencv", **of} for said in (among, options.get(CAMERAS))
            if are_cameras(said) for name, of in said.items()}


def still_measured(latency_ms: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> Any:
    """Latencies without those of cameras that are gone or are others than they were measured with.

    Args:
        latency_ms: camera, or the command, to milliseconds.
        before, after: the robot's options that they were measured with, and its options now.
    """
    if not isinstance(latency_ms, Mapping):
        return latency_ms
    then, now = cameras_said(before), cameras_said(after)
    return {name: late for name, late in latency_ms.items() if then.get(name) == now.get(name)}


def _words(line: str, whose: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise DeviceError(f"the fields of the {whose} cannot be read: {error}") from error


def _text(value: Any) -> str:
    """A value so that reading it gives it back."""
    import yaml

    if isinstance(value, str) and _NUMBER_OF_A_DEVICE.fullmatch(value):
        return value
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=math.inf)
    return dumped.removesuffix("\n").removesuffix("\n...")

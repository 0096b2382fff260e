"""LeRobot's robots, cameras and teleoperators by the names under which LeRobot registers them.

Built-in names are read out of LeRobot's sources, because importing LeRobot costs seconds and a
mistyped name shall not; plug-ins (`lerobot_robot_…` and the like, or modules named as in LeRobot's
own `discover_packages_path`) are imported as LeRobot does it. Configs are decoded by LeRobot's own
parser, so that fields are called and checked as there. Refuses to know what any device does.
"""

import dataclasses
import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import msgspec

from studio.devices.interfaces import DeviceError

Kind = Literal["robot", "camera", "teleoperator"]
DISCOVER = "discover_packages_path"     # LeRobot's field for modules that register themselves
_REGISTERS = re.compile(r"register_subclass\(\s*[\"']([^\"']+)[\"']")
# What PyYAML lets through of a value that is no date (2024-13-45), number (0x_) or truth value,
# and what a value raises that is its own part or too great.
_YAML_RAISES = (ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError)
_PLUGINS = ("lerobot_robot_", "lerobot_camera_", "lerobot_teleoperator_", "lerobot_policy_",
            "lerobot_env_")     # as in LeRobot: any of them may register anything


class _Registry(msgspec.Struct, frozen=True):
    folder: str         # beneath the package lerobot
    config: str         # module:class of the registry


_REGISTRIES: dict[Kind, _Registry] = {
    "robot": _Registry("robots", "lerobot.robots.config:RobotConfig"),
    "camera": _Registry("cameras", "lerobot.cameras.configs:CameraConfig"),
    "teleoperator": _Registry("teleoperators", "lerobot.teleoperators.config:TeleoperatorConfig"),
}


@cache
def built_in_types(kind: Kind) -> dict[str, str]:
    """LeRobot's own type names, each with the module that registers it; imports nothing."""
    lerobot = importlib.util.find_spec("lerobot")
    folders = lerobot.submodule_search_locations if lerobot else None
    root = Path(next(iter(folders or ["."]))) / _REGISTRIES[kind].folder
    return {name: ".".join(("lerobot", _REGISTRIES[kind].folder,
                            *path.relative_to(root).with_suffix("").parts))
            for path in sorted(root.glob("*/*.py"))
            for name in _REGISTERS.findall(path.read_text(encoding="utf-8"))}


def require_type(kind: Kind, name: str, plugins: Sequence[str] = ()) -> None:
    """Refuse a name that nobody registers; imports plug-ins only if LeRobot has no such type.

    Args:
        kind: of the device.
        name: its type.
        plugins: modules that register more, as in LeRobot's `discover_packages_path`.

    Raises:
        DeviceError: naming the valid types.
    """
    built_in = built_in_types(kind)
    if name in built_in:
        return
    known = built_in.keys() | _plugged_in(kind, plugins).keys()
    if name not in known:
        raise DeviceError(f"unknown LeRobot {kind} '{name}': valid are {', '.join(sorted(known))}")


def decode_config(kind: Kind, name: str, fields: Mapping[str, Any],
                  plugins: Sequence[str] = ()) -> Any:
    """LeRobot's config of a type, from its fields as plain values (text is parsed as LeRobot does).

    Raises:
        DeviceError: naming the valid types, the valid fields, or what is wrong with one.
    """
    import draccus

    require_type(kind, name, plugins)
    config = _config_class(kind, name, plugins)
    try:
        return draccus.decode(config, dict(fields))
    except draccus.utils.DraccusException as error:
        valid = ", ".join(field.name for field in dataclasses.fields(config))
        raise DeviceError(f"LeRobot {kind} '{name}' refuses the fields {dict(fields)}: "
                          f"{one_line(error)}; valid are {valid}") from error
    except (TypeError, ValueError) as error:
        raise DeviceError(f"LeRobot {kind} '{name}' refuses its fields: "
                          f"{one_line(error)}") from error


def module_names(said: Any) -> tuple[str, ...]:
    """The modules of `DISCOVER`, as a list or in one text with commas or spaces.

    Raises:
        DeviceError: it is neither.
    """
    names = said.replace(",", " ").split() if isinstance(said, str) else said
    if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
        raise DeviceError(f"{DISCOVER} names modules, as in my_arm or [my_arm, my_camera], not "
                          f"{said!r}")
    return tuple(names)


def parsed(text: str) -> Any:
    """A field's value as it stands on a command line: YAML, as LeRobot reads it; a date is text.

    Raises:
        DeviceError: it is none, or one that no message between processes can carry.
    """
    import yaml

    try:
        value = msgspec.to_builtins(yaml.safe_load(text))
        msgspec.msgpack.encode(value)       # a number of 70 bits
        return value
    except (yaml.YAMLError, *_YAML_RAISES) as error:
        raise DeviceError(f"{text!r} is no value of a field: {one_line(error)}") from error


def _config_class(kind: Kind, name: str, plugins: Sequence[str]) -> Any:
    module = built_in_types(kind).get(name)
    if module is None:
        return _plugged_in(kind, plugins)[name]
    try:
        importlib.import_module(module.rpartition(".")[0])
    except ImportError as error:        # a make whose own driver is not installed
        raise DeviceError(f"LeRobot {kind} '{name}' cannot be had: {one_line(error)}") from error
    return _registered(kind)[name]


def _registered(kind: Kind) -> dict[str, type]:
    module, _, name = _REGISTRIES[kind].config.partition(":")
    return dict(getattr(importlib.import_module(module), name).get_known_choices())


def _plugged_in(kind: Kind, plugins: Sequence[str]) -> dict[str, type]:
    """What is registered once every plug-in has been imported."""
    here = str(Path.cwd())
    if plugins and here not in sys.path:
        sys.path.append(here)       # a person's own file lies where they work
    installed = [name for dist in metadata.distributions()
                 if (name := dist.metadata["Name"] or "").startswith(_PLUGINS)]
    if not plugins and not installed:
        return {}
    for module in plugins:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise DeviceError(f"{DISCOVER}={module}: {error}; name a module that Python finds "
                              "from here") from error
        except (Exception, SystemExit) as error:    # a person's own file may raise anything
            raise DeviceError(f"{DISCOVER}={module} cannot be imported: {type(error).__name__}: "
                              f"{one_line(error)}") from error
    for module in installed:
        try:
            importlib.import_module(module)
        except Exception as error:      # a stranger's module may raise anything; others still work
            print(f"{module} is not available: {error}", file=sys.stderr)
    return _registered(kind)


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())

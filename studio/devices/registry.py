"""Teleoperators by name: adding a device is one file and one line here.

Knows names and where their classes live. Refuses to import a device before it is asked for, so that
listing names costs nothing. Rooms that a device may not know (the simulator) add their own with
`register`.
"""

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from recorders.clock import Clock
from studio.devices.interfaces import DeviceError, Teleoperator

Factory = Callable[..., Teleoperator]


class _Where(NamedTuple):
    module: str
    device: str
    config: str


_BUILT_IN = {
    "gamepad": _Where("studio.devices.gamepad", "Gamepad", "GamepadConfig"),
    "keyboard": _Where("studio.devices.keyboard", "KeyboardTeleop", "KeyboardConfig"),
    "spacemouse": _Where("studio.devices.spacemouse", "SpaceMouse", "SpaceMouseConfig"),
}
_LEADER_WHERE = _Where("studio.devices.lerobot_leader", "LerobotLeader", "LeaderConfig")
_REGISTERED: dict[str, Factory] = {}
_LEADER = "leader:"


def register(name: str, factory: Factory) -> None:
    """Add a teleoperator; `factory(clock, **options)` makes one.

    Raises:
        DeviceError: if the name is taken by another factory or is not usable.
    """
    if name in _BUILT_IN or name.startswith(_LEADER) or _REGISTERED.get(name, factory) != factory:
        raise DeviceError(f"teleoperator name '{name}' is taken: choose another")
    _REGISTERED[name] = factory


def teleoperator_names() -> list[str]:
    """The valid names; the last one stands for every LeRobot type."""
    return [*sorted([*_BUILT_IN, *_REGISTERED]), f"{_LEADER}<lerobot type>"]


def make_teleoperator(name: str, clock: Clock, **options: Any) -> Teleoperator:
    """The teleoperator of a name, not yet connected.

    Args:
        name: one of `teleoperator_names`, such as "spacemouse" or "leader:so101_leader".
        clock: stamps what the device says.
        options: fields of the device's config, as plain values (they may come out of JSON); for a
            registered device whatever its factory takes.

    Raises:
        DeviceError: naming the valid names or options, if these are none of them.
    """
    if name.startswith(_LEADER) and len(name) > len(_LEADER):
        return _make(name, _LEADER_WHERE, clock,
                     {"teleop_type": name.removeprefix(_LEADER), **options})
    if name in _BUILT_IN:
        return _make(name, _BUILT_IN[name], clock, options)
    if name in _REGISTERED:
        return _REGISTERED[name](clock, **options)
    raise DeviceError(f"unknown teleoperator '{name}': valid are {', '.join(teleoperator_names())}")


def _make(name: str, where: _Where, clock: Clock, options: dict[str, Any]) -> Teleoperator:
    module = importlib.import_module(where.module)
    config_type = getattr(module, where.config)
    valid = [field.name for field in dataclasses.fields(config_type)]
    unknown = [option for option in options if option not in valid]
    if unknown:
        raise DeviceError(f"{name} has no option {', '.join(unknown)}: valid are "
                          f"{', '.join(valid)}")
    try:
        config = msgspec.convert(options, config_type)
    except msgspec.ValidationError as error:
        raise DeviceError(f"{name} refuses its options: {error}") from error
    return getattr(module, where.device)(clock, config)

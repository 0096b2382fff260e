"""Teleoperators by name: adding a device is one file and one line here.

Knows names and where their classes live. Refuses to import a device before it is asked for, so that
listing names costs nothing. Rooms that a device may not know (the simulator) add their own with
`register`.
"""

import importlib
from collections.abc import Callable
from typing import Any

from recorders.clock import Clock
from studio.devices.interfaces import DeviceError, Teleoperator

Factory = Callable[..., Teleoperator]

_BUILT_IN: dict[str, tuple[str, str]] = {
    "gamepad": ("studio.devices.gamepad", "Gamepad"),
    "keyboard": ("studio.devices.keyboard", "KeyboardTeleop"),
    "spacemouse": ("studio.devices.spacemouse", "SpaceMouse"),
}
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
        options: for a built-in device `config=`; for a leader the fields of `LeaderConfig` other
            than its type; for a registered one whatever its factory takes.

    Raises:
        DeviceError: naming the valid names, if this is none of them.
    """
    if name.startswith(_LEADER) and len(name) > len(_LEADER):
        from studio.devices.leader_mapping import LeaderConfig
        from studio.devices.lerobot_leader import LerobotLeader

        return LerobotLeader(clock, LeaderConfig(name.removeprefix(_LEADER), **options))
    if name in _BUILT_IN:
        module, class_name = _BUILT_IN[name]
        return getattr(importlib.import_module(module), class_name)(clock, **options)
    if name in _REGISTERED:
        return _REGISTERED[name](clock, **options)
    raise DeviceError(f"unknown teleoperator '{name}': valid are {', '.join(teleoperator_names())}")

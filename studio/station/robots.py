"""Robots by name, their tasks, and the scripts that can drive them: one place for every command.

A name is what stands after `--robot`, and also what recordings and checkpoints call the robot:
"sim", "gym:metaworld/push-v3", "gym:pusht", or LeRobot's type of a real one, "so101_follower".
Knows names and where their classes live; imports a simulator or LeRobot only when its robot is
opened.
"""

import importlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from recorders.clock import Clock
from studio.devices.absent import AbsentTeleoperator
from studio.devices.interfaces import DeviceError, RobotDriver, Teleoperator
from studio.devices.latency import with_latencies
from studio.devices.lerobot_types import (
    DISCOVER,
    built_in_types,
    module_names,
    require_type,
)
from studio.devices.probe import serial_ports
from studio.devices.registry import make_teleoperator, register, teleoperator_names
from studio.station.hand_set_tasks import HandSetTasks

if TYPE_CHECKING:
    from recorders.episode_reader import EpisodeReader
    from studio.sim.replay import Replayed

OPEN_ROBOT = "studio.station.robots:open_robot"     # for a process of its own (robot_host.py)
SCRIPTED, EXPERT = "scripted", "expert"
SCRIPTS = (SCRIPTED, EXPERT)
OVERSEER = "overseer"       # watches a policy on the simulated arm, and steps in
NOBODY = "none"             # a desk without a device: only a policy drives
LEADER = "leader:"          # before the LeRobot type of a leader arm
_SIM_NAMES = ("sim", "tandem_sim")                  # recordings carry the second
_SIM_CAMERAS = ("front", "wrist")                   # the simulator itself is slow to import
_GYM = "gym:"
_INTRODUCED: set[str] = set()        # types of LeRobot plug-ins that this process has seen


class RobotTask(Protocol):
    """What can be said of a task without opening its robot."""

    @property
    def name(self) -> str:
        """What stands after `--task`."""
        ...

    @property
    def max_duration_s(self) -> float:
        """An episode that lasts longer has failed."""
        ...

    @property
    def instructions(self) -> tuple[str, ...]:
        """Every way in which it is asked for."""
        ...

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the phases; the last is "done"."""
        ...


def robot_names() -> list[str]:
    """The valid names; "<task>" stands for every task of an environment."""
    from studio.sim.gym.catalog import environment_names

    return [_SIM_NAMES[0], *environment_names()]


def is_simulated(robot: str) -> bool:
    """Whether a name is a simulator's: its scene is set up by a command, and nobody can be hurt."""
    return robot in _SIM_NAMES or robot.startswith(_GYM)


def tasks_of(robot: str) -> Mapping[str, RobotTask]:
    """The tasks of a robot by name; imports no simulator. A real robot's are whatever is said.

    Raises:
        DeviceError: for an unknown robot; the message lists the valid ones.
    """
    if robot in _SIM_NAMES:
        from studio.sim.tasks import TASKS

        return TASKS
    if robot.startswith(_GYM):
        from studio.sim.gym.catalog import tasks_of_environment

        return tasks_of_environment(robot)
    _require_lerobot(robot)
    return HandSetTasks()


def cameras_of(robot: str) -> tuple[str, ...]:
    """Names of a robot's cameras, which its option `cameras` may narrow; imports no simulator.

    Raises:
        DeviceError: for an unknown robot; the message lists the valid ones.
    """
    if robot in _SIM_NAMES:
        return _SIM_CAMERAS
    if robot.startswith(_GYM):
        from studio.sim.gym.catalog import cameras_of_environment

        return cameras_of_environment(robot)
    _require_lerobot(robot)
    return ()       # those that were plugged in and named, not those of a type


def require_robot(name: str, options: Mapping[str, Any] | None = None) -> None:
    """Refuse a robot that cannot be opened here, without opening it.

    Args:
        name: of the robot.
        options: as for `open_robot`; a LeRobot robot's may name modules that register more.

    Raises:
        DeviceError: for an unknown robot, packages that are missing, fields that are none, or a
            port that is not there.
    """
    fields = (options or {}).get("fields", {})
    if not isinstance(fields, Mapping):
        raise DeviceError(f"the fields of {name} are names with values, as in {{port: "
                          f"/dev/ttyACM0, id: mine}}, not {fields!r}")
    plugins = fields.get(DISCOVER, "")
    if plugins and not is_simulated(name):
        require_type("robot", name, module_names(plugins))
        _INTRODUCED.add(name)
    tasks_of(name)
    port = str(fields.get("port", ""))
    if port.startswith("/") and not os.path.exists(port):   # noqa: PTH110  # Path's may raise
        here = ", ".join(found.node for found in serial_ports()) or "none"
        raise DeviceError(f"there is no port {port}: plug {name} in, or name another one (here: "
                          f"{here}; `lerobot-find-port` tells which is whose)")
    if name.startswith(_GYM):
        from studio.sim.gym.catalog import require_installed

        require_installed(name)


def open_robot(name: str, clock: Clock, **options: Any) -> RobotDriver:
    """The robot of a name, not yet connected.

    Args:
        name: one of `robot_names`, or what a recording calls its robot.
        clock: what it follows.
        options: of its class, such as `image_size`, `cameras`, `depth`, `image_encoding`; see
            `LerobotRobot` for those of a LeRobot robot. `latency_ms` is for all of them: see
            `studio.devices.latency`.

    Raises:
        DeviceError: for an unknown robot, or packages that are missing.
    """
    latency_ms = options.pop("latency_ms", None)
    robot = _open(name, clock, options)
    if latency_ms:
        here = {spec.name for spec in robot.info.streams}
        unused = {camera for camera in cameras_of(name) if camera not in here}
        robot.info = with_latencies(robot.info, {
            camera: late for camera, late in latency_ms.items() if camera not in unused})
    return robot


def _open(name: str, clock: Clock, options: dict[str, Any]) -> RobotDriver:
    if name in _SIM_NAMES:
        return importlib.import_module("studio.sim.robot").SimRobot(clock, **options)
    if name.startswith(_GYM):
        return importlib.import_module("studio.sim.gym.catalog").open_environment(
            name, clock, **options)
    require_robot(name, options)
    robot = importlib.import_module("studio.devices.lerobot_robot").LerobotRobot
    try:
        return robot(clock, name, **options)
    except TypeError as error:      # a field of ours that is none; LeRobot's own are its fields
        raise DeviceError(f"{name}: {error}") from error


def replay(episode: "EpisodeReader") -> "Replayed":
    """Repeat an episode on the simulated robot that it was recorded on.

    Raises:
        DeviceError: it was recorded on a real robot or an unknown one, or holds no state.
    """
    robot = str(episode.attrs.get("robot", {}).get("name", ""))
    if robot.startswith(_GYM):
        return importlib.import_module("studio.sim.gym.replay").replay_in_environment(episode)
    return importlib.import_module("studio.sim.replay").replay_in_simulator(episode)


def script_for(robot: str) -> str:
    """The script that knows a robot's tasks: "scripted" or "expert"."""
    return SCRIPTED if robot in _SIM_NAMES else EXPERT


def make_operator(name: str, clock: Clock, robot: str = "sim", **options: Any) -> Teleoperator:
    """A teleoperator, scripts included, not yet connected.

    Args:
        name: one of `operator_names`.
        clock: stamps what the device says.
        robot: which one a script shall drive.
        options: see `make_teleoperator`.

    Raises:
        DeviceError: naming the valid names or options, if these are none of them.
    """
    _register_scripts()
    return make_teleoperator(name, clock, **options,
                             **({"robot": robot} if name == EXPERT else {}))


def operator_names() -> list[str]:
    """The valid names, scripts included; the last one stands for every LeRobot type."""
    return sorted({*SCRIPTS, *teleoperator_names()})


def operators_for(robot: str) -> list[str]:
    """Who can sit at a desk with a robot: any device, its own script, nobody.

    The last one stands for every LeRobot type.
    """
    strangers = {*SCRIPTS} - ({script_for(robot)} if is_simulated(robot) else set())
    return sorted({NOBODY, *operator_names()} - strangers, key=lambda name: (LEADER in name, name))


def require_operator(name: str, robot: str = "") -> None:
    """Refuse who cannot sit at a desk; nobody can.

    Args:
        name: who shall drive.
        robot: what shall be driven; without it any script will do.

    Raises:
        DeviceError: naming the valid ones.
    """
    valid = operators_for(robot) if robot else sorted({NOBODY, *operator_names()})
    if name.startswith(LEADER) and name != LEADER and "<" not in name:
        return
    if name in SCRIPTS and name not in valid:
        raise DeviceError(f"{name} does not know what to do with {robot}: valid are "
                          f"{', '.join(valid)}")
    if name not in valid or "<" in name:
        raise DeviceError(f"unknown teleop {name!r}: valid are {', '.join(valid)}")


def _register_scripts() -> None:
    register(SCRIPTED, _scripted)
    register(EXPERT, _expert)
    register(OVERSEER, _overseer)
    register(NOBODY, AbsentTeleoperator)


def _scripted(clock: Clock, **options: Any) -> Teleoperator:
    return importlib.import_module("studio.sim.operator").scripted_operator(clock, **options)


def _overseer(clock: Clock, **options: Any) -> Teleoperator:
    return importlib.import_module("studio.sim.overseer").overseer(clock, **options)


def _expert(clock: Clock, **options: Any) -> Teleoperator:
    return importlib.import_module("studio.sim.gym.expert").expert_operator(clock, **options)


def _require_lerobot(robot: str) -> None:
    if robot in _INTRODUCED or robot in built_in_types("robot"):
        return
    try:
        require_type("robot", robot)
    except DeviceError:
        raise DeviceError(f"unknown robot {robot!r}: valid are {', '.join(robot_names())}, and "
                          f"LeRobot's {', '.join(sorted(built_in_types('robot')))}") from None

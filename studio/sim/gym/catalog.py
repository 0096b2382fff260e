"""Environments by name, their tasks and words, and how to install what is missing.

Adding a family of environments is one file like metaworld.py or pusht.py and one entry in
`_FAMILIES`. Imports no environment until one is opened, so that listing is quick.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from recorders.clock import Clock
from studio.devices.interfaces import DeviceError
from studio.sim.gym.world import GymTask, GymWorld, Skill

if TYPE_CHECKING:
    from studio.sim.gym.robot import GymRobot

PREFIX = "gym:"
INSTALL = 'uv pip install "tandem-studio[gym]"'
_METAWORLD_S, _PUSHT_S = 12.0, 60.0     # our limits of speed are lower than Meta-World's own


class _Family(NamedTuple):
    package: str            # what must be installed
    module: str
    world: str              # made with the tasks by name
    skill: str              # made with the name of a task
    single: bool            # one task, so none stands in the robot's name
    cameras: tuple[str, ...]


_FAMILIES = MappingProxyType({
    "metaworld": _Family("metaworld", "studio.sim.gym.metaworld", "MetaworldWorld",
                         "metaworld_skill", single=False, cameras=("front", "wrist")),
    "pusht": _Family("gym-pusht", "studio.sim.gym.pusht", "PushTWorld", "pusht_skill",
                     single=True, cameras=("front",)),
})


def environment_names() -> list[str]:
    """Valid names, "<task>" standing for every task of a family."""
    return [f"{PREFIX}{family}{suffix}" for family, facts in _FAMILIES.items()
            for suffix in (("",) if facts.single else ("", "/<task>"))]


def tasks_of_environment(robot: str) -> Mapping[str, GymTask]:
    """The tasks of an environment: the one in its name, or all of its family.

    Raises:
        DeviceError: for an unknown environment or task; the message lists the valid ones.
    """
    family, slash, task = robot.removeprefix(PREFIX).partition("/")
    if family not in _FAMILIES or (slash and _FAMILIES[family].single):
        raise DeviceError(f"unknown environment {robot!r}: valid are "
                          f"{', '.join(environment_names())}")
    tasks = _tasks(family)
    if slash and task not in tasks:
        raise DeviceError(f"{PREFIX}{family} has no task {task!r}: valid are {', '.join(tasks)}")
    return MappingProxyType({task: tasks[task]} if slash else tasks)


def open_environment(robot: str, clock: Clock, **options: Any) -> "GymRobot":
    """An environment as a robot, not yet connected; options as `GymRobot` takes them.

    Raises:
        DeviceError: for an unknown environment, or if its package is missing.
    """
    from studio.sim.gym.robot import GymRobot  # brings MuJoCo

    return GymRobot(robot, clock, open_world(robot), **options)


def open_world(robot: str) -> GymWorld:
    """An environment by itself, its first task set up.

    Raises:
        DeviceError: for an unknown environment, or if its package is missing.
    """
    tasks, facts = tasks_of_environment(robot), _facts(robot)
    require_installed(robot)
    return getattr(importlib.import_module(facts.module), facts.world)(dict(tasks))


def open_skill(robot: str, task: str) -> Skill:
    """The expert of a task.

    Raises:
        DeviceError: for an unknown environment or task, or if its package is missing.
    """
    facts = _facts(robot)
    if task not in (tasks := tasks_of_environment(robot)):
        raise DeviceError(f"{robot} has no task {task!r}: valid are {', '.join(tasks)}")
    require_installed(robot)
    return getattr(importlib.import_module(facts.module), facts.skill)(task)


def packages() -> dict[str, str]:
    """What the families need, with the version that is installed, or an empty string."""
    found = {}
    for facts in _FAMILIES.values():
        try:
            found[facts.package] = metadata.version(facts.package)
        except metadata.PackageNotFoundError:
            found[facts.package] = ""
    return found


def cameras_of_environment(robot: str) -> tuple[str, ...]:
    """Names of the cameras of an environment, without opening it.

    Raises:
        DeviceError: for an unknown environment.
    """
    return _facts(robot).cameras


def require_installed(robot: str) -> None:
    """Refuse, with the command that helps, if an environment's package is missing.

    Raises:
        DeviceError: if it is, or for an unknown environment.
    """
    if not packages()[package := _facts(robot).package]:
        raise DeviceError(f"{package} is not installed: {INSTALL}")


def _facts(robot: str) -> _Family:
    tasks_of_environment(robot)
    return _FAMILIES[robot.removeprefix(PREFIX).partition("/")[0]]


@cache
def _tasks(family: str) -> dict[str, GymTask]:
    if family == "pusht":       # the words are those of LeRobot's recordings of it
        return {"pusht": GymTask("pusht", ("Push the T-shaped block onto the T-shaped target.",),
                                 _PUSHT_S)}
    return {task: GymTask(task, (words,), _METAWORLD_S)
            for task, words in sorted(_metaworld_words().items())}


def _metaworld_words() -> dict[str, str]:
    """LeRobot's description of every task, read beside its code: importing it would cost seconds.

    Raises:
        DeviceError: if this LeRobot has no such file.
    """
    lerobot = importlib.util.find_spec("lerobot")
    folders = lerobot.submodule_search_locations if lerobot else None
    path = Path(next(iter(folders or ["."]))) / "envs" / "metaworld_config.json"
    try:
        return msgspec.json.decode(path.read_bytes())["TASK_DESCRIPTIONS"]
    except (OSError, KeyError, msgspec.DecodeError) as error:
        raise DeviceError(f"LeRobot's descriptions of Meta-World's tasks were not found ({error}): "
                          "install lerobot 0.6.1") from error

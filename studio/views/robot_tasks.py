"""The tasks of whichever robot is at the desk, as a console offers them."""

from studio.devices.interfaces import DeviceError
from studio.station.robots import is_simulated, tasks_of

__all__ = ["default_task", "is_simulated", "phrases_of", "task_names"]
MOST_PHRASES = 40


def task_names(robot: str) -> tuple[str, ...]:
    """Names of a robot's tasks; none for one that is not known."""
    try:
        return tuple(tasks_of(robot))
    except DeviceError:
        return ()


def default_task(robot: str) -> str:
    """The first of a robot's tasks; empty if it has none."""
    names = task_names(robot)
    return names[0] if names else ""


def phrases_of(robot: str, task: str) -> tuple[str, ...]:
    """Ways in which a task is asked for; none for one that is not known."""
    try:
        known = tasks_of(robot).get(task)
    except DeviceError:
        return ()
    return tuple(known.instructions[:MOST_PHRASES]) if known is not None else ()

"""What drives in a rollout, and what it is asked to do: a task by its name, or words.

Knows tasks and instructions; refuses to know how the policy is run.
"""

from dataclasses import dataclass

from studio.commands.output import UsersMistakeError
from studio.commands.policy_options import PolicyOptions
from studio.sim.instructions import InstructionError, request_from_instruction
from studio.station.robots import is_simulated, tasks_of


@dataclass(frozen=True, kw_only=True)
class Driven(PolicyOptions):
    """A policy, and what it is asked to do."""

    policy: str
    """Folder of a training run or of one of its checkpoints, folder of a LeRobot policy (or
    hf:owner/name), ws://HOST:PORT of a server that speaks openpi's protocol, or the address that
    `tandem serve` printed."""
    task: str = ""
    """A task (`tandem tasks` lists them), or what to do in words, as "put the red cube in the bin".
    Empty is the robot's first task; a real robot needs words."""


def task_and_words(asked: str, robot: str) -> tuple[str, str]:
    """The task's name, and words if some were given instead.

    Raises:
        UsersMistakeError: it is neither, or the robot has no such task.
    """
    tasks = tasks_of(robot)
    if not is_simulated(robot):
        if not asked:
            raise UsersMistakeError("say what to do: --task 'put the cube in the box'")
        return asked, asked
    if not asked or asked in tasks:
        return asked or next(iter(tasks)), ""
    for name, task in tasks.items():
        if asked in task.instructions:
            return name, asked
    try:
        named = request_from_instruction(asked).task
    except InstructionError as not_understood:
        raise UsersMistakeError(f"{asked!r} is neither a task ({', '.join(tasks)}) nor an "
                                f"instruction: {not_understood}") from not_understood
    if named not in tasks:
        raise UsersMistakeError(f"{robot} has no task {named!r}: valid are {', '.join(tasks)}")
    return named, asked

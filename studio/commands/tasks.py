"""`tandem tasks`: what the simulated arm can be asked to do. Imports no simulator."""

from dataclasses import dataclass

from studio.commands.output import Answer, Screen
from studio.sim.tasks import TASKS


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """List the tasks of the simulated arm, with every phrasing of their instructions."""

    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Print the tasks."""
        screen.table("", ("task", "longest", "phrasings", "for example"), [
            (task.name, f"{task.max_duration_s:.0f} s", len(task.instructions),
             task.instructions[0]) for task in TASKS.values()])
        return Answer({"tasks": [
            {"name": task.name, "instructions": list(task.instructions),
             "phases": list(task.phases), "max_duration_s": task.max_duration_s}
            for task in TASKS.values()]})

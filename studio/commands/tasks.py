"""`tandem tasks`: what a robot can be asked to do. Imports no simulator."""

from dataclasses import dataclass

from studio.commands.output import Answer, Screen
from studio.station.robots import tasks_of


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """List the tasks of a simulated robot, with every phrasing of their instructions."""

    robot: str = "sim"
    """Whose tasks: sim, or a gymnasium environment: gym:metaworld, gym:pusht."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Print the tasks."""
        tasks = tasks_of(self.robot).values()
        screen.table("", ("task", "longest", "phrasings", "for example"), [
            (task.name, f"{task.max_duration_s:.0f} s", len(task.instructions),
             task.instructions[0]) for task in tasks])
        return Answer({"tasks": [
            {"name": task.name, "instructions": list(task.instructions),
             "phases": list(task.phases), "max_duration_s": task.max_duration_s}
            for task in tasks]})

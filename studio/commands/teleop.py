"""`tandem teleop`: drive the arm and keep nothing.

Knows options and words. The session itself is run by the station.
"""

from dataclasses import dataclass

from studio.commands.bounds import require_seed
from studio.commands.device_fields import DeviceOptions
from studio.commands.output import Answer, Screen
from studio.commands.session_report import require_session
from studio.commands.session_run import run_and_tell
from studio.station.robots import SCRIPTS

_SCENES = 1000              # set up one after the other, each for this long
_SCENE_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Teleop(DeviceOptions):
    """Drive the arm and keep nothing, until Ctrl-C.

    The scene is set up anew, with the next seed, whenever its task succeeds.
    """

    teleop: str = "spacemouse"
    """Who drives: scripted (expert for gym:…), spacemouse, gamepad, keyboard, or
    leader:<LeRobot type>."""
    task: str = ""
    """The scene to set up; `tandem tasks` lists the tasks. Empty is the robot's first one."""
    scenes: int = _SCENES
    """End after so many scenes."""
    seed: int = 0
    """Scene i is set up with seed + i."""
    fast: bool = False
    """Run the simulator under a virtual clock; only for the scripted operator."""
    headless: bool = False
    """Show no live view."""
    json: bool = False
    """Print one JSON object at the end."""

    def run(self, screen: Screen) -> Answer:
        """Drive until the scenes are over or Ctrl-C."""
        options, teleop = self.robot_options(), self.teleoperator
        task = require_session(robot=self.robot, teleop=teleop, task=self.task, fast=self.fast,
                               episodes=self.scenes, robot_options=options)
        require_seed(self.seed)
        # Here, because the station brings MuJoCo: --help and a mistyped option need not wait.
        from studio.station.launch import SessionRequest
        from studio.station.session import Outcome, SessionPlan

        request = SessionRequest(
            plan=SessionPlan(tasks=(task,) * self.scenes, seed=self.seed,
                             max_duration_s=_SCENE_S, practice=True,
                             attended=teleop not in SCRIPTS),
            robot=self.robot, robot_options=options, teleop=teleop,
            teleop_options=self.teleop_options(), fast=self.fast,
            live=not self.headless)
        outcomes: list[Outcome] = []
        problem = run_and_tell(screen, request, "driving", outcomes)
        if problem:
            screen.say(f"the session ended early: {problem}")
        return Answer({"task": task, "problem": problem, "scenes": [
            {"seed": o.seed, "detector": o.detector, "duration_s": o.duration_s}
            for o in outcomes]}, ok=not problem)

"""`tandem teleop`: drive the arm and keep nothing.

Knows options and words. The session itself is run by the station.
"""

from dataclasses import dataclass

from studio.commands.device_options import (
    Cameras,
    Latency,
    RobotFields,
    StationFile,
    TeleopFields,
    operator_of,
    robot_options,
    teleop_options,
)
from studio.commands.output import Answer, Screen
from studio.commands.session_report import require_session
from studio.commands.session_run import run_and_tell
from studio.station.robots import SCRIPTS

_SCENES = 1000              # set up one after the other, each for this long
_SCENE_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Teleop:
    """Drive the arm and keep nothing, until Ctrl-C.

    The scene is set up anew, with the next seed, whenever its task succeeds.
    """

    robot: str = "sim"
    """The robot to drive: sim, a gymnasium environment (gym:metaworld/<task>, gym:metaworld,
    gym:pusht), or a real one by its LeRobot type, such as so101_follower."""
    robot_fields: RobotFields = ""
    """A field of a LeRobot robot's config as LeRobot calls it (--robot.port /dev/ttyACM0 --robot.id
    mine), or of the studio: model, tool, joints, unit, max_velocity, …"""
    cameras: Cameras = ""
    """Cameras beside a real robot by LeRobot's types and fields: '{front: {type: opencv,
    index_or_path: 0, width: 640, height: 480, fps: 30}}'; of a simulator its own: '[front]'."""
    latency: Latency = ""
    """How late the cameras are, in ms: a file that `tandem calibrate latency` saved, or
    '{front: 41.2}'. It is noted with every episode and taken off where streams are aligned."""
    station: StationFile = ""
    """A YAML file that says the same: 'robot: {type: so101_follower, port: …}', 'teleop: …',
    'cameras: …'; what is typed goes before it."""
    teleop: str = "spacemouse"
    """Who drives: scripted (expert for gym:…), spacemouse, gamepad, keyboard, or
    leader:<LeRobot type>."""
    teleop_fields: TeleopFields = ""
    """A field of the device's config: --teleop.port and --teleop.id of a LeRobot leader."""
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
        options, teleop = (robot_options(self.robot, self.robot_fields, self.cameras, self.latency),
                           operator_of(self.teleop))
        task = require_session(robot=self.robot, teleop=teleop, task=self.task, fast=self.fast,
                               episodes=self.scenes, robot_options=options)
        # Here, because the station brings MuJoCo: --help and a mistyped option need not wait.
        from studio.station.launch import SessionRequest
        from studio.station.session import Outcome, SessionPlan

        request = SessionRequest(
            plan=SessionPlan(tasks=(task,) * self.scenes, seed=self.seed,
                             max_duration_s=_SCENE_S, practice=True,
                             attended=teleop not in SCRIPTS),
            robot=self.robot, robot_options=options, teleop=teleop,
            teleop_options=teleop_options(teleop, self.teleop_fields), fast=self.fast,
            live=not self.headless)
        outcomes: list[Outcome] = []
        problem = run_and_tell(screen, request, "driving", outcomes)
        if problem:
            screen.say(f"the session ended early: {problem}")
        return Answer({"task": task, "problem": problem, "scenes": [
            {"seed": o.seed, "detector": o.detector, "duration_s": o.duration_s}
            for o in outcomes]}, ok=not problem)

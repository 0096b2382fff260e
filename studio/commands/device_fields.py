"""The options of every command that opens a robot and lets somebody drive it.

One class that such a command inherits. What the options come to is `device_options`'s to say.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from studio.commands.device_options import FIELD, operator_of, robot_options, teleop_options

_RobotFields = Annotated[str, tyro.conf.arg(name=f"robot.{FIELD}", metavar="VALUE")]
_TeleopFields = Annotated[str, tyro.conf.arg(name=f"teleop.{FIELD}", metavar="VALUE")]
_Cameras = Annotated[str, tyro.conf.arg(metavar="CAMERAS")]
_File = Annotated[str, tyro.conf.arg(metavar="FILE")]


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Which robot is opened, with which cameras, and who drives; commands say `teleop` anew, with
    their own default and words.
    """

    robot: str = "sim"
    """The robot to drive: sim, a gymnasium environment (gym:metaworld/<task>, gym:metaworld,
    gym:pusht), or a real one by its LeRobot type, such as so101_follower."""
    robot_fields: _RobotFields = ""
    """A field of a LeRobot robot's config as LeRobot calls it (--robot.port /dev/ttyACM0 --robot.id
    mine), or of the studio: model, tool, joints, unit, max_velocity, …"""
    cameras: _Cameras = ""
    """Cameras beside a real robot by LeRobot's types and fields: '{front: {type: opencv,
    index_or_path: 0, width: 640, height: 480, fps: 30}}'; of a simulator its own: '[front]'."""
    latency: _File = ""
    """How late the cameras are, in ms: a file that `tandem calibrate latency` saved, or
    '{front: 41.2}'. It is noted with every episode and taken off where streams are aligned."""
    station: _File = ""
    """A YAML file that says the same: 'robot: {type: so101_follower, port: …}', 'teleop: …',
    'cameras: …'; what is typed goes before it."""
    teleop: str
    """Who drives."""
    teleop_fields: _TeleopFields = ""
    """A field of the device's config: --teleop.port and --teleop.id of a LeRobot leader."""

    @property
    def teleoperator(self) -> str:
        """The teleoperator by its own name."""
        return operator_of(self.teleop)

    def robot_options(self) -> dict[str, Any]:
        """What the robot is opened with.

        Raises:
            UsersMistakeError: naming what is valid.
        """
        return robot_options(self.robot, self.robot_fields, self.cameras, self.latency)

    def teleop_options(self) -> dict[str, Any]:
        """What the teleoperator is opened with."""
        return teleop_options(self.teleoperator, self.teleop_fields)

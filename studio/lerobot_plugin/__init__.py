"""Our simulated robot, teleoperators, tasks and policies in LeRobot's own commands.

    lerobot-record --robot.type=tandem_sim --teleop.type=tandem_scripted …
        --robot.discover_packages_path=studio.lerobot_plugin

LeRobot imports this package when it is told so, or by itself where the distribution
lerobot_robot_tandem is installed beside the studio. Nothing of ours imports it: it needs LeRobot's
base classes, which take seconds.
"""

from studio.lerobot_plugin.configuration_tandem import TandemConfig
from studio.lerobot_plugin.env import TandemEnvConfig
from studio.lerobot_plugin.robot import TandemSim, TandemSimConfig
from studio.lerobot_plugin.teleoperators import (
    TandemScripted,
    TandemScriptedConfig,
    TandemSpacemouse,
    TandemSpacemouseConfig,
)

__all__ = ["TandemConfig", "TandemEnvConfig", "TandemScripted", "TandemScriptedConfig", "TandemSim",
           "TandemSimConfig", "TandemSpacemouse", "TandemSpacemouseConfig"]

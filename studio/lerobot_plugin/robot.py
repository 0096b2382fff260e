"""The simulated arm as a LeRobot robot of the type `tandem_sim`.

Positions are in rad and the gripper's in 0..1, under the names of our exports (`joint1.pos` …
`gripper.pos`), so that data and policies go to and fro. Knows LeRobot's base class and the
simulator; knows no station.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from lerobot.robots.config import RobotConfig
from lerobot.robots.robot import Robot

from studio.sim.robot import SimCamera, SimRobot


@RobotConfig.register_subclass("tandem_sim")
@dataclass(kw_only=True)
class TandemSimConfig(RobotConfig):
    """Fields of `--robot.…`."""

    task: str = "put-cube-in-bin"
    """What the scene is set up for; `tandem tasks` lists the tasks."""
    seed: int = 0
    """Of the scene."""
    height: int = 240
    """Of the pictures."""
    width: int = 320
    """Of the pictures."""
    fps: int = 30
    """Of the cameras."""


class TandemSim(Robot):
    """A simulated arm at a table, with a front and a wrist camera.

    Attributes:
        present: the one that was connected last in this process; the scripted operator looks at it.
        instruction: what the scene asks for.
        rows: the newest row of every stream.
    """

    config_class = TandemSimConfig
    name = "tandem_sim"
    present: ClassVar["TandemSim | None"] = None

    def __init__(self, config: TandemSimConfig) -> None:
        super().__init__(config)
        self.config = config
        self.sim = SimRobot(image_size=(config.height, config.width), camera_hz=config.fps,
                            depth=False)
        self.instruction, self.rows = "", dict[str, np.void]()

    @property
    def cameras(self) -> dict[str, SimCamera]:
        """By name, with height, width and fps."""
        return self.sim.cameras

    @property
    def observation_features(self) -> dict[str, Any]:
        """A float per joint, and (H, W, 3) per camera."""
        return self.sim.observation_features

    @property
    def action_features(self) -> dict[str, Any]:
        """A float per joint."""
        return self.sim.action_features

    @property
    def is_connected(self) -> bool:
        """Whether time passes."""
        return self.sim.is_connected

    @property
    def is_calibrated(self) -> bool:
        """Always: a simulated joint knows its zero."""
        return True

    def connect(self, calibrate: bool = True) -> None:
        """Set up the scene and let time begin to pass."""
        self.sim.connect()
        self.instruction = self.sim.reset(self.config.task, self.config.seed)
        TandemSim.present = self

    def calibrate(self) -> None:
        """Nothing to do."""

    def configure(self) -> None:
        """Nothing to do."""

    def get_observation(self) -> dict[str, Any]:
        """The newest positions and pictures."""
        for batch in self.sim.poll():
            if len(batch.rows):
                self.rows[batch.stream] = batch.rows[-1]
        return self.sim.get_observation()

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        """Command positions; returns what was really sent."""
        return self.sim.send_action(action)

    def disconnect(self) -> None:
        """Hold, and end."""
        self.sim.disconnect()
        TandemSim.present = None

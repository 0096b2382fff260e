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

from recorders.streams import Batch
from studio.lerobot_plugin.senses import DEPTH, SENSES, SimSenses
from studio.sim.robot import SimCamera, SimRobot

# LeRobot's rollout hands on only numbers whose names end in .pos or .vel, and at its end sends
# those in .pos back as an action: what is felt is called .vel, whatever it is.
HANDED_ON = ".vel"


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
    senses: bool = False
    """Also touch, the wrist's force, depth and where the front camera stands: what policies of the
    type tandem may want. They follow the joints in observation.state."""


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
                            depth=config.senses)
        self._senses = SimSenses(self.sim.info.streams) if config.senses else None
        self.instruction, self.rows = "", dict[str, np.void]()

    @property
    def cameras(self) -> dict[str, SimCamera]:
        """By name, with height, width and fps."""
        return self.sim.cameras

    @property
    def observation_features(self) -> dict[str, Any]:
        """A float per joint and per number that is felt, (H, W, 3) per camera, (H, W, 1) depth."""
        if self._senses is None:
            return self.sim.observation_features
        told = {f"{sense}.{name}{HANDED_ON}": float
                for sense, names in SENSES.items() for name in names}
        return {**self.sim.action_features, **told, **self.sim.observation_features,
                DEPTH: (self.config.height, self.config.width, 1)}

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
        self._take(self.sim.poll())
        self._take(self.sim.rig.collect_all())      # the first picture is in the making

    def calibrate(self) -> None:
        """Nothing to do."""

    def configure(self) -> None:
        """Nothing to do."""

    def get_observation(self) -> dict[str, Any]:
        """The newest positions and pictures."""
        self._take(self.sim.poll())
        seen = self.sim.get_observation()
        if self._senses is None:
            return seen
        felt = self._senses.numbers(self.sim.world.stamp_ns)
        return {**seen, DEPTH: self._senses.depth()[..., None],
                **{f"{sense}.{name}{HANDED_ON}": float(value) for sense, names in SENSES.items()
                   for name, value in zip(names, felt[sense], strict=True)}}

    def _take(self, batches: list[Batch]) -> None:
        for batch in batches:
            if len(batch.rows):
                self.rows[batch.stream] = batch.rows[-1]
        if self._senses is not None:
            self._senses.take(batches)

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        """Command positions; returns what was really sent."""
        return self.sim.send_action(action)

    def disconnect(self) -> None:
        """Hold, and end."""
        self.sim.disconnect()
        TandemSim.present = None

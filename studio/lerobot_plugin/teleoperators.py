"""Teleoperators of LeRobot's types `tandem_spacemouse` and `tandem_scripted`.

LeRobot's commands hand a teleoperator's action to the robot as it is, so these give joint positions
(`joint1.pos` …): the inverse kinematics is done here, by the one that the studio uses. They drive
the simulated arm. Knows LeRobot's base class; knows no station.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from lerobot.teleoperators.config import TeleoperatorConfig
from lerobot.teleoperators.teleoperator import Teleoperator

from recorders.clock import SystemClock
from studio.devices.interfaces import HumanInput
from studio.devices.interfaces import Teleoperator as OurTeleoperator
from studio.devices.registry import make_teleoperator
from studio.lerobot_plugin.joint_hand import JointHand
from studio.lerobot_plugin.robot import TandemSim
from studio.sim.operator import ScriptedOperator
from studio.sim.robot import SimRobot


@TeleoperatorConfig.register_subclass("tandem_spacemouse")
@dataclass(kw_only=True)
class TandemSpacemouseConfig(TeleoperatorConfig):
    """Fields of `--teleop.…`."""

    device: str = "spacemouse"
    """spacemouse, gamepad or keyboard."""


@TeleoperatorConfig.register_subclass("tandem_scripted")
@dataclass(kw_only=True)
class TandemScriptedConfig(TeleoperatorConfig):
    """It has no fields of its own: it does what the scene of tandem_sim asks for."""


class _JointTeleoperator(Teleoperator):
    """What both have in common."""

    def __init__(self, config: Any, device: OurTeleoperator) -> None:
        super().__init__(config)
        self.config, self._device, self._clock = config, device, SystemClock()
        self._info = SimRobot(render=False).info
        self._hand = JointHand(self._info)

    @property
    def action_features(self) -> dict[str, type]:
        """A float per joint: rad, the gripper 0..1."""
        return {f"{name}.pos": float for name in self._info.joint_names}

    @property
    def feedback_features(self) -> dict[str, type]:
        """None."""
        return {}

    @property
    def is_connected(self) -> bool:
        """Whether the device is open."""
        return self._device.is_connected

    @property
    def is_calibrated(self) -> bool:
        """Always: its middle is its zero."""
        return True

    def connect(self, calibrate: bool = True) -> None:
        """Open the device."""
        self._device.connect()

    def calibrate(self) -> None:
        """Nothing to do."""

    def configure(self) -> None:
        """Nothing to do."""

    def get_action(self) -> dict[str, float]:
        """Where the joints shall be."""
        target = self._hand.follow(self._given(), self._clock.now_ns())
        return {f"{name}.pos": float(value)
                for name, value in zip(self._info.joint_names, target, strict=True)}

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Nothing: there is no motor in it."""

    def disconnect(self) -> None:
        """Close the device."""
        self._device.disconnect()

    def _given(self) -> HumanInput:
        return self._device.read()


class TandemSpacemouse(_JointTeleoperator):
    """A SpaceMouse (or a gamepad, or the keyboard) drives the tool."""

    config_class = TandemSpacemouseConfig
    name = "tandem_spacemouse"

    def __init__(self, config: TandemSpacemouseConfig) -> None:
        super().__init__(config, make_teleoperator(config.device, SystemClock()))


class TandemScripted(_JointTeleoperator):
    """A program does what the scene of the tandem_sim in this process asks for."""

    config_class = TandemScriptedConfig
    name = "tandem_scripted"

    def __init__(self, config: TandemScriptedConfig) -> None:
        self._operator = ScriptedOperator()
        super().__init__(config, self._operator)

    def _given(self) -> HumanInput:
        if (robot := TandemSim.present) is not None:
            if not np.any(self._hand.target - np.asarray(self._info.home)):
                self._hand.target = robot.sim.world.position.copy()     # begin where it is
            self._operator.send_feedback({
                "stamp_ns": self._clock.now_ns(), "task": robot.config.task,
                "instruction": robot.instruction, "rows": robot.rows})
        return self._operator.read()

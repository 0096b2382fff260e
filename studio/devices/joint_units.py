"""What a LeRobot robot's numbers mean: its joints' order, and their units against ours.

Ours are rad, and 0 (closed) to 1 (open) for the gripper, which comes last. LeRobot speaks in
degrees from the middle of the calibrated range, or in -100..100 of it; a gripper in 0..100. Pure
functions; refuses to know LeRobot, buses and models. Letters: D = joints + gripper.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec
import numpy as np

from studio.devices.interfaces import DeviceError

Unit = Literal["deg", "rad", "m100_100"]
POSITION = ".pos"           # how LeRobot's names of positions end
GRIPPER = "gripper"


class JointUnits(msgspec.Struct, frozen=True):
    """How one robot's actions and observations become ours and back.

    Attributes:
        keys: LeRobot's names, "shoulder_pan.pos", the gripper's last; "" where it has no gripper.
        scale, offset: (D,) ours = LeRobot's * scale + offset.
    """

    keys: tuple[str, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The joints as they are recorded: LeRobot's names of the motors."""
        return tuple(key.removesuffix(POSITION) or GRIPPER for key in self.keys)

    def ours(self, theirs: Mapping[str, float]) -> np.ndarray:
        """(D,) rad and 0..1; a robot without a gripper has an open one.

        Raises:
            DeviceError: if a joint is missing or is not a finite number.
        """
        try:
            values = np.array([float(theirs[key]) if key else 1.0 for key in self.keys])
        except KeyError as missing:
            raise DeviceError(f"the robot did not say where {missing} is") from missing
        if not np.isfinite(values).all():
            raise DeviceError(f"the robot says that it is at {values.tolist()}")
        return values * np.array(self.scale) + np.array(self.offset)

    def theirs(self, ours: np.ndarray) -> dict[str, float]:
        """LeRobot's action of positions (D,)."""
        values = (ours - np.array(self.offset)) / np.array(self.scale)
        return {key: float(value) for key, value in zip(self.keys, values, strict=True) if key}


def joint_keys(robot: str, actions: Sequence[str]) -> tuple[str, ...]:
    """LeRobot's names of the joints in our order.

    Raises:
        DeviceError: for a robot that is not one arm driven by joint positions.
    """
    if others := [key for key in actions if not key.endswith(POSITION)]:
        raise DeviceError(f"{robot} is not driven by joint positions alone (it also takes "
                          f"{', '.join(others)}): the station drives arms")
    joints = [key for key in actions if GRIPPER not in key]
    grippers = [key for key in actions if GRIPPER in key]
    if len(grippers) > 1:
        raise DeviceError(f"{robot} has {len(grippers)} grippers ({', '.join(grippers)}): the "
                          "station drives one arm; name one of its arms by its own type")
    if not joints:
        raise DeviceError(f"{robot} has no joints beside its gripper: nothing to drive")
    return (*joints, *(grippers or [""]))


def joint_units(keys: tuple[str, ...], unit: Unit, lower: np.ndarray, upper: np.ndarray,
                gripper_open: float) -> JointUnits:
    """The units of a robot.

    Args:
        keys: from `joint_keys`.
        unit: of the joints, not of the gripper.
        lower, upper: (D - 1,) rad at -100 and at 100, for m100_100 only.
        gripper_open: the gripper's number when it is open; 0 is closed.

    Raises:
        DeviceError: if the unit is none, or an open gripper's number is that of a closed one.
    """
    if unit not in get_args(Unit):
        raise DeviceError(f"unknown unit {unit!r} of joints: valid are {', '.join(get_args(Unit))}")
    if not isinstance(gripper_open, int | float) or not math.isfinite(gripper_open) \
            or not gripper_open:
        raise DeviceError(f"gripper_open is {gripper_open!r}: give the gripper's number when it is "
                          f"open; it is 0 when it is closed")
    count = len(keys) - 1
    if unit == "m100_100":
        scale, offset = (upper - lower) / 200.0, (upper + lower) / 2.0
    else:
        scale, offset = np.full(count, np.pi / 180 if unit == "deg" else 1.0), np.zeros(count)
    gripper = 1.0 / gripper_open if keys[-1] else 1.0
    return JointUnits(keys, (*scale.tolist(), gripper), (*offset.tolist(), 0.0))

"""What a leader arm's readings mean: units, order, and whether a hand is moving it. Pure functions.

Knows the units in which LeRobot's leaders speak. Refuses to know LeRobot, threads and clocks.
Letters: D = joints + gripper.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np

from studio.devices.interfaces import DeviceError

_NS_PER_MS = 1_000_000


@dataclass(frozen=True)
class LeaderConfig:
    """Which leader, and how its readings are understood."""

    teleop_type: str
    """LeRobot's type name, such as so101_leader."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Fields of LeRobot's config, such as port and id."""
    joints: tuple[str, ...] = ()
    """LeRobot's names in our order, gripper last; empty keeps its order and puts 'gripper' last."""
    unit: Literal["deg", "rad", "m100_100"] = "deg"
    """Unit of the joint readings; m100_100 is LeRobot's -100..100 of the calibrated range."""
    lower_rad: tuple[float, ...] = ()
    """For m100_100: the robot's angle at -100, of each joint."""
    upper_rad: tuple[float, ...] = ()
    """For m100_100: the robot's angle at 100, of each joint."""
    gripper_open: float = 100.0
    """The gripper's reading when it is fully open; 0 is closed."""
    rate_hz: float = 60.0
    """How often the leader is read."""
    move: float = 0.03
    """A leader moved by so much (rad; gripper of 1) from where it rested counts as driven."""
    still: float = 0.01
    """A driven leader that moves less than this counts as still …"""
    still_ms: float = 300.0
    """… and after so long as let go."""
    silence_ms: float = 200.0
    """A leader without a reading for so long counts as stale; a dead servo blocks for 155 ms."""


class MotionState(msgspec.Struct, frozen=True):
    """Whether an arm without a clutch is being moved by hand.

    Attributes:
        anchor: (D,) where it rested, or where it was when it last moved.
    """

    anchor: np.ndarray
    moved_ns: int = 0
    engaged: bool = False


def motion_held(state: MotionState, config: LeaderConfig, now_ns: int) -> bool:
    """Whether the leader counts as driven now; it ends by the mere passing of still time."""
    return state.engaged and now_ns - state.moved_ns < config.still_ms * _NS_PER_MS


def next_motion(
    state: MotionState, joints: np.ndarray, config: LeaderConfig, stamp_ns: int
) -> MotionState:
    """The state after a reading (D,)."""
    moved = float(np.max(np.abs(joints - state.anchor)))
    if motion_held(state, config, stamp_ns):
        if moved > config.still:
            return MotionState(joints, stamp_ns, engaged=True)
        return state
    if state.engaged:
        return MotionState(joints)      # it has just come to rest here
    return MotionState(joints, stamp_ns, engaged=True) if moved > config.move else state


def joint_order(names: tuple[str, ...], config: LeaderConfig, percent: tuple[str, ...] = ()
                ) -> tuple[str, ...]:
    """LeRobot's names in our order.

    Args:
        names: as the leader says them.
        config: how they shall be understood.
        percent: of these, those that the leader is known to read in -100..100 of their range.

    Raises:
        DeviceError: if the configured names are not the leader's own, or a range is missing, or
            what is read in percent would be taken for an angle.
    """
    if percent and config.unit != "m100_100":
        raise DeviceError(f"{config.teleop_type} reads {', '.join(percent)} in -100..100 of their "
                          f"range, not in {config.unit}: set use_degrees where it has that field, "
                          f"or give unit m100_100 with lower_rad and upper_rad")
    if not config.joints:
        order = tuple(sorted(names, key=lambda name: "gripper" in name))
    elif sorted(config.joints) == sorted(names):
        order = config.joints
    else:
        raise DeviceError(f"leader joints {', '.join(config.joints)} do not fit "
                          f"{config.teleop_type}: valid are {', '.join(names)}")
    angles = sum("gripper" not in name for name in order)
    if config.unit == "m100_100" and not len(config.lower_rad) == len(config.upper_rad) == angles:
        raise DeviceError(f"a leader in m100_100 needs lower_rad and upper_rad of {angles} joints")
    return order


def joints_of(
    action: dict[str, float], order: tuple[str, ...], config: LeaderConfig
) -> np.ndarray:
    """(D,) rad and gripper 0..1 of a reading in LeRobot's names and units."""
    angles = np.array([action[name] for name in order if "gripper" not in name])
    if config.unit == "deg":
        angles = np.deg2rad(angles)
    elif config.unit == "m100_100":
        lower, upper = np.asarray(config.lower_rad), np.asarray(config.upper_rad)
        angles = lower + (np.clip(angles, -100, 100) + 100) / 200 * (upper - lower)
    gripper = [np.clip(action[name] / config.gripper_open, 0.0, 1.0)
               for name in order if "gripper" in name]
    return np.concatenate([angles, gripper])    # (D,)

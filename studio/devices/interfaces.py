"""What a robot and a teleoperator look like to the rest of the studio.

Shapes follow LeRobot 0.6.1 (`observation_features`, `connect`, `get_action`, …) without importing
it, because its base classes import torch. To these we add what LeRobot lacks: real stamps, streams
at their own rates, a clutch, and losing a device as an ordinary event.

Frames: `world` is the robot's base, x forward, y left, z up (ROS REP 103). `tool` is the point
between the finger tips. Quaternions are (w, x, y, z). Letters: D = joints + gripper.
"""

from enum import IntEnum
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np

from recorders.streams import Batch, StreamSpec


class DeviceError(RuntimeError):
    """A device cannot do what was asked; the message tells the operator what to do about it."""


class DeviceStatus(IntEnum):
    """What the operator sees about a device."""

    OFF = 0
    OK = 1
    STALE = 2       # still connected, but its last sample is older than it may be
    LOST = 3        # unplugged or silent; it is being looked for


class HumanInput(msgspec.Struct, frozen=True):
    """One reading of a teleoperator, mapped but not yet limited.

    Attributes:
        stamp_ns: when the device reported it (monotonic).
        status: if not OK, `twist` is zero and `enabled` is False.
        raw: (8,) the device's axes as reported, ROS convention, about -1..1, zero padded.
        buttons: bit i is button i.
        enabled: the clutch (dead-man) is held; motion happens only while it is.
        twist: (6,) vx vy vz in m/s and wx wy wz in rad/s of the tool, in the world frame.
        gripper: wanted opening 0 (closed) .. 1 (open), or None to leave it as it is.
        joints: (D,) absolute joint targets of a leader arm in rad, gripper 0..1; None for others.
        corrective: for a scripted operator that errs on purpose: (7,) the twist and gripper it
            would have given without the error, kept as a label; None otherwise.
    """

    stamp_ns: int
    status: DeviceStatus
    raw: np.ndarray
    buttons: int
    enabled: bool
    twist: np.ndarray
    gripper: float | None = None
    joints: np.ndarray | None = None
    corrective: np.ndarray | None = None


def idle_input(stamp_ns: int, status: DeviceStatus = DeviceStatus.OK) -> HumanInput:
    """An input that asks for nothing."""
    return HumanInput(stamp_ns, status, np.zeros(8), 0, False, np.zeros(6))


class RobotInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a robot declares before it is connected.

    Attributes:
        joint_names: D names, the gripper last. Position of a joint is in rad, of the gripper 0..1.
        lower, upper: (D,) position limits.
        max_velocity, max_acceleration, max_jerk: (D,) in rad/s, rad/s², rad/s³ (gripper 1/s, …).
        home: (D,) the posture that inverse kinematics prefers.
        model_xml: MJCF of the robot (and of its scene, when simulated); kept with the recordings.
        tool_site, arm_joints: names in that model: the tool's site, the joints without the gripper.
        streams: all that the robot will produce; one of them is "arm" (see FORMAT.md).
        workspace: corners of the box that the tool may be in, world frame, m; None: the station's.
        command_latency_ns: from a command to the motion that it asks for, as it was measured; noted
            with every recording. Actions are what was sent, so nothing is shifted by it.
    """

    name: str
    joint_names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    max_velocity: tuple[float, ...]
    max_acceleration: tuple[float, ...]
    max_jerk: tuple[float, ...]
    home: tuple[float, ...]
    model_xml: str
    tool_site: str
    arm_joints: tuple[str, ...]
    streams: tuple[StreamSpec, ...]
    workspace: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    command_latency_ns: int = 0


class RobotDriver(Protocol):
    """What the control loop asks of a robot. No call blocks; blocking belongs in a worker."""

    info: RobotInfo

    def connect(self) -> None:
        """Open the robot. Raises DeviceError with the remedy in its message."""
        ...

    def disconnect(self) -> None:
        """Hold the present position, then let go of the device."""
        ...

    def poll(self) -> list[Batch]:
        """Everything that arrived since the last call, per stream in order. Never blocks."""
        ...

    def send(self, target: np.ndarray) -> None:
        """Command absolute positions (D,): rad for joints, 0..1 for the gripper."""
        ...

    def hold(self) -> None:
        """Command the present position."""
        ...

    @property
    def fault(self) -> str:
        """Empty, or one sentence that says what is wrong and what to do."""
        ...


@runtime_checkable
class Resettable(Protocol):
    """A robot whose world can be set up anew: a simulator."""

    def reset(self, task: str, seed: int) -> str:
        """Set the scene for a task from a seed; returns the instruction to give."""
        ...

    def set_instruction(self, text: str) -> None:
        """Judge by other words from now on. Raises DeviceError if they name no goal."""
        ...


@runtime_checkable
class Rewindable(Protocol):
    """A robot whose world can be taken back to a moment that it has been in: a simulator."""

    def rewind(self, stamp_ns: int) -> int:
        """Go back to the newest kept moment that is not after a stamp (monotonic).

        Returns:
            The stamp of that moment, as the samples of it carry.

        Raises:
            DeviceError: no such moment is kept.
        """
        ...


class Teleoperator(Protocol):
    """A device with which a person (or a script) drives the arm. Shaped as LeRobot's."""

    name: str

    @property
    def action_features(self) -> dict[str, Any]:
        """Names and types in `get_action`'s dictionary."""
        ...

    @property
    def feedback_features(self) -> dict[str, Any]:
        """Names and types that `send_feedback` understands; empty for a plain device."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether the device is open; an unplugged one stays connected with status LOST."""
        ...

    def connect(self) -> None:
        """Open the device. Raises DeviceError with the remedy in its message."""
        ...

    def disconnect(self) -> None:
        """Close the device."""
        ...

    def read(self) -> HumanInput:
        """The newest input; never blocks, never raises for an unplugged device."""
        ...

    def get_action(self) -> dict[str, Any]:
        """LeRobot's view of `read`: a flat dictionary of floats."""
        ...

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Tell the device about the world: LED, force, or a scripted operator's observation."""
        ...

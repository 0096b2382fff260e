"""What the station and the robot's process say to each other, and nothing else.

Targets go one way as latest values, samples come back behind a `HostReport` (rows and pictures as
in wire.py), and requests are answered one by one. Knows neither end.
"""

import msgspec

from studio.devices.interfaces import RobotInfo

TARGET = "target"       # topic of Target


class Target(msgspec.Struct, frozen=True):
    """Where the robot is to be: (D,) as `RobotDriver.send` takes it."""

    stamp_ns: int
    position: tuple[float, ...]


class HostReport(msgspec.Struct, frozen=True):
    """Goes ahead of every message of the robot.

    Attributes:
        stamp_ns: the machine's monotonic clock.
        fault: empty, or one sentence with its remedy.
        held: the arm was stopped here because the station was silent.
        overflowed: messages that the station did not take in time.
    """

    stamp_ns: int
    fault: str
    held: bool
    overflowed: int


class Describe(msgspec.Struct, tag=True, frozen=True):
    """Asks what robot this is."""


class Reset(msgspec.Struct, tag=True, frozen=True):
    """Asks to set the scene up anew."""

    task: str
    seed: int


class Reword(msgspec.Struct, tag=True, frozen=True):
    """Asks the simulator to judge by other words."""

    text: str


class GoBack(msgspec.Struct, tag=True, frozen=True):
    """Asks the simulator to take its world back to the newest moment not after a stamp."""

    stamp_ns: int


RobotRequest = Describe | Reset | Reword | GoBack


class RobotReply(msgspec.Struct, frozen=True):
    """Answer to a RobotRequest.

    `info` comes with Describe, `value` is Reset's instruction, `moment_ns` where GoBack led.
    """

    accepted: bool
    stamp_ns: int = 0
    reason: str = ""
    value: str = ""
    info: RobotInfo | None = None
    resettable: bool = False
    rewindable: bool = False
    moment_ns: int = 0

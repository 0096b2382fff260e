"""What is known of how late a robot's devices are: told once, noted in what it declares.

A camera's latency is from the moment that a picture shows to its stamp, measured against the joint
readings, which are the reference. It goes with the stream's declaration to everybody who aligns
streams, live and recorded. Knows names and milliseconds; refuses to know how they were measured.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from studio.devices.interfaces import DeviceError, RobotInfo

COMMAND = "command"         # from a command to the arm's motion; the others are cameras
LONGEST_MS = 300.0          # a policy's feed keeps half a second


def with_latencies(info: RobotInfo, latency_ms: Mapping[str, Any]) -> RobotInfo:
    """A robot's declaration with latencies noted.

    Args:
        info: of the robot.
        latency_ms: camera, or `COMMAND`, to milliseconds.

    Raises:
        DeviceError: naming the valid cameras, or what is wrong with a number.
    """
    known = checked(latency_ms, [spec.name for spec in info.streams if spec.images])
    streams = tuple(msgspec.structs.replace(spec, latency_ns=known[spec.name])
                    if spec.name in known else spec for spec in info.streams)
    return msgspec.structs.replace(info, streams=streams,
                                   command_latency_ns=known.get(COMMAND, 0))


def checked(latency_ms: Mapping[str, Any], cameras: Collection[str]) -> dict[str, int]:
    """The same in ns.

    Raises:
        DeviceError: as for `with_latencies`.
    """
    valid = (*cameras, COMMAND)
    for name, late in latency_ms.items():
        if name not in valid:
            raise DeviceError(f"a latency of '{name}' is told, but valid are {', '.join(valid)}")
        if isinstance(late, bool) or not isinstance(late, int | float) \
                or not 0 <= late <= LONGEST_MS:
            raise DeviceError(f"the latency of '{name}' is a number of milliseconds from 0 to "
                              f"{LONGEST_MS:g}, not {late!r}")
    return {name: round(late * 1_000_000) for name, late in latency_ms.items()}

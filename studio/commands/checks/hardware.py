"""Devices: seen by the kernel, allowed to this user, and reachable through their libraries.

A device that is not plugged in is no fault: it is a line that says so.
"""

import ctypes.util
import grp
import os

from studio.commands.checks.finding import Finding, Surroundings
from studio.commands.checks.graphics import attempt
from studio.devices.probe import (
    UDEV_FILE,
    UDEV_RULES,
    USB3_MBIT_S,
    Found,
    gamepads,
    realsense_cameras,
    serial_ports,
    spacemice,
)

_UDEV_FIX = (f"write these lines to {UDEV_FILE}, then `sudo udevadm control --reload-rules && sudo "
             "udevadm trigger` and replug it:\n" + "\n".join(UDEV_RULES))
_REALSENSE_RULES = ("install librealsense's udev rules (99-realsense-libusb.rules, "
                    "github.com/IntelRealSense/librealsense, folder config) and replug it")


def check_hid_library(_: Surroundings) -> list[Finding]:
    """The C library through which pyspacemouse speaks."""
    if ctypes.util.find_library("hidapi-hidraw"):
        return [Finding("hid library", "ok", "libhidapi-hidraw is present")]
    return [Finding("hid library", "warn", "libhidapi-hidraw is missing: no SpaceMouse",
                    "apt install libhidapi-hidraw0")]


def check_spacemouse(around: Surroundings) -> list[Finding]:
    """A SpaceMouse that this user may open."""
    return _judge("spacemouse", spacemice(around.root), _UDEV_FIX,
                  "plug it in; keyboard, gamepad and leader arms work without")


def check_gamepad(around: Surroundings) -> list[Finding]:
    """A gamepad that this user may open."""
    return _judge("gamepad", gamepads(around.root),
                  "sudo usermod -aG input $USER, then log in again",
                  "plug it in; everything works without")


def check_serial(around: Surroundings) -> list[Finding]:
    """Serial ports of leader and follower arms."""
    return _judge("serial ports", serial_ports(around.root),
                  "sudo usermod -aG dialout $USER, then log in again",
                  "plug in the arm's USB adapter; the simulated arm works without" + (
                      "" if _in_group("dialout") else "; sudo usermod -aG dialout $USER as well"))


def check_realsense(around: Surroundings) -> list[Finding]:
    """RealSense cameras on a fast port, and their library."""
    reason = attempt("import pyrealsense2; pyrealsense2.context().query_devices()")
    if reason:
        return [Finding("realsense", "warn", f"pyrealsense2 does not work ({reason})",
                        "apt install libusb-1.0-0")]
    cameras = realsense_cameras(around.root)
    slow = [c for c in cameras if 0 < c.speed_mbit_s < USB3_MBIT_S]
    if slow:
        names = ", ".join(f"{c.name} at {c.speed_mbit_s} Mbit/s" for c in slow)
        return [Finding("realsense", "warn", f"on a slow USB port: {names}",
                        "use a USB 3 port (5000 Mbit/s) and the cable that came with the camera")]
    return _judge("realsense", cameras, _REALSENSE_RULES,
                  "plug it in; the simulated cameras work without")


def _judge(area: str, found: list[Found], permission_fix: str, absent_fix: str) -> list[Finding]:
    if not found:
        return [Finding(area, "warn", "none is plugged in", absent_fix)]
    closed = [f for f in found if not f.usable]
    if closed:
        return [Finding(area, "warn", f"not allowed to open {_named(closed)}", permission_fix)]
    return [Finding(area, "ok", _named(found))]


def _named(found: list[Found]) -> str:
    return ", ".join(f"{f.name} ({f.node})" for f in found)


def _in_group(name: str) -> bool:
    """Whether this user may do what a group may."""
    try:
        return os.geteuid() == 0 or grp.getgrnam(name).gr_gid in os.getgroups()
    except KeyError:
        return True     # this system has no such group, so it asks for none

"""What is plugged into this Linux machine, without opening any of it and without any driver.

Reads the kernel's own lists (sysfs, procfs, /dev), so it works when a library is missing or a
permission is, and says which of the two it is. Refuses to know how a device is used.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

SPACEMOUSE_VENDOR = 0x256F
LOGITECH_SPACEMICE = (0x046D, (0xC625, 0xC626, 0xC627, 0xC629, 0xC62B))
REALSENSE_VENDOR = "8086"
USB3_MBIT_S = 5000

UDEV_FILE = "/etc/udev/rules.d/70-spacemouse.rules"     # below 73, or uaccess comes too late
UDEV_RULES = (
    'SUBSYSTEM=="hidraw", KERNELS=="*:256F:*", MODE="0660", GROUP="input", TAG+="uaccess"',
    'SUBSYSTEM=="hidraw", KERNELS=="*:046D:C62[5679B].*", MODE="0660", GROUP="input", '
    'TAG+="uaccess"',
    'SUBSYSTEM=="usb", ATTRS{idVendor}=="256f", MODE="0660", GROUP="input", TAG+="uaccess"',
)


class Found(msgspec.Struct, frozen=True):
    """A device that the kernel sees."""

    name: str
    node: str               # in /dev
    usable: bool            # this user may open it
    speed_mbit_s: int = 0   # of USB, where it matters


def spacemice(root: Path = Path("/")) -> list[Found]:
    """HID interfaces of 3Dconnexion devices."""
    return [Found(name, node, _may_open(root, node)) for name, node in _hidraw(root)]


def _hidraw(root: Path) -> Iterator[tuple[str, str]]:
    for folder in sorted((root / "sys/class/hidraw").glob("hidraw*")):
        facts = dict(line.split("=", 1) for line in _text(folder / "device/uevent").splitlines()
                     if "=" in line)
        try:
            _, vendor, product = (int(part, 16) for part in facts["HID_ID"].split(":"))
        except (KeyError, ValueError):
            continue    # not a HID device as we know them
        logitech, models = LOGITECH_SPACEMICE
        if vendor == SPACEMOUSE_VENDOR or (vendor == logitech and product in models):
            yield facts.get("HID_NAME", "SpaceMouse"), f"/dev/{folder.name}"


def gamepads(root: Path = Path("/")) -> list[Found]:
    """Input devices that the kernel itself takes for joysticks."""
    found = []
    for block in _text(root / "proc/bus/input/devices").split("\n\n"):
        lines = dict(line[3:].split("=", 1) for line in block.splitlines() if "=" in line[3:])
        handlers = lines.get("Handlers", "").split()
        if any(handler.startswith("js") for handler in handlers):
            events = [handler for handler in handlers if handler.startswith("event")]
            node = f"/dev/input/{events[0] if events else handlers[0]}"
            found.append(Found(lines.get("Name", "gamepad").strip('"'), node,
                               _may_open(root, node, os.R_OK)))
    return found


def serial_ports(root: Path = Path("/")) -> list[Found]:
    """Ports on which servo buses hang; named after the adapter where udev knows it."""
    adapters = {link.resolve().name: link.name
                for link in (root / "dev/serial/by-id").glob("*")}
    ports = [*(root / "dev").glob("ttyACM*"), *(root / "dev").glob("ttyUSB*")]
    return [Found(adapters.get(port.name, "serial port"), f"/dev/{port.name}",
                  _may_open(root, f"/dev/{port.name}")) for port in sorted(ports)]


def realsense_cameras(root: Path = Path("/")) -> list[Found]:
    """RealSense cameras with the speed of the USB port that they hang on."""
    found = []
    for folder in sorted((root / "sys/bus/usb/devices").glob("*")):
        name = _text(folder / "product")
        if _text(folder / "idVendor") != REALSENSE_VENDOR or "realsense" not in name.lower():
            continue
        bus, device = (_text(folder / part) for part in ("busnum", "devnum"))
        node = f"/dev/bus/usb/{bus:0>3}/{device:0>3}"
        speed = _text(folder / "speed")
        found.append(Found(name, node, _may_open(root, node),
                           int(speed) if speed.isdecimal() else 0))
    return found


def _text(path: Path) -> str:
    """A small file of the kernel's; empty if it is not there."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _may_open(root: Path, node: str, how: int = os.R_OK | os.W_OK) -> bool:
    return os.access(root / node.lstrip("/"), how)

"""The seam to pyspacemouse: which SpaceMice are plugged in, and an open one that can be drained.

Knows pyspacemouse's public API and the two HID backends it stands on: easyhid (2.1) and
cython-hidapi (its main branch since pull request 58). Refuses to know mapping, threads and time.

Hazards found in pyspacemouse 2.1 and met here: `read()` parses one report and returns the same
mutable object each time; values are not clipped; after an unplug the last motion stays in its
state for ever; a receiver shows several interfaces under one vendor and product; it prints. It
keeps no raw reports, which help a person to see that a device works: they are overheard on their
way to its parser.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec

from studio.devices.interfaces import DeviceError

REMEDY_LIBRARY = "install the HID library: apt install libhidapi-hidraw0"
REMEDY_ACCESS = "allow access with the udev rules that `tandem doctor` prints, then replug it"
_MULTI_AXIS_CONTROLLER = (1, 8)     # HID usage page and usage of a six-axis puck
_UNIVERSAL_RECEIVER = (0x256F, 0xC652)
_RECEIVER_INTERFACE = 1             # where its axes are (pyspacemouse issue 49)
_MOST_REPORTS = 256                 # per drain: a device gone mad must not hold the thread


class HidInterface(msgspec.Struct, frozen=True, kw_only=True):
    """One HID interface that a SpaceMouse may speak on."""

    path: str
    vendor_id: int
    product_id: int
    serial: str = ""
    interface: int = -1
    product: str = ""
    usage: tuple[int, int] = (0, 0)     # usage page, usage; zeros when the backend does not say

    def same_device(self, other: "HidInterface") -> bool:
        """Whether this is the same interface of the same device, under whatever path."""
        if (self.vendor_id, self.product_id, self.interface) != (
            other.vendor_id, other.product_id, other.interface,
        ):
            return False
        return not self.serial or not other.serial or self.serial == other.serial


class Report(msgspec.Struct, frozen=True):
    """A copy of the device's state after one report: six ROS axes and the button bits."""

    axes: tuple[float, ...]     # x y z roll pitch yaw, about -1..1
    buttons: int


class SpaceMouseGone(Exception):
    """The device is unplugged, or reading it failed."""


def _backend_interfaces() -> Iterator[HidInterface]:
    """Every HID interface that pyspacemouse's backend lists."""
    import pyspacemouse.api as api

    if hasattr(api, "Enumeration"):     # easyhid
        for found in api.Enumeration().find():
            yield HidInterface(
                path=found.path, vendor_id=found.vendor_id, product_id=found.product_id,
                serial=found.serial_number or "", interface=found.interface_number,
                product=found.product_string or "", usage=(found.usage_page, found.usage),
            )
        return
    from pyspacemouse import _hid  # pyright: ignore[reportAttributeAccessIssue]

    for found in _hid.get_hid().enumerate():
        path = found["path"]
        yield HidInterface(
            path=path.decode() if isinstance(path, bytes) else path,
            vendor_id=found["vendor_id"], product_id=found["product_id"],
            serial=found.get("serial_number") or "", interface=found.get("interface_number", -1),
            product=found.get("product_string") or "",
            usage=(found.get("usage_page", 0), found.get("usage", 0)),
        )


def list_spacemice() -> list[HidInterface]:
    """The interfaces of supported devices, one per path, the likeliest to carry axes first.

    Raises:
        DeviceError: if the HID library is missing.
    """
    import pyspacemouse

    supported = {(vendor, product) for _, vendor, product in pyspacemouse.get_supported_devices()}
    try:
        found = [i for i in _backend_interfaces() if (i.vendor_id, i.product_id) in supported]
    except (AttributeError, ImportError, OSError) as error:
        raise DeviceError(f"the HID library does not answer ({error}): {REMEDY_LIBRARY}") from error
    return sorted({i.path: i for i in sorted(found, key=_likelihood)}.values(), key=_likelihood,
                  reverse=True)


def _likelihood(candidate: HidInterface) -> tuple[bool, bool, int]:
    """Sort key, ascending: does this interface carry the axes? Then a steady order."""
    receiver = (candidate.vendor_id, candidate.product_id) == _UNIVERSAL_RECEIVER
    return (
        receiver and candidate.interface == _RECEIVER_INTERFACE,
        candidate.usage == _MULTI_AXIS_CONTROLLER,
        -candidate.interface,
    )


class _Overheard:
    """A backend's device that remembers what was read from it."""

    def __init__(self, device: Any) -> None:
        self._device, self.last = device, b""

    def read(self, *arguments: Any, **options: Any) -> Any:
        if report := self._device.read(*arguments, **options):
            self.last = bytes(report)
        return report

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)


class SpaceMousePort:
    """One open interface."""

    def __init__(self, interface: HidInterface) -> None:
        """Open an interface.

        Raises:
            DeviceError: with the remedy, if it cannot be opened.
        """
        import pyspacemouse
        import pyspacemouse.api as api

        # It greets on stdout, which belongs to `--json`; redirecting stdout is not thread-safe.
        api.print = lambda *_: None  # pyright: ignore[reportAttributeAccessIssue]
        self.interface = interface
        try:
            self._mouse: Any = pyspacemouse.open_by_path(
                interface.path, axis_convention=pyspacemouse.AxisConvention.ROS, nonblocking=True)
        except FileNotFoundError as error:
            raise DeviceError(f"SpaceMouse at {interface.path} is gone: replug it") from error
        except (OSError, RuntimeError, ValueError) as error:
            raise DeviceError(
                f"SpaceMouse at {interface.path} cannot be opened: {REMEDY_ACCESS}") from error
        self._failures = _failures()
        self._last_report_s = -1.0      # its stamp before any report
        self._line: _Overheard | None = None
        if (line := getattr(self._mouse, "_device", None)) is not None:
            self._line = self._mouse._device = _Overheard(line)

    @property
    def last_bytes(self) -> bytes:
        """The newest raw report; empty before any, and where none can be overheard."""
        return self._line.last if self._line else b""

    def drain(self) -> list[Report]:
        """All reports that wait, oldest first; never blocks.

        Raises:
            SpaceMouseGone: if the device does not answer any more.
        """
        reports: list[Report] = []
        for _ in range(_MOST_REPORTS):
            try:
                state = self._mouse.read()
            except self._failures as error:
                raise SpaceMouseGone(str(error)) from error
            if state.t == self._last_report_s:
                break
            self._last_report_s = state.t
            axes = (state.x, state.y, state.z, state.roll, state.pitch, state.yaw)
            pressed = sum(1 << i for i, down in enumerate(state.buttons) if down)
            reports.append(Report(axes, pressed))
        return reports

    def set_led(self, on: bool) -> None:
        """Switch the light; devices without one ignore it, and pyspacemouse hides failures."""
        self._mouse.set_led(on)

    def close(self) -> None:
        """Let go of the device; closing a vanished one is no error."""
        with contextlib.suppress(*self._failures):
            self._mouse.close()


def _failures() -> tuple[type[Exception], ...]:
    """What reading an unplugged device raises, by backend."""
    try:
        from easyhid import HIDException
    except ImportError:
        return (OSError, ValueError, RuntimeError)
    return (HIDException, OSError, ValueError, RuntimeError)

"""The SpaceMouse through pyspacemouse's real code, over a stand-in for the HID library."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from doubles.hid_sockets import HidSocket, build_library
from doubles.remote_device import RemoteDevice

from recorders.clock import ManualClock
from studio.devices.interfaces import DeviceError, DeviceStatus
from studio.devices.spacemouse import SpaceMouse
from studio.devices.spacemouse_port import HidInterface, list_spacemice

pytestmark = pytest.mark.alone

COMPACT = (0x256F, 0xC635)
WIRELESS = (0x256F, 0xC62E)
RECEIVER = (0x256F, 0xC652)
MS = 1_000_000

OpenDevice = Callable[..., RemoteDevice]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = build_library(tmp_path_factory.mktemp("hidapi"))
    if built is None:
        pytest.skip("no C compiler for the stand-in hidapi")
    return built


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where interfaces are plugged in; short, as paths of Unix sockets must be."""
    made = Path(tempfile.mkdtemp(prefix="hid"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def plug(folder: Path) -> Iterator[Callable[..., HidSocket]]:
    sockets: list[HidSocket] = []

    def plugged(ids: tuple[int, int], **options: Any) -> HidSocket:
        sockets.append(HidSocket(folder, *ids, **options))
        sockets[-1].plug()
        return sockets[-1]

    yield plugged
    for made in sockets:
        made.unplug()


@pytest.fixture
def device(library: Path, folder: Path) -> Iterator[OpenDevice]:
    made: list[RemoteDevice] = []

    def prepare(**options: Any) -> RemoteDevice:
        made.append(RemoteDevice(library, folder, **options))
        return made[-1]

    yield prepare
    for each in made:
        each.end()


def pushed(mouse: RemoteDevice) -> list[float]:
    """The first six axes after the device has taken what was sent."""
    mouse.call("poll")
    return mouse.read().raw.tolist()[:6]


def test_axes_of_a_wired_device_are_ros_forward_left_up(device: OpenDevice, plug):
    puck = plug(COMPACT)
    mouse = device()
    mouse.connect()
    puck.opened()
    puck.move(y=-350)       # HID: away from the user
    assert pushed(mouse) == [1, 0, 0, 0, 0, 0]
    puck.move(x=-175)       # HID: to the left
    assert pushed(mouse) == [0, 0.5, 0, 0, 0, 0]
    puck.move(z=-350)       # HID: up
    assert pushed(mouse) == [0, 0, 1, 0, 0, 0]
    puck.move()
    puck.report(2, 0, 0, 0, 0, 0xA2, 0xFE)      # -350 about HID z: counterclockwise from above
    assert pushed(mouse) == [0, 0, 0, 0, 0, 1]
    assert mouse.call("last_report") == "02 00 00 00 00 a2 fe"      # what the hardware said


def test_one_report_of_a_wireless_device_carries_all_six_axes_and_is_clipped(
    device: OpenDevice, plug
):
    puck = plug(WIRELESS)
    mouse = device()
    mouse.connect()
    puck.opened()
    counts = [-500, 0, 0, 0, 0, 175]       # 500 of 350: pyspacemouse alone would say 1.43
    puck.report(1, *b"".join(c.to_bytes(2, "little", signed=True) for c in counts))
    assert pushed(mouse) == [0, 1, 0, 0, 0, -0.5]
    puck.report(3, 2, 0)        # the right button
    mouse.call("poll")
    reading = mouse.read()
    assert reading.buttons == 2
    assert reading.gripper == 1.0


def test_a_burst_of_reports_is_drained_to_the_newest(device: OpenDevice, plug):
    puck = plug(COMPACT)
    mouse = device()
    mouse.connect()
    puck.opened()
    for count in range(41):
        puck.move(y=-count)
    assert pushed(mouse)[0] == pytest.approx(40 / 350)


def test_a_press_and_release_within_one_drain_still_moves_the_gripper(device: OpenDevice, plug):
    puck = plug(COMPACT)
    mouse = device()
    mouse.connect()
    puck.opened()
    puck.report(3, 1, 0)
    puck.report(3, 0, 0)
    mouse.call("poll")
    assert mouse.read().gripper == 0.0


def test_a_deflected_device_that_falls_silent_is_stale_until_it_speaks(device: OpenDevice, plug):
    puck = plug(COMPACT)
    mouse = device()
    mouse.connect()
    puck.opened()
    puck.move(y=-350)
    puck.move(y=-350)
    mouse.call("poll")
    assert mouse.read().enabled
    mouse.call("advance", 61 * MS)
    mouse.call("poll")
    reading = mouse.read()
    assert reading.status == DeviceStatus.STALE
    assert not reading.enabled and not reading.twist.any()
    puck.move(y=-350)
    mouse.call("poll")
    assert mouse.read().status == DeviceStatus.OK


def test_the_light_follows_the_owner_and_is_lit_again_after_a_replug(device: OpenDevice, plug):
    puck = plug(COMPACT)
    mouse = device()
    mouse.connect()
    puck.opened()
    mouse.send_feedback({"led": True})
    mouse.call("poll")
    lit = puck.written()
    mouse.send_feedback({"led": False})
    mouse.call("poll")
    dark = puck.written()
    assert lit[-2:] == b"\x04\x01"
    assert dark[-2:] == b"\x04\x00"
    mouse.send_feedback({"led": True})
    puck.unplug()
    mouse.call("poll")
    puck.plug()
    mouse.call("poll")
    puck.opened()
    mouse.call("poll")
    assert puck.written() == lit


def test_a_device_that_comes_back_under_another_path_is_found_by_its_identity(
    device: OpenDevice, plug
):
    puck = plug(COMPACT)
    mouse = device()
    mouse.connect()
    puck.opened()
    puck.unplug()
    mouse.call("poll")
    other = plug(COMPACT, serial="B2", name="1")    # somebody else's
    mouse.call("poll")
    assert mouse.read().status == DeviceStatus.LOST
    again = plug(COMPACT, name="2")
    mouse.call("poll")
    again.opened()
    again.move(y=-350)
    assert pushed(mouse)[0] == 1.0
    assert other.path != again.path


def test_a_receiver_is_opened_at_the_interface_that_carries_the_axes(device: OpenDevice, plug):
    keys, axes = plug(RECEIVER, interface=0, usage=6), plug(RECEIVER, interface=1)
    mouse = device()
    listed = mouse.call("list")
    assert [entry["path"] for entry in listed] == [str(axes.path), str(keys.path)]
    mouse.connect()
    axes.opened()
    counts = (0, -350, 0, 0, 0, 0)
    axes.report(1, *b"".join(c.to_bytes(2, "little", signed=True) for c in counts))
    assert pushed(mouse)[0] == 1.0


def test_path_and_interface_can_be_chosen_and_a_wrong_choice_lists_the_valid_ones(
    device: OpenDevice, plug
):
    first, second = plug(RECEIVER, interface=0), plug(RECEIVER, interface=2)
    chosen = device(interface=2)
    chosen.connect()
    second.opened()
    by_path = device(path=str(first.path))
    by_path.connect()
    first.opened()
    wrong = device(interface=7)
    with pytest.raises(DeviceError, match=str(first.path)) as refused:
        wrong.connect()
    assert str(second.path) in str(refused.value)


def test_without_a_device_connecting_says_what_to_do(device: OpenDevice):
    mouse = device()
    with pytest.raises(DeviceError, match="plug it in"):
        mouse.connect()
    assert not mouse.is_connected


def test_a_device_that_refuses_to_open_names_the_udev_rules(device: OpenDevice, plug):
    puck = plug(COMPACT)
    puck.path.unlink()
    puck.path.touch()       # listed, but nobody may open it
    with pytest.raises(DeviceError, match="udev"):
        device().connect()


def test_the_reader_thread_shows_what_its_driver_throws_and_goes_on():
    clock = ManualClock()

    def broken() -> list[HidInterface]:
        raise ZeroDivisionError("inside a driver")

    mouse = SpaceMouse(clock, find=broken)
    assert mouse._reader is not None
    mouse._reader.start()
    assert mouse._reader.wait_for_rounds(1, timeout_s=30)
    mouse._reader.stop()
    assert "inside a driver" in mouse.fault


def test_the_other_hid_backend_lists_the_same_interfaces(monkeypatch: pytest.MonkeyPatch):
    """cython-hidapi's dictionaries, as pyspacemouse's main branch gets them."""
    import pyspacemouse.api

    monkeypatch.delattr(pyspacemouse.api, "Enumeration")
    backend: Any = ModuleType("pyspacemouse._hid")
    backend.get_hid = lambda: SimpleNamespace(enumerate=lambda: [
        {"path": b"/dev/hidraw3", "vendor_id": 0x256F, "product_id": 0xC635,
         "serial_number": "", "release_number": 1, "manufacturer_string": "3Dconnexion",
         "product_string": "SpaceMouse Compact", "usage_page": 1, "usage": 8,
         "interface_number": 0, "bus_type": 1},
        {"path": b"/dev/hidraw0", "vendor_id": 0x1234, "product_id": 0x5678},
    ])
    monkeypatch.setitem(sys.modules, "pyspacemouse._hid", backend)
    monkeypatch.setattr("pyspacemouse._hid", backend, raising=False)
    assert list_spacemice() == [HidInterface(
        path="/dev/hidraw3", vendor_id=0x256F, product_id=0xC635, interface=0,
        product="SpaceMouse Compact", usage=(1, 8))]

"""Teleoperators by name, and the thread that every device may own."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recorders.clock import ManualClock
from studio.devices.absent import AbsentTeleoperator
from studio.devices.interfaces import DeviceError
from studio.devices.reader import DeviceReader
from studio.devices.registry import make_teleoperator, register, teleoperator_names

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["gamepad", "keyboard", "spacemouse"])
def test_every_built_in_name_makes_a_device_of_that_name(name):
    assert make_teleoperator(name, ManualClock()).name == name
    assert name in teleoperator_names()


def test_a_leader_is_named_after_its_lerobot_type():
    leader = make_teleoperator("leader:so101_leader", ManualClock(), fields={"port": "/dev/x"})
    assert leader.name == "leader:so101_leader"
    assert not leader.is_connected


@pytest.mark.parametrize("name", ["joystick", "leader:", ""])
def test_an_unknown_name_lists_the_valid_ones(name):
    with pytest.raises(DeviceError, match=r"valid are .*gamepad, keyboard") as refused:
        make_teleoperator(name, ManualClock())
    assert "leader:<lerobot type>" in str(refused.value)


def test_options_are_plain_values_such_as_json_carries_them():
    mouse = make_teleoperator("spacemouse", ManualClock(), path="/dev/hidraw9", mapping={
        "axes": {"scale": [0.1, 0.1, 0.1, 0.4, 0.4, 0.4]}, "gripper": {"toggle": True}})
    config = getattr(mouse, "_config")      # noqa: B009 - no device shows its config
    assert config.path == "/dev/hidraw9"
    assert config.mapping.axes.scale == (0.1, 0.1, 0.1, 0.4, 0.4, 0.4)
    assert config.mapping.gripper.toggle
    assert config.mapping.axes.dead_zone == 0.05    # what is not said stays


@pytest.mark.parametrize(("options", "words"), [
    ({"speed": 2}, "no option speed: valid are path, interface"),
    ({"interface": "first"}, "refuses its options"),
    ({"mapping": {"axes": {"dead_zone": 5}}}, "dead zone 5.0 is not valid"),
])
def test_wrong_options_are_refused_with_what_is_valid(options, words):
    with pytest.raises(DeviceError, match=words):
        make_teleoperator("spacemouse", ManualClock(), **options)


def test_another_room_adds_a_device_with_one_line_but_may_not_take_a_name():
    register("somebody", AbsentTeleoperator)
    register("somebody", AbsentTeleoperator)    # importing twice is no mistake
    assert isinstance(make_teleoperator("somebody", ManualClock()), AbsentTeleoperator)
    assert "somebody" in teleoperator_names()
    for taken in ("somebody", "spacemouse", "leader:mine"):
        with pytest.raises(DeviceError, match="taken"):
            register(taken, lambda clock: AbsentTeleoperator(clock))


def test_naming_and_making_devices_imports_no_driver():
    code = ("import sys\nfrom recorders.clock import ManualClock\n"
            "from studio.devices.registry import *\n"
            "for name in ('spacemouse', 'gamepad', 'keyboard', 'leader:so101_leader'):\n"
            "    make_teleoperator(name, ManualClock())\n"
            "drivers = ('pyspacemouse', 'pygame', 'lerobot', 'torch')\n"
            "print([driver for driver in drivers if driver in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_goes_round_until_stopped_and_tidies_up_in_its_own_thread():
    seen: list[str] = []
    reader = DeviceReader("round", lambda: seen.append(threading.current_thread().name) or 0.0,
                          seen.append, lambda: seen.append(threading.current_thread().name + "!"))
    reader.start()
    reader.start()      # no second thread
    assert reader.wait_for_rounds(5, timeout_s=30)
    reader.stop()
    assert not reader.running
    assert seen[-1] == "round!"
    assert set(seen) == {"round", "round!"}
    reader.stop()


def test_a_reader_reports_what_its_step_throws_and_tries_again():
    faults: list[str] = []
    tries = iter([True, False])

    def step() -> float:
        if next(tries, False):
            raise OSError("the driver")
        return 0.0

    reader = DeviceReader("shaky", step, faults.append)
    reader.start()
    assert reader.wait_for_rounds(2, timeout_s=30)
    reader.stop()
    assert faults == ["shaky: OSError: the driver"]

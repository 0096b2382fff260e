"""What every teleoperator promises, simulated or real: one suite, and one line per device."""

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles.hid_sockets import build_library
from doubles.rigs import (
    AbsentRig,
    GamepadRig,
    KeyboardRig,
    LeaderRig,
    Rig,
    ScriptedRig,
    SpaceMouseRig,
)

from studio.devices.interfaces import DeviceStatus, HumanInput, Teleoperator

pytestmark = pytest.mark.alone

MAX_SPEED_M_S, MAX_TURN_RAD_S = 0.25, 0.8
CLUTCH_OPENS_MS = 300

RIGS: dict[str, Callable[[Path, Path | None], Rig]] = {
    "spacemouse": SpaceMouseRig,
    "gamepad": GamepadRig,
    "keyboard": KeyboardRig,
    "leader": LeaderRig,
    "scripted": ScriptedRig,
    "absent": AbsentRig,
}


@pytest.fixture(scope="module")
def hid_library(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    return build_library(tmp_path_factory.mktemp("hidapi"))


@pytest.fixture(scope="module", params=RIGS)
def built_rig(request: pytest.FixtureRequest, hid_library: Path | None) -> Iterator[Rig]:
    """A connected device; one per module, because LeRobot takes seconds to import."""
    if request.param == "spacemouse" and hid_library is None:
        pytest.skip("no C compiler for the stand-in hidapi")
    # Not tmp_path: the path of a Unix socket may have 100 characters only.
    folder = Path(tempfile.mkdtemp(prefix="rig"))
    rig = RIGS[request.param](folder, hid_library)
    try:
        features = dict(rig.device.action_features), dict(rig.device.feedback_features)
        assert all(isinstance(name, str) for part in features for name in part)
        rig.connect()
        yield rig
    finally:
        rig.close()
        shutil.rmtree(folder)


@pytest.fixture
def rig(built_rig: Rig) -> Rig:
    """The device connected and at rest."""
    built_rig.connect()
    let_go(built_rig)
    return built_rig


def let_go(rig: Rig) -> None:
    rig.rest()
    rig.pass_ms(CLUTCH_OPENS_MS + 100)


def is_idle(reading: HumanInput) -> bool:
    return not reading.enabled and not np.any(reading.twist)


def is_bounded(reading: HumanInput) -> bool:
    joints = np.zeros(1) if reading.joints is None else reading.joints
    numbers = np.concatenate([reading.raw, reading.twist, joints])
    return bool(
        reading.raw.shape == (8,) and reading.twist.shape == (6,)
        and np.all(np.isfinite(numbers))
        and np.all(np.abs(reading.raw) <= 1.0)
        and np.all(np.abs(reading.twist[:3]) <= MAX_SPEED_M_S + 1e-9)
        and np.all(np.abs(reading.twist[3:]) <= MAX_TURN_RAD_S + 1e-9)
        and np.all(np.abs(joints) <= 2 * np.pi)
        and (reading.gripper is None or 0.0 <= reading.gripper <= 1.0)
        and isinstance(reading.buttons, int) and reading.buttons >= 0
    )


@pytest.fixture
def pushable(rig: Rig) -> Rig:
    if not rig.pushable:
        pytest.skip("nobody can push this device")
    return rig


@pytest.fixture
def pluggable(pushable: Rig) -> Rig:
    if not pushable.lost_after_ms:
        pytest.skip("this device has no cable")
    return pushable


def test_a_device_fits_the_protocol(rig: Rig):
    for member in Teleoperator.__annotations__ | vars(Teleoperator):
        if not member.startswith("_"):
            assert hasattr(rig.device, member), member
    assert rig.device.name


def test_at_rest_nothing_is_asked_for_and_nothing_is_wrong(rig: Rig):
    reading = rig.device.read()
    assert reading.status == DeviceStatus.OK
    assert is_idle(reading)
    assert reading.gripper is None


def test_a_pushed_device_is_enabled_within_three_samples_and_stays_bounded(pushable: Rig):
    pushable.push()
    pushable.pass_ms(30)
    for _ in range(20):
        pushable.pass_ms(10)
        reading = pushable.device.read()
        assert reading.status == DeviceStatus.OK
        assert reading.enabled
        assert is_bounded(reading)
        assert np.any(reading.twist) or reading.joints is not None


def test_a_device_let_go_asks_for_nothing_at_once_and_opens_its_clutch_soon(pushable: Rig):
    pushable.push()
    pushable.pass_ms(100)
    pushable.rest()
    pushable.pass_ms(20)
    assert not np.any(pushable.device.read().twist)
    pushable.pass_ms(CLUTCH_OPENS_MS + 10)
    assert not pushable.device.read().enabled


def test_a_reading_is_never_changed_by_what_comes_after_it(pushable: Rig):
    pushable.push()
    pushable.pass_ms(100)
    reading = pushable.device.read()
    before = reading.raw.copy(), reading.twist.copy()
    let_go(pushable)
    assert np.array_equal(reading.raw, before[0])
    assert np.array_equal(reading.twist, before[1])


def test_stamps_never_run_backwards_or_ahead(pushable: Rig):
    pushable.push()
    stamps = []
    for _ in range(10):
        pushable.pass_ms(10)
        stamps.append(pushable.device.read().stamp_ns)
    assert stamps == sorted(stamps)
    assert len(set(stamps)) > 1


def test_the_stamp_of_a_healthy_resting_device_stays_fresh(rig: Rig):
    first_ns = rig.device.read().stamp_ns
    rig.pass_ms(1000)
    assert rig.device.read().stamp_ns - first_ns >= 900_000_000


def test_an_unplugged_device_is_lost_and_asks_for_nothing(pluggable: Rig):
    pluggable.push()
    pluggable.pass_ms(100)
    assert pluggable.device.read().enabled
    pluggable.unplug()
    pluggable.pass_ms(pluggable.lost_after_ms)
    for _ in range(5):
        reading = pluggable.device.read()
        assert reading.status == DeviceStatus.LOST
        assert is_idle(reading)
        assert is_bounded(reading)
        pluggable.pass_ms(100)
    assert pluggable.device.is_connected
    assert getattr(pluggable.device, "fault", "")     # what to do about it, in words
    pluggable.replug()
    pluggable.pass_ms(100)


def test_a_replugged_device_is_well_again_but_holds_nothing_of_before(pluggable: Rig):
    pluggable.push()
    pluggable.pass_ms(100)
    pluggable.unplug()
    pluggable.pass_ms(pluggable.lost_after_ms)
    pluggable.replug()
    pluggable.pass_ms(10)
    reading = pluggable.device.read()
    assert reading.status == DeviceStatus.OK
    assert is_idle(reading)
    assert getattr(pluggable.device, "fault", "") == ""
    pluggable.push()
    pluggable.pass_ms(100)
    assert pluggable.device.read().enabled


def test_the_action_has_exactly_the_declared_keys_and_finite_numbers(rig: Rig):
    for step in (rig.rest, rig.push):
        step()
        rig.pass_ms(50)
        action = rig.device.get_action()
        assert set(action) == set(rig.device.action_features)
        assert all(math.isfinite(value) for value in action.values())


def test_feedback_with_unknown_keys_is_accepted(rig: Rig):
    rig.device.send_feedback({})
    rig.device.send_feedback({"a key of another device": 1.0, "led": True})
    rig.pass_ms(20)
    assert rig.device.read().status == DeviceStatus.OK


def test_connecting_twice_and_disconnecting_twice_is_no_error(rig: Rig):
    rig.connect()
    assert rig.device.is_connected
    rig.device.disconnect()
    rig.device.disconnect()
    if rig.device.name != "none":
        assert not rig.device.is_connected
        assert rig.device.read().status == DeviceStatus.OFF
    assert is_idle(rig.device.read())
    rig.connect()
    rig.pass_ms(20)
    assert rig.device.is_connected
    assert rig.device.read().status == DeviceStatus.OK

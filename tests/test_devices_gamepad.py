"""The gamepad through pygame, driven by SDL's own virtual joystick."""

from collections.abc import Iterator

import pytest
from doubles.virtual_pad import CONTROLLER, VirtualPad

from recorders.clock import ManualClock
from studio.devices.gamepad import Gamepad, GamepadConfig
from studio.devices.interfaces import DeviceError, DeviceStatus
from studio.devices.sdl_pad import GamepadLayout, TriggerMemory

pytestmark = pytest.mark.alone

MS = 1_000_000
HAT_UP, HAT_DOWN = 1, 4


@pytest.fixture
def pad() -> Iterator[VirtualPad]:
    made = VirtualPad()
    made.plug()
    yield made
    made.quit()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(10**9)


@pytest.fixture
def gamepad(pad: VirtualPad, clock: ManualClock) -> Iterator[Gamepad]:
    made = Gamepad(clock, background=False)
    made.connect()
    pad.release_triggers()
    made.poll()
    yield made
    made.disconnect()


def polled(gamepad: Gamepad, rounds: int = 2) -> list[float]:
    """The six axes after a few rounds, rounded to what a stick resolves."""
    for _ in range(rounds):
        gamepad.poll()
    return [round(float(axis), 3) for axis in gamepad.read().raw[:6]]


@pytest.mark.parametrize(("axis", "value", "expected"), [
    (1, -1.0, [1, 0, 0, 0, 0, 0]),      # left stick up: forward
    (0, -1.0, [0, 1, 0, 0, 0, 0]),      # left stick left: left
    (5, 1.0, [0, 0, 1, 0, 0, 0]),       # right trigger: up
    (2, 1.0, [0, 0, -1, 0, 0, 0]),      # left trigger: down
    (4, -1.0, [0, 0, 0, 0, 1, 0]),      # right stick up: nose down
    (3, -1.0, [0, 0, 0, 0, 0, 1]),      # right stick left: turn left
])
def test_every_stick_and_trigger_drives_its_own_axis(gamepad, pad, axis, value, expected):
    pad.axis(axis, value)
    assert polled(gamepad) == expected
    assert gamepad.read().enabled


@pytest.mark.parametrize(("button", "roll"), [(4, -1), (5, 1)])
def test_bumpers_roll(gamepad, pad, button, roll):
    pad.button(button, True)
    assert polled(gamepad) == [0, 0, 0, roll, 0, 0]
    assert gamepad.read().twist[3] == pytest.approx(roll * 0.8)


@pytest.mark.parametrize(("direction", "lift"), [(HAT_UP, 1), (HAT_DOWN, -1)])
def test_the_d_pad_lifts_too(gamepad, pad, direction, lift):
    pad.hat(direction)
    assert polled(gamepad) == [0, 0, lift, 0, 0, 0]


def test_a_closes_and_b_opens_the_gripper_without_moving_the_arm(gamepad, pad):
    pad.button(0, True)
    polled(gamepad)
    assert gamepad.read().gripper == 0.0
    assert not gamepad.read().enabled
    pad.button(0, False)
    pad.button(1, True)
    polled(gamepad)
    assert gamepad.read().gripper == 1.0


def test_a_worn_stick_that_rests_off_centre_does_not_move_the_arm(gamepad, pad):
    pad.axis(0, 0.1)
    pad.axis(4, -0.11)
    polled(gamepad, rounds=20)
    assert not gamepad.read().enabled
    assert not gamepad.read().twist.any()


def test_triggers_that_have_not_spoken_yet_do_not_lift_the_arm(pad, clock):
    """SDL says 0 for them, which on a trigger's scale is half pressed."""
    fresh = Gamepad(clock, background=False)
    fresh.connect()
    assert polled(fresh) == [0, 0, 0, 0, 0, 0]
    fresh.disconnect()
    memory = TriggerMemory()
    assert memory.pressed(2, 0.5) == 0.0
    assert memory.pressed(2, 0.0) == 0.0
    assert memory.pressed(2, 0.5) == 0.5
    assert memory.pressed(5, 0.5) == 0.0


@pytest.fixture
def known_pad(clock: ManualClock) -> Iterator[VirtualPad]:
    """A pad in SDL's table, whose driver numbers right stick and triggers in another order."""
    made = VirtualPad(CONTROLLER)
    made.plug()
    yield made
    made.quit()


@pytest.mark.parametrize(("axis", "value", "expected"), [
    (1, -1.0, [1, 0, 0, 0, 0, 0]), (0, -1.0, [0, 1, 0, 0, 0, 0]),
    (5, 1.0, [0, 0, 1, 0, 0, 0]), (4, 1.0, [0, 0, -1, 0, 0, 0]),
    (3, -1.0, [0, 0, 0, 0, 1, 0]), (2, -1.0, [0, 0, 0, 0, 0, 1]),
])
def test_a_pad_that_sdl_knows_needs_no_numbers(known_pad, clock, axis, value, expected):
    gamepad = Gamepad(clock, background=False)
    gamepad.connect()
    gamepad.poll()
    known_pad.axis(axis, value)
    assert polled(gamepad) == expected
    known_pad.axis(axis, -1.0 if axis in (4, 5) else 0.0)
    known_pad.button(10, True)      # its right bumper
    known_pad.button(1, True)
    assert polled(gamepad) == [0, 0, 0, 1, 0, 0]
    assert gamepad.read().gripper == 1.0
    gamepad.disconnect()


def test_numbers_that_are_given_beat_sdl_s_table(known_pad, clock):
    gamepad = Gamepad(clock, GamepadConfig(layout=GamepadLayout(left_x=2, right_x=0)),
                      background=False)
    gamepad.connect()
    known_pad.axis(2, -1.0)
    assert polled(gamepad)[1] == 1.0
    gamepad.disconnect()


def test_a_thread_that_hangs_with_a_deflected_stick_makes_the_pad_stale(gamepad, pad, clock):
    pad.axis(1, -1.0)
    polled(gamepad)
    clock.advance(101 * MS)
    reading = gamepad.read()
    assert reading.status == DeviceStatus.STALE
    assert not reading.enabled


def test_without_a_pad_or_with_a_wrong_name_connecting_says_what_to_do(pad, clock):
    wrong = Gamepad(clock, GamepadConfig(pad="Steering wheel"), background=False)
    with pytest.raises(DeviceError, match="Virtual Joystick"):
        wrong.connect()
    named = Gamepad(clock, GamepadConfig(pad="virtual"), background=False)
    pad.plug()      # the refusal closed SDL and took the pad away
    named.connect()
    named.disconnect()
    with pytest.raises(DeviceError, match="plug it in"):
        Gamepad(clock, background=False).connect()


def test_its_own_thread_opens_and_closes_sdl(clock):
    """Without a pad: opening fails in the thread, and the reason arrives here."""
    lonely = Gamepad(clock)
    with pytest.raises(DeviceError, match="no gamepad is plugged in"):
        lonely.connect()
    assert lonely._reader is not None and not lonely._reader.running

"""Held keys as a device, and a terminal as the console that feeds it (on a real pty)."""

import os
import pty
import termios
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorders.clock import ManualClock
from studio.devices.interfaces import DeviceError, DeviceStatus
from studio.devices.keyboard import KEYS, KeyboardTeleop, axes_of
from studio.devices.terminal_keys import TAP_MS, TerminalKeys, TypedKeys, key_names

MS = 1_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(10**9)


@pytest.fixture
def keyboard(clock: ManualClock) -> KeyboardTeleop:
    made = KeyboardTeleop(clock)
    made.connect()
    return made


def hold(keyboard: KeyboardTeleop, clock: ManualClock, *keys: str, for_ms: int = 50) -> None:
    for _ in range(for_ms // 50):
        clock.advance(50 * MS)
        keyboard.keys_held(frozenset(keys), clock.now_ns())


@pytest.mark.parametrize(("key", "expected"), [
    ("w", [0.25, 0, 0, 0, 0, 0]), ("s", [-0.25, 0, 0, 0, 0, 0]),
    ("a", [0, 0.25, 0, 0, 0, 0]), ("d", [0, -0.25, 0, 0, 0, 0]),
    ("e", [0, 0, 0.25, 0, 0, 0]), ("q", [0, 0, -0.25, 0, 0, 0]),
    ("o", [0, 0, 0, 0.8, 0, 0]), ("u", [0, 0, 0, -0.8, 0, 0]),
    ("i", [0, 0, 0, 0, 0.8, 0]), ("k", [0, 0, 0, 0, -0.8, 0]),
    ("j", [0, 0, 0, 0, 0, 0.8]), ("l", [0, 0, 0, 0, 0, -0.8]),
])
def test_every_motion_key_moves_the_tool_its_own_way(keyboard, clock, key, expected):
    hold(keyboard, clock, key)
    np.testing.assert_allclose(keyboard.read().twist, expected)
    assert keyboard.read().enabled
    hold(keyboard, clock, key, "shift")
    np.testing.assert_allclose(keyboard.read().twist, np.multiply(expected, 0.2))


@given(st.frozensets(st.sampled_from(sorted(KEYS))))
def test_opposite_keys_cancel_and_no_set_of_keys_exceeds_full_deflection(held):
    axes = axes_of(held, slow=0.2)
    assert np.all(np.abs(axes) <= 1.0)
    assert axes_of(held | {"w", "s"}, slow=0.2)[0] == 0.0


def test_c_closes_and_v_opens_the_gripper_without_moving_the_arm(keyboard, clock):
    hold(keyboard, clock, "c")
    assert keyboard.read().gripper == 0.0
    assert not keyboard.read().enabled
    hold(keyboard, clock, "v")
    assert keyboard.read().gripper == 1.0


def test_a_console_that_falls_silent_has_let_go_of_every_key_after_150_ms(keyboard, clock):
    hold(keyboard, clock, "w")
    clock.advance(150 * MS)
    assert keyboard.read().enabled
    clock.advance(1 * MS)
    reading = keyboard.read()
    assert reading.status == DeviceStatus.LOST
    assert not reading.enabled and not reading.twist.any()
    assert "console" in keyboard.fault


def test_a_key_held_across_a_silence_must_be_told_again(keyboard, clock):
    hold(keyboard, clock, "c", "w")
    clock.advance(1000 * MS)
    keyboard.keys_held(frozenset(), clock.now_ns())
    reading = keyboard.read()
    assert reading.status == DeviceStatus.OK
    assert not reading.enabled and reading.gripper is None


def test_old_news_is_no_news(keyboard, clock):
    """Keys that waited somewhere on their way must not move the arm now."""
    keyboard.keys_held(frozenset({"w"}), clock.now_ns() - 151 * MS)
    assert not keyboard.read().enabled
    keyboard.keys_held(frozenset({"w"}), clock.now_ns() - 100 * MS)
    assert keyboard.read().enabled


def test_the_keys_that_are_held_are_shown_until_the_console_falls_silent(keyboard, clock):
    hold(keyboard, clock, "w", "shift")
    assert keyboard.last_report == "shift w"
    clock.advance(200 * MS)
    keyboard.read()
    assert keyboard.last_report == ""


def test_before_any_console_has_spoken_the_keyboard_is_lost(keyboard):
    assert keyboard.read().status == DeviceStatus.LOST


@pytest.mark.parametrize(("typed", "names"), [
    (b"w", {"w"}), (b"W", {"w", "shift"}), (b" ", {"space"}), (b"\r", {"enter"}),
    (b"\x1b[A", {"up"}), (b"\x1b", {"escape"}), (b"ww\x1b[Dc", {"w", "left", "c"}),
    (b"\xff\x00", set()),
])
def test_bytes_from_a_terminal_become_key_names(typed, names):
    assert key_names(typed) == names


@given(st.binary(max_size=64))
def test_no_bytes_from_a_terminal_can_break_the_names(typed):
    assert all(name == name.lower() for name in key_names(typed))


def test_a_tap_jogs_and_repetitions_hold_until_they_stop():
    keys = TypedKeys().typed(frozenset({"w"}), 0)
    tap_ns = int(TAP_MS * MS)
    assert keys.held(tap_ns - 1) == {"w"}
    assert keys.held(tap_ns) == frozenset()
    for repeat in range(1, 30):     # a keyboard repeats every 33 ms
        keys = keys.typed(frozenset({"w"}), repeat * 33 * MS)
        assert keys.held((repeat + 1) * 33 * MS) == {"w"}
    assert keys.held(29 * 33 * MS + tap_ns) == frozenset()


def test_another_key_ends_the_one_before_because_it_no_longer_repeats():
    keys = TypedKeys().typed(frozenset({"w"}), 0).typed(frozenset({"c"}), 10 * MS)
    assert keys.held(20 * MS) == {"c"}


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo terminal: where a person types, and what a program reads."""
    person, program = pty.openpty()
    yield person, program
    os.close(person)
    os.close(program)


class Sink:
    """Collects what a console says, and lets a test wait for it."""

    def __init__(self) -> None:
        self.said: list[tuple[frozenset[str], int]] = []
        self._news = threading.Condition()

    def __call__(self, held: frozenset[str], stamp_ns: int) -> None:
        with self._news:
            self.said.append((held, stamp_ns))
            self._news.notify_all()

    def wait_for(self, held: set[str]) -> bool:
        with self._news:
            return self._news.wait_for(lambda: any(keys == held for keys, _ in self.said), 30)


def test_what_is_typed_reaches_the_sink_with_the_clock_s_stamp_and_is_let_go(terminal, clock):
    person, program = terminal
    sink = Sink()
    with TerminalKeys(clock, sink, program):
        os.write(person, b"w")
        assert sink.wait_for({"w"})
        clock.advance(int(TAP_MS * MS))
        sink.said.clear()
        assert sink.wait_for(set())
    assert sink.said[-1] == (frozenset(), clock.now_ns())
    os.write(person, b"w\n")    # nobody listens any more


@pytest.mark.parametrize("way_out", [None, RuntimeError, KeyboardInterrupt])
def test_the_terminal_is_as_it_was_on_every_way_out(terminal, clock, way_out):
    _, program = terminal
    before = termios.tcgetattr(program)
    try:
        with TerminalKeys(clock, Sink(), program):
            within = termios.tcgetattr(program)
            assert not within[3] & (termios.ECHO | termios.ICANON)
            assert within[3] & termios.ISIG     # Ctrl-C still works
            if way_out:
                raise way_out
    except (RuntimeError, KeyboardInterrupt):
        pass
    assert termios.tcgetattr(program) == before


def test_standard_input_that_is_no_terminal_is_refused_with_another_way(clock):
    reading, writing = os.pipe()
    with pytest.raises(DeviceError, match="--teleop"), TerminalKeys(clock, Sink(), reading):
        pass
    os.close(reading)
    os.close(writing)


def test_a_terminal_that_hangs_up_lets_go_and_says_so(clock):
    person, program = pty.openpty()
    keys = TerminalKeys(clock, Sink(), program)
    with keys:
        os.close(person)
        thread = keys._thread
        assert thread is not None
        thread.join(30)
        assert not thread.is_alive()
    assert "terminal is gone" in keys.fault
    os.close(program)

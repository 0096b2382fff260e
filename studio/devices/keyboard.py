"""The keyboard as a teleoperator: held keys are full deflections.

    W S     forward, back           I K     pitch: nose down, nose up
    A D     left, right             J L     yaw: left, right
    E Q     up, down                U O     roll: left, right
    C V     close, open the gripper         Shift   slow

Knows which keys mean what, and that a console which falls silent has let go of every key. Refuses
to know the console: whoever sees keys (a window, a terminal, a test) calls `keys_held`, again and
again while nothing changes. Keys of our own window only: a global key grabber would drive the arm
while the operator types a letter.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from recorders.clock import Clock
from studio.devices.input_device import InputDevice
from studio.devices.interfaces import DeviceStatus, HumanInput, idle_input
from studio.devices.mapping import (
    AxisMapping,
    ClutchRule,
    ControlState,
    DeviceMapping,
    at_rest,
    bounded_axes,
    human_input,
    next_state,
)

_NS_PER_MS = 1_000_000
_AXIS_KEYS = ("ws", "ad", "eq", "ou", "ik", "jl")     # x y z roll pitch yaw: positive, negative
_GRIPPER_KEYS = "cv"                                  # button 0 closes, button 1 opens
MOTION_KEYS = frozenset("".join(_AXIS_KEYS))
KEYS = MOTION_KEYS | frozenset(_GRIPPER_KEYS) | {"shift"}
"""The names of all keys that the keyboard device looks at."""

KEYBOARD_MAPPING = DeviceMapping(
    axes=AxisMapping(dead_zone=0.0),
    clutch=ClutchRule(enter_samples=1),     # a key is never pressed by noise
)


@dataclass(frozen=True)
class KeyboardConfig:
    """How held keys are understood."""

    slow: float = 0.2
    """Deflection while Shift is held."""
    release_ms: float = 150.0
    """A console silent for so long has let go of every key; it repeats itself every 50 ms."""
    mapping: DeviceMapping = KEYBOARD_MAPPING
    """Speeds, clutch and gripper."""


def axes_of(held: frozenset[str], slow: float) -> np.ndarray:
    """(8,) axes from the held keys; opposite keys cancel."""
    deflection = slow if "shift" in held else 1.0
    return bounded_axes([((plus in held) - (minus in held)) * deflection
                         for plus, minus in _AXIS_KEYS])


class _Held(msgspec.Struct, frozen=True):
    """What the console said last, and when this process heard it."""

    heard_ns: int
    state: ControlState


class KeyboardTeleop(InputDevice):
    """Held keys, fed by whoever sees them."""

    name = "keyboard"

    def __init__(self, clock: Clock, config: KeyboardConfig = KeyboardConfig()) -> None:
        super().__init__(clock)
        self._config = config
        self._held: _Held | None = None     # replaced whole, so readers need no lock

    def _open(self) -> None:
        """Nothing to open: keys are accepted from now on, and LOST until a console speaks."""

    def _close(self) -> None:
        self._held = None       # every key is let go

    def keys_held(self, held: frozenset[str], stamp_ns: int) -> None:
        """The keys that are down now; to be repeated at least every 50 ms.

        Args:
            held: names as in `KEYS`, lower case; others are ignored.
            stamp_ns: when the console saw them. Late news (older than `release_ms`) counts as
                every key let go, whatever it says.
        """
        if not self._connected:
            return
        now_ns = self._clock.now_ns()
        fresh = now_ns - stamp_ns <= self._config.release_ms * _NS_PER_MS
        keys = held if fresh else frozenset()
        self.last_report = " ".join(sorted(keys))
        before = self._state_now(now_ns)
        buttons = sum(1 << i for i, key in enumerate(_GRIPPER_KEYS) if key in keys)
        state = next_state(before, axes_of(keys, self._config.slow), buttons,
                           min(stamp_ns, now_ns), self._config.mapping)
        self._held = _Held(now_ns, state)

    def _stamp_ns(self) -> int:
        held = self._held
        return held.state.stamp_ns if held else self._clock.now_ns()

    def _newest(self) -> HumanInput:
        held, now_ns = self._held, self._clock.now_ns()
        if held is None or self._silent(held, now_ns):
            self.last_report = ""
            self.fault = "no console sends keys: click into its window, or start one"
            return idle_input(held.state.stamp_ns if held else now_ns, DeviceStatus.LOST)
        self.fault = ""
        return human_input(held.state, self._config.mapping, now_ns)

    def _gripper_wanted(self) -> float:
        held = self._held
        return held.state.gripper.wanted if held else 1.0

    def _silent(self, held: _Held, now_ns: int) -> bool:
        return now_ns - held.heard_ns > self._config.release_ms * _NS_PER_MS

    def _state_now(self, now_ns: int) -> ControlState:
        """The state before new keys: after a silence, one in which nothing is held."""
        held = self._held
        if held is None:
            return at_rest(now_ns)
        if self._silent(held, now_ns):
            return at_rest(now_ns, held.state.gripper.wanted)
        return held.state


KeySink = Callable[[frozenset[str], int], None]
"""What a console calls: `KeyboardTeleop.keys_held`, or something that carries it there."""

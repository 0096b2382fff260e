"""A polled device with axes and buttons: a SpaceMouse, a gamepad, and whatever is like them.

Knows that axes and buttons go through a mapping, and what is remembered between two samples.
Refuses to know where the samples come from: the device's `poll` calls `_take` for each of them.
"""

from collections.abc import Iterable

import msgspec

from recorders.clock import Clock
from studio.devices.input_device import PolledDevice
from studio.devices.interfaces import HumanInput
from studio.devices.mapping import (
    DeviceMapping,
    at_rest,
    bounded_axes,
    is_deflected,
    next_state,
    unless_silent,
)


class AxesDevice(PolledDevice):
    """A device that turns axes and buttons into a twist; it gives `_open`, `poll`, `_release`."""

    def __init__(
        self, clock: Clock, mapping: DeviceMapping, *, silence_ms: float, background: bool
    ) -> None:
        """Prepare, without touching the device.

        Args:
            clock: stamps what arrives.
            mapping: of axes and buttons.
            silence_ms: a deflected device not heard for so long is STALE.
            background: read in a thread; without it the owner calls `poll` itself.
        """
        super().__init__(clock, background=background)
        self._mapping = mapping
        self._silence_ms = silence_ms
        self._state = at_rest(clock.now_ns())       # replaced whole, so readers need no lock

    def _stamp_ns(self) -> int:
        return self._state.stamp_ns

    def _newest(self) -> HumanInput:
        state, now_ns = self._state, self._clock.now_ns()
        return unless_silent(state, self._mapping, now_ns, self._silence_ms)

    def _gripper_wanted(self) -> float:
        return self._state.gripper.wanted

    def _take(self, axes: Iterable[float], buttons: int, stamp_ns: int) -> None:
        """One sample: up to eight axes in -1..1, REP 103, and bit i for button i."""
        self._state = next_state(
            self._state, bounded_axes(axes), buttons, stamp_ns, self._mapping)

    def _take_silence(self, stamp_ns: int) -> None:
        """No sample: the newest report of a resting device, which is silent; else no news."""
        if not is_deflected(self._state, self._mapping):
            self._state = msgspec.structs.replace(self._state, stamp_ns=stamp_ns)

    def _found(self) -> None:
        # What was held before the unplug is not held any more.
        self._state = at_rest(self._clock.now_ns(), self._state.gripper.wanted)
        super()._found()

"""A gamepad as a teleoperator with all six degrees of freedom.

    left stick      forward/back, left/right        left, right trigger     down, up
    right stick     pitch (up: nose down), yaw      left, right bumper      roll left, right
    A (cross)       close the gripper               B (circle)              open the gripper
    D-pad up/down   up, down as well, for pads whose triggers are mere buttons

Knows what the sticks mean and what to do when the pad is gone. Refuses to know SDL (`sdl_pad`) and
the robot.
"""

from dataclasses import dataclass
from typing import Any

from recorders.clock import Clock
from studio.devices.interfaces import DeviceError, DeviceStatus, HumanInput, idle_input
from studio.devices.mapping import (
    TWIST_ACTION,
    AxisMapping,
    DeviceMapping,
    at_rest,
    bounded_axes,
    next_state,
    twist_action,
    unless_silent,
)
from studio.devices.reader import RETRY_S, DeviceReader
from studio.devices.sdl_pad import GamepadLayout, SdlPad, Sticks

GAMEPAD_MAPPING = DeviceMapping(axes=AxisMapping(dead_zone=0.12))   # worn sticks rest at up to 0.1
POLL_S = 0.004
_OPEN_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class GamepadConfig:
    """Which gamepad, and how it is understood."""

    pad: str = ""
    """Part of the pad's name or its GUID; empty takes the first that is found."""
    layout: GamepadLayout | None = None
    """Numbers of axes and buttons; without it SDL's table of pads decides, and for a pad that is
    not in it the numbers of Xbox and PlayStation pads on Linux."""
    mapping: DeviceMapping = GAMEPAD_MAPPING
    """Axes, clutch and gripper buttons (A closes, B opens)."""
    silence_ms: float = 100.0
    """A deflected pad whose thread has not looked for so long counts as stale."""


def ros_axes(sticks: Sticks) -> tuple[float, ...]:
    """x y z roll pitch yaw, REP 103; sticks count right and down as positive."""
    return (-sticks.left_y, -sticks.left_x, sticks.right_trigger - sticks.left_trigger + sticks.hat,
            sticks.roll, -sticks.right_y, -sticks.right_x)


class Gamepad:
    """A gamepad of any make that SDL knows."""

    name = "gamepad"

    def __init__(
        self, clock: Clock, config: GamepadConfig = GamepadConfig(), *, background: bool = True
    ) -> None:
        """Prepare, without touching SDL.

        Args:
            clock: stamps what is read.
            config: which pad and which mapping.
            background: read in a thread; without it the owner calls `poll` itself.
        """
        self.fault = ""
        self._clock = clock
        self._config = config
        self._pad: SdlPad | None = None
        self._connected = False
        self._lost = False
        self._state = at_rest(clock.now_ns())       # replaced whole, so readers need no lock
        self._reader = (DeviceReader(self.name, self.poll, self._lose, self._close)
                        if background else None)

    @property
    def action_features(self) -> dict[str, Any]:
        """Twist, gripper and clutch."""
        return dict(TWIST_ACTION)

    @property
    def feedback_features(self) -> dict[str, Any]:
        """None: SDL's rumble is not used."""
        return {}

    @property
    def is_connected(self) -> bool:
        """Whether the pad is open or being looked for."""
        return self._connected

    def connect(self) -> None:
        """Open the pad.

        Raises:
            DeviceError: if none is found, with the remedy.
        """
        if self._connected:
            return
        self._lose("SDL does not answer: run `tandem doctor`")      # until the first round is over
        if self._reader:
            self._reader.start()
            self._reader.wait_for_rounds(1, _OPEN_TIMEOUT_S)
        else:
            self.poll()
        if self._lost:
            self._shut()
            raise DeviceError(self.fault)
        self._connected = True

    def disconnect(self) -> None:
        """Close the pad."""
        if self._connected:
            self._connected = False
            self._shut()

    def read(self) -> HumanInput:
        """The newest input; a LOST or STALE pad asks for nothing."""
        state, now_ns = self._state, self._clock.now_ns()
        if not self._connected:
            return idle_input(state.stamp_ns, DeviceStatus.OFF)
        if self._lost:
            return idle_input(state.stamp_ns, DeviceStatus.LOST)
        return unless_silent(state, self._config.mapping, now_ns, self._config.silence_ms)

    def get_action(self) -> dict[str, Any]:
        """The newest input as LeRobot's flat dictionary."""
        return twist_action(self.read(), self._state.gripper.wanted)

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """A pad shows nothing: every key is for another device."""

    def poll(self) -> float:
        """One round of the reader: take the newest state, or look for a lost pad.

        Returns:
            The pause in s until the next round.
        """
        if self._pad is None:
            self._pad = SdlPad(self._config.pad, self._config.layout)
        if self._lost:
            return self._look_for_it(self._pad)
        sticks = self._pad.read()
        if sticks is None:
            self._lose("the gamepad is unplugged: replug it")
            return RETRY_S
        self._state = next_state(self._state, bounded_axes(ros_axes(sticks)), sticks.buttons,
                                 self._clock.now_ns(), self._config.mapping)
        return POLL_S

    def _look_for_it(self, pad: SdlPad) -> float:
        try:
            pad.open()
        except DeviceError as error:
            self.fault = str(error)
            return RETRY_S
        # What was held before the unplug is not held any more.
        self._state = at_rest(self._clock.now_ns(), self._state.gripper.wanted)
        self._lost, self.fault = False, ""
        return 0.0

    def _lose(self, reason: str) -> None:
        self._lost = True
        self.fault = reason

    def _shut(self) -> None:
        if self._reader:
            self._reader.stop()
        else:
            self._close()

    def _close(self) -> None:
        pad, self._pad = self._pad, None
        if pad:
            pad.close()

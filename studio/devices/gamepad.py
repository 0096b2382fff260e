"""A gamepad as a teleoperator with all six degrees of freedom, through pygame (SDL).

Layout, which Xbox, PlayStation and most other pads share on Linux:
    left stick      forward/back, left/right        left, right trigger     down, up
    right stick     pitch (up: nose down), yaw      left, right bumper      roll left, right
    A (cross)       close the gripper               B (circle)              open the gripper
    D-pad up/down   up, down as well, for pads whose triggers are mere buttons

Knows SDL's habits: everything of a pad is touched by one thread; an unplug is an event, after which
axes read as zero and the object still claims to be open; triggers read 0, half pressed, until
they first move. Refuses to know the robot.
"""

import os
import warnings
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

GAMEPAD_MAPPING = DeviceMapping(axes=AxisMapping(dead_zone=0.12))   # worn sticks rest at up to 0.1
POLL_S = 0.004
_OPEN_TIMEOUT_S = 5.0
_TRIGGER_SEEN_AT_REST = -0.9


@dataclass(frozen=True)
class GamepadLayout:
    """SDL's numbers of a pad's axes and buttons."""

    left_x: int = 0
    """Axis of the left stick to the right."""
    left_y: int = 1
    """Axis of the left stick towards the player."""
    left_trigger: int = 2
    """Axis of the left trigger, -1 released; -1 as number if the pad has none."""
    right_x: int = 3
    """Axis of the right stick to the right."""
    right_y: int = 4
    """Axis of the right stick towards the player."""
    right_trigger: int = 5
    """Axis of the right trigger, -1 released; -1 as number if the pad has none."""
    left_bumper: int = 4
    """Button of the left bumper."""
    right_bumper: int = 5
    """Button of the right bumper."""


@dataclass(frozen=True)
class GamepadConfig:
    """Which gamepad, and how it is understood."""

    pad: str = ""
    """Part of the pad's name or its GUID; empty takes the first that is found."""
    layout: GamepadLayout = GamepadLayout()
    """Numbers of axes and buttons, for pads that differ."""
    mapping: DeviceMapping = GAMEPAD_MAPPING
    """Axes, clutch and gripper buttons (A closes, B opens)."""
    silence_ms: float = 100.0
    """A deflected pad whose thread has not looked for so long counts as stale."""


class TriggerMemory:
    """Which triggers have been seen at rest: before that, SDL's 0 says nothing."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def pressed(self, axis: int, value: float) -> float:
        """How far a trigger is pressed, 0..1."""
        if value <= _TRIGGER_SEEN_AT_REST:
            self._seen.add(axis)
        return (value + 1.0) / 2.0 if axis in self._seen else 0.0


class SdlPad:
    """One pad as pygame sees it. All calls come from one thread: SDL's rule."""

    def __init__(self, config: GamepadConfig) -> None:
        """Start SDL without a window."""
        # The pad must speak whichever window is in front; a console draws elsewhere.
        os.environ.setdefault("SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS", "1")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")    # stdout belongs to --json
        # pygame 2.6.1 tells every user about its own packaging on import.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        import pygame

        self._pygame = pygame
        self._config = config
        self._joystick: Any = None
        self._triggers = TriggerMemory()
        pygame.display.init()   # SDL pumps no events without it
        pygame.joystick.init()

    def open(self) -> None:
        """Open the wanted pad.

        Raises:
            DeviceError: naming the pads that are there.
        """
        self._pygame.event.pump()
        pads = [self._pygame.joystick.Joystick(i)
                for i in range(self._pygame.joystick.get_count())]
        wanted = self._config.pad.lower()
        for pad in pads:
            if wanted in pad.get_name().lower() or wanted == pad.get_guid().lower():
                self._joystick, self._triggers = pad, TriggerMemory()
                return
        if pads:
            names = ", ".join(f"'{pad.get_name()}'" for pad in pads)
            raise DeviceError(f"no gamepad named '{self._config.pad}': valid are {names}")
        raise DeviceError("no gamepad is plugged in: plug it in, or run `tandem doctor`")

    def read(self) -> tuple[tuple[float, ...], int] | None:
        """Six ROS axes in -1..1 and the button bits now; None if the pad has gone."""
        for event in self._pygame.event.get():      # all of them, or the queue would fill up
            removed = event.type == self._pygame.JOYDEVICEREMOVED
            if removed and self._joystick and (
                event.instance_id == self._joystick.get_instance_id()
            ):
                self._joystick = None
        pad, layout = self._joystick, self._config.layout
        if pad is None:
            return None
        count = pad.get_numaxes()

        def axis(number: int) -> float:
            return pad.get_axis(number) if 0 <= number < count else 0.0

        def trigger(number: int) -> float:
            return self._triggers.pressed(number, axis(number)) if 0 <= number < count else 0.0

        buttons = sum(1 << i for i in range(min(pad.get_numbuttons(), 32)) if pad.get_button(i))
        lift = trigger(layout.right_trigger) - trigger(layout.left_trigger)
        if pad.get_numhats():
            lift += pad.get_hat(0)[1]
        roll = (buttons >> layout.right_bumper & 1) - (buttons >> layout.left_bumper & 1)
        return (
            -axis(layout.left_y), -axis(layout.left_x), lift,
            float(roll), -axis(layout.right_y), -axis(layout.right_x),
        ), buttons

    def close(self) -> None:
        """Let go of the pad and of SDL."""
        self._joystick = None
        self._pygame.joystick.quit()
        self._pygame.display.quit()


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
            self._pad = SdlPad(self._config)
        if self._lost:
            return self._look_for_it(self._pad)
        reading = self._pad.read()
        if reading is None:
            self._lose("the gamepad is unplugged: replug it")
            return RETRY_S
        axes, buttons = reading
        self._state = next_state(
            self._state, bounded_axes(axes), buttons, self._clock.now_ns(), self._config.mapping)
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

"""A game pad as SDL sees it, through pygame: where its sticks, triggers and bumpers are now.

Knows SDL's habits. Everything is touched by one thread. An unplug is an event, after which axes
read as zero and the object still claims to be open. Triggers read half pressed until they first
move. A pad in SDL's table of controllers has its sticks where they should be, whatever its driver
numbers them; for others numbers are needed. Refuses to know mapping, threads and time.
"""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from studio.devices.interfaces import DeviceError

_SEEN_AT_REST = 0.05        # of a trigger's travel
_CONTROLLER_FULL = 32767.0


@dataclass(frozen=True)
class GamepadLayout:
    """SDL's numbers of a pad's axes and buttons; these are Xbox's and PlayStation's on Linux."""

    left_x: int = 0
    """Axis of the left stick, right positive."""
    left_y: int = 1
    """Axis of the left stick, down positive."""
    left_trigger: int = 2
    """Axis of the left trigger, -1 released; a number that the pad has not, for none."""
    right_x: int = 3
    """Axis of the right stick, right positive."""
    right_y: int = 4
    """Axis of the right stick, down positive."""
    right_trigger: int = 5
    """Axis of the right trigger, -1 released; a number that the pad has not, for none."""
    left_bumper: int = 4
    """Button of the left bumper."""
    right_bumper: int = 5
    """Button of the right bumper."""


class Sticks(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything on a pad is: sticks -1..1 (right and down positive), triggers 0..1."""

    left_x: float
    left_y: float
    right_x: float
    right_y: float
    left_trigger: float
    right_trigger: float
    roll: float         # the bumpers: right minus left
    hat: float          # the D-pad: up minus down
    buttons: int        # bit 0 is A (cross), bit 1 is B (circle)


class TriggerMemory:
    """Which triggers have been seen at rest: before that, what SDL says of them is no news."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def pressed(self, number: int, travel: float) -> float:
        """How far a trigger is pressed, 0..1, from its travel as SDL has it."""
        if travel <= _SEEN_AT_REST:
            self._seen.add(number)
        return travel if number in self._seen else 0.0


class SdlPad:
    """One pad. All calls come from one thread: SDL's rule."""

    def __init__(self, wanted: str, layout: GamepadLayout | None) -> None:
        """Start SDL without a window.

        Args:
            wanted: part of the pad's name, or its GUID; empty takes the first.
            layout: numbers of axes and buttons, or None to trust SDL's table.
        """
        # The pad must speak whichever window is in front; a console draws elsewhere.
        os.environ.setdefault("SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS", "1")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")    # stdout belongs to --json
        # pygame 2.6.1 tells every user about its own packaging on import.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        import pygame
        from pygame._sdl2 import controller

        self._pygame, self._controller = pygame, controller
        self._wanted, self._layout = wanted.lower(), layout
        self._joystick: Any = None
        self._look: Callable[[], Sticks] | None = None
        pygame.display.init()   # SDL pumps no events without it
        pygame.joystick.init()
        controller.init()

    def open(self) -> None:
        """Open the wanted pad.

        Raises:
            DeviceError: naming the pads that are there.
        """
        self._pygame.event.pump()
        pads = [self._pygame.joystick.Joystick(i)
                for i in range(self._pygame.joystick.get_count())]
        for index, pad in enumerate(pads):
            if self._wanted in pad.get_name().lower() or self._wanted == pad.get_guid().lower():
                self._joystick = pad
                if self._layout is None and self._controller.is_controller(index):
                    self._look = self._by_table(pad)
                else:
                    self._look = self._by_numbers(pad, self._layout or GamepadLayout())
                return
        if pads:
            names = ", ".join(f"'{pad.get_name()}'" for pad in pads)
            raise DeviceError(f"no gamepad named '{self._wanted}': valid are {names}")
        raise DeviceError("no gamepad is plugged in: plug it in, or run `tandem doctor`")

    def read(self) -> Sticks | None:
        """Where everything is now; None if the pad has gone."""
        for event in self._pygame.event.get():      # all of them, or the queue would fill up
            removed = event.type == self._pygame.JOYDEVICEREMOVED
            if removed and self._joystick and (
                event.instance_id == self._joystick.get_instance_id()
            ):
                self._joystick = self._look = None
        return self._look() if self._look else None

    def close(self) -> None:
        """Let go of the pad and of SDL."""
        self._joystick = self._look = None
        self._controller.quit()
        self._pygame.joystick.quit()
        self._pygame.display.quit()

    def _by_table(self, joystick: Any) -> Callable[[], Sticks]:
        """Look at a pad that SDL's table knows."""
        sdl, memory = self._pygame, TriggerMemory()
        pad = self._controller.Controller.from_joystick(joystick)
        ups = sdl.CONTROLLER_BUTTON_DPAD_UP, sdl.CONTROLLER_BUTTON_DPAD_DOWN
        bumpers = sdl.CONTROLLER_BUTTON_RIGHTSHOULDER, sdl.CONTROLLER_BUTTON_LEFTSHOULDER

        def axis(number: int) -> float:
            return pad.get_axis(number) / _CONTROLLER_FULL

        def between(plus_and_minus: tuple[int, int]) -> float:
            plus, minus = plus_and_minus
            return float(pad.get_button(plus)) - float(pad.get_button(minus))

        def look() -> Sticks:
            left, right = sdl.CONTROLLER_AXIS_TRIGGERLEFT, sdl.CONTROLLER_AXIS_TRIGGERRIGHT
            return Sticks(
                left_x=axis(sdl.CONTROLLER_AXIS_LEFTX), left_y=axis(sdl.CONTROLLER_AXIS_LEFTY),
                right_x=axis(sdl.CONTROLLER_AXIS_RIGHTX), right_y=axis(sdl.CONTROLLER_AXIS_RIGHTY),
                left_trigger=memory.pressed(left, axis(left)),
                right_trigger=memory.pressed(right, axis(right)),
                roll=between(bumpers), hat=between(ups),
                buttons=sum(1 << i for i in range(sdl.CONTROLLER_BUTTON_DPAD_RIGHT + 1)
                            if pad.get_button(i)))

        return look

    def _by_numbers(self, pad: Any, layout: GamepadLayout) -> Callable[[], Sticks]:
        """Look at a pad by the numbers of its axes and buttons."""
        memory, axes, hats = TriggerMemory(), pad.get_numaxes(), pad.get_numhats()
        numbers = range(min(pad.get_numbuttons(), 32))

        def axis(number: int) -> float:
            return pad.get_axis(number) if 0 <= number < axes else 0.0

        def trigger(number: int) -> float:
            known = 0 <= number < axes
            return memory.pressed(number, (axis(number) + 1.0) / 2.0) if known else 0.0

        def look() -> Sticks:
            buttons = sum(1 << i for i in numbers if pad.get_button(i))
            return Sticks(
                left_x=axis(layout.left_x), left_y=axis(layout.left_y),
                right_x=axis(layout.right_x), right_y=axis(layout.right_y),
                left_trigger=trigger(layout.left_trigger),
                right_trigger=trigger(layout.right_trigger),
                roll=float((buttons >> layout.right_bumper & 1)
                           - (buttons >> layout.left_bumper & 1)),
                hat=float(pad.get_hat(0)[1]) if hats else 0.0, buttons=buttons)

        return look

"""A gamepad that SDL believes in: its own virtual joystick, plugged and unplugged at will."""

import ctypes
import os
from pathlib import Path
from typing import Any

UNKNOWN, CONTROLLER = 0, 1      # types of SDL's; the second is in its table of controllers
_FULL = 32767


def _sdl() -> ctypes.CDLL:
    """The very SDL that pygame has loaded; another copy would have other joysticks."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    library = ctypes.CDLL(next(line.split(maxsplit=5)[-1] for line in maps if "libSDL2-" in line))
    library.SDL_JoystickFromInstanceID.restype = ctypes.c_void_p
    library.SDL_JoystickSetVirtualAxis.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int16]
    library.SDL_JoystickSetVirtualButton.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint8]
    library.SDL_JoystickSetVirtualHat.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint8]
    library.SDL_JoystickGetDeviceInstanceID.argtypes = [ctypes.c_int]
    return library


class VirtualPad:
    """Six axes, twelve buttons, one D-pad. Its calls belong to the thread that uses pygame."""

    def __init__(self, kind: int = UNKNOWN) -> None:
        self._kind = kind
        os.environ.update(SDL_VIDEODRIVER="dummy", PYGAME_HIDE_SUPPORT_PROMPT="1",
                          SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS="1")
        import pygame

        self._pygame: Any = pygame
        self._index = self._instance = -1

    @property
    def plugged(self) -> bool:
        """Whether SDL still knows the pad; closing SDL takes it away."""
        return bool(self._index >= 0 and self._pygame.joystick.get_init())

    def quit(self) -> None:
        """Close SDL, whatever is plugged in."""
        self._index = -1
        self._pygame.joystick.quit()
        self._pygame.display.quit()

    def plug(self) -> None:
        self._pygame.display.init()
        self._pygame.joystick.init()
        self._library = _sdl()
        self._index = self._library.SDL_JoystickAttachVirtual(self._kind, 6, 12, 1)
        assert self._index >= 0, "SDL refused a virtual joystick"
        self._instance = self._library.SDL_JoystickGetDeviceInstanceID(self._index)

    def unplug(self) -> None:
        self._library.SDL_JoystickDetachVirtual(self._index)
        self._index = -1

    def release_triggers(self) -> None:
        """What a real pad says first."""
        self.axis(2, -1.0)
        self.axis(5, -1.0)

    def axis(self, number: int, value: float) -> None:
        done = self._library.SDL_JoystickSetVirtualAxis(self._opened(), number,
                                                        round(value * _FULL))
        assert done == 0

    def button(self, number: int, down: bool) -> None:
        assert self._library.SDL_JoystickSetVirtualButton(self._opened(), number, down) == 0

    def hat(self, direction: int) -> None:
        assert self._library.SDL_JoystickSetVirtualHat(self._opened(), 0, direction) == 0

    def _opened(self) -> int:
        """The joystick as SDL hands it out once somebody has opened it."""
        joystick = self._library.SDL_JoystickFromInstanceID(self._instance)
        assert joystick, "nobody has opened the pad"
        return joystick

"""Whether a window can be opened here, asked before anything is opened.

Without a display or without OpenGL the toolkit's C code aborts the whole process; no exception can
be caught. So the same questions are asked beforehand, by ctypes, and answered in one line. Knows
X11, through which Dear PyGui works on Linux; refuses to import the toolkit.
"""

import ctypes
import os
import sys
from threading import Event

_APT = "sudo apt-get install -y"
_ELSEWHERE = "use `tandem web` instead, or start it under Xvfb"
_ATTEMPTS, _PAUSE_S = 20, 0.05


def display_problem(display: str | None = None) -> str:
    """One line on why no window can be opened here; empty if one can.

    Args:
        display: an X11 display; `DISPLAY` by default.
    """
    if sys.platform != "linux":
        return ""
    name = display if display is not None else os.environ.get("DISPLAY", "")
    if not name:
        wayland = " (a Wayland session needs Xwayland)" if os.environ.get("WAYLAND_DISPLAY") else ""
        return f"there is no display{wayland}: {_ELSEWHERE}"
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return f"libX11 is missing: {_APT} libx11-6, or use `tandem web`"
    try:
        ctypes.CDLL("libGL.so.1")
    except OSError:
        return f"OpenGL is missing: {_APT} libgl1 libgl1-mesa-dri, or use `tandem web`"
    connection = _opened(x11, name)
    if not connection:
        return f"the display {name!r} cannot be opened: {_ELSEWHERE}"
    number = ctypes.pointer(ctypes.c_int())
    x11.XQueryExtension.argtypes = [ctypes.c_void_p, ctypes.c_char_p,
                                    *[ctypes.POINTER(ctypes.c_int)] * 3]
    drawn = x11.XQueryExtension(connection, b"GLX", number, number, number)
    x11.XCloseDisplay(connection)
    return "" if drawn else f"the display {name!r} has no OpenGL (GLX): {_ELSEWHERE}"


def screen_size() -> tuple[int, int]:
    """Width and height of the display's screen in pixels; (0, 0) where nobody knows."""
    if sys.platform != "linux":
        return 0, 0
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return 0, 0
    connection = _opened(x11, os.environ.get("DISPLAY", ""))
    if not connection:
        return 0, 0
    x11.XDisplayWidth.argtypes = x11.XDisplayHeight.argtypes = [ctypes.c_void_p, ctypes.c_int]
    size = x11.XDisplayWidth(connection, 0), x11.XDisplayHeight(connection, 0)
    x11.XCloseDisplay(connection)
    return size


def _opened(x11: ctypes.CDLL, name: str) -> int | None:
    """A connection to a display, or None.

    A server whose last client leaves starts anew, and hears nobody meanwhile: it is asked again.
    """
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    for _ in range(_ATTEMPTS):
        if connection := x11.XOpenDisplay(name.encode()):
            return connection
        Event().wait(_PAUSE_S)
    return None

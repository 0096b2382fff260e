"""The keyboard and the mouse as X11 knows them now, by ctypes on a connection of its own.

The window's toolkit looks at keys once a frame, which under software rendering is too seldom to
drive an arm. This looks whenever it is asked, a fifth of a millisecond each time. Keys count only
while a window of this process has the focus. Knows X11; refuses to know what a key does.
"""

import ctypes
import os
from ctypes import (
    POINTER,
    byref,
    c_char,
    c_char_p,
    c_int,
    c_long,
    c_ubyte,
    c_uint,
    c_ulong,
    c_void_p,
)

import msgspec

_KEYSYMS = {
    "space": 0x20, "enter": 0xFF0D, "right": 0xFF53, "left": 0xFF51, "escape": 0xFF1B,
    "delete": 0xFFFF, "backspace": 0xFF08, "f5": 0xFFC2, "shift": 0xFFE1,
    **{letter: ord(letter) for letter in "abcdefghijklmnopqrstuvwxyz0123456789"},
}
_ALSO = {"shift": (0xFFE2,), "enter": (0xFF8D,)}       # the right Shift, the key pad's Enter
_MODIFIERS = (0xFFE3, 0xFFE4, 0xFFE9, 0xFFEA, 0xFFEB, 0xFFEC)   # Ctrl, Alt, Super: not our keys
_POINTER_ROOT, _ANY = 1, 0


class Hands(msgspec.Struct, frozen=True):
    """What somebody's hands do now.

    Attributes:
        focused: a window of this process has the keyboard.
        held: names of the keys that are down; none without the focus, or with Ctrl or Alt.
        pointer: x, y and buttons of the mouse, wherever it is.
    """

    focused: bool
    held: frozenset[str]
    pointer: tuple[int, int, int]


class X11Hands:
    """Asks the X server. One object of one thread.

    Raises:
        OSError: there is no X server, or no libX11.
    """

    def __init__(self, pid: int | None = None) -> None:
        x = self._x = ctypes.CDLL("libX11.so.6")
        x.XOpenDisplay.restype, x.XOpenDisplay.argtypes = c_void_p, [c_char_p]
        x.XDefaultRootWindow.restype, x.XDefaultRootWindow.argtypes = c_ulong, [c_void_p]
        x.XKeysymToKeycode.restype, x.XKeysymToKeycode.argtypes = c_ubyte, [c_void_p, c_ulong]
        x.XQueryKeymap.argtypes = [c_void_p, c_char * 32]
        x.XInternAtom.restype, x.XInternAtom.argtypes = c_ulong, [c_void_p, c_char_p, c_int]
        x.XGetInputFocus.argtypes = [c_void_p, POINTER(c_ulong), POINTER(c_int)]
        x.XQueryPointer.argtypes = [c_void_p, c_ulong, *[POINTER(c_ulong)] * 2,
                                    *[POINTER(c_int)] * 4, POINTER(c_uint)]
        x.XQueryTree.argtypes = [c_void_p, c_ulong, *[POINTER(c_ulong)] * 2,
                                 POINTER(POINTER(c_ulong)), POINTER(c_uint)]
        x.XGetWindowProperty.argtypes = [c_void_p, c_ulong, c_ulong, c_long, c_long, c_int, c_ulong,
                                         POINTER(c_ulong), POINTER(c_int), POINTER(c_ulong),
                                         POINTER(c_ulong), POINTER(c_void_p)]
        x.XFree.argtypes = x.XCloseDisplay.argtypes = [c_void_p]
        # A window that vanishes between two questions is no reason to end this process.
        self._ignore = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)(lambda display, error: 0)
        x.XSetErrorHandler(self._ignore)
        self._display = x.XOpenDisplay(os.environ.get("DISPLAY", "").encode())
        if not self._display:
            raise OSError("the X display cannot be opened")
        self._pid = os.getpid() if pid is None else pid
        self._root = x.XDefaultRootWindow(self._display)
        self._pid_atom = x.XInternAtom(self._display, b"_NET_WM_PID", 0)
        self._codes = [(name, x.XKeysymToKeycode(self._display, symbol))
                       for name, first in _KEYSYMS.items()
                       for symbol in (first, *_ALSO.get(name, ()))]
        self._modifiers = [x.XKeysymToKeycode(self._display, symbol) for symbol in _MODIFIERS]
        self._ours: dict[int, bool] = {}

    def look(self) -> Hands:
        """What is held now; never waits for anybody but the X server."""
        pointer, under = self._pointer()
        focused = self._is_ours(self._focus(under))
        return Hands(focused, self._keys() if focused else frozenset(), pointer)

    def close(self) -> None:
        """Let go of the connection."""
        self._x.XCloseDisplay(self._display)

    def _focus(self, under: int) -> int:
        window, how = c_ulong(), c_int()
        self._x.XGetInputFocus(self._display, byref(window), byref(how))
        return under if window.value == _POINTER_ROOT else window.value

    def _pointer(self) -> tuple[tuple[int, int, int], int]:
        root, under, buttons = c_ulong(), c_ulong(), c_uint()
        x, y, inside_x, inside_y = c_int(), c_int(), c_int(), c_int()
        self._x.XQueryPointer(self._display, self._root, byref(root), byref(under), byref(x),
                              byref(y), byref(inside_x), byref(inside_y), byref(buttons))
        return (x.value, y.value, buttons.value & 0x1F00), under.value

    def _keys(self) -> frozenset[str]:
        bits = (c_char * 32)()
        self._x.XQueryKeymap(self._display, bits)
        raw = bits.raw
        if any(code and raw[code >> 3] >> (code & 7) & 1 for code in self._modifiers):
            return frozenset()
        return frozenset(name for name, code in self._codes
                         if code and raw[code >> 3] >> (code & 7) & 1)

    def _is_ours(self, window: int) -> bool:
        """Whether a window, or one that it lies in, is of this process."""
        if window not in self._ours:
            ours, above = False, window
            while above > _POINTER_ROOT and above != self._root and not ours:
                ours, above = self._pid_of(above) == self._pid, self._parent(above)
            if len(self._ours) > 256:
                self._ours.clear()
            self._ours[window] = ours
        return self._ours[window]

    def _pid_of(self, window: int) -> int:
        kind, width, count, left = c_ulong(), c_int(), c_ulong(), c_ulong()
        data = c_void_p()
        self._x.XGetWindowProperty(self._display, window, self._pid_atom, 0, 1, 0, _ANY,
                                   byref(kind), byref(width), byref(count), byref(left),
                                   byref(data))
        if not data.value:
            return 0
        pid = ctypes.cast(data, POINTER(c_ulong))[0] & 0xFFFFFFFF if count.value else 0
        self._x.XFree(data)
        return pid

    def _parent(self, window: int) -> int:
        root, parent, children, count = c_ulong(), c_ulong(), POINTER(c_ulong)(), c_uint()
        self._x.XQueryTree(self._display, window, byref(root), byref(parent), byref(children),
                           byref(count))
        if children:
            self._x.XFree(children)
        return parent.value

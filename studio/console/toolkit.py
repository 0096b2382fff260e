"""Dear PyGui, without its annotations: it declares its context managers as plain numbers."""

from typing import Any

import dearpygui.dearpygui

dpg: Any = dearpygui.dearpygui

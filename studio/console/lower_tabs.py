"""The window below the cameras: plots, the action chunk and the devices, one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from studio.console.toolkit import dpg

WINDOW = 9004


@contextmanager
def lower_tabs() -> Iterator[None]:
    """Make the window; tabs that are made inside become its tabs."""
    with (dpg.window(tag=WINDOW, no_close=True, no_scrollbar=True, no_scroll_with_mouse=True,
                     min_size=(10, 10)), dpg.tab_bar()):
        yield

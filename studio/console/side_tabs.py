"""The window at the right: what is to be recorded, and driving in tandem, one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from studio.console.toolkit import dpg

WINDOW = 9005


@contextmanager
def side_tabs() -> Iterator[None]:
    """Make the window; tabs that are made inside become its tabs."""
    with dpg.window(tag=WINDOW, no_close=True, min_size=(10, 10)), dpg.tab_bar():
        yield

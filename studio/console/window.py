"""The window itself: opened, coloured, drawn frame by frame, and its layout remembered.

Dear PyGui has one context a process, so this is used once. All callbacks run in the thread that
draws. Knows the toolkit; refuses to know what is drawn in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.console.layout import VERSION, first_layout
from studio.console.theme import Themes
from studio.console.toolkit import dpg
from studio.views.look import PALETTES, rgba

TITLE = "Tandem Studio"
LEAST = (960, 600)


def within(wanted: tuple[int, int], screen: tuple[int, int]) -> tuple[int, int]:
    """The size wanted, but no larger than the screen: the stop must be in sight, also where no
    window manager sees to it. A screen of (0, 0) is unknown.
    """
    width, height = (min(want, have) if have else want
                     for want, have in zip(wanted, screen, strict=True))
    return width, height


@contextmanager
def open_context(folder: Path, size: tuple[int, int]) -> Iterator[None]:
    """The toolkit's one context, with docking, and the layout that was left here last.

    Args:
        folder: where layouts are remembered; one for each size class, because a layout for a
            large screen hides half of itself on a small one.
        size: of the window, in pixels.
    """
    layout = folder / f"layout-{VERSION}-{'small' if size[0] < 1400 else 'large'}.ini"
    kept = True
    if not layout.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            layout.write_text(first_layout(*size))
        except OSError:
            kept = False            # a folder that cannot be written costs the memory only
    dpg.create_context()
    try:
        dpg.configure_app(docking=True, docking_space=True, manual_callback_management=True,
                          init_file=str(layout) if kept else "", load_init_file=kept,
                          auto_save_init_file=kept)     # every few seconds: also for a killed one
        yield
    finally:
        dpg.destroy_context()


def open_window(size: tuple[int, int], palette: str) -> None:
    """Show the window, on a palette's ground; everything in it was made before."""
    dpg.create_viewport(title=TITLE, width=size[0], height=size[1], x_pos=0, y_pos=0,
                        min_width=min(LEAST[0], size[0]), min_height=min(LEAST[1], size[1]),
                        vsync=False, clear_color=list(rgba(PALETTES[palette].ground)))
    dpg.setup_dearpygui()
    dpg.show_viewport()


def colour(palette: str) -> Themes:
    """Make the themes of a palette, and give the whole application its colours."""
    themes = Themes(PALETTES[palette])
    dpg.bind_theme(themes.everything)
    if dpg.is_viewport_ok():
        dpg.set_viewport_clear_color(list(rgba(themes.palette.ground)))
    return themes


def run_callbacks() -> int:
    """Let the widgets that were used say so; how many did."""
    jobs = dpg.get_callback_queue() or []
    dpg.run_callbacks(jobs)
    return len(jobs)


def typing(items: tuple[int | str, ...]) -> bool:
    """Whether somebody types into one of these."""
    return any(dpg.is_item_active(item) for item in items)

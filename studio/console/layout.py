"""Where the panels lie on the first day; afterwards wherever the operator dragged them.

Dear ImGui keeps a layout as text. The state above and the health below keep their height, the
panels at the right their width, and the cameras take what is left. Handles for dragging are
hidden; the small corner of a panel brings its handle back. Knows that text's form; refuses to know
what is in a panel.
"""

from studio.console import (
    cameras_panel,
    episodes_panel,
    health_panel,
    lower_tabs,
    side_tabs,
    top_bar,
)

VERSION = 6                 # of the set of panels: another one starts from the first day again
_SPACE, _HOST = "0x08BD597D", "0x1BBC0F80"      # Dear ImGui's ids of the one dock space


def first_layout(width: int, height: int) -> str:
    """The layout for a window of a size in pixels."""
    small = width < 1400
    right = 400 if small else 440
    bottom = 236 if small else 320
    record = 388 if small else 424
    middle = height - top_bar.HEIGHT - health_panel.HEIGHT
    bar = "HiddenTabBar=1"
    homes = {top_bar.WINDOW: 1, health_panel.WINDOW: 2, cameras_panel.WINDOW: 7,
             side_tabs.WINDOW: 8, episodes_panel.WINDOW: 9, lower_tabs.WINDOW: 10}
    windows = "".join(f"[Window][###{window}]\nDockId=0x{node:08X},0\n\n"
                      for window, node in homes.items())

    def node(number: int, parent: str, size: tuple[int, int], more: str = "") -> str:
        return f"DockNode ID=0x{number:08X} Parent={parent} SizeRef={size[0]},{size[1]} {more}\n"

    return (windows + "[Docking][Data]\n"
            f"DockSpace ID={_SPACE} Window={_HOST} Pos=0,0 Size={width},{height} Split=Y\n"
            + node(1, _SPACE, (width, top_bar.HEIGHT), bar)
            + node(3, _SPACE, (width, height - top_bar.HEIGHT), "Split=Y")
            + node(4, "0x00000003", (width, middle), "Split=X")
            + node(5, "0x00000004", (width - right, middle), "Split=Y")
            + node(7, "0x00000005", (width - right, middle - bottom), f"CentralNode=1 {bar}")
            + node(10, "0x00000005", (width - right, bottom), bar)
            + node(6, "0x00000004", (right, middle), "Split=Y")
            + node(8, "0x00000006", (right, record), bar)
            + node(9, "0x00000006", (right, middle - record), bar)
            + node(2, "0x00000003", (width, health_panel.HEIGHT), bar))

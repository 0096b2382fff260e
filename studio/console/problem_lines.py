"""What is wrong and what to do about it, in full, above the cameras: where the operator looks.

As many lines as it takes, and no room at all while all is well. Knows widgets.
"""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon
from studio.views.words import shortened

_MOST, _LETTERS = 3, 400
_EDGE = 40          # pixels that words leave free at the right


class ProblemLines:
    """See the head of this file; made inside the window that it belongs to."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        with dpg.group(show=False) as self._group:
            self._lines = [dpg.add_text("", show=False) for _ in range(_MOST)]

    @property
    def height(self) -> int:
        """In pixels, as last drawn; 0 without problems."""
        shown = dpg.is_item_shown(self._group)
        return int(dpg.get_item_rect_size(self._group)[1]) + 8 if shown else 0

    def show(self, seen: Seen, width: int) -> None:
        """Say the gravest first.

        Args:
            seen: what there is to draw.
            width: of the window, in pixels.
        """
        shown, themes = self._ui.shown, self._ui.themes
        shown.settings(self._group, show=bool(seen.problems))
        for i, line in enumerate(self._lines):
            said = seen.problems[i] if i < len(seen.problems) else ""
            shown.settings(line, show=bool(said), wrap=max(200, width - _EDGE))
            shown.value(line, f"{icon('triangle-alert')}  {shortened(said, _LETTERS)}")
            shown.theme(line, themes.said["warning"])

"""Behind now on the timeline: where the arm was, when a person drove, when the driver changed."""

from studio.console.seen import Ui
from studio.console.toolkit import dpg
from studio.views.live_plan import History

_SPANS = 8                  # of a person's driving, within the seconds that are shown


class PlanPast:
    """Series of a plot; see the head of this file.

    Args:
        ui: to make them with.
        axis: the plot's y axis.

    Attributes:
        values: what was drawn last, so that the axis can hold it.
    """

    def __init__(self, ui: Ui, axis: int | str) -> None:
        self._ui, self.values = ui, list[float]()
        self._hands = [dpg.add_shade_series([], [], y2=[], label="You drove" if not n else "",
                                            parent=axis) for n in range(_SPANS)]
        self._line = dpg.add_line_series([], [], label="Was", parent=axis)
        self._changes = dpg.add_inf_line_series([], label="Driver changed", parent=axis)

    def recolour(self) -> None:
        """Another palette was chosen."""
        themes = self._ui.themes
        dpg.bind_item_theme(self._line, themes.lines[2])
        dpg.bind_item_theme(self._changes, themes.faint_line)
        for hand in self._hands:
            dpg.bind_item_theme(hand, themes.shade)

    def show(self, history: History, space: str, dimension: int,
             limits: tuple[float, float]) -> None:
        """Draw the last seconds of a dimension.

        Args:
            history: of the arm.
            space, dimension: of the plan that is shown.
            limits: of the y axis.
        """
        seconds, self.values = history.line(space, dimension)
        shown = self._ui.shown
        shown.array(self._line, [seconds, self.values])
        spans = history.hands()[-_SPANS:]
        for hand, span in zip(self._hands, [*spans, *[None] * _SPANS], strict=False):
            times = list(span) if span else []
            shown.array(hand, [times, [limits[1]] * len(times), [limits[0]] * len(times), [], []])
        shown.array(self._changes, [history.changes()])

    def hide(self) -> None:
        """Nothing runs."""
        self.values = []
        for hand in self._hands:
            dpg.set_value(hand, [[], [], [], [], []])
        dpg.set_value(self._line, [[], []])
        dpg.set_value(self._changes, [[]])

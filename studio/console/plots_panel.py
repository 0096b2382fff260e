"""Joints, force and command over the last seconds; one plot at a time, because lines are dear."""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon
from studio.views.plots import OLD, PLOTS, Plot, limits_of

TRACED = {plot.stream: tuple(sorted({p.column for p in PLOTS if p.stream == plot.stream}))
          for plot in PLOTS}
_MOST_LINES = 16


class PlotsPanel:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._plot = PLOTS[0]
        self._limits: tuple[float, float] | None = None
        self._newest = 0.0
        with dpg.tab(label=f"{icon('activity')}  Plots"):
            with dpg.group(horizontal=True, horizontal_spacing=4):
                self._choices = [dpg.add_button(label=plot.title, user_data=plot,
                                                callback=lambda _s, _a, plot: self._choose(plot))
                                 for plot in PLOTS]
                dpg.add_spacer(width=8)
                self._old = dpg.add_text(f"{icon('unplug')}  {OLD}", show=False)
            with dpg.plot(width=-1, height=-1, no_mouse_pos=True, no_menus=True,
                          no_box_select=True) as self._item:
                dpg.add_plot_legend(location=dpg.mvPlot_Location_North, horizontal=True,
                                    outside=True)
                self._x = dpg.add_plot_axis(dpg.mvXAxis, no_label=True)
                self._y = dpg.add_plot_axis(dpg.mvYAxis, label=self._plot.unit)
            dpg.set_axis_limits(self._x, -10.0, 0.0)
        self._series: list[int | str] = []
        self._names: tuple[str, ...] = ()

    def _choose(self, plot: Plot) -> None:
        self._plot, self._names, self._limits = plot, (), None
        self._ui.shown.changed = True

    def show(self, seen: Seen) -> None:
        """Draw the newest rows of the chosen plot."""
        shown, themes = self._ui.shown, self._ui.themes
        for button, plot in zip(self._choices, PLOTS, strict=True):
            shown.theme(button, themes.chosen if plot is self._plot else themes.quiet)
        shown.settings(self._old, show=seen.silent and seen.snapshot is not None)
        shown.theme(self._old, themes.said["fault"])
        if not dpg.is_item_visible(self._item):
            return
        seconds, lines = seen.traces.lines(self._plot.stream, self._plot.column)
        names = self._plot.names or (seen.robot.joint_names if seen.robot else ())
        names = tuple(names[:len(lines)])
        if names != self._names or len(self._series) != len(lines):
            self._rebuild(names, len(lines))
        stamp = seen.traces.newest(self._plot.stream)
        if stamp == self._newest and self._limits is not None:
            return
        self._newest = stamp
        for series, values in zip(self._series, lines, strict=True):
            shown.array(series, [seconds, values])
        limits = limits_of(lines, self._limits)
        if limits != self._limits:
            self._limits = limits
            dpg.set_axis_limits(self._y, *limits)

    def _rebuild(self, names: tuple[str, ...], count: int) -> None:
        for series in self._series:
            dpg.delete_item(series)
        self._names = names
        dpg.configure_item(self._y, label=self._plot.unit)
        lines = self._ui.themes.lines
        self._series = []
        for i in range(min(count, _MOST_LINES)):
            label = names[i] if i < len(names) else str(i + 1)
            series = dpg.add_line_series([], [], label=label, parent=self._y)
            dpg.bind_item_theme(series, lines[i % len(lines)])
            self._series.append(series)

    def recolour(self) -> None:
        """Another palette was chosen."""
        self._names = ("",)

"""The action chunk that a hand can change: drag points, a commit line, a cut at the end."""

from studio.console.library import HORIZON, Library
from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.chunk_timeline import Chunk, Timeline, timeline_of
from studio.views.icons import icon
from studio.views.look import rgba


class TimelinePanel:
    """See the head of this file; shows the chunks of the episode that is chosen in the list."""

    def __init__(self, ui: Ui, library: Library) -> None:
        self._ui, self._library = ui, library
        self._episode, self._chunks, self._at = "", (), 0
        self._timeline: Timeline | None = None
        self._dragging = False
        with dpg.tab(label=f"{icon('spline')}  Action chunk"):
            with dpg.group(horizontal=True):
                self._back = dpg.add_button(label=icon("chevron-left"),
                                            callback=lambda: self._go(-1))
                self._forth = dpg.add_button(label=icon("chevron-right"),
                                             callback=lambda: self._go(1))
                self._dimension = dpg.add_combo((), width=130, callback=self._choose)
                self._revert = dpg.add_button(label=f"{icon('undo-2')}  Revert",
                                              callback=self._take_back)
                self._title = dpg.add_text("Choose an episode in the list")
            self._build_plot()

    def _build_plot(self) -> None:
        palette = self._ui.themes.palette
        with dpg.plot(width=-1, height=-1, no_menus=True, no_box_select=True, no_mouse_pos=True,
                      pan_button=dpg.mvMouseButton_Middle) as self._plot:
            dpg.add_plot_legend(location=dpg.mvPlot_Location_North, horizontal=True, outside=True)
            self._x = dpg.add_plot_axis(dpg.mvXAxis, label="s from now")
            self._y = dpg.add_plot_axis(dpg.mvYAxis, label="rad")
            self._proposed = dpg.add_line_series([], [], label="Proposed", parent=self._y)
            self._edited = dpg.add_line_series([], [], label="As it stands", parent=self._y)
            accent = rgba(palette.accent)
            self._points = [
                dpg.add_drag_point(color=accent, thickness=5, show_label=False, no_fit=True,
                                   user_data=step, show=False, clamped=False,
                                   callback=lambda item, _a, step: self._dragged(item, step))
                for step in range(HORIZON)]
            self._commit = dpg.add_drag_line(
                label="committed", color=rgba(palette.tones["policy"].text), vertical=True,
                no_fit=True, show=False, callback=self._commit_moved)
            self._end = dpg.add_drag_line(
                label="cut", color=rgba(palette.tones["override"].text), vertical=True,
                no_fit=True, show=False, callback=self._end_moved)
        self.recolour()

    def recolour(self) -> None:
        """Another palette was chosen."""
        themes = self._ui.themes
        dpg.bind_item_theme(self._proposed, themes.faint_line)
        dpg.bind_item_theme(self._edited, themes.lines[0])

    # ---- what a hand does ----

    def _dragged(self, item: int | str, step: int) -> None:
        if self._timeline is not None:
            self._timeline = self._timeline.drag(step, float(dpg.get_value(item)[1]))
            self._dragging = True
            self._draw()

    def _commit_moved(self) -> None:
        if self._timeline is not None:
            step_s = self._timeline.chunk.step_s
            steps = round(float(dpg.get_value(self._commit)) / step_s + 0.5)
            self._timeline = self._timeline.commit(steps)
            self._dragging = True
            self._draw()

    def _end_moved(self) -> None:
        if self._timeline is not None:
            step_s = self._timeline.chunk.step_s
            self._timeline = self._timeline.trim(
                round(float(dpg.get_value(self._end)) / step_s + 0.5))
            self._dragging = True
            self._draw()

    def _choose(self, _sender: int | str, name: str) -> None:
        if self._timeline is not None:
            self._timeline = self._timeline.show(self._timeline.chunk.names.index(name))
            self._draw(refit=True)

    def _take_back(self) -> None:
        if self._timeline is not None:
            self._timeline = self._timeline.revert()
            self._draw()

    def _go(self, by: int) -> None:
        if self._chunks:
            self._at = min(max(self._at + by, 0), len(self._chunks) - 1)
            self._open(self._chunks[self._at])

    def let_go(self) -> None:
        """The mouse let go: what was dragged becomes one edit."""
        if self._dragging and self._timeline is not None:
            self._dragging = False
            self._timeline, edit = self._timeline.release()
            if edit is not None:
                self._ui.do("chunk edit", edit)

    @property
    def newest(self) -> Chunk | None:
        """The chunk that an edit must be about."""
        return self._timeline.chunk if self._timeline else None

    # ---- what is drawn ----

    def show(self, seen: Seen) -> None:
        """Follow the choice in the list."""
        if any(row.episode == seen.flow.last for row in seen.rows):     # it is committed
            self._library.cut(seen.flow.last)
        episode, chunks = self._library.chunks
        if episode == self._episode and chunks == self._chunks:
            return
        self._episode, self._chunks, self._at = episode, chunks, 0
        if chunks:
            self._open(chunks[0])
        else:
            self._timeline = None
            self._hide()
            self._ui.shown.value(self._title, "This episode has no commands to show" if episode
                                 else "Choose an episode in the list")

    def _hide(self) -> None:
        for item in (*self._points, self._commit, self._end):
            dpg.configure_item(item, show=False)
        for line in (self._proposed, self._edited):
            dpg.set_value(line, [[], []])

    def _open(self, chunk: Chunk) -> None:
        dimension = self._timeline.dimension if self._timeline else 0
        self._timeline = timeline_of(chunk, dimension)
        dpg.configure_item(self._dimension, items=chunk.names)
        dpg.set_value(self._dimension, chunk.names[self._timeline.dimension])
        self._draw(refit=True)

    def _draw(self, *, refit: bool = False) -> None:
        line = self._timeline
        if line is None:
            return
        step_s, values, count = line.chunk.step_s, line.line(), len(line.values)
        times = [step * step_s for step in range(count)]
        dpg.set_value(self._proposed, [times, list(line.proposed())])
        dpg.set_value(self._edited, [times[:line.length], list(values[:line.length])])
        for step, point in enumerate(self._points):
            free = line.chunk.committed <= step < line.length
            dpg.configure_item(point, show=step < count and free)
            if step < count:
                dpg.set_value(point, (times[step], values[step]))
        dpg.configure_item(self._commit, show=True)
        dpg.configure_item(self._end, show=True)
        dpg.set_value(self._commit, (line.chunk.committed - 0.5) * step_s)
        dpg.set_value(self._end, (line.length - 0.5) * step_s)
        if refit:
            low, high = min(values), max(values)
            room = max(0.2, 0.4 * (high - low))
            dpg.set_axis_limits(self._x, -1.0 * step_s, (count + 0.5) * step_s)
            dpg.set_axis_limits(self._y, low - room, high + room)
        changed = ", changed" if line.changed else ""
        self._ui.shown.value(self._title, f"Chunk {line.chunk.number} of {len(self._chunks)}"
                                          f", {line.length} steps{changed}")
        self._ui.shown.changed = True

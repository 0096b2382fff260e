"""The action chunk that a hand can change: of the policy that drives, else of an episode.

Drag points, or the line at which it is cut. A chunk that runs stands still on the screen while it
is dragged; the station says whether the edit still came in time. Knows a plot; what an edit means
is decided in views/chunk_timeline.py and views/live_plan.py.
"""

import msgspec

from studio.console.library import HORIZON, Library
from studio.console.plan_buttons import PlanButtons
from studio.console.plan_past import PlanPast
from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.station.messages import RunningChunk
from studio.views.chunk_timeline import Chunk, Timeline, timeline_of
from studio.views.icons import icon
from studio.views.live_plan import PAST_S, chunk_of, commands_of, fixed_points, words_of
from studio.views.look import rgba

POINTS = 2 * HORIZON        # that a chunk may have here
_ROOM = 0.03                # in m or rad: a chunk that stands still is drawn as one


class TimelinePanel:
    """See the head of this file."""

    def __init__(self, ui: Ui, library: Library) -> None:
        self._ui, self._library = ui, library
        self._episode, self._chunks, self._at = "", (), 0
        self._timeline: Timeline | None = None
        self._running: RunningChunk | None = None
        self._space = ""
        self._dragging = self._live = False
        self._limits = (0.0, 0.0)
        with dpg.tab(label=f"{icon('spline')}  Action chunk") as self.tab:
            with dpg.group(horizontal=True):
                self._back = dpg.add_button(label=icon("chevron-left"),
                                            callback=lambda: self._go(-1))
                self._forth = dpg.add_button(label=icon("chevron-right"),
                                             callback=lambda: self._go(1))
                self._dimension = dpg.add_combo((), width=110, callback=self._choose)
                self._revert = dpg.add_button(label=f"{icon('undo-2')}  Revert",
                                              callback=self._take_back)
                self.buttons = PlanButtons(ui)
                self._title = dpg.add_text("Choose an episode in the list")
            self._build_plot()
        dpg.bind_item_font(self._title, ui.fonts.small)

    def _build_plot(self) -> None:
        palette = self._ui.themes.palette
        with dpg.plot(width=-1, height=-1, no_menus=True, no_box_select=True, no_mouse_pos=True,
                      pan_button=dpg.mvMouseButton_Middle) as self.plot:
            dpg.add_plot_legend(location=dpg.mvPlot_Location_North, horizontal=True, outside=True)
            self._x = dpg.add_plot_axis(dpg.mvXAxis, label="s from now")
            self._y = dpg.add_plot_axis(dpg.mvYAxis, label="rad")
            self._past = PlanPast(self._ui, self._y)
            self._proposed = dpg.add_line_series([], [], label="Proposed", parent=self._y)
            self._edited = dpg.add_line_series([], [], label="As it stands", parent=self._y)
            self._fixed = dpg.add_scatter_series([], [], label="Fixed", parent=self._y)
            accent = rgba(palette.accent)
            self._points = [
                dpg.add_drag_point(color=accent, thickness=5, show_label=False, no_fit=True,
                                   user_data=step, show=False, clamped=False,
                                   callback=lambda item, _a, step: self._dragged(item, step))
                for step in range(POINTS)]
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
        dpg.bind_item_theme(self._fixed, themes.fixed)
        self._past.recolour()

    # ---- what a hand does ----

    def _dragged(self, item: int | str, step: int) -> None:
        if self._timeline is not None:
            self._timeline = self._timeline.drag(step, float(dpg.get_value(item)[1]))
            self._dragging = True
            self._draw()

    def _commit_moved(self) -> None:
        if self._timeline is not None and not self._live:
            self._timeline = self._timeline.commit(self._step_at(self._commit))
        self._dragging = True
        self._draw()

    def _end_moved(self) -> None:
        if self._timeline is not None:
            self._timeline = self._timeline.trim(self._step_at(self._end))
            self._dragging = True
            self._draw()

    def _step_at(self, line: int | str) -> int:
        assert self._timeline is not None
        return round(float(dpg.get_value(line)) / self._timeline.chunk.step_s + 0.5) + self._now

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
        if not self._dragging or self._timeline is None:
            return
        self._dragging, before = False, self._timeline.chunk
        self._timeline, edit = self._timeline.release()
        if edit is None:
            return
        if self._live:
            self._ui.do("plan edit", commands_of(edit, before, self._space))
        else:
            self._ui.do("chunk edit", edit)

    @property
    def newest(self) -> Chunk | None:
        """The chunk that an edit must be about."""
        return self._timeline.chunk if self._timeline else None

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return {"chunk tab": self.tab, "chunk plot": self.plot} | self.buttons.items

    # ---- what is drawn ----

    def show(self, seen: Seen) -> None:
        """Follow the plan that runs, else the choice in the list."""
        shown, snapshot = self._ui.shown, seen.snapshot
        running = snapshot.chunk if snapshot is not None and not seen.silent else None
        live = running is not None
        for item in (self._back, self._forth, self._revert):
            shown.settings(item, show=not live)
        self.buttons.show(seen, live=live)
        if live != self._live:
            self._live, self._dragging, self._episode = live, False, ""
            self._timeline = None
            self._hide()
            shown.settings(self._x, label="s from now")
        if running is not None:
            self._show_live(seen, running)
        else:
            self._show_recorded(seen)

    def _show_live(self, seen: Seen, running: RunningChunk) -> None:
        snapshot = seen.snapshot
        if self._dragging or snapshot is None or not dpg.is_item_visible(self.plot):
            return
        chunk, before = chunk_of(running, seen.robot), self._timeline
        dimension = before.dimension if before else 0
        other = before is None or before.chunk.names != chunk.names
        same = not other and before is not None and before.chunk == chunk
        self._running, self._space = running, running.space
        self._timeline = timeline_of(chunk, dimension)
        if other:
            dpg.configure_item(self._dimension, items=chunk.names)
            dpg.set_value(self._dimension, chunk.names[self._timeline.dimension])
        self._ui.shown.settings(self._y, label="m" if running.space == "tool" else "rad")
        self._past.show(seen.history, running.space, self._timeline.dimension, self._limits)
        self._ui.shown.value(self._title, words_of(running, stepping=snapshot.stepping,
                                                   scale=snapshot.plan_scale))
        if not same or other:
            self._draw(refit=True)

    def _show_recorded(self, seen: Seen) -> None:
        if any(row.episode == seen.flow.last for row in seen.rows):     # it is committed
            self._library.cut(seen.flow.last)
        episode, chunks = self._library.chunks
        if episode == self._episode and chunks == self._chunks and (
                self._timeline is not None or not chunks):
            return
        self._episode, self._chunks, self._at = episode, chunks, 0
        if chunks:
            self._ui.shown.settings(self._y, label="rad")
            self._open(chunks[0])
        else:
            self._timeline = None
            self._hide()
            self._ui.shown.value(self._title, "This episode has no commands to show" if episode
                                 else "Choose an episode in the list")

    @property
    def _now(self) -> int:
        """The step that is at 0 on the time axis."""
        return self._running.step if self._live and self._running is not None else 0

    def _hide(self) -> None:
        for item in (*self._points, self._commit, self._end):
            dpg.configure_item(item, show=False)
        for line in (self._proposed, self._edited, self._fixed):
            dpg.set_value(line, [[], []])
        self._past.hide()

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
        times = [(step - self._now) * step_s for step in range(count)]
        proposed = self._as_proposed(line)
        dpg.set_value(self._proposed, [[(step - self._now) * step_s for step in
                                        range(len(proposed))], proposed])
        dpg.set_value(self._edited, [times[:line.length], list(values[:line.length])])
        fixed = fixed_points(self._running, line.dimension) if self._live and self._running else []
        dpg.set_value(self._fixed, [[(step - self._now) * step_s for step, _ in fixed],
                                    [value for _, value in fixed]])
        for step, point in enumerate(self._points):
            free = line.chunk.committed <= step < line.length
            dpg.configure_item(point, show=step < count and free)
            if step < count:
                dpg.set_value(point, (times[step], values[step]))
        dpg.configure_item(self._commit, show=True)
        dpg.configure_item(self._end, show=True)
        dpg.set_value(self._commit, (line.chunk.committed - 0.5 - self._now) * step_s)
        dpg.set_value(self._end, (line.length - 0.5 - self._now) * step_s)
        if refit:
            self._fit([*values, *proposed], times)
        if not self._live:
            changed = ", changed" if line.changed else ""
            self._ui.shown.value(self._title, f"Chunk {line.chunk.number} of {len(self._chunks)}"
                                              f", {line.length} steps{changed}")
        self._ui.shown.changed = True

    def _as_proposed(self, line: Timeline) -> list[float]:
        """(H,) of the dimension that is shown, as the policy said it."""
        if not self._live or self._running is None or not self._running.proposed:
            return list(line.proposed())
        whole = chunk_of(replaced(self._running), None)
        return [row[line.dimension] for row in whole.values]

    def _fit(self, values: list[float], times: list[float]) -> None:
        line = self._timeline
        assert line is not None
        if not self._live:
            low, high = min(values), max(values)
            room = max(0.2, 0.4 * (high - low))
            dpg.set_axis_limits(self._x, -line.chunk.step_s, times[-1] + 1.5 * line.chunk.step_s)
            dpg.set_axis_limits(self._y, low - room, high + room)
            return
        values = values + self._past.values
        low, high = min(values) - _ROOM, max(values) + _ROOM
        was_low, was_high = self._limits
        if low < was_low or high > was_high or high - low < 0.5 * (was_high - was_low):
            self._limits = low - _ROOM, high + _ROOM
        dpg.set_axis_limits(self._y, *self._limits)
        dpg.set_axis_limits(self._x, -PAST_S, len(line.chunk.values) * line.chunk.step_s)


def replaced(running: RunningChunk) -> RunningChunk:
    """A chunk as the policy proposed it, before a person changed it."""
    return msgspec.structs.replace(running, targets=running.proposed)

"""Learning while one drives: start it, see how it goes, let a version drive, and take it back."""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.station.desk.link import DeskState
from studio.station.training.training_link import (
    LEARNED,
    Promote,
    StartTraining,
    StopTraining,
)
from studio.views.icons import icon
from studio.views.keymap import key_for
from studio.views.training_words import (
    METHODS,
    VersionRow,
    reason_for,
    roll_back_refusal,
    telling,
    training_words,
    version_rows,
)
from studio.views.words import shortened

_ROWS = 8                   # newest versions; the page lists all
_LETTERS = 64


class TrainingPanel:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._rows: tuple[VersionRow, ...] = ()
        self._running = False
        self._desk: DeskState | None = None
        with dpg.tab(label=f"{icon('dumbbell')}  Train") as self.tab:
            with dpg.group(horizontal=True):
                self._method = dpg.add_combo([words for _, words in METHODS], width=300,
                                             default_value=METHODS[0][1])
                self._minutes = dpg.add_input_float(default_value=3.0, min_value=0.1, width=164,
                                                    min_clamped=True, step=1.0, format="%.1f min")
                self.start = dpg.add_button(label="", width=110, callback=self._start_or_stop)
                self.resume = dpg.add_button(label=f"{icon('play')}  Go on", callback=lambda:
                                             ui.do("ask desk", StartTraining(resume=True)))
                self.back = dpg.add_button(
                    label=f"{icon('undo-2')}  Roll back  {key_for('roll back')}",
                    callback=lambda: ui.do("roll back"))
            with dpg.tooltip(self.start, delay=0.3):
                self._tip = dpg.add_text("")
            with dpg.tooltip(self.back, delay=0.3):
                self._back_tip = dpg.add_text("")
            self._state = dpg.add_text("")
            self._bar = dpg.add_progress_bar(width=-1, height=6, show=False)
            with dpg.table(header_row=False, policy=dpg.mvTable_SizingStretchProp):
                for weight in (3, 2):
                    dpg.add_table_column(init_width_or_weight=weight)
                with dpg.table_row():
                    with dpg.child_window(border=False, height=-1):
                        self._decision = dpg.add_text("", wrap=0)
                        self._reason = dpg.add_input_text(
                            hint="Reason to let it drive all the same", width=-12, show=False)
                        self._lines = [self._line(number) for number in range(_ROWS)]
                    with dpg.plot(width=-1, height=-1, no_menus=True, no_box_select=True,
                                  no_mouse_pos=True) as self._plot:
                        dpg.add_plot_legend(location=dpg.mvPlot_Location_North, horizontal=True,
                                            outside=True)
                        self._x = dpg.add_plot_axis(dpg.mvXAxis, label="min", auto_fit=True)
                        self._y = dpg.add_plot_axis(dpg.mvYAxis, auto_fit=True)
        self._series: dict[str, int | str] = {}
        for item in (self._state, self._decision):
            dpg.bind_item_font(item, ui.fonts.small)

    def _line(self, number: int) -> tuple[int | str, ...]:
        with dpg.group(horizontal=True, show=False) as group:
            use = dpg.add_button(label="Let it drive", width=100, height=24,
                                 callback=lambda: self._promote(number))
            words, figures = dpg.add_text(""), dpg.add_text("")
        for item in (use, figures):
            dpg.bind_item_font(item, self._ui.fonts.small)
        return group, use, words, figures

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return {"train tab": self.tab, "train": self.start, "roll back": self.back,
                "go on": self.resume, "reason": self._reason} | {
                    f"let drive {number}": line[1] for number, line in enumerate(self._lines)}

    @property
    def texts(self) -> tuple[int | str, ...]:
        """Into which somebody may type."""
        return self._minutes, self._reason

    def _start_or_stop(self) -> None:
        if self._running:
            self._ui.do("ask desk", StopTraining())
            return
        method = next(name for name, words in METHODS if words == dpg.get_value(self._method))
        self._ui.do("ask desk", StartTraining(method=method,
                                              minutes=float(dpg.get_value(self._minutes))))

    def _promote(self, number: int) -> None:
        if number < len(self._rows):
            row = self._rows[number]
            reason = reason_for(self._desk, row.run, row.number, dpg.get_value(self._reason))
            self._ui.do("ask desk", Promote(version=row.number, run=row.run, overrule=reason))
            dpg.set_value(self._reason, "")     # it was for the one that was refused

    def show(self, seen: Seen) -> None:
        """Draw how it goes."""
        shown, themes, state = self._ui.shown, self._ui.themes, seen.state
        said, self._desk = training_words(state), state
        self._running = state is not None and state.training.running
        refusal = said.stop if self._running else said.start
        shown.settings(self.start, enabled=not refusal,
                       label=f"{icon('square')}  Stop" if self._running
                       else f"{icon('dumbbell')}  Train")
        shown.theme(self.start, themes.off if refusal else themes.primary)
        shown.value(self._tip, refusal or (
            "Ends after the step that is being made; what was learned is published"
            if self._running else "Trains on from the version that drives, from what is recorded"))
        shown.settings(self.resume, show=not said.resume)
        shown.theme(self.resume, themes.plain_button)
        cannot = roll_back_refusal(state)
        shown.settings(self.back, enabled=not cannot)
        shown.theme(self.back, themes.off if cannot else themes.plain_button)
        shown.value(self._back_tip, cannot or "The version before drives from the next call on")
        facts = "  ·  ".join(f"{name} {value}" for name, value in said.facts)
        shown.value(self._state, f"{icon(said.icon)}  " + shortened(
            ": ".join(filter(None, (said.word, said.detail or facts))), 2 * _LETTERS))
        shown.theme(self._state, themes.said[said.tone])
        shown.settings(self._bar, show=self._running)
        shown.value(self._bar, round(said.share, 3))
        self._show_versions(seen)
        self._show_curves(seen)

    def _show_versions(self, seen: Seen) -> None:
        shown, themes, state = self._ui.shown, self._ui.themes, seen.state
        known = state.versions if state is not None else None
        decided = known.doing or known.decision if known is not None else ""
        bad = known is not None and known.refused and not known.doing
        overrulable = known is not None and bad and bool(known.refused_run)
        shown.value(self._decision, f"{icon('circle-x' if bad else 'info')}  {decided}"
                    if decided else "")
        shown.settings(self._decision, show=bool(decided))
        shown.theme(self._decision, themes.said["warning" if bad else "idle"])
        shown.settings(self._reason, show=overrulable or bool(dpg.get_value(self._reason)))
        self._rows = version_rows(state)
        for line, row in zip(self._lines, [*self._rows[:_ROWS], *[None] * _ROWS], strict=False):
            group, use, words, figures = line
            shown.settings(group, show=row is not None)
            if row is None:
                continue
            shown.settings(use, enabled=not row.drives,
                           label="Drives" if row.drives else "Let it drive")
            shown.theme(use, themes.off if row.drives else themes.plain_button)
            shown.value(words, f"{icon(row.icon)} {row.words}, {row.standing.lower()}")
            shown.theme(words, themes.said[row.tone])
            shown.value(figures, shortened(row.says or row.figures, _LETTERS))
            shown.theme(figures, themes.muted)

    def _show_curves(self, seen: Seen) -> None:
        curves, _ = telling(seen.state.training.trainer.curves if seen.state is not None else ())
        if not dpg.is_item_visible(self._plot):
            return
        themes = self._ui.themes
        for name in self._series.keys() - {curve.name for curve in curves}:
            dpg.delete_item(self._series.pop(name))
        for number, curve in enumerate(curves):
            if curve.name not in self._series:
                self._series[curve.name] = dpg.add_line_series(
                    [], [], label=curve.name.removeprefix(LEARNED), parent=self._y)
            series = self._series[curve.name]
            dpg.bind_item_theme(series, themes.lines[number % len(themes.lines)])
            self._ui.shown.array(series, [list(curve.minutes), list(curve.values)])

    def recolour(self) -> None:
        """Another palette was chosen."""
        for number, series in enumerate(self._series.values()):
            dpg.bind_item_theme(series, self._ui.themes.lines[number % 8])

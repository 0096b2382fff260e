"""What is to be recorded next, and what to do with what was: the panel that hands work on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.station.recording.long_texts import MOST_LETTERS
from studio.views.icons import icon
from studio.views.keymap import key_for
from studio.views.recording_plan import Plan
from studio.views.words import plain, shortened

_COUNTDOWNS = ("0 s", "1 s", "3 s", "5 s", "10 s")
_LIMITS = ("No limit", "10 s", "20 s", "30 s", "60 s", "120 s")
_LABELS = (("success", "circle-check", "Success"), ("failure", "circle-x", "Failure"),
           ("partial", "circle-minus", "Partial"))


class RecordPanel:
    """See the head of this file.

    Args:
        ui: to make it with.
        plan: what stands there in the beginning.
        tasks: names of a robot's tasks.
        instructions: task -> what one might ask for.
    """

    def __init__(self, ui: Ui, plan: Plan, tasks: tuple[str, ...],
                 instructions: Callable[[str], tuple[str, ...]]) -> None:
        self._ui, self._instructions = ui, instructions
        self._task_names = tasks
        with dpg.tab(label=f"{icon('video')}  Record") as self._tab:
            self._build_plan(plan)
            self._build_buttons()
            self._build_labels()

    # ---- what is next ----

    def _build_plan(self, plan: Plan) -> None:
        with dpg.group(horizontal=True):
            self._task = dpg.add_combo(self._task_names, default_value=plan.task, width=-148,
                                       callback=lambda _, task: self._ui.do("task", task))
            self._new = dpg.add_button(label="", width=140,
                                       callback=lambda: self._ui.do("new scene"))
        with dpg.group(horizontal=True):
            self._words = dpg.add_input_text(
                hint="Say what to do, then Enter", width=-148, on_enter=True,
                callback=lambda _, text: self._say(text))
            self._phrases = dpg.add_combo((), width=140, no_preview=False, default_value="Phrases",
                                          callback=lambda _, text: self._phrase(text),
                                          height_mode=dpg.mvComboHeight_Large)
        with dpg.group(horizontal=True):
            self._practice = dpg.add_checkbox(
                label="Practice", default_value=plan.practice,
                callback=lambda _, on: self._ui.do("practice", on))
            dpg.add_spacer(width=6)
            dpg.add_text(icon("timer"))
            self._countdown = dpg.add_combo(
                _COUNTDOWNS, default_value=f"{plan.countdown_s:g} s", width=74,
                callback=lambda _, text: self._ui.do("countdown", float(text.split()[0])))
            dpg.add_text(icon("hourglass"))
            self._limit = dpg.add_combo(
                _LIMITS, default_value=_limit_words(plan.limit_s), width=-1,
                callback=lambda _, text: self._ui.do("limit", _limit_s(text)))
        for item, tip in ((self._countdown, "Countdown before an episode begins"),
                          (self._limit, "Time limit, after which an episode ends by itself; its "
                                        "last three seconds are heard")):
            with dpg.tooltip(item, delay=0.3):
                dpg.add_text(tip)

    def _say(self, text: str) -> None:
        if words := plain(text):
            self._ui.do("instruction", words)
            if len(words) <= MOST_LETTERS:      # else it is refused, and stands there to be cut
                dpg.set_value(self._words, "")

    def _phrase(self, text: str) -> None:
        self._ui.do("instruction", text)
        dpg.set_value(self._phrases, "Phrases")

    # ---- now ----

    def _build_buttons(self) -> None:
        fonts = self._ui.fonts
        self._main = dpg.add_button(label="", width=-1, height=46,
                                    callback=lambda: self._ui.do("main"))
        dpg.bind_item_font(self._main, fonts.title)
        with dpg.tooltip(self._main, delay=0.3):
            self._main_tip = dpg.add_text("")
        with _thirds(130, 132, 92) as self._three:      # as their words are long
            self._again = self._button("rotate-ccw", "Re-record", "rerecord")
            self._discard = self._button("trash-2", "Discard", "discard")
            self._undo = self._button("undo-2", "Undo", "undo")

    def _button(self, sign: str, words: str, action: str) -> int | str:
        key = key_for(action)
        return dpg.add_button(label=f"{icon(sign)} {words} {key}", width=-1, height=34,
                              callback=lambda: self._ui.do(action))

    # ---- afterwards ----

    def _build_labels(self) -> None:
        self._about = dpg.add_text("")
        dpg.bind_item_font(self._about, self._ui.fonts.small)
        with _thirds(1, 1, 1) as self._three_labels:
            self._labels = {label: self._button(sign, words, label)
                            for label, sign, words in _LABELS}
        self._note = dpg.add_input_text(
            hint="Note that goes with the label", width=-1,
            callback=lambda _, text: self._ui.do("note", plain(text)[:MOST_LETTERS]))

    @property
    def texts(self) -> tuple[int | str, ...]:
        """The items into which somebody may type."""
        return self._words, self._note

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return {"record tab": self._tab, "main": self._main, "rerecord": self._again,
                "discard": self._discard, "undo": self._undo, "words": self._words,
                "note": self._note, "new scene": self._new, "practice": self._practice,
                **self._labels}

    def tasks(self, names: tuple[str, ...]) -> None:
        """Another robot has other tasks."""
        if names != self._task_names:
            self._task_names = names
            dpg.configure_item(self._task, items=names)

    def show(self, seen: Seen) -> None:
        """Draw what is next, what works now, and what labels are about."""
        shown, plan, controls = self._ui.shown, seen.plan, seen.controls
        shown.value(self._task, plan.task)
        shown.settings(self._phrases, items=self._instructions(plan.task))
        shown.settings(self._new, label=f"{icon('refresh-cw')}  Scene {plan.seed}  "
                                        f"{key_for('new scene')}", enabled=not controls.new_scene)
        shown.value(self._practice, plan.practice)
        shown.value(self._countdown, f"{plan.countdown_s:g} s")
        shown.value(self._limit, _limit_words(plan.limit_s))
        self._show_main(seen)
        for table in (self._three, self._three_labels):
            shown.theme(table, self._ui.themes.compact)
        for item, refusal in ((self._again, controls.rerecord), (self._discard, controls.discard),
                              (self._undo, controls.undo), *(
                                  (item, controls.label) for item in self._labels.values())):
            shown.settings(item, enabled=not refusal)
            shown.theme(item, self._ui.themes.off if refusal else self._ui.themes.plain_button)
        for label, item in self._labels.items():
            shown.theme(item, self._ui.themes.off if controls.label
                        else self._ui.themes.labels[label])
        shown.value(self._about, _about(seen))
        shown.theme(self._about, self._ui.themes.muted)

    def _show_main(self, seen: Seen) -> None:
        shown, themes, controls = self._ui.shown, self._ui.themes, seen.controls
        left_s = seen.flow.counts_s(seen.now_ns)
        if left_s > 0:
            label, theme, tip = f"{icon('x')}  Cancel, {int(left_s) + 1} s left", themes.primary, ""
        elif seen.banner.recording:
            label, theme, tip = f"{icon('square')}  End and keep   →", themes.primary, controls.end
            if seen.snapshot is not None and seen.snapshot.practice:
                label = f"{icon('square')}  End practice   →"
        elif seen.plan.practice:
            label, theme, tip = (f"{icon('graduation-cap')}  Practise   Enter", themes.primary,
                                 controls.record)
        else:
            label, theme, tip = (f"{icon('record')}  Record   Enter", themes.primary,
                                 controls.record)
        shown.settings(self._main, label=label, enabled=not tip)
        shown.theme(self._main, themes.off if tip else theme)
        shown.value(self._main_tip, tip or "Or press the key")


@contextmanager
def _thirds(*weights: int) -> Iterator[int | str]:
    """Three widgets side by side, sharing the panel's width in these proportions."""
    with dpg.table(header_row=False, policy=dpg.mvTable_SizingStretchProp,
                   no_pad_outerX=True) as table:
        for weight in weights:
            dpg.add_table_column(init_width_or_weight=weight)
        with dpg.table_row():
            yield table


def _limit_words(limit_s: float) -> str:
    return f"{limit_s:g} s" if limit_s else _LIMITS[0]


def _limit_s(words: str) -> float:
    return 0.0 if words == _LIMITS[0] else float(words.split()[0])


def _about(seen: Seen) -> str:
    if seen.banner.recording and seen.snapshot is not None and not seen.snapshot.practice:
        return "A label ends the open episode and keeps it"
    row = next((row for row in seen.rows if row.episode == seen.flow.last), None)
    if row is None:
        return "Labels are for the last episode, or for the one chosen in the list"
    return shortened(f"Labels are for number {row.number}: {row.label_word}, {row.instruction}", 58)

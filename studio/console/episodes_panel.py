"""The newest episodes: thumbnail, length, label, drops and who drove; click to choose one."""

from typing import Any

import msgspec
import numpy as np

from studio.console.interrupted_panel import InterruptedPanel
from studio.console.library import NEWEST, THUMB, Library
from studio.console.seen import Seen, Ui
from studio.console.store_dialog import StoreDialog
from studio.console.toolkit import dpg
from studio.views.episode_rows import EpisodeFilter, EpisodeRow, shown
from studio.views.icons import icon
from studio.views.look import Sizes
from studio.views.words import counted, shortened

WINDOW = 9006
_ROW = THUMB[1] + 4


class _Line:
    """The widgets of one row; reused, because episodes come and go."""

    def __init__(self, parent: int | str, registry: int | str, ui: Ui) -> None:
        self.texture = dpg.add_raw_texture(*THUMB, np.zeros(THUMB[0] * THUMB[1] * 3, np.float32),
                                           format=dpg.mvFormat_Float_rgb, parent=registry)
        self.episode, self.pictured = "", ""
        with dpg.group(parent=parent, horizontal=True, show=False) as self.group:
            self.chosen = dpg.add_text(icon("chevron-right"))
            dpg.add_image(self.texture, width=THUMB[0], height=THUMB[1])
            with dpg.group():
                with dpg.group(horizontal=True):
                    self.number = dpg.add_text("")
                    self.label = dpg.add_text("")
                    self.facts = dpg.add_text("")
                self.words = dpg.add_text("")
            dpg.add_spacer(width=2)
        for item in (self.facts, self.words):
            dpg.bind_item_font(item, ui.fonts.small)
        dpg.bind_item_font(self.number, ui.fonts.strong)
        with dpg.item_handler_registry() as handlers:
            dpg.add_item_clicked_handler(callback=lambda: ui.do("choose", self.episode))
        self.handlers = handlers
        for item in (self.number, self.label, self.facts, self.words, self.chosen):
            dpg.bind_item_handler_registry(item, handlers)


class EpisodesPanel:
    """See the head of this file."""

    def __init__(self, ui: Ui, library: Library) -> None:
        self._ui, self._library = ui, library
        self._registry = dpg.add_texture_registry()
        self._filter = EpisodeFilter()
        self._lines: list[_Line] = []
        with dpg.window(tag=WINDOW, label=f"{icon('list-video')}  Episodes", no_close=True,
                        min_size=(10, 10)) as self.window:
            with dpg.group(horizontal=True):
                self.search = dpg.add_input_text(
                    hint="Search", width=-174,
                    callback=lambda _, text: self._narrow(text=text))
                self._bin = dpg.add_button(label="", width=80, callback=self._toggle_bin)
                self._restore = dpg.add_button(label=f"{icon('archive-restore')}  Restore",
                                               width=-1, callback=lambda: ui.do("restore"))
            self.store = StoreDialog(ui)
            self.interrupted = InterruptedPanel(ui)
            self._summary = dpg.add_text("")
            dpg.bind_item_font(self._summary, ui.fonts.small)
            self._list = dpg.add_child_window(width=-1, height=-1)

    @property
    def texts(self) -> tuple[int | str, ...]:
        """The items into which somebody may type."""
        return self.search, self.store.text

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return self.store.items | {f"interrupted {name}": button for name, button in
                                   self.interrupted.buttons.items()}

    def _narrow(self, **changes: Any) -> None:
        self._filter = msgspec.structs.replace(self._filter, **changes)
        self._ui.shown.changed = True

    def _toggle_bin(self) -> None:
        self._narrow(trashed=not self._filter.trashed)

    def show(self, seen: Seen) -> None:
        """Draw the rows that the filter lets through, newest first."""
        ui, listing = self._ui.shown, self._library.listing
        self.store.show(seen)
        self.interrupted.show(seen)
        rows = shown(seen.rows, self._filter)
        newest = rows[::-1][:NEWEST]
        in_bin = sum(row.trashed for row in seen.rows)
        ui.settings(self._bin, label=f"{icon('trash-2')}  {in_bin}" if not self._filter.trashed
                    else f"{icon('arrow-left')}  Kept")
        ui.settings(self._restore, show=self._filter.trashed)
        ui.settings(self.search, width=-174 if self._filter.trashed else -88)
        ui.value(self._summary, _summary(rows, self._filter, listing.problem))
        ui.theme(self._summary, self._ui.themes.said["fault"] if listing.problem
                 else self._ui.themes.muted)
        while len(self._lines) < len(newest):
            self._lines.append(_Line(self._list, self._registry, self._ui))
        for line, row in zip(self._lines, [*newest, *[None] * len(self._lines)], strict=False):
            ui.settings(line.group, show=row is not None)
            if row is not None:
                self._show_row(line, row, seen.flow.last == row.episode)

    def _show_row(self, line: _Line, row: EpisodeRow, chosen: bool) -> None:
        ui, themes = self._ui.shown, self._ui.themes
        line.episode = row.episode
        ui.theme(line.chosen, themes.accented if chosen else themes.unseen)
        ui.value(line.number, f"{row.number}")
        ui.value(line.label, f"{icon(row.label_icon)} {row.label_word}")
        ui.theme(line.label, themes.said[row.label_tone])
        ui.value(line.facts, f"{row.length}   {row.driver}   {row.drops}")
        ui.theme(line.facts, themes.said["warning"] if row.dropped else themes.plain)
        note = f" – {row.note}" if row.note else ""
        words = shortened(row.instruction, 52 - len(note)) + shortened(note, 30)
        ui.value(line.words, words)
        ui.font(line.words, self._ui.fonts.for_text(words, self._ui.fonts.small,
                                                    Sizes.LETTER_SMALL))
        ui.theme(line.words, themes.muted)
        picture = self._library.thumbs.get(row.episode)
        if picture is not None and line.pictured != row.episode:
            line.pictured = row.episode
            ui.array(line.texture, picture.ravel())


def _summary(rows: tuple[EpisodeRow, ...], narrowed: EpisodeFilter, problem: str) -> str:
    if problem:
        return f"{icon('triangle-alert')}  {shortened(problem, 90)}"
    if narrowed.trashed:
        return f"In the bin: {counted(len(rows), 'episode')}"
    said = [counted(len(rows), "episode")]
    for label in ("success", "failure", "partial", "unlabelled"):
        count = sum(row.label == label for row in rows)
        said += [f"{count} {label}"] if count else []
    more = f"; the newest {NEWEST} are shown" if len(rows) > NEWEST else ""
    return ", ".join(said) + more

"""Which policy may drive: the runs that were found, a path that is typed, and how far it is loaded.

The disk is read in a thread, so that no frame waits for it. Knows widgets; the desk decides.
"""

import threading
from pathlib import Path

from studio.console.path_window import PathWindow
from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon
from studio.views.policy_choices import RunChoice, find_runs
from studio.views.words import shortened

PLACES = ("runs", "out", "experiments")     # below the folder in which the desk was started
_NONE = "No policy"


class PolicyChooser:
    """See the head of this file.

    Args:
        ui: to make it with.
        remembered: folders that were chosen before, newest first.

    Attributes:
        open, text, go: the button that asks for another path, what is typed, and what sends it.
    """

    def __init__(self, ui: Ui, remembered: tuple[str, ...] = ()) -> None:
        self._ui, self._remembered = ui, remembered
        self._runs: tuple[RunChoice, ...] = ()
        self._found: tuple[RunChoice, ...] | None = None
        self._folder = ""
        self.combo = dpg.add_combo((_NONE,), default_value=_NONE, width=-172,
                                   callback=lambda _, words: self._choose(words))
        with dpg.tooltip(self.combo, delay=0.3):
            self._tip = dpg.add_text("Which training run may drive", wrap=420)
        self.open = dpg.add_button(label=icon("folder-open"), width=36,
                                   callback=lambda: self._window.open())
        with dpg.tooltip(self.open, delay=0.3):
            dpg.add_text("Another folder…")
        self._window = PathWindow(ui, ("bot", "Let a policy join"),
                                  "Folder of a training run, or of one of its checkpoints",
                                  ("Load it", 140), self._ask, height=168)
        self.text, self.go = self._window.text, self._window.go
        self.look()

    def look(self) -> None:
        """Look for runs again."""
        threading.Thread(target=self._find, name="runs", daemon=True).start()

    def _find(self) -> None:
        self._found = find_runs([Path(place) for place in PLACES], self._remembered)

    def _choose(self, words: str) -> None:
        self._ui.shown.typed(self.combo)
        folder = next((run.folder for run in self._runs if run.words == words), "")
        self._ui.do("policy", folder)
        self._ui.shown.changed = True

    def _ask(self) -> None:
        self._ui.do("policy", self._window.path)
        self._window.close()

    def show(self, seen: Seen) -> None:
        """Say which one it is, and offer the others."""
        shown, themes = self._ui.shown, self._ui.themes
        self._window.show()
        shown.theme(self.open, themes.plain_button)
        if self._found is not None:
            self._runs, self._found = self._found, None
        folder = seen.state.policy.folder if seen.state is not None else ""
        if folder != self._folder:
            self._folder = folder
            self._remembered = tuple(dict.fromkeys((folder, *self._remembered))) if folder \
                else self._remembered
            self.look()
        here = next((run.words for run in self._runs if run.folder == folder), Path(folder).name)
        words = tuple(dict.fromkeys(run.words for run in self._runs))
        shown.settings(self.combo, items=(*words, _NONE))
        shown.value(self.combo, shortened(here, 60) if folder else _NONE)
        shown.value(self._tip, folder or "Which training run may drive")

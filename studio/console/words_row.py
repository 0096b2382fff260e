"""What is said to the policy: a line to type into, when it shall hold, and what was said before.

The same line takes an instruction, or what is to be done now in System 2's place. Knows widgets;
what follows from words is asked of the station.
"""

from studio.console.seen import Seen, Ui
from studio.console.talk_button import TalkButton
from studio.console.toolkit import dpg
from studio.station.recording.long_texts import MOST_LETTERS
from studio.views.icons import icon
from studio.views.words import plain

_NOW, _SOON, _SUBTASK = "Now", "When ready", "Sub-task"
_ACTIONS = {_NOW: "instruction", _SOON: "instruction soon", _SUBTASK: "subtask"}


class WordsRow:
    """See the head of this file.

    Attributes:
        text: into which somebody may type.
    """

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        with dpg.group(horizontal=True):
            self.text = dpg.add_input_text(hint="Say something else, then Enter", width=-230,
                                           on_enter=True, callback=lambda _, text: self._say(text))
            self._when = dpg.add_combo(tuple(_ACTIONS), default_value=_NOW, width=74)
            self._again = dpg.add_combo((), no_preview=True, width=0,
                                        height_mode=dpg.mvComboHeight_Large,
                                        callback=lambda _, text: self._say(text))
            self._undo = dpg.add_button(label=icon("undo-2"), width=36, callback=self._take_back)
            self.talk = TalkButton(ui, self._understood)
        for item, tip in (
                (self._when, "Now: what the policy is doing is cancelled.\n"
                             "When ready: it goes on until it has read the new words.\n"
                             "Sub-task: this is to be done now, whatever System 2 says"),
                (self._again, "What was said before: now, earlier, in the store, of the task;\n"
                              "as a sub-task: what System 2 was taught to say"),
                (self._undo, "Say again what held before; as a sub-task: System 2 says it again")):
            with dpg.tooltip(item, delay=0.3):
                dpg.add_text(tip)

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return {"tandem words": self.text, "tandem when": self._when,
                "instruction undo": self._undo, "talk": self.talk.button}

    def show(self, seen: Seen) -> None:
        """Offer what can be said."""
        policy = seen.snapshot.policy if seen.snapshot is not None else None
        known = policy.subtasks if policy is not None else ()
        phrases = known if self._about_now else seen.phrases
        self._ui.shown.settings(self._again, items=phrases)
        self.talk.show(phrases, policy.words if policy is not None and self._about_now else ())
        self._ui.shown.theme(self._undo, self._ui.themes.plain_button)

    @property
    def _about_now(self) -> bool:
        return dpg.get_value(self._when) == _SUBTASK

    def _understood(self, phrase: str) -> None:
        dpg.set_value(self.text, phrase)
        dpg.focus_item(self.text)       # or the Enter that sends it would be a hot-key
        self._ui.shown.changed = True

    def _take_back(self) -> None:
        if self._about_now:
            self._ui.do("subtask", "")
        else:
            self._ui.do("instruction undo")

    def _say(self, text: str) -> None:
        if not (words := plain(text)):
            return
        self._ui.do(_ACTIONS[dpg.get_value(self._when)], words)
        if len(words) <= MOST_LETTERS:      # else it is refused, and stands there to be cut
            dpg.set_value(self.text, "")

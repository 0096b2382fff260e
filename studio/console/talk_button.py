"""A button to hold while one speaks; what was understood goes where one types, and no further."""

from collections.abc import Callable, Sequence

from studio.console.hearing import NOT_UNDERSTOOD, Hearing, State, missing
from studio.console.listener import Heard
from studio.console.seen import Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon

_SIGNS = {"idle": "mic", "opening": "hourglass", "listening": "circle-dot",
          "recognising": "loader-circle"}
_TIPS = {"idle": "Hold it and speak; what was understood stands in the field, to be looked at\n"
                 "and sent with Enter. What may be said: the phrases in the list beside it",
         "opening": "The microphone opens…", "listening": "Speak now, and let go",
         "recognising": "What was it?…"}


class TalkButton:
    """See the head of this file.

    Args:
        ui: to make it with.
        understood: is given a phrase that was said.

    Attributes:
        hearing: who listens.
        button: to hold.
    """

    def __init__(self, ui: Ui, understood: Callable[[str], None]) -> None:
        self._ui, self._understood, self.hearing = ui, understood, Hearing()
        self.button = dpg.add_button(label=icon("mic"), width=36, callback=self._clicked)
        with dpg.tooltip(self.button, delay=0.3):
            self._tip = dpg.add_text("")
        self._missing, self._was_down = missing(), False
        self._state: State = "idle"
        self._heard: Heard | None = None

    def show(self, phrases: Sequence[str], words: Sequence[str]) -> None:
        """Look at whether it is held, and at what was heard.

        Args:
            phrases: that may be said now.
            words: if there are none: of which words something may be said.
        """
        down = not self._missing and dpg.is_item_active(self.button)
        if down and not self._was_down:
            self.hearing.listen(phrases, words)
        elif self._was_down and not down:
            self.hearing.done()
        self._was_down = down
        self._heard = self.hearing.news() or self._heard
        if self._heard is not None and not down:    # a held button keeps the focus to itself
            heard, self._heard = self._heard, None
            self._ui.do("heard", heard.problem or ("" if heard.text else NOT_UNDERSTOOD))
            if heard.text:
                self._understood(heard.text)
        shown, themes = self._ui.shown, self._ui.themes
        if (state := self.hearing.state) != self._state:
            self._state = state
            self._ui.do("microphone", state)
        shown.settings(self.button, label=icon(_SIGNS[state]))
        shown.theme(self.button, themes.off if self._missing else
                    themes.primary if state == "listening" else themes.plain_button)
        shown.value(self._tip, self._missing or _TIPS[state])

    def _clicked(self) -> None:
        if self._missing:
            self._ui.do("heard", self._missing)

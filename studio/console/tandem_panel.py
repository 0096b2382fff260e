"""Driving in tandem: the policy, who drives what, and what is said to it and by it."""

from studio.console.alert_row import AlertRow
from studio.console.axis_lamps import AxisLamps
from studio.console.policy_chooser import PolicyChooser
from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.console.words_row import WordsRow
from studio.station.messages import Mode
from studio.views.dialogue import QUESTION
from studio.views.icons import icon
from studio.views.keymap import key_for
from studio.views.look import Sizes
from studio.views.training_words import badge_of
from studio.views.words import shortened

_LINES = 2                  # of the dialogue that are in sight; all are in the tooltip
_LETTERS = 56               # of a small line in the panel's width


class TandemPanel:
    """See the head of this file.

    Args:
        ui: to make it with.
        runs: folders of policies that were chosen before.
    """

    def __init__(self, ui: Ui, runs: tuple[str, ...] = ()) -> None:
        self._ui = ui
        with dpg.tab(label=f"{icon('users')}  Tandem") as self._tab:
            with dpg.group(horizontal=True):
                self.chooser = PolicyChooser(ui, runs)
                self._version = dpg.add_button(label="", width=-1)
            with dpg.tooltip(self._version, delay=0.3):
                self._version_tip = dpg.add_text("")
            self._state = dpg.add_text("")
            with dpg.tooltip(self._state, delay=0.3):
                self._all_state = dpg.add_text("", wrap=420)
            self.alert = AlertRow(ui)
            with dpg.group(horizontal=True):
                self._drive = dpg.add_button(label="", width=-124, height=34,
                                             callback=self._pressed)
                self._back = dpg.add_button(
                    label=f"{icon('step-back')}  Back  {key_for('rewind')}", width=-1, height=34,
                    callback=lambda: ui.do("rewind"))
            with dpg.tooltip(self._drive, delay=0.3):
                self._drive_tip = dpg.add_text("")
            with dpg.tooltip(self._back, delay=0.3):
                self._back_tip = dpg.add_text("")
            self.words = WordsRow(ui)
            self.lamps = AxisLamps(ui)
            self._build_dialogue()
        for item in (self._state, self._version, *self._lines, self._rates):
            dpg.bind_item_font(item, ui.fonts.small)
        self._drives = False

    def _build_dialogue(self) -> None:
        with dpg.group(horizontal=True):
            self.ask = dpg.add_button(label=icon("circle-question-mark"), width=32, height=26,
                                      callback=lambda: self._ui.do("ask doing"))
            self._rates = dpg.add_text("")
        with dpg.tooltip(self.ask, delay=0.3):
            dpg.add_text(QUESTION)
        with dpg.tooltip(self._rates, delay=0.3):
            self._all_rates = dpg.add_text("", wrap=420)
        with dpg.group() as self._said:
            self._lines = [dpg.add_text("") for _ in range(_LINES)]
        with dpg.tooltip(self._lines[-1], delay=0.3):
            self._all_lines = dpg.add_text("", wrap=520)

    @property
    def texts(self) -> tuple[int | str, ...]:
        """The items into which somebody may type."""
        return self.words.text, self.chooser.text

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return {"tandem tab": self._tab, "drive": self._drive, **self.words.items,
                "ask doing": self.ask, "rewind": self._back,
                "hand back": self.lamps.hand_back, "alert fine": self.alert.fine,
                "policy open": self.chooser.open,
                "policy path": self.chooser.text, "policy go": self.chooser.go,
                **{f"share {axis}": item for axis, item in enumerate(self.lamps.switches)}}

    def _pressed(self) -> None:
        self._ui.do("pause" if self._drives else "let drive")

    def show(self, seen: Seen) -> None:
        """Draw the policy, the axes and the dialogue."""
        shown, themes, policy = self._ui.shown, self._ui.themes, seen.policy
        self.chooser.show(seen)
        shown.settings(self._version, label=badge_of(seen.state, policy.version) or "–")
        shown.theme(self._version, themes.lamps["policy" if policy.version else "offline"])
        shown.value(self._version_tip, "Weights that drive, and how many candidates wait in Train"
                    if policy.version else "No weights drive")
        said = ": ".join(filter(None, (policy.word, policy.detail or policy.doing)))
        shown.value(self._state, f"{icon(policy.icon)}  {shortened(said, _LETTERS)}")
        shown.theme(self._state, themes.said[policy.tone])
        shown.value(self._all_state, said)
        self.alert.show(seen)
        self._show_drive(seen)
        self.words.show(seen)
        self.lamps.show(seen)
        self._show_dialogue(seen)

    def _show_drive(self, seen: Seen) -> None:
        shown, themes, snapshot = self._ui.shown, self._ui.themes, seen.snapshot
        self._drives = snapshot is not None and not seen.silent and snapshot.mode in (
            Mode.AUTO, Mode.SHARED, Mode.HANDBACK)
        shown.settings(self._back, enabled=not seen.controls.rewind)
        shown.theme(self._back, themes.off if seen.controls.rewind else themes.plain_button)
        shown.value(self._back_tip, seen.controls.rewind or
                    "Two seconds of driving back, to where it went wrong: the simulator at once,\n"
                    "any other arm along the way that it came; then drive, or let it drive")
        if self._drives:
            shown.settings(self._drive, enabled=True,
                           label=f"{icon('pause')}  Hold   {key_for('pause')}")
            shown.theme(self._drive, themes.plain_button)
            shown.value(self._drive_tip, "The arm holds until it is armed again")
            return
        refusal = seen.controls.let_drive
        goes_on = snapshot is not None and bool(snapshot.episode)
        words = "Let the policy drive" if goes_on else (
            "Practise a rollout" if seen.plan.practice else "Record a rollout")
        shown.settings(self._drive, enabled=not refusal,
                       label=f"{icon('play')}  {words}   {key_for('let drive')}")
        shown.theme(self._drive, themes.off if refusal else themes.primary)
        shown.value(self._drive_tip, refusal or "Or press the key; move your device to take over, "
                                                "end it with → or with a label: 1, 2, 3")

    def _show_dialogue(self, seen: Seen) -> None:
        shown, themes, fonts, policy = (self._ui.shown, self._ui.themes, self._ui.fonts,
                                        seen.policy)
        waits = bool(policy.starved)
        sign = f"{icon('triangle-alert')}  " if waits else ""
        shown.value(self._rates, sign + shortened(
            policy.starved if waits else policy.brief, _LETTERS - 6))
        shown.value(self._all_rates, f"{policy.rates}\nLatent: {policy.latent} old\n"
                                     f"{policy.starved or 'The arm never had to wait'}")
        shown.theme(self._rates, themes.said["warning"] if waits else themes.muted)
        shown.theme(self._said, themes.thin)
        newest = seen.dialogue.lines[-_LINES:]
        for item, line in zip(self._lines, [*newest, *[None] * _LINES], strict=False):
            words = "" if line is None else shortened(f"{line.time} {line.words}", _LETTERS)
            shown.value(item, f"{icon(line.icon)} {words}" if line else "")
            shown.theme(item, themes.said[line.tone] if line else themes.muted)
            shown.font(item, fonts.for_text(words, fonts.small, Sizes.LETTER_SMALL))
        shown.value(self._all_lines, "\n".join(
            f"{line.time or '–'}  {line.who}: {line.words}" for line in seen.dialogue.lines[-14:])
            or "Nothing was said yet")
        shown.theme(self.ask, themes.plain_button)

"""What a person may do to the plan that runs: hold it, slow it, drop it, or let it run in steps."""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.icons import icon
from studio.views.keymap import key_for

_SPEEDS = {"100 %": 1.0, "50 %": 0.5, "25 %": 0.25, "10 %": 0.1}
_TIPS = {
    "veto": "Drop this plan: the arm stops and the policy plans again; after two in a row it holds",
    "hold plan": "Stand for two seconds; then the policy plans from what it sees there",
    "free plan": "Nothing is fixed any more",
    "accept plan": "Run the plan that waits; the next one is shown, and waits, too"}


class PlanButtons:
    """See the head of this file; made inside a horizontal group."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._buttons = {
            "veto": self._button("x", "Veto", "veto"),
            "hold plan": self._button("hourglass", "2 s", "hold plan"),
            "free plan": self._button("undo-2", "Free", "free plan")}
        self._speed = dpg.add_combo(
            tuple(_SPEEDS), default_value="100 %", width=84,
            callback=lambda _, words: ui.do("slow plans", _SPEEDS[words]))
        with dpg.tooltip(self._speed, delay=0.3):
            dpg.add_text("Speed of the policy's plans")
        self._step = dpg.add_checkbox(label="Step by step",
                                      callback=lambda _, on: ui.do("step plans", bool(on)))
        with dpg.tooltip(self._step, delay=0.3):
            dpg.add_text("Every plan waits until you accept it; drag its points meanwhile")
        self._accept = self._button("check", "Accept", "accept plan")

    def _button(self, sign: str, words: str, action: str) -> int | str:
        button = dpg.add_button(label=f"{icon(sign)} {words} {key_for(action)}".rstrip(),
                                callback=lambda: self._ui.do(action))
        with dpg.tooltip(button, delay=0.3):
            dpg.add_text(_TIPS[action])
        return button

    @property
    def items(self) -> dict[str, int | str]:
        """Widgets by name, for tests that drive a real mouse."""
        return self._buttons | {"step plans": self._step, "accept plan": self._accept}

    def show(self, seen: Seen, *, live: bool) -> None:
        """Draw what there is to be pressed; nothing while nothing runs."""
        shown, themes, snapshot = self._ui.shown, self._ui.themes, seen.snapshot
        chunk = snapshot.chunk if snapshot is not None and live else None
        waits = chunk is not None and chunk.waits
        for action, button in self._buttons.items():
            idle = action == "free plan" and (chunk is None or not chunk.fixed)
            shown.settings(button, show=live, enabled=not idle)
            shown.theme(button, themes.off if idle else themes.plain_button)
        for item in (self._speed, self._step):
            shown.settings(item, show=live)
        shown.settings(self._accept, show=live and waits)
        shown.theme(self._accept, themes.primary)
        if snapshot is not None:
            shown.value(self._step, snapshot.stepping)
            shown.value(self._speed, f"{snapshot.plan_scale:.0%}".replace("%", " %"))

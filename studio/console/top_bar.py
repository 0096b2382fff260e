"""The bar at the top, always visible: state, who drives, time, speed, arm, software stop."""

from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.station.messages import Mode
from studio.views.checks import Check
from studio.views.icons import icon
from studio.views.look import Sizes
from studio.views.words import shortened

WINDOW = 9001
HEIGHT = 108
_ARMED = (Mode.ARMED, Mode.HUMAN, Mode.AUTO, Mode.SHARED, Mode.HANDBACK, Mode.REWIND)
_CHECK_LINES = 8
_TAKEN = 920                # pixels of everything else beside the words
_LETTER, _TITLE_LETTER = 9, 11      # pixels of a usual letter; all words are in tooltips


class TopBar:
    """See the head of this file.

    Attributes:
        arm_down: the arm button is held, and holding it is what arms.
        stop_pressed: the stop button went down since the last `look`.
    """

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._holds = self._held_to_arm = True
        self.arm_down = self.stop_pressed = False
        with (dpg.window(tag=WINDOW, no_close=True, no_scrollbar=True, no_scroll_with_mouse=True,
                         no_title_bar=True, min_size=(10, 10)) as self.window,
              dpg.table(header_row=False, policy=dpg.mvTable_SizingFixedFit, no_pad_outerX=True,
                        scrollX=False)):
            for width in (316, 0, 190, 176, 190):
                dpg.add_table_column(width_stretch=width == 0, width_fixed=width > 0,
                                     init_width_or_weight=width or 1.0)
            with dpg.table_row():
                self._build_pill()
                self._build_words()
                self._build_speed()
                self._build_arm()
                self._build_stop()

    def _build_pill(self) -> None:
        fonts = self._ui.fonts
        with dpg.child_window(width=310, height=80, border=True, no_scrollbar=True,
                              no_scroll_with_mouse=True) as self._pill:
            self._word = dpg.add_text("Offline")
            dpg.bind_item_font(self._word, fonts.banner)
            self._under = dpg.add_text("")
            dpg.bind_item_font(self._under, fonts.small)

    def _build_words(self) -> None:
        fonts = self._ui.fonts
        with dpg.group(indent=16):
            self._instruction = dpg.add_text("")
            dpg.bind_item_font(self._instruction, fonts.title)
            self._detail = dpg.add_text("")
            self._notice = dpg.add_text("")
        with dpg.tooltip(self._instruction, delay=0.3):
            self._all_words = dpg.add_text("", wrap=700)
            self._unwritten = dpg.add_text("Kept as typed; this machine has no font for some "
                                           "of its letters", show=False)
        for line, name in ((self._detail, "_all_detail"), (self._notice, "_all_notice")):
            with dpg.tooltip(line, delay=0.3):
                setattr(self, name, dpg.add_text("", wrap=700))

    def _build_speed(self) -> None:
        with dpg.group():
            self._speed_words = dpg.add_text("Speed")
            dpg.bind_item_font(self._speed_words, self._ui.fonts.small)
            self._speed = dpg.add_slider_int(
                default_value=100, min_value=5, max_value=100, width=178, format="%d %%",
                clamped=True, callback=lambda _, value: self._ui.do("speed", value / 100.0))

    def _build_arm(self) -> None:
        with dpg.group():
            self.arm = dpg.add_button(label="Hold to arm", width=166, height=66,
                                       callback=self._clicked)
            dpg.bind_item_font(self.arm, self._ui.fonts.strong)
            self._held = dpg.add_progress_bar(default_value=0.0, width=166, height=6)
        with dpg.tooltip(self.arm, delay=0.2):
            self._tip = dpg.add_text("")
            self._lines = [dpg.add_text("", show=False) for _ in range(_CHECK_LINES)]

    def _build_stop(self) -> None:
        self.stop = dpg.add_button(label=f"{icon('octagon-x')}  Stop", width=-1, height=80)
        dpg.bind_item_font(self.stop, self._ui.fonts.banner)
        with dpg.tooltip(self.stop, delay=0.4):
            dpg.add_text("Software stop (Space): the arm holds until it is re-armed.\n"
                         "It is no safety device: keep the emergency stop within reach")

    def look(self) -> None:
        """See what the mouse does to the two buttons that must not wait for a click."""
        self.stop_pressed = dpg.is_item_activated(self.stop)
        if dpg.is_item_activated(self.arm):
            self._held_to_arm = self._holds     # letting go of that is no click on "Disarm"
        self.arm_down = self._held_to_arm and dpg.is_item_active(self.arm)

    def _clicked(self) -> None:
        if not self._held_to_arm:
            self._ui.do("disarm or rearm")

    def show(self, seen: Seen) -> None:
        """Draw the state."""
        shown, themes, fonts, banner = (self._ui.shown, self._ui.themes, self._ui.fonts,
                                        seen.banner)
        shown.theme(self._pill, themes.pills[banner.tone])
        shown.value(self._word, f"{icon(banner.icon)}  {banner.word}")
        mark = icon("record" if banner.kept else "graduation-cap")
        under = [f"{mark} {banner.time}"] if banner.time else []
        under += [f"Driver: {banner.driver}"] if banner.driver else []
        shown.value(self._under, "   ".join(under))
        snapshot = seen.snapshot
        words = snapshot.instruction if snapshot else ""
        room = max(200, dpg.get_viewport_client_width() - _TAKEN)
        line = shortened(words, room // _TITLE_LETTER)
        shown.value(self._instruction, line or "No instruction yet")
        shown.font(self._instruction, fonts.for_text(line, fonts.title, Sizes.LETTER_TITLE))
        shown.value(self._all_words, shortened(words, 2000) or "Choose a task, or say what to do")
        shown.font(self._all_words, fonts.for_text(words, fonts.normal, Sizes.LETTER))
        shown.settings(self._unwritten, show=fonts.lacks(words))
        shown.value(self._detail, shortened(banner.detail, room // _LETTER))
        shown.value(self._all_detail, banner.detail)
        shown.value(self._all_notice, seen.notice.text)
        shown.theme(self._detail, themes.muted)
        said = shortened(seen.notice.text, room // _LETTER)
        shown.value(self._notice, f"{icon(seen.notice.icon)}  {said}" if said else "")
        shown.theme(self._notice, themes.said[seen.notice.tone])
        shown.theme(self.stop, themes.stop)
        if snapshot is not None:
            percent = round(snapshot.speed_scale * 100)
            shown.value(self._speed_words, f"{icon('gauge')}  Speed limit")
            if not dpg.is_item_active(self._speed):
                shown.value(self._speed, percent)
        self._show_arm(seen)

    def _show_arm(self, seen: Seen) -> None:
        shown, themes = self._ui.shown, self._ui.themes
        mode = seen.snapshot.mode if seen.snapshot and not seen.silent else Mode.IDLE
        stopped = mode in (Mode.STOP, Mode.FAULT)
        self._holds = not stopped and mode not in _ARMED
        label = ("rotate-ccw", "Re-arm") if stopped else (
            ("lock-open", "Hold to arm") if self._holds else ("lock", "Disarm"))
        refusal = seen.controls.rearm if stopped else seen.controls.arm if self._holds else ""
        shown.settings(self.arm, label=f"{icon(label[0])}  {label[1]}", enabled=not refusal)
        shown.theme(self.arm, themes.quiet if refusal else
                    themes.arm if self._holds else themes.primary if stopped else themes.quiet)
        shown.settings(self._held, show=self._holds)
        shown.value(self._held, round(seen.arm_progress, 2))
        shown.value(self._tip, "Before arming" if self._holds else "The arm")
        for line, check in zip(self._lines, [*seen.checks, *[None] * _CHECK_LINES],
                               strict=False):
            shown.settings(line, show=check is not None)
            if check is not None:
                shown.value(line, _said(check))
                shown.theme(line, themes.said["ready" if check.passed else
                                              "fault" if check.must else "warning"])


def _said(check: Check) -> str:
    mark = icon("check") if check.passed else icon("x") if check.must else icon("triangle-alert")
    return f"{mark}  {check.name}" + ("" if check.passed else f"\n      {check.remedy}")

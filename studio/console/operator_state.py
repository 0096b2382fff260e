"""What only the console knows of an operator's work: the plan, the flow, settings, the last notice.

And the three ways in which anything leaves it: asking, saying, playing a sound. Knows no panel and
no key; what follows from what is decided by `studio.views.recording_flow`.
"""

from pathlib import Path
from typing import Any

import msgspec

from recorders.clock import NS_PER_S, Clock
from studio.console.asking import Asked, Asker
from studio.console.event_log import EventLog
from studio.console.seen import Notice
from studio.console.sound import Sounds
from studio.station.commands import ResetScene
from studio.station.messages import Snapshot
from studio.views.dialogue import Dialogue
from studio.views.recording_plan import Flow, Plan, Turn
from studio.views.robot_tasks import default_task
from studio.views.settings import Settings, save_settings
from studio.views.words import sentence

NOTICE_NS = 8 * NS_PER_S
SCENE_NS = 2 * NS_PER_S     # a scene that was asked for is set up in this time, or never


class OperatorState:
    """The operator's side of one window.

    Args:
        clock: the machine's.
        asker: carries what is asked.
        events: what happened, for tests.
        settings: as remembered.
        folder: where they are kept.
        task: to begin with; empty takes the one that was used last.
        complaint: what was wrong with the settings.

    Attributes:
        plan, flow: see `studio.views.recording_plan`.
        dialogue: what was said in this sitting.
    """

    def __init__(self, clock: Clock, asker: Asker, events: EventLog, settings: Settings,
                 folder: Path, *, task: str = "", complaint: str = "") -> None:
        self._clock, self._asker, self.events, self._folder = clock, asker, events, folder
        self.settings = settings
        self.sounds = Sounds(muted=settings.muted)
        self.plan = Plan(task=task or settings.task or default_task("sim"),
                         countdown_s=settings.countdown_s, limit_s=settings.limit_s,
                         operator=settings.operator)
        self.flow = Flow()
        self.dialogue = Dialogue(me=asker.by)
        self._scene_asked_ns = -SCENE_NS
        self._notice = Notice(sentence(complaint), "warning", "triangle-alert")
        self._noticed_ns = clock.now_ns()
        self._silence_told = False

    def change_plan(self, **changes: Any) -> None:
        """Other numbers or words for the next episode."""
        self.plan = msgspec.structs.replace(self.plan, **changes)

    def change_flow(self, **changes: Any) -> None:
        """What the station does not know is otherwise."""
        self.flow = msgspec.structs.replace(self.flow, **changes)

    def follow_scene(self, snapshot: Snapshot) -> None:
        """Which scene stands there is the station's word, whoever set it up.

        While one is on its way that was asked for here, the plan is ahead of it. A real robot's
        scene is set up by hand, so there the operator's choice holds.
        """
        ahead = snapshot.resetting or self._clock.now_ns() - self._scene_asked_ns < SCENE_NS
        theirs, ours = (snapshot.task, snapshot.seed), (self.plan.task, self.plan.seed)
        if snapshot.task and self.plan.resettable and not ahead and theirs != ours:
            self.change_plan(task=snapshot.task, seed=snapshot.seed)

    def scene_answered(self) -> None:
        """The station answered: what it says of its scene holds again, a snapshot later."""
        self._scene_asked_ns = self._clock.now_ns() - SCENE_NS + NS_PER_S // 5

    def take(self, turn: Turn, *, bad: bool = False) -> None:
        """Carry out what follows from something."""
        self.flow = turn.flow
        self.ask(*turn.asks)
        for cue in turn.cues:
            self.events.say("cue", cue=cue)
            self.sounds.play(cue)
        if turn.notice:
            self.say(turn.notice, bad=bad or "refused" in turn.cues)

    def ask(self, *asks: Asked) -> None:
        """Ask the station or the desk, one after the other, up to the first refusal."""
        for asked in asks:
            self.events.say("ask", command=type(asked).__name__)
            if isinstance(asked, ResetScene):
                self._scene_asked_ns = self._clock.now_ns()
        self._asker.ask(*asks)

    def say(self, text: str, *, bad: bool = False) -> None:
        """Show a line to the operator for a while."""
        self._notice = Notice(sentence(text), "warning" if bad else "idle",
                              "triangle-alert" if bad else "info")
        self._noticed_ns = self._clock.now_ns()
        self.events.say("notice", text=self._notice.text, bad=bad)

    def notice(self, now_ns: int, problems: tuple[str, ...]) -> Notice:
        """The line to show now: the newest answer, else the station's first problem."""
        if self._notice.text and now_ns - self._noticed_ns < NOTICE_NS:
            return self._notice
        if problems:
            return Notice(sentence(problems[0]), "warning", "triangle-alert")
        if self.sounds.problem and not self._silence_told:
            self._silence_told = True
            self.say(self.sounds.problem)
            return self._notice
        return Notice()

    def keep_settings(self, **changes: Any) -> None:
        """Remember them for the next time."""
        self.settings = msgspec.structs.replace(
            self.settings, countdown_s=int(self.plan.countdown_s),
            limit_s=int(self.plan.limit_s), **changes)
        if problem := save_settings(self._folder, self.settings):
            self.say(problem, bad=True)

"""The console: news in, panels out, and what the operator wants on its way.

Everything that is shown is worked out anew each turn from what the station, the desk and the store
said last (view models), and put on the screen only where it differs. Knows who must be told what;
refuses to know how any panel looks.
"""

from pathlib import Path
from typing import Any

import zmq

from recorders.clock import Clock
from studio.console.actions import Actions
from studio.console.asking import Asked, Asker
from studio.console.event_log import EventLog
from studio.console.keys import KeyThread
from studio.console.library import Library
from studio.console.operator_state import OperatorState
from studio.console.panels import Panels
from studio.console.plots_panel import TRACED
from studio.console.seen import Seen
from studio.console.toolkit import dpg
from studio.station.commands import Arm, Command, Reply, ResetScene
from studio.station.desk.client import DeskClient
from studio.station.desk.link import OpenStore, UsePolicy
from studio.station.messages import Mode
from studio.station.processes.bus import Endpoints
from studio.views.banner import banner_of
from studio.views.checks import checks_of
from studio.views.controls import controls_of
from studio.views.dialogue import phrases
from studio.views.episode_rows import rows_of
from studio.views.health_bar import gauges
from studio.views.hold_button import HoldButton
from studio.views.interrupted import interrupted_rows
from studio.views.live_plan import History
from studio.views.policy_words import policy_words
from studio.views.problems import problems_of
from studio.views.recording_flow import answered, follow
from studio.views.robot_tasks import default_task, is_simulated, phrases_of, task_names
from studio.views.settings import Settings, remember_policy
from studio.views.traces import Traces

HOLD_S = 0.8                # to arm
_MOVING = (Mode.AUTO, Mode.SHARED, Mode.HUMAN, Mode.HANDBACK, Mode.REWIND)


class Console:
    """One window's mind.

    Attributes:
        keys: the operator's hands.
        events: what happened, for tests.
        moving: the arm moves or an episode is open: draw often.
    """

    def __init__(self, context: zmq.Context, links: Endpoints, clock: Clock, settings: Settings,
                 folder: Path, events: EventLog, *, name: str, task: str = "",
                 complaint: str = "") -> None:
        self._clock, self.events = clock, events
        self._client = DeskClient(context, links, clock)
        self._asker = Asker(context, links, name, clock)
        self.keys = KeyThread(context, links, clock, name=name)
        self._library = Library()
        self._operator = OperatorState(clock, self._asker, events, settings, folder, task=task,
                                       complaint=complaint)
        self._actions = Actions(self._operator, self._client, self.keys, self._library, clock)
        self._hold = HoldButton()
        self._traces = Traces(TRACED)
        self._history = History()
        self._robot_of: tuple[str, Any] = ("", None)
        self._day_begun = False
        self._word = self._episode = ""
        self._keys_down = False
        self._problems: tuple[str, ...] = ()
        self._refused: str | None = None        # what the desk said last of devices
        self._places: dict[str, tuple[int, int]] = {}
        self._dropped_before: dict[str, int] = {}
        self.moving = False
        self.panels = Panels(self.do, self._library, self._operator.plan, settings.palette,
                             phrases_of, settings.policies)
        self._actions.recolour = self.panels.recolour
        self._actions.newest_chunk = lambda: self.panels.timeline.newest

    def do(self, action: str, value: Any = None) -> None:
        """Carry out what somebody asked for, by name."""
        self.panels.shown.changed = True
        self._actions.do(action, value)

    # ---- a turn ----

    def turn(self, now_ns: int) -> None:
        """Take news, act on them, and show what is new."""
        if self._traces.add(self._client.look()):
            self.panels.shown.changed = True
        if self.keys.touched.is_set() or self._library.news.is_set():
            self._library.news.clear()
            self.panels.shown.changed = True
        self._know_robot()
        self._hear_desk()
        self._hear_answers()
        if self.keys.down != self._keys_down:
            self._keys_down = self.keys.down
            self.events.say("keys", down=self._keys_down)
        for action in self.keys.actions():
            self.do(action)
        self._follow(now_ns)
        self.panels.show(self._seen(now_ns))

    def drawn(self) -> None:
        """A frame was drawn: look at what the mouse did in it."""
        panels, now_ns = self.panels, self._clock.now_ns()
        panels.shown.drawn()
        if panels.look():
            self.events.say("pressed", down=panels.pressed)
        if self.events.wanted and (places := panels.places()) != self._places:
            self._places = places
            self.events.say("places", places=places)
        self.keys.typing = panels.typing
        if panels.typing or panels.top.arm_down:
            self.keys.touched.set()
        if panels.top.stop_pressed:
            self.do("stop")
        self._hold, arms = self._hold.at(now_ns, down=panels.top.arm_down, hold_s=HOLD_S)
        if arms:
            self._operator.ask(Arm())

    @property
    def changed(self) -> bool:
        """Whether a new frame would look different."""
        return self.panels.shown.changed

    def _seen(self, now_ns: int) -> Seen:
        client, snapshot, state = self._client, self._client.snapshot, self._client.state
        operator = self._operator
        banner = banner_of(snapshot, state, client.silent)
        if banner.word != self._word:
            self._word = banner.word
            self.events.say("banner", word=banner.word, tone=banner.tone)
        self.moving = snapshot is not None and not client.silent and (
            snapshot.mode in _MOVING or bool(snapshot.episode) or operator.flow.starts_ns > 0)
        problems = problems_of(snapshot, state, client.silent, client.problem)
        if problems != self._problems:
            self._problems = problems
            self.events.say("problems", said=problems)
        listing = self._library.listing
        return Seen(
            now_ns=now_ns, snapshot=snapshot, state=state, silent=client.silent, banner=banner,
            controls=controls_of(snapshot, state, operator.flow, silent=client.silent,
                                 practice=operator.plan.practice,
                                 resettable=operator.plan.resettable),
            checks=checks_of(snapshot, state, client.silent),
            gauges=gauges(snapshot, silent=client.silent, missed=client.missed,
                          rate_hz=state.rate_hz if state else 100.0,
                          dropped_before=self._dropped_before),
            dropped_before=self._dropped_before,
            flow=operator.flow, plan=operator.plan, notice=operator.notice(now_ns, problems),
            problems=problems, rows=rows_of(listing.summaries, listing.drivers),
            interrupted=interrupted_rows(listing.interrupted), traces=self._traces,
            policy=policy_words(snapshot, state, client.silent), dialogue=operator.dialogue,
            phrases=self._phrases(), history=self._history, cameras=client.cameras,
            pictures=client.pictures, streams=client.streams,
            robot=client.robot,
            arm_progress=self._hold.progress(now_ns, HOLD_S), focused=self.keys.focused,
            held=self.keys.held, muted=operator.sounds.muted,
            dark=operator.settings.palette == "dark")

    def _phrases(self) -> tuple[str, ...]:
        """What one might say to the policy again."""
        state, operator = self._client.state, self._operator
        stored = (one.instruction for one in reversed(self._library.listing.summaries))
        return phrases(operator.dialogue, operator.settings.instructions, stored,
                       phrases_of(state.robot if state else "sim", operator.plan.task))

    # ---- what the station and the store say ----

    def _know_robot(self) -> None:
        client, state = self._client, self._client.state
        if state is None or state.busy or client.snapshot is None or client.silent:
            return
        self.keys.keyboard_drives = state.teleop == "keyboard"
        another = client.robot is None or self._robot_of != (state.robot, state.robot_options)
        if another and client.learn_robot():
            self._robot_of = (state.robot, state.robot_options)
            self._day_begun = False
            names = task_names(state.robot)
            task = self._operator.plan.task
            self._operator.change_plan(
                task=task if task in names else default_task(state.robot),
                resettable=is_simulated(state.robot))
            self.panels.record.tasks(names)

    def _hear_desk(self) -> None:
        """Say it once if the devices that were chosen could not be opened."""
        state = self._client.state
        if state is None or state.refused == self._refused:
            return
        if state.refused and self._refused is not None:
            self._operator.say(state.refused, bad=True)
            self._operator.sounds.play("refused")
        self._refused = state.refused

    def _follow(self, now_ns: int) -> None:
        snapshot = self._client.snapshot
        if snapshot is None or self._client.silent:
            return
        store = self._client.state.store if self._client.state else snapshot.recorder.store
        self._library.follow(store, snapshot.recorder.changes, snapshot.recorder.interrupted)
        self._begin_day(store)
        if not self._dropped_before or (snapshot.episode and snapshot.episode != self._episode):
            self._dropped_before = {stream.name: stream.dropped for stream in snapshot.streams}
        self._episode = snapshot.episode
        self._operator.follow_scene(snapshot)
        self._history.add(snapshot)
        self._operator.dialogue = self._operator.dialogue.follow(snapshot)
        self._operator.take(follow(self._operator.flow, self._operator.plan, snapshot, now_ns))

    def _begin_day(self, store: str) -> None:
        """Once: the first scene, and the last episode."""
        snapshot, summaries = self._client.snapshot, self._library.listing.summaries
        if snapshot is None or self._client.robot is None:
            return
        if not self._operator.flow.last and not self._operator.flow.undo:
            kept = [one.episode for one in summaries if not one.trashed]
            if kept:
                self._operator.change_flow(last=kept[-1])
        if self._day_begun or (store and not self._library.read):
            return
        self._day_begun = True
        if not snapshot.task and self._operator.plan.resettable:
            self._operator.ask(ResetScene(self._operator.plan.task, len(summaries)))

    def _hear_answers(self) -> None:
        for asked, reply in self._asker.answers():
            self.events.say("answer", command=type(asked).__name__, accepted=reply.accepted,
                            reason=reply.reason, value=reply.value)
            self._answer(asked, reply)
        while not self.keys.stops.empty():
            reply = self.keys.stops.get()
            self.events.say("answer", command="Stop", accepted=reply.accepted,
                            reason=reply.reason, value="")
            self._operator.sounds.play("software_stop")
            self._operator.say("Software stop" if reply.accepted else reply.reason,
                               bad=not reply.accepted)

    def _answer(self, asked: Asked, reply: Reply) -> None:
        operator = self._operator
        if isinstance(asked, ResetScene):
            operator.scene_answered()
        if isinstance(asked, ResetScene) and reply.accepted:
            operator.change_plan(task=asked.task, seed=asked.seed)
            operator.say(f"Scene {asked.seed}: {reply.value}" if reply.value else
                         f"Scene {asked.seed} comes as soon as the episode is saved")
        if isinstance(asked, UsePolicy) and reply.accepted:
            operator.settings = remember_policy(operator.settings, asked.folder)
            operator.keep_settings()
        if isinstance(asked, OpenStore):
            self.panels.store.answered(reply)
            if reply.accepted:
                operator.change_flow(last="", undo=())      # they are of the other store
                operator.say(reply.reason or f"Recording into {asked.path}" if asked.path else
                             "Nothing is kept from now on")
        if not isinstance(asked, Command):
            if not reply.accepted:
                operator.say(reply.reason, bad=True)
            return
        operator.take(answered(operator.flow, asked, reply.accepted, reply.reason),
                      bad=not reply.accepted)
        if reply.accepted and reply.reason:
            operator.say(reply.reason)

    def close(self, *, left: bool) -> None:
        """Let go of everything; the layout and the window's size stay remembered."""
        if dpg.is_viewport_ok():
            self._operator.keep_settings(window=(max(640, dpg.get_viewport_width()),
                                                 max(480, dpg.get_viewport_height())))
        for part in (self.keys, self._library, self._operator.sounds, self.panels.hearing,
                     self._client):
            part.close()
        self._asker.close(left=left)

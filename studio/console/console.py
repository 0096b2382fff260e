"""The console: news in, panels out, and what the operator wants on its way.

Everything that is shown is worked out anew each turn from what the station, the desk and the store
said last (view models), and put on the screen only where it differs. Knows who must be told what;
refuses to know how any panel looks.
"""

from pathlib import Path
from typing import Any

import msgspec
import zmq

from recorders.clock import NS_PER_S, Clock
from studio.console.asking import Asked, Asker
from studio.console.event_log import EventLog
from studio.console.keys import KeyThread
from studio.console.library import Library
from studio.console.panels import Panels
from studio.console.plots_panel import TRACED
from studio.console.seen import Notice, Seen
from studio.console.sound import Sounds
from studio.console.toolkit import dpg
from studio.station.bus import Endpoints
from studio.station.commands import (
    Arm,
    Command,
    Disarm,
    Pause,
    Rearm,
    Reply,
    ResetScene,
    RestoreEpisode,
    SetInstruction,
    SetSpeed,
)
from studio.station.desk_client import DeskClient
from studio.station.desk_link import OpenWeb, UseDevices
from studio.station.messages import Mode
from studio.views.banner import banner_of
from studio.views.checks import checks_of
from studio.views.chunk_timeline import ChunkEdit, refusal
from studio.views.controls import controls_of
from studio.views.episode_rows import rows_of
from studio.views.health_bar import gauges
from studio.views.hold_button import HoldButton
from studio.views.recording_flow import ACTIONS, Flow, Plan, Turn, act, answered, follow
from studio.views.robot_tasks import default_task, is_simulated, phrases_of, task_names
from studio.views.settings import Settings, remember_instruction, save_settings
from studio.views.traces import Traces
from studio.views.words import sentence

HOLD_S = 0.8                # to arm
NOTICE_NS = 8 * NS_PER_S
_MOVING = (Mode.AUTO, Mode.SHARED, Mode.HUMAN, Mode.HANDBACK)


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
        self._clock, self._settings, self._folder, self.events = clock, settings, folder, events
        self._client = DeskClient(context, links, clock)
        self._asker = Asker(context, links, name, clock)
        self.keys = KeyThread(context, links, clock)
        self._sounds = Sounds(muted=settings.muted)
        self._library = Library()
        self._plan = Plan(task=task or settings.task or default_task("sim"),
                          countdown_s=settings.countdown_s, limit_s=settings.limit_s,
                          operator=settings.operator)
        self._flow, self._hold = Flow(), HoldButton()
        self._notice = Notice(sentence(complaint), "warning", "triangle-alert")
        self._noticed_ns = clock.now_ns()
        self._silence_told = False
        self._traces = Traces(TRACED)
        self._robot_of: tuple[str, Any] = ("", None)
        self._scene_asked = self._speed_asked = False
        self._word = self._episode = ""
        self._keys_down = False
        self._dropped_before: dict[str, int] = {}
        self.moving = False
        self.panels = Panels(self.do, self._library, self._plan, settings.palette, phrases_of)

    # ---- a turn ----

    def turn(self, now_ns: int) -> None:
        """Take news, act on them, and show what is new."""
        if self._traces.add(self._client.look()):
            self.panels.shown.changed = True
        if self.keys.touched.is_set() or self._library.news.is_set():
            self._library.news.clear()
            self.panels.shown.changed = True
        self._know_robot()
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
        self.keys.typing = panels.typing
        if panels.typing or panels.top.arm_down:
            self.keys.touched.set()
        if panels.top.stop_pressed:
            self.do("stop")
        self._hold, arms = self._hold.at(now_ns, down=panels.top.arm_down, hold_s=HOLD_S)
        if arms:
            self._ask(Arm())

    @property
    def changed(self) -> bool:
        """Whether a new frame would look different."""
        return self.panels.shown.changed

    def _seen(self, now_ns: int) -> Seen:
        client, snapshot, state = self._client, self._client.snapshot, self._client.state
        banner = banner_of(snapshot, state, client.silent)
        if banner.word != self._word:
            self._word = banner.word
            self.events.say("banner", word=banner.word, tone=banner.tone)
        self.moving = snapshot is not None and not client.silent and (
            snapshot.mode in _MOVING or bool(snapshot.episode) or self._flow.starts_ns > 0)
        listing = self._library.listing
        return Seen(
            now_ns=now_ns, snapshot=snapshot, state=state, silent=client.silent, banner=banner,
            controls=controls_of(snapshot, state, self._flow, silent=client.silent,
                                 practice=self._plan.practice, resettable=self._plan.resettable),
            checks=checks_of(snapshot, state, client.silent),
            gauges=gauges(snapshot, rate_hz=state.rate_hz if state else 100.0,
                          missed=client.missed, dropped_before=self._dropped_before),
            dropped_before=self._dropped_before,
            flow=self._flow, plan=self._plan, notice=self._notice_now(now_ns),
            rows=rows_of(listing.summaries, listing.drivers), traces=self._traces,
            pictures=client.pictures, streams=client.streams, robot=client.robot,
            arm_progress=self._hold.progress(now_ns, HOLD_S), focused=self.keys.focused,
            held=self.keys.held, muted=self._sounds.muted,
            dark=self._settings.palette == "dark")

    def _notice_now(self, now_ns: int) -> Notice:
        if self._notice.text and now_ns - self._noticed_ns < NOTICE_NS:
            return self._notice
        snapshot = self._client.snapshot
        problems = snapshot.problems if snapshot is not None and not self._client.silent else ()
        if problems:
            return Notice(sentence(problems[0]), "warning", "triangle-alert")
        if self._sounds.problem and not self._silence_told:
            self._silence_told = True
            self._say(self._sounds.problem)
            return self._notice
        return Notice()

    # ---- what the station and the store say ----

    def _know_robot(self) -> None:
        client, state = self._client, self._client.state
        if state is None or state.busy or client.snapshot is None or client.silent:
            return
        self.keys.keyboard_drives = state.teleop == "keyboard"
        if self._robot_of != (state.robot, state.robot_options) and client.learn_robot():
            self._robot_of = (state.robot, state.robot_options)
            self._scene_asked = False
            names = task_names(state.robot)
            task = self._plan.task if self._plan.task in names else default_task(state.robot)
            self._plan = msgspec.structs.replace(self._plan, task=task,
                                                 resettable=is_simulated(state.robot))
            self.panels.record.tasks(names)

    def _follow(self, now_ns: int) -> None:
        snapshot = self._client.snapshot
        if snapshot is None or self._client.silent:
            return
        store = self._client.state.store if self._client.state else snapshot.recorder.store
        self._library.follow(store, snapshot.recorder.changes)
        self._begin_day(store)
        if not self._dropped_before or (snapshot.episode and snapshot.episode != self._episode):
            self._dropped_before = {stream.name: stream.dropped for stream in snapshot.streams}
        self._episode = snapshot.episode
        self._take(follow(self._flow, self._plan, snapshot, now_ns))

    def _begin_day(self, store: str) -> None:
        """Once: the first scene, the last episode, and the speed that was used last."""
        snapshot, summaries = self._client.snapshot, self._library.listing.summaries
        if snapshot is None or self._client.robot is None:
            return
        if not self._flow.last and not self._flow.undo:
            kept = [one.episode for one in summaries if not one.trashed]
            if kept:
                self._flow = msgspec.structs.replace(self._flow, last=kept[-1])
        if self._scene_asked or (store and not self._library.read):
            return
        if snapshot.task or not self._plan.resettable:
            self._scene_asked = True
            if snapshot.task:
                self._plan = msgspec.structs.replace(self._plan, task=snapshot.task,
                                                     seed=len(summaries))
        else:
            self._scene_asked = True
            self._ask(ResetScene(self._plan.task, len(summaries)))

    def _hear_answers(self) -> None:
        for asked, reply in self._asker.answers():
            self.events.say("answer", command=type(asked).__name__, accepted=reply.accepted,
                            reason=reply.reason, value=reply.value)
            self._answer(asked, reply)
        while not self.keys.stops.empty():
            reply = self.keys.stops.get()
            self.events.say("answer", command="Stop", accepted=reply.accepted,
                            reason=reply.reason, value="")
            self._sounds.play("software_stop")
            self._say("Software stop" if reply.accepted else reply.reason,
                      bad=not reply.accepted)

    def _answer(self, asked: Asked, reply: Reply) -> None:
        if isinstance(asked, ResetScene) and reply.accepted:
            self._plan = msgspec.structs.replace(self._plan, task=asked.task, seed=asked.seed)
            self._say(f"Scene {asked.seed}: {reply.value}" if reply.value else
                      f"Scene {asked.seed} comes as soon as the episode is saved")
        if not isinstance(asked, Command):
            if not reply.accepted:
                self._say(reply.reason, bad=True)
            return
        self._take(answered(self._flow, asked, reply.accepted, reply.reason),
                   bad=not reply.accepted)
        if reply.accepted and reply.reason:
            self._say(reply.reason)

    # ---- what the operator wants ----

    def do(self, action: str, value: Any = None) -> None:
        """Carry out what somebody asked for, by name."""
        self.events.say("do", action=action, value=value)
        self.panels.shown.changed = True
        snapshot = self._client.snapshot
        if action == "main":
            action = "end" if snapshot is not None and snapshot.episode else "record"
        if action in ACTIONS:
            if snapshot is None:
                self._say("The station says nothing yet", bad=True)
                return
            self._take(act(self._flow, action, self._plan, snapshot, self._clock.now_ns(),
                           label_before=self._label_of(self._flow.last)))
        elif action in _PLANNED:
            self._plan = msgspec.structs.replace(self._plan, **{_PLANNED[action]: value})
            self._keep_settings()
        else:
            getattr(self, f"_do_{action.replace(' ', '_')}")(value)

    def _do_stop(self, _value: Any) -> None:
        self.keys.stop_now()

    def _do_pause(self, _value: Any) -> None:
        self._ask(Pause())

    def _do_disarm_or_rearm(self, _value: Any) -> None:
        snapshot = self._client.snapshot
        stopped = snapshot is not None and snapshot.mode in (Mode.STOP, Mode.FAULT)
        self._ask(Rearm() if stopped else Disarm())

    def _do_speed(self, value: Any) -> None:
        self._ask(SetSpeed(float(value)))
        self._keep_settings(speed=float(value))

    def _do_task(self, value: Any) -> None:
        self._plan = msgspec.structs.replace(self._plan, task=str(value))
        self._keep_settings(task=str(value))
        if self._plan.resettable:
            self.do("new scene")

    def _do_instruction(self, value: Any) -> None:
        self._ask(SetInstruction(str(value)))
        self._settings = remember_instruction(self._settings, str(value))
        self._keep_settings()

    def _do_practice(self, value: Any) -> None:
        on = not self._plan.practice if value is None else bool(value)
        self._plan = msgspec.structs.replace(self._plan, practice=on)

    def _do_choose(self, episode: Any) -> None:
        self._flow = msgspec.structs.replace(self._flow, last=str(episode))

    def _do_restore(self, _value: Any) -> None:
        if self._flow.last:
            self._ask(RestoreEpisode(self._flow.last))

    def _do_devices(self, value: UseDevices) -> None:
        self._say(f"Changing to {value.robot} and {value.teleop}")
        self._ask(value)

    def _do_web(self, _value: Any) -> None:
        url = self._client.state.web_url if self._client.state else ""
        self._say(f"The web console is at {url}" if url else "Starting the web console")
        if not url:
            self._ask(OpenWeb())

    def _do_mute(self, _value: Any) -> None:
        self._sounds.muted = not self._sounds.muted
        self._keep_settings(muted=self._sounds.muted)

    def _do_palette(self, _value: Any) -> None:
        palette = "light" if self._settings.palette == "dark" else "dark"
        self._keep_settings(palette=palette)
        self.panels.recolour(palette)

    def _do_chunk_edit(self, edit: ChunkEdit) -> None:
        newest = self.panels.timeline.newest
        why = refusal(edit, newest) if newest is not None else "there is no chunk"
        self.events.say("chunk edit", chunk=edit.chunk, first=edit.first, steps=len(edit.values),
                        refused=why)
        self._say(why or f"Chunk {edit.chunk} changed from step {edit.first} on; nothing drives "
                  "by it here", bad=bool(why))

    # ---- helpers ----

    def _take(self, turn: Turn, *, bad: bool = False) -> None:
        self._flow = turn.flow
        self._ask(*turn.asks)
        for cue in turn.cues:
            self.events.say("cue", cue=cue)
            self._sounds.play(cue)
        if turn.notice:
            self._say(turn.notice, bad=bad or "refused" in turn.cues)

    def _ask(self, *asks: Asked) -> None:
        for asked in asks:
            self.events.say("ask", command=type(asked).__name__)
        self._asker.ask(*asks)

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._notice = Notice(sentence(text), "warning" if bad else "idle",
                              "triangle-alert" if bad else "info")
        self._noticed_ns = self._clock.now_ns()
        self.events.say("notice", text=self._notice.text, bad=bad)

    def _label_of(self, episode: str) -> str:
        return next((one.label for one in self._library.listing.summaries
                     if one.episode == episode), "unlabelled")

    def _keep_settings(self, **changes: Any) -> None:
        self._settings = msgspec.structs.replace(
            self._settings, countdown_s=int(self._plan.countdown_s),
            limit_s=int(self._plan.limit_s), **changes)
        if problem := save_settings(self._folder, self._settings):
            self._say(problem, bad=True)

    def close(self, *, left: bool) -> None:
        """Let go of everything; the layout and the window's size stay remembered."""
        if dpg.is_viewport_ok():
            self._keep_settings(window=(max(640, dpg.get_viewport_width()),
                                        max(480, dpg.get_viewport_height())))
        for part in (self.keys, self._library, self._sounds, self._client):
            part.close()
        self._asker.close(left=left)


_PLANNED = {"countdown": "countdown_s", "limit": "limit_s", "note": "note"}

"""What an operator can want, by name, whichever key or widget said so.

Knows the names and whom to ask; refuses to know keys, widgets and how answers look.
"""

from collections.abc import Callable
from typing import Any

from recorders.clock import Clock
from studio.console.keys import KeyThread
from studio.console.library import Library
from studio.console.operator_state import OperatorState
from studio.station.chunks.override_commands import (
    AcceptChunk,
    FreeChunk,
    HoldChunk,
    SlowChunks,
    StepChunks,
    VetoChunk,
)
from studio.station.commands import (
    AnswerAlert,
    Disarm,
    Pause,
    Rearm,
    RestoreEpisode,
    Rewind,
    SetInstruction,
    SetSpeed,
    SetSubtask,
)
from studio.station.desk.client import DeskClient
from studio.station.desk.link import OpenStore, OpenWeb, UsePolicy
from studio.station.messages import Mode
from studio.station.training.training_link import RollBack
from studio.views.chunk_timeline import ChunkEdit, refusal
from studio.views.device_choices import Choice, changed
from studio.views.dialogue import before
from studio.views.interrupted import settle
from studio.views.lamps import blend_of, next_wish, with_axis, with_blend, with_hand_back
from studio.views.recording_flow import act
from studio.views.recording_plan import ACTIONS
from studio.views.settings import remember_instruction

HOLD_PLAN_S = 2.0
REWIND_S = 2.0              # of driving: what a person saw going wrong
_PLANNED = {"countdown": "countdown_s", "limit": "limit_s", "note": "note"}


class Actions:
    """Carries out what somebody asked for.

    Args:
        operator: the state that wishes change.
        client: what the station says.
        keys: stop at once, on a link of their own.
        library: the store's episodes.
        clock: the machine's.

    Attributes:
        recolour: shows another palette; set by who has panels.
        newest_chunk: the chunk that an edit may bend, if there is one.
    """

    def __init__(self, operator: OperatorState, client: DeskClient, keys: KeyThread,
                 library: Library, clock: Clock) -> None:
        self._operator, self._client, self._keys = operator, client, keys
        self._library, self._clock = library, clock
        self.recolour: Callable[[str], None] = lambda palette: None
        self.newest_chunk: Callable[[], Any] = lambda: None

    def do(self, action: str, value: Any = None) -> None:
        """Carry out an action; see `recording_plan.ACTIONS` and the methods below."""
        operator, snapshot = self._operator, self._client.snapshot
        operator.events.say("do", action=action, value=value)
        if action == "main":
            action = "end" if snapshot is not None and snapshot.episode else "record"
        if action in ACTIONS:
            if snapshot is None:
                operator.say("The station says nothing yet", bad=True)
                return
            operator.take(act(operator.flow, action, operator.plan, snapshot,
                              self._clock.now_ns(),
                              label_before=self._label_of(operator.flow.last)))
        elif action in _PLANNED:
            operator.change_plan(**{_PLANNED[action]: value})
            operator.keep_settings()
        else:
            getattr(self, f"_do_{action.replace(' ', '_')}")(value)

    def _label_of(self, episode: str) -> str:
        return next((one.label for one in self._library.listing.summaries
                     if one.episode == episode), "unlabelled")

    def _do_stop(self, _value: Any) -> None:
        self._keys.stop_now()

    def _do_pause(self, _value: Any) -> None:
        self._operator.ask(Pause())

    def _do_disarm_or_rearm(self, _value: Any) -> None:
        snapshot = self._client.snapshot
        stopped = snapshot is not None and snapshot.mode in (Mode.STOP, Mode.FAULT)
        self._operator.ask(Rearm() if stopped else Disarm())

    def _do_speed(self, value: Any) -> None:
        self._operator.ask(SetSpeed(float(value)))
        self._operator.keep_settings(speed=float(value))

    def _do_task(self, value: Any) -> None:
        self._operator.change_plan(task=str(value))
        self._operator.keep_settings(task=str(value))
        if self._operator.plan.resettable:
            self.do("new scene")

    def _do_instruction(self, value: Any) -> None:
        self._say(str(value), flush=True)

    def _do_instruction_soon(self, value: Any) -> None:
        self._say(str(value), flush=False)

    def _do_instruction_undo(self, _value: Any) -> None:
        snapshot = self._client.snapshot
        words = before(self._operator.dialogue, snapshot.instruction) if snapshot else ""
        if words:
            self._say(words, flush=True)
        else:
            self._operator.say("Nothing else was said before in this sitting", bad=True)

    def _say(self, words: str, *, flush: bool) -> None:
        self._operator.ask(SetInstruction(words, flush))
        self._operator.settings = remember_instruction(self._operator.settings, words)
        self._operator.keep_settings()

    def _do_subtask(self, value: Any) -> None:
        self._operator.ask(SetSubtask(str(value)))

    def _do_microphone(self, _state: Any) -> None:
        """Nothing to do: the log of what happened has it."""

    def _do_heard(self, complaint: Any) -> None:
        if complaint:
            self._operator.say(str(complaint), bad=True)

    def _do_ask_doing(self, _value: Any) -> None:
        if (snapshot := self._client.snapshot) is not None:
            self._operator.dialogue = self._operator.dialogue.asked(snapshot)

    def _do_policy(self, folder: Any) -> None:
        self._operator.ask(UsePolicy(str(folder)))

    def _do_rewind(self, _value: Any) -> None:
        self._operator.ask(Rewind(REWIND_S))

    def _do_ask_desk(self, request: Any) -> None:
        self._operator.ask(request)

    def _do_roll_back(self, _value: Any) -> None:
        self._operator.ask(RollBack())

    def _do_plan_edit(self, commands: Any) -> None:
        self._operator.ask(*commands)

    def _do_veto(self, _value: Any) -> None:
        self._operator.ask(VetoChunk())

    def _do_hold_plan(self, _value: Any) -> None:
        self._operator.ask(HoldChunk(HOLD_PLAN_S))

    def _do_free_plan(self, _value: Any) -> None:
        self._operator.ask(FreeChunk())

    def _do_slow_plans(self, scale: Any) -> None:
        self._operator.ask(SlowChunks(float(scale)))

    def _do_step_plans(self, on: Any) -> None:
        self._operator.ask(StepChunks(bool(on)))

    def _do_accept_plan(self, _value: Any) -> None:
        self._operator.ask(AcceptChunk())

    def _do_no_alert(self, _value: Any) -> None:
        snapshot = self._client.snapshot
        if snapshot is not None and snapshot.alert is not None:
            self._operator.ask(AnswerAlert(snapshot.alert.number))

    def _do_share_axis(self, axis: Any) -> None:
        if (snapshot := self._client.snapshot) is not None and snapshot.sharing:
            self._operator.ask(with_axis(snapshot, int(axis), next_wish(snapshot.sharing[axis]),
                                         blend_of(snapshot)))

    def _do_blend(self, share: Any) -> None:
        if (snapshot := self._client.snapshot) is not None:
            self._operator.ask(with_blend(snapshot, float(share)))

    def _do_hand_back(self, on: Any) -> None:
        if (snapshot := self._client.snapshot) is not None:
            self._operator.ask(with_hand_back(snapshot, bool(on)))

    def _do_practice(self, value: Any) -> None:
        on = not self._operator.plan.practice if value is None else bool(value)
        self._operator.change_plan(practice=on)

    def _do_choose(self, episode: Any) -> None:
        self._operator.change_flow(last=str(episode))

    def _do_restore(self, _value: Any) -> None:
        if self._operator.flow.last:
            self._operator.ask(RestoreEpisode(self._operator.flow.last))

    def _do_settle(self, value: tuple[str, str]) -> None:
        episode, choice = value
        self._operator.ask(*settle(episode, choice))

    def _do_store(self, path: Any) -> None:
        self._operator.ask(OpenStore(str(path)))

    def _do_devices(self, chosen: Choice) -> None:
        request = changed(chosen, self._client.state)
        self._operator.say(f"Changing to {request.robot} and {request.teleop}")
        self._operator.ask(request)

    def _do_kept_station(self, path: Any) -> None:
        self._operator.say(f"Kept in {path}")

    def _do_web(self, _value: Any) -> None:
        url = self._client.state.web_url if self._client.state else ""
        self._operator.say(f"The web console is at {url}" if url else "Starting the web console")
        if not url:
            self._operator.ask(OpenWeb())

    def _do_mute(self, _value: Any) -> None:
        self._operator.sounds.muted = not self._operator.sounds.muted
        self._operator.keep_settings(muted=self._operator.sounds.muted)

    def _do_palette(self, _value: Any) -> None:
        palette = "light" if self._operator.settings.palette == "dark" else "dark"
        self._operator.keep_settings(palette=palette)
        self.recolour(palette)

    def _do_chunk_edit(self, edit: ChunkEdit) -> None:
        newest = self.newest_chunk()
        why = refusal(edit, newest) if newest is not None else "there is no chunk"
        self._operator.events.say("chunk edit", chunk=edit.chunk, first=edit.first,
                                  steps=len(edit.values), refused=why)
        self._operator.say(why or f"Chunk {edit.chunk} changed from step {edit.first} on; nothing "
                           "drives by it here", bad=bool(why))

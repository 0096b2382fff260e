"""The station: a control loop, the episode that it feeds, and the commands it obeys.

Every command is accepted, or refused with a reason that the operator is shown. The same class
drives in real time (in its own process, robot and recorder over the bus) and under a virtual clock
(`--fast`). Knows no socket and no screen.
"""

from collections.abc import Callable
from functools import singledispatchmethod

from recorders.clock import Clock
from studio.devices.interfaces import DeviceError, Resettable, RobotDriver, Teleoperator
from studio.station.chunks.override_commands import OverrideCommand
from studio.station.chunks.plan_desk import override
from studio.station.commands import (
    AboutEpisode,
    AnswerAlert,
    Arm,
    Command,
    Disarm,
    DiscardEpisode,
    EndEpisode,
    JoinPolicy,
    Keys,
    NoteVersion,
    Pause,
    Rearm,
    Reply,
    ResetScene,
    Rewind,
    SetInstruction,
    SetSharing,
    SetSpeed,
    SetSubtask,
    Shutdown,
    StartEpisode,
    StartPolicy,
    Stop,
)
from studio.station.health import Health
from studio.station.loop.control_loop import ControlLoop, TickRecord
from studio.station.loop.operator_subtask import KIND
from studio.station.loop.ownership import Event
from studio.station.loop.rewinding import go_back
from studio.station.loop.safety import SafetyLimits
from studio.station.loop.shared_control import Sharing, refusal_of_sharing
from studio.station.messages import Snapshot
from studio.station.recording.episode_feed import EpisodeFeed, RecordSink, asked
from studio.station.recording.episode_requests import EpisodeRequests
from studio.station.recording.long_texts import refusal_of_text
from studio.station.recording.made_with import title_of
from studio.station.recording.mode_notes import ModeNotes
from studio.station.recording.scene_notes import SceneNotes
from studio.station.scene_setup import LATER, SceneSetup
from studio.station.serving.remote_policy import RemotePolicy

ACCEPTED = Reply(True)


class Station:
    """One robot, one teleoperator, one recorder."""

    def __init__(self, *, clock: Clock, robot: RobotDriver, teleop: Teleoperator,
                 sink: RecordSink, limits: SafetyLimits | None = None, rate_hz: float = 100.0,
                 publish: Callable[[Snapshot], None] = lambda snapshot: None,
                 software: dict[str, str] | None = None) -> None:
        self.loop = ControlLoop(clock=clock, robot=robot, teleop=teleop,
                                limits=limits or SafetyLimits(), rate_hz=rate_hz)
        self.feed = EpisodeFeed(
            sink, clock, robot.info, self.loop.spec,
            chunks=lambda: getattr(self.loop.player, "log", None))
        self.health = Health(self.loop, self.feed, sink.health, publish)
        self.ending = False
        self.policy: RemotePolicy | None = None
        """The process that drives in AUTO, where there may be one."""
        self._modes = ModeNotes(self.loop.ownership, self.feed)
        self._episodes = EpisodeRequests(self.loop, self.feed, self.health, sink, software or {})
        self._scenes = SceneSetup(self.loop, self.feed, self.health, sink.health)
        self.loop.subscribers += [self.feed, SceneNotes(self.feed), self.health, self._modes, self]

    def handle(self, command: Command, by: str = "") -> Reply:
        """Obey, or say why not.

        Args:
            command: what is asked.
            by: who asks, for the record; empty if they do not say.
        """
        before, self.feed.asked_by = self.loop.ownership.mode, by
        try:
            reply = self._obey(command)
            self._tell(self.loop.number)
        finally:
            self.feed.asked_by = ""
        if self.loop.ownership.mode is not before:
            self._modes.commanded_by(by)
        return reply

    def run(self) -> None:
        """Tick until told to shut down, then close the open episode."""
        self.loop.run(lambda: not self.ending)
        while self.feed.busy:
            self.loop.tick()
            self.loop.clock.wait_until(self.loop.clock.now_ns() + 10_000_000)

    @property
    def resetting(self) -> bool:
        """Whether a scene is to be set up as soon as the last episode is written."""
        return self._scenes.waiting

    def on_tick(self, tick: TickRecord) -> None:
        """Hold when the recorder is gone: data nobody keeps is none."""
        if self.feed.open and not self.feed.practice and not self.health.recorder.alive:
            self.loop.ownership.on(
                Event.TROUBLE, "the recorder has died: what it acknowledged is safe; "
                "it is being restarted, arm again when it is back")
        if self.feed.open and self.health.recorder.cut_short == self.feed.episode:
            self.feed.end("", "", "")       # the recorder says why; the arm is free to go on
        self._tell(tick.number)
        self._scenes.go_on()

    def _tell(self, tick: int) -> None:
        """Note what became of alerts, and of what a person says is to be done."""
        for kind, fields in self.loop.alerts.news():
            self.feed.event(kind, **fields)
        for fields in self.loop.subtask.news():
            self.feed.event(KIND, tick=tick, instruction_id=self.loop.instruction_id, **fields)

    def detected(self) -> str:
        """The scene's verdict on its task: "success", "failure", or "" if it has none."""
        sim = self.loop.latest.get("sim")
        return "" if sim is None else "success" if bool(sim["success"]) else "failure"

    def _change(self, event: Event, reason: str = "") -> Reply:
        ownership = self.loop.ownership
        return ACCEPTED if ownership.on(event, reason) else Reply(False, ownership.refusal(event))

    @singledispatchmethod
    def _obey(self, command: Command) -> Reply:
        return Reply(False, f"{type(command).__name__} is not a command of this station")

    @_obey.register
    def _(self, command: Arm) -> Reply:
        if self.resetting:
            return Reply(False, f"{LATER}: wait")
        refusal = self.loop.arm()
        return Reply(not refusal, refusal)

    @_obey.register
    def _(self, command: Disarm) -> Reply:
        return self._change(Event.DISARM)

    @_obey.register
    def _(self, command: Stop) -> Reply:
        return self._change(Event.STOP, command.reason)

    @_obey.register
    def _(self, command: Rearm) -> Reply:
        if self.loop.robot.fault:
            return Reply(False, f"the robot still reports: {self.loop.robot.fault}")
        reply = self._change(Event.REARM)
        if reply.accepted:
            self.loop.forget_posture()      # it may have been moved while it was stopped
        return reply

    @_obey.register
    def _(self, command: Pause) -> Reply:
        return self._change(Event.PAUSE, "paused by the operator")

    @_obey.register
    def _(self, command: SetSpeed) -> Reply:
        if not 0.0 < command.scale <= 1.0:
            return Reply(False, f"speed must be above 0 and at most 1, not {command.scale}")
        self.loop.speed_scale = command.scale
        self.feed.event("speed", scale=command.scale)
        return ACCEPTED

    @_obey.register
    def _(self, command: ResetScene) -> Reply:
        return self._scenes.ask(command)

    @_obey.register
    def _(self, command: StartEpisode) -> Reply:
        return self._episodes.begin(command, f"{LATER}: wait" if self.resetting else "")

    @_obey.register
    def _(self, command: AboutEpisode) -> Reply:
        return self._episodes.say(command)

    @_obey.register
    def _(self, command: StartPolicy) -> Reply:
        if self.loop.player is None or (self.policy is not None and not self.policy.expected):
            return Reply(False, "no policy is there: choose one first")
        policy = self.health.policy(self.loop.clock.now_ns())
        if policy is not None and not policy.alive:
            return Reply(False, "the policy says nothing: wait until it is there again")
        if not self.loop.arbiter.play():
            return Reply(False, self.loop.ownership.refusal(Event.PLAY))
        if policy is not None:
            self.feed.event("start_policy", policy=title_of(policy.name),
                            weights_version=policy.weights_version)
        return ACCEPTED

    @_obey.register
    def _(self, command: JoinPolicy) -> Reply:
        if self.policy is None:
            return Reply(False, "this station was started without room for a policy")
        self.policy.expect(command.name)
        self.feed.event("policy joined", name=command.name)
        return ACCEPTED

    @_obey.register
    def _(self, command: Rewind) -> Reply:
        if self.resetting:
            return Reply(False, f"{LATER}: wait")
        return go_back(self.loop, self.feed, command)

    @_obey.register
    def _(self, command: NoteVersion) -> Reply:
        self.feed.event("version", what=command.what, version=command.version, run=command.run,
                        before=command.before, says=command.says, reason=command.reason,
                        figures=command.figures, **asked(command.by))
        return ACCEPTED

    @_obey.register
    def _(self, command: OverrideCommand) -> Reply:
        return override(self.loop, self.feed, command)

    @_obey.register
    def _(self, command: SetSharing) -> Reply:
        sharing = Sharing(command.human, command.hand_back)
        if refusal := refusal_of_sharing(sharing):
            return Reply(False, refusal)
        self.loop.arbiter.sharing = sharing
        self.feed.event("sharing", human=list(sharing.human), hand_back=sharing.hand_back)
        return ACCEPTED

    @_obey.register
    def _(self, command: AnswerAlert) -> Reply:
        refusal = self.loop.alerts.answer(command.number, "false alarm")
        return Reply(not refusal, refusal)

    @_obey.register
    def _(self, command: EndEpisode) -> Reply:
        if refusal := self._episodes.refusal_of_end(command):
            return Reply(False, refusal)
        self.loop.alerts.close()
        self._tell(self.loop.number)
        self.feed.end(self.detected(), command.label, command.note)
        return ACCEPTED

    @_obey.register
    def _(self, command: DiscardEpisode) -> Reply:
        if not self.feed.open:
            return Reply(False, "no episode is open; put a closed one into the trash instead")
        self.feed.discard()
        return ACCEPTED

    @_obey.register
    def _(self, command: SetInstruction) -> Reply:
        if refusal := refusal_of_text("an instruction", command.text):
            return Reply(False, refusal)
        before = self.loop.instruction
        self.loop.edit_instruction(command.text.strip(), flush=command.flush,
                                   by=self.feed.asked_by)
        self.feed.event("instruction", before=before, after=self.loop.instruction,
                        instruction_id=self.loop.instruction_id, tick=self.loop.number,
                        flush=command.flush)
        try:
            if isinstance(self.loop.robot, Resettable):
                self.loop.robot.set_instruction(self.loop.instruction)
        except DeviceError as unjudged:
            return Reply(True, f"the simulator goes on judging by the old words: {unjudged}")
        return ACCEPTED

    @_obey.register
    def _(self, command: SetSubtask) -> Reply:
        if refusal := refusal_of_text("a sub-task", command.text):
            return Reply(False, refusal)
        refusal = self.loop.subtask.ask(
            command.text, self.health.policy(self.loop.clock.now_ns()), self.feed.asked_by)
        return Reply(not refusal, refusal)

    @_obey.register
    def _(self, command: Keys) -> Reply:
        feed_keys = getattr(self.loop.teleop, "keys_held", None)
        if feed_keys is None:
            return Reply(False, f"{self.loop.teleop.name} takes no keys")
        feed_keys(frozenset(command.held), command.stamp_ns)
        if command.held:
            self._modes.keys_by(self.feed.asked_by)
        return ACCEPTED

    @_obey.register
    def _(self, command: Shutdown) -> Reply:
        if self.feed.open:
            self.feed.end(self.detected(), "", "the session was ended during this episode")
        self._scenes.forget()
        self.loop.ownership.on(Event.DISARM)
        self.ending = True
        return ACCEPTED

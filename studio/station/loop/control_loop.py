"""The heart: observe, propose, arbitrate, make safe, send, tell the subscribers.

One tick every 1/rate seconds on absolute deadlines. Nothing here waits for a disk, a screen, a
network or a model: devices are polled, subscribers must not block. Knows modes and owners; knows
no file, no socket and no window.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
import numpy as np

from policy.interfaces import Chunk
from recorders.clock import NS_PER_S, Clock
from recorders.streams import Batch, StreamSpec
from studio.devices.interfaces import HumanInput, RobotDriver, Teleoperator
from studio.station.chunks.override_commands import OverrideCommand
from studio.station.chunks.overriding import Overriding
from studio.station.loop.alerts import AlertMonitor
from studio.station.loop.arbitration import Arbiter, Decision, Proposals
from studio.station.loop.clutch import Clutch
from studio.station.loop.guards import Finding, Guards, wrench_in
from studio.station.loop.kinematics import ArmKinematics
from studio.station.loop.operator_subtask import OperatorSubtask
from studio.station.loop.ownership import MOVING, Event, Ownership
from studio.station.loop.safety import MotionLimiter, SafeCommand, SafetyLimits
from studio.station.loop.shared_control import SharedControl
from studio.station.loop.way_back import WayBack, Waypoint
from studio.station.messages import Assignment, Guard, Mode, RunningChunk, tick_stream


class TickRecord(msgspec.Struct, frozen=True):
    """One tick, told to the subscribers.

    Attributes:
        batches: what the robot's streams brought since the last tick, and the row of `tick`.
        latest: the newest row of every stream of the robot.
    """

    number: int
    stamp_ns: int
    row: np.ndarray
    batches: tuple[Batch, ...]
    latest: Mapping[str, np.void]
    human: HumanInput
    assignment: Assignment = Assignment()


class Player(Protocol):
    """What drives in AUTO; see chunks/player.py."""

    @property
    def chunk(self) -> Chunk | None:
        """What is being played."""
        ...

    @property
    def place(self) -> tuple[int, int]:
        """From which chunk the last wish was, and to which of its targets it leads; 0, 0: none."""
        ...

    def shown(self) -> RunningChunk | None:
        """The chunk that the last wish was from, for a timeline."""
        ...

    @property
    def overriding(self) -> Overriding:
        """What a person has decided about the plans."""
        ...

    def override(self, command: OverrideCommand) -> str:
        """Do what a person asks of the plans; returns why not, or an empty string."""
        ...

    def wish(self, now_ns: int, commanded: np.ndarray, epoch: int, *, driving: bool,
             asked: np.ndarray | None) -> np.ndarray | None:
        """Joints (D,) for this tick, or None to hold. Must return at once."""
        ...

    def rest(self, now_ns: int) -> None:
        """Nobody may drive in this tick."""
        ...

    def flush(self, instruction_id: int) -> None:
        """Drop what was planned for words before these."""
        ...

    def release(self) -> None:
        """The arm was held back from following: begin anew from where it is."""
        ...

    def begin(self) -> None:
        """Drop everything: another scene."""
        ...


class Subscriber(Protocol):
    """Whoever listens to ticks. Must return at once."""

    def on_tick(self, tick: TickRecord) -> None:
        """Take note of a tick."""
        ...


class ControlLoop:
    """Drives one robot at a fixed rate for whoever owns it."""

    def __init__(self, *, clock: Clock, robot: RobotDriver, teleop: Teleoperator,
                 limits: SafetyLimits, rate_hz: float) -> None:
        dt_s = 1.0 / rate_hz
        self.clock, self.robot, self.teleop = clock, robot, teleop
        self.spec: StreamSpec = tick_stream(robot.info, rate_hz)
        self.ownership = Ownership()
        kinematics = self.kinematics = ArmKinematics(robot.info)
        self.limiter = MotionLimiter(robot.info, limits, kinematics, dt_s)
        self.clutch = Clutch(kinematics, limits, dt_s)
        self.arbiter = Arbiter(self.ownership, SharedControl(kinematics, limits, dt_s))
        self.guards = Guards(limits, rate_hz, robot.info.joint_names)
        self.way_back = WayBack(rate_hz)
        self.alerts = AlertMonitor()
        self.subtask = OperatorSubtask()
        self.subscribers: list[Subscriber] = []
        self.between_ticks: Callable[[], None] = lambda: None
        self.player: Player | None = None
        self.speed_scale = 1.0
        self.task, self.instruction, self.instruction_by = "", "", ""
        self.instruction_id = self.scene = self.seed = 0
        self.latest: dict[str, np.void] = {}
        self.number = 0
        self._period_ns = round(NS_PER_S / rate_hz)
        self._dtype = self.spec.row_dtype
        self._follows = bool(teleop.feedback_features)
        self._synced = False

    def run(self, keep_going: Callable[[], bool]) -> None:
        """Tick on absolute deadlines until told to end; a missed one is skipped, not chased."""
        deadline_ns = self.clock.now_ns()
        while keep_going():
            self.clock.wait_until(deadline_ns)
            lateness_ns = self.clock.now_ns() - deadline_ns
            self.tick(lateness_ns)
            self.between_ticks()
            missed = max(0, self.clock.now_ns() - deadline_ns) // self._period_ns
            deadline_ns += self._period_ns * (1 + missed)

    def tick(self, lateness_ns: int = 0) -> TickRecord:
        """One tick, now."""
        now_ns = self.clock.now_ns()
        batches = self._observe()
        proposals, mistrust = self._propose(now_ns)
        finding = self._inspect(now_ns)
        decision = self.arbiter.decide(now_ns, proposals, finding)
        command = self._make_safe(decision, finding)
        self._keep_way(now_ns)
        self._send(command)
        self._watch(now_ns, command)
        flags = finding.flags | mistrust | command.guards
        return self._tell(now_ns, lateness_ns, batches, proposals, decision, command, flags)

    def arm(self) -> str:
        """Begin to hold the measured posture; returns why not, or an empty string."""
        arm = self.latest.get("arm")
        if arm is None:
            return "the arm has not said where it is yet: wait, or check its cable"
        if not self.ownership.on(Event.ARM):
            return self.ownership.refusal(Event.ARM)
        if not self._synced:
            self.limiter.start_from(np.array(arm["position"]))
            self.guards.forget_path()
            self._synced = True
        self.clutch.release()
        return ""

    def forget_posture(self) -> None:
        """The arm was moved by other means (a reset): `arm` starts from what is measured."""
        self._synced = False
        self.latest.clear()
        self.clutch.release()

    def taken_back(self, waypoint: Waypoint) -> None:
        """The world was taken back to a tick: the arm holds there, and nothing planned holds."""
        self.limiter.resume(waypoint.motion)
        self.guards.forget_path()
        self.clutch.release()
        if self.player is not None:
            self.player.begin()

    def begin_scene(self, task: str, instruction: str, seed: int) -> None:
        """What was planned before means nothing any more."""
        self.task, self.instruction, self.seed = task, instruction, seed
        self.instruction_id, self.scene = 0, self.scene + 1
        self.instruction_by = ""
        self.arbiter.begin()
        self.way_back.begin()
        self.alerts.begin()
        self.subtask.end("the scene is another")
        if self.player is not None:
            self.player.begin()

    def edit_instruction(self, text: str, *, flush: bool, by: str = "") -> None:
        """Other words from this tick on; `flush` drops what was planned for the old ones."""
        self.instruction, self.instruction_id = text, self.instruction_id + 1
        self.instruction_by = by
        self.subtask.end("the instruction is another")
        if self.player is not None and flush:
            self.player.flush(self.instruction_id)

    # ---- the five steps -------------------------------------------------------------------------

    def _observe(self) -> list[Batch]:
        batches = self.robot.poll()
        for batch in batches:
            if len(batch.rows):
                self.latest[batch.stream] = batch.rows[-1]
        return batches

    def _propose(self, now_ns: int) -> tuple[Proposals, Guard]:
        if self._follows:
            self.teleop.send_feedback({
                "stamp_ns": now_ns, "task": self.task, "instruction": self.instruction,
                "rows": self.latest, "led": self.ownership.mode is Mode.HUMAN,
                "mode": self.ownership.mode.name})
        human, mistrust = self.guards.trust(self.teleop.read(), now_ns)
        mode, here = self.ownership.mode, self.limiter.position
        if not self._synced or not self.ownership.may_move:
            self.clutch.release()
            if self.player is not None:
                self.player.rest(now_ns)
            return Proposals(human, here), mistrust
        if mode in (Mode.AUTO, Mode.REWIND) and not human.enabled:
            self.clutch.release()       # a gripper button of before the policy means nothing now
        wish = self.clutch.wish(human, here)
        planned = None if self.player is None else self.player.wish(
            now_ns, here, self.ownership.epoch, asked=self.arbiter.asked,
            driving=mode in (Mode.AUTO, Mode.SHARED, Mode.HANDBACK))
        plan = None if self.player is None else self.player.chunk
        back, there = (self.way_back.lead(self.limiter.motion, self.speed_scale)
                       if mode is Mode.REWIND else (None, False))
        return Proposals(human, here, wish, planned, plan, back, there), mistrust

    def _inspect(self, now_ns: int) -> Finding:
        finding = self.guards.inspect(
            now_ns, fault=self.robot.fault, arm=self.latest.get("arm"),
            wrench=wrench_in(self.latest.get("contact")),
            sent=self.limiter.position, driven=self._synced and self.ownership.may_move)
        if finding.event is not None:
            self.ownership.on(finding.event, finding.reason)
        return finding

    def _make_safe(self, decision: Decision, finding: Finding) -> SafeCommand:
        if finding.brake:
            self.clutch.release()       # whatever was asked before the trouble is forgotten
            if self.player is not None:
                self.player.release()
        return self.limiter.step(decision.wish, speed_scale=self.speed_scale)

    def _keep_way(self, now_ns: int) -> None:
        """Note where the arm was driven; a drive back ends when its mode does."""
        mode = self.ownership.mode
        if mode is not Mode.REWIND:
            self.way_back.stop()
        if self._synced and (mode in MOVING or not self.limiter.standing):
            self.way_back.note(Waypoint(self.number, now_ns, self.limiter.motion))

    def _send(self, command: SafeCommand) -> None:
        mode = self.ownership.mode
        if self._synced and mode is not Mode.FAULT and (mode is not Mode.IDLE
                                                        or not self.limiter.standing):
            self.robot.send(command.position)

    def _watch(self, now_ns: int, command: SafeCommand) -> None:
        chunk = None if self.player is None else self.player.chunk
        self.alerts.watch(now_ns, self.ownership.mode, chunk, self.latest.get("arm"),
                          command.position, wrench_in(self.latest.get("contact")),
                          self.instruction_id)

    def _tell(self, now_ns: int, lateness_ns: int, batches: list[Batch], proposals: Proposals,
              decision: Decision, command: SafeCommand, flags: Guard) -> TickRecord:
        row = np.zeros(1, self._dtype)
        human, arm = proposals.human_input, self.latest.get("arm")
        row["t_mono_ns"], row["t_wall_ns"], row["seq"] = now_ns, self.clock.wall_ns(), self.number
        row["lateness_ns"], row["mode"] = lateness_ns, self.ownership.mode
        row["epoch"], row["guards"] = self.ownership.epoch, flags | self._mode_flags()
        row["owner"], row["speed_scale"] = decision.owner, self.speed_scale
        row["instruction_id"], row["rewinds"] = self.instruction_id, self.way_back.rewinds
        row["rewound_ns"] = self.way_back.reached_ns
        row["human_share"], row["intervention"] = decision.human_share, self.arbiter.intervention
        if arm is not None:
            row["observation_ns"], row["observation_seq"] = arm["t_mono_ns"], arm["seq"]
        row["human_ns"], row["human_raw"] = human.stamp_ns, human.raw
        row["human_buttons"], row["human_enabled"] = human.buttons, human.enabled
        row["human_twist"] = human.twist
        row["human_gripper"] = np.nan if human.gripper is None else human.gripper
        row["human_corrective"] = np.nan if human.corrective is None else human.corrective
        row["tool_target"] = np.nan if self.clutch.target is None else self.clutch.target
        row["proposed_human"] = np.nan if proposals.human is None else proposals.human
        row["proposed_policy"] = np.nan if proposals.policy is None else proposals.policy
        if proposals.policy is not None and self.player is not None:
            row["chunk_id"], row["chunk_step"] = self.player.place
            row["override"] = self.player.overriding.flags()
            if (chunk := self.player.chunk) is not None:
                row["weights_version"] = chunk.weights_version
        alert = self.alerts.alert
        row["signals"], row["alert"] = self.alerts.signals, 0 if alert is None else alert.number
        row["blended"] = np.nan if decision.wish is None else decision.wish
        row["sent"], row["sent_velocity"] = command.position, command.velocity
        row["sent_tool"] = self.kinematics.forward(command.position)
        tick = TickRecord(self.number, now_ns, row, (*batches, Batch("tick", row)), self.latest,
                          human, Assignment(self.task, self.instruction, self.instruction_id,
                                            self.scene, self.seed, self.way_back.rewinds,
                                            self.subtask.text))
        self.number += 1
        for subscriber in self.subscribers:
            subscriber.on_tick(tick)
        return tick

    def _mode_flags(self) -> Guard:
        stopped = Guard.STOPPED if self.ownership.mode is Mode.STOP else Guard.NONE
        return stopped | (Guard.CLUTCH_OPEN if self.ownership.mode is Mode.ARMED else Guard.NONE)

"""A recording session: the same few steps, episode after episode.

Reset the scene, wait until every stream speaks, arm, record while somebody drives, end at success
or when time is up, and go on at once: nothing waits for the disk. A script's session runs by
itself; a person's episode begins with the first motion of the hand, and after an episode that ended
while the arm was held or stopped the person arms first. Speaks to the station only in commands.
Counts time on the ticks' stamps, so it behaves alike under a virtual clock.
"""

from enum import Enum, auto

import msgspec

from recorders.clock import NS_PER_S
from studio.sim.edits import Edits
from studio.station.commands import (
    SESSION,
    Arm,
    Command,
    EndEpisode,
    Reply,
    ResetScene,
    SetInstruction,
    SetSharing,
    Shutdown,
    StartEpisode,
    StartPolicy,
)
from studio.station.loop.control_loop import TickRecord
from studio.station.messages import Mode, PolicyHealth
from studio.station.station import Station

LINGER_S = 0.5              # recorded after success, so that the end is seen at rest
FIRST_SAMPLE_S = 10.0       # a camera may take this long to say its first word
POLICY_S = 60.0             # a policy that died may take this long to be there again
TROUBLE_S = 1.0             # in HOLD during an unattended episode before it is given up


class SessionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to record."""

    tasks: tuple[str, ...]
    """The task of each episode in turn; as long as the session."""
    seed: int = 0
    """Episode i is reset with seed + i."""
    max_duration_s: float = 60.0
    """An episode is ended after this time."""
    attended: bool = False
    """Whether a person drives: then an episode begins with their first motion."""
    practice: bool = False
    """Drive and keep nothing."""
    policy: bool = False
    """Whether a policy drives: an episode begins with it, and a person's hand takes over."""
    instruction: str = ""
    """What is asked for instead of the task's own words; the scene judges by it too."""
    edits: float = 0.0
    """Share of the episodes in which the instruction is changed under way."""
    operator: str = ""
    """Who drives, for the record."""
    human_share: float = 1.0
    """Of every axis, for a person who steps in while a policy drives: 1 is theirs alone."""


class Outcome(msgspec.Struct, frozen=True):
    """How an episode went, by the scene's detector."""

    episode: str
    task: str
    seed: int
    detector: str
    duration_s: float
    why: str = ""
    """Why it ended, if neither success nor time ended it."""
    policy: PolicyHealth | None = None
    """How the policy did, where one drove."""
    interventions: int = 0
    """How often a person stepped in …"""
    operator_s: float = 0.0
    """… and how long they drove in all."""


class SessionReport(msgspec.Struct, frozen=True):
    """How a session goes."""

    outcomes: tuple[Outcome, ...] = ()
    done: bool = False
    problem: str = ""


class Step(Enum):
    """Where the session is."""

    RESET = auto()
    SETTLE = auto()
    READY = auto()
    DRIVE = auto()
    CLOSE = auto()
    DONE = auto()


class Session:
    """Walks a station through a plan; a subscriber of its control loop."""

    def __init__(self, station: Station, plan: SessionPlan, *, simulated: bool) -> None:
        self._station, self._plan, self._simulated = station, plan, simulated
        self._wanted = {spec.name for spec in station.loop.robot.info.streams}
        self._since_ns = 0
        self._success_ns = self._trouble_ns = 0
        self._stepped_in: dict[int, int] = {}       # intervention -> its ticks, in this episode
        self._left_to_person = False    # something held the arm: who attends arms when it is well
        self._step = Step.RESET
        self._episode = ""
        self._edits = Edits(plan.edits)
        self.outcomes: list[Outcome] = []
        self.problem = ""
        station.loop.subscribers.append(self)

    @property
    def report(self) -> SessionReport:
        """So far. Done means that every planned episode was driven, or that it gave up."""
        return SessionReport(tuple(self.outcomes), self._step is Step.DONE, self.problem)

    @property
    def _task(self) -> str:
        return self._plan.tasks[len(self.outcomes)]

    @property
    def _seed(self) -> int:
        return self._plan.seed + len(self.outcomes)

    def on_tick(self, tick: TickRecord) -> None:
        """Take the next step if it is time."""
        if self._station.ending and self._step is not Step.DONE:
            if self._step is Step.DRIVE:
                self._note(tick, "the session was ended")
            self._step = Step.DONE
        if self._stopped and self._step is not Step.DONE and not self._plan.attended:
            self._give_up(self._station.loop.ownership.reason)
            return
        {Step.RESET: self._reset, Step.SETTLE: self._settle, Step.READY: self._ready,
         Step.DRIVE: self._drive, Step.CLOSE: self._close,
         Step.DONE: lambda tick: None}[self._step](tick)

    def _go(self, step: Step, tick: TickRecord) -> None:
        self._step, self._since_ns = step, tick.stamp_ns

    def _elapsed_s(self, tick: TickRecord) -> float:
        return (tick.stamp_ns - self._since_ns) / NS_PER_S

    def _reset(self, tick: TickRecord) -> None:
        if self._stopped and self._plan.attended:
            return                                      # until it is re-armed
        if self._simulated:
            reply = self._ask(ResetScene(self._task, self._seed))
            if not reply.accepted:
                self._give_up(reply.reason)
                return
        self._go(Step.SETTLE, tick)

    def _settle(self, tick: TickRecord) -> None:
        if self._station.resetting:                     # once the last episode is written
            self._since_ns = tick.stamp_ns
            return
        if problem := self._station.health.hints.get("scene"):
            if self._stopped and self._plan.attended:
                self._go(Step.RESET, tick)
            else:
                self._give_up(problem)
            return
        words = self._plan.instruction.strip()
        if self._simulated and words and words != self._station.loop.instruction:
            self._ask(SetInstruction(words))
        silent = self._wanted - set(tick.latest)
        if silent:
            if self._elapsed_s(tick) > FIRST_SAMPLE_S:
                self._give_up(f"no sample from {', '.join(sorted(silent))} for "
                              f"{FIRST_SAMPLE_S:.0f} s: see `tandem doctor`")
            return
        policy = self._station.health.policy(tick.stamp_ns)
        if self._plan.policy and not (policy and policy.alive):
            if self._elapsed_s(tick) > POLICY_S:
                self._give_up(f"the policy has said nothing for {POLICY_S:.0f} s: see its messages")
            return
        if self._armed():
            self._station.health.hints["session"] = ""
            self._go(Step.READY, tick)

    def _armed(self) -> bool:
        """What held the arm may still be there: a person says when it is not."""
        if not self._left_to_person:
            return self._ask(Arm()).accepted
        self._station.health.hints["session"] = (
            "the last episode ended while the arm was held: arm to go on")
        return self._station.loop.ownership.may_move

    def _ready(self, tick: TickRecord) -> None:
        if self._plan.attended and not (self._plan.policy or tick.human.enabled):
            return
        reply = self._ask(StartEpisode(
            task=self._task, instruction=self._plan.instruction, seed=self._seed,
            operator=self._plan.operator, practice=self._plan.practice))
        if reply.accepted and self._plan.human_share < 1.0:
            self._ask(SetSharing((self._plan.human_share,) * 6))
        if reply.accepted and self._may_start_policy(tick):
            refusal = self._ask(StartPolicy())
            reply = reply if refusal.accepted else refusal
        if not reply.accepted:
            self._give_up(reply.reason)
            return
        self._episode, self._success_ns, self._trouble_ns = reply.value, 0, 0
        self._stepped_in = {}
        self._edits.begin(self._seed)
        self._go(Step.DRIVE, tick)

    def _may_start_policy(self, tick: TickRecord) -> bool:
        """One that was lost while it drove is started by a person, wherever one can be hurt."""
        if not self._plan.policy or tick.human.enabled:
            return False
        policy = self._station.health.policy(tick.stamp_ns)
        lost = policy is not None and policy.unconfirmed
        return not lost or (self._simulated and not self._plan.attended)

    def _drive(self, tick: TickRecord) -> None:
        if not self._station.feed.open:                 # somebody ended or discarded it
            if self._station.feed.discarded:
                self._leave_to_person()
                self._go(Step.RESET, tick)
            else:
                recorder = self._station.health.recorder
                self._note(tick, recorder.error if recorder.cut_short == self._episode
                           else "the operator ended it")
            return
        if number := int(tick.row["intervention"][0]):
            self._stepped_in[number] = self._stepped_in.get(number, 0) + 1
        if words := self._edits.new_words(tick.latest, self._station.loop.instruction):
            self._ask(SetInstruction(words))
        if self._station.detected() == "success":
            self._success_ns = self._success_ns or tick.stamp_ns
        settled = self._success_ns and tick.stamp_ns - self._success_ns >= LINGER_S * NS_PER_S
        overdue = self._elapsed_s(tick) >= self._plan.max_duration_s
        held = self._held_too_long(tick)
        if settled or overdue or held:
            self._ask(EndEpisode())
            self._note(tick, self._station.loop.ownership.reason if held else "")

    def _held_too_long(self, tick: TickRecord) -> bool:
        """An unattended episode that the station holds is over."""
        if self._station.loop.ownership.mode is not Mode.HOLD or self._plan.attended:
            self._trouble_ns = 0
            return False
        self._trouble_ns = self._trouble_ns or tick.stamp_ns
        return tick.stamp_ns - self._trouble_ns >= TROUBLE_S * NS_PER_S

    @property
    def _stopped(self) -> bool:
        return self._station.loop.ownership.mode in (Mode.STOP, Mode.FAULT)

    def _leave_to_person(self) -> None:
        held = self._stopped or self._station.loop.ownership.mode is Mode.HOLD
        self._left_to_person = held and self._plan.attended

    def _note(self, tick: TickRecord, why: str) -> None:
        self._leave_to_person()
        self.outcomes.append(Outcome(self._episode, self._task, self._seed,
                                     self._station.detected(), self._elapsed_s(tick), why,
                                     self._station.health.policy(tick.stamp_ns),
                                     len(self._stepped_in), sum(self._stepped_in.values())
                                     / self._station.loop.spec.rate_hz))
        self._go(Step.CLOSE, tick)

    def _close(self, tick: TickRecord) -> None:
        if self._station.feed.busy:
            return
        if len(self.outcomes) == len(self._plan.tasks):
            self._step = Step.DONE
            self._ask(Shutdown())
        else:
            self._go(Step.RESET, tick)

    def _give_up(self, problem: str) -> None:
        self.problem, self._step = problem, Step.DONE
        self._ask(Shutdown())

    def _ask(self, command: Command) -> Reply:
        return self._station.handle(command, SESSION)

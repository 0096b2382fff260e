"""A policy's trials: the same scenes for everybody, under the virtual clock, through the station.

Every trial is a session like any other (reset, arm, begin, let the policy drive, end), by commands
only, so that what is measured is what will drive: safety layer, clock of the cameras, guards. What
it may see of the truth is the scene's verdict, and the asked-for colours for the words of an edit.
Knows the simulator; refuses to know what a success rate is and how many processes share the seeds.
"""

from collections.abc import Callable
from typing import Self

from policy.interfaces import Choosy, Policy
from policy.monitoring.calibration import Calibration
from recorders.clock import NS_PER_S, Clock, ManualClock
from recorders.store import DemoStore
from studio.devices.absent import AbsentTeleoperator
from studio.devices.interfaces import DeviceError
from studio.sim.instructions import Goal
from studio.sim.robot import SimRobot
from studio.station.chunks.player import ChunkPlayer
from studio.station.commands import (
    SCRIPT,
    Arm,
    Command,
    DiscardEpisode,
    EndEpisode,
    ResetScene,
    SetInstruction,
    StartEpisode,
    StartPolicy,
)
from studio.station.messages import Mode
from studio.station.recording.store_sink import StoreSink
from studio.station.robots import open_robot, tasks_of
from studio.station.serving.policy_in_process import PolicyInProcess, latencies_ms
from studio.station.station import Station
from studio.station.trying.rewording import Rewording, worded
from studio.station.trying.trials import Trial, Trials

RATE_HZ = 100.0
EVEN_NS = NS_PER_S // 10    # ten ticks and three pictures: what began so begins alike


class ProvingGround:
    """The simulated arm, a station and a policy under a virtual clock.

    Use as a context manager.

    Args:
        trials: what to try.
        policy: drives; nobody else may use it meanwhile.
        machine: measures wall time, and gives the virtual clock its start.
        calibration: what the policy's rollouts are measured by; None: no alerts.

    Raises:
        DeviceError: no pictures here, no such camera, or not what the policy wants to see.
        StoreError: the store cannot be written.
    """

    def __init__(self, trials: Trials, policy: Policy, machine: Clock,
                 calibration: Calibration | None = None) -> None:
        self._trials, self._policy, self._machine = trials, policy, machine
        self._clock = ManualClock(machine.now_ns(), machine.wall_ns())
        self._connected_ns = 0
        try:
            self._robot = open_robot(
                trials.robot, self._clock, image_size=trials.image_size,
                cameras=tuple(policy.spec.cameras), depth=policy.spec.cloud_points > 0,
                **({"disturbance": trials.disturbance} if trials.disturbance else {}),
                **({"mishaps": trials.mishaps} if trials.mishaps else {}))
        except DeviceError as refused:
            if isinstance(policy, Choosy):
                raise DeviceError(f"{refused}; say which is which with --policy-map "
                                  "observation.images.NAME=CAMERA") from refused
            raise
        self._longest_s = trials.max_s or tasks_of(trials.robot)[trials.task].max_duration_s
        self._store = (DemoStore.open(trials.store, write=True, create=True)
                       if trials.store else None)
        self._station = Station(
            clock=self._clock, robot=self._robot, teleop=AbsentTeleoperator(self._clock),
            sink=StoreSink(self._store), rate_hz=RATE_HZ)
        self._loop, self._said = self._station.loop, list[str]()
        self._loop.alerts.calibration = calibration
        self._alerts: dict[int, tuple[float, str]] = {}

    def __enter__(self) -> Self:
        self._robot.connect()
        self._connected_ns = self._clock.now_ns()
        return self

    def __exit__(self, *_: object) -> None:
        self._robot.disconnect()
        if self._store is not None:
            self._store.close()

    @property
    def station(self) -> Station:
        """That everything goes through; whoever is to watch or to help subscribes to its loop."""
        return self._station

    def run(self, on_trial: Callable[[Trial], None]) -> None:
        """Try every seed; `on_trial` is told each."""
        for seed in self._trials.seeds:
            on_trial(self.trial(seed))

    def trial(self, seed: int) -> Trial:
        """One scene, from reset to success or failure."""
        began_ns, trials = self._machine.now_ns(), self._trials
        self._set_up(seed)
        asked = self._goal
        first = self._tell_first_words(asked) or self._loop.instruction
        driver = PolicyInProcess(self._loop, self._policy, trials.pace, trials.delays,
                                 join=trials.join, note=self._note)
        self._said.clear()
        self._alerts.clear()
        try:
            episode = self._do(StartEpisode(
                task=trials.task, instruction=first, seed=seed, operator="policy",
                practice=self._store is None))
            self._do(StartPolicy())
            edits, begun_ns = Rewording(trials.edits, asked), self._clock.now_ns()
            success_s, duration_s, why = self._drive(edits, driver.player)
            self._end(keep=success_s is None)
        finally:
            self._loop.subscribers.remove(driver)
            self._loop.player = None
        usage = driver.speeds.usage
        return Trial(
            seed=seed, instruction=first, success_s=success_s,
            duration_s=duration_s, why=why, said=tuple(self._said),
            edited_s=tuple((at_ns - begun_ns) / NS_PER_S for at_ns in edits.at_ns),
            effect_ticks=tuple(edits.effect_ticks), alerts=tuple(self._alerts.values()),
            system1_calls=usage.system1_calls, system2_runs=usage.system2_runs, held=usage.held,
            slowed=usage.slowed, dry_ticks=driver.player.played.dry_ticks,
            act_ms=_in(usage.act_ns, 1e6), think_ms=_in(usage.think_ns, 1e6),
            age_s=_in(usage.age_ns, NS_PER_S), latency_ms=tuple(latencies_ms(driver.player)),
            wall_s=(self._machine.now_ns() - began_ns) / NS_PER_S,
            episode=episode if self._store is not None and success_s is None else "")

    # ---- inside ----------------------------------------------------------------------------------

    def _set_up(self, seed: int) -> None:
        """The scene, and an arm that holds; at a moment that is the same in every trial."""
        while (self._clock.now_ns() - self._connected_ns) % EVEN_NS:
            self._tick()
        self._do(ResetScene(self._trials.task, seed))
        wanted = {spec.name for spec in self._robot.info.streams}
        while wanted - set(self._loop.latest):
            self._tick()
        self._do(Arm())

    def _drive(self, edits: Rewording, player: ChunkPlayer) -> tuple[float | None, float, str]:
        """Until success, trouble, or the end of the time: when, how long, why."""
        begun_ns, loop = self._clock.now_ns(), self._loop
        for tick in range(round(self._longest_s * RATE_HZ)):
            if words := edits.due(tick, loop.latest):
                self._do(SetInstruction(words, flush=self._trials.pace.edit == "flush"))
                edits.happened(tick, self._clock.now_ns())
            self._tick()
            edits.watch(tick, player.chunk, loop.instruction_id)
            elapsed_s = (self._clock.now_ns() - begun_ns) / NS_PER_S
            if (alert := loop.alerts.alert) is not None:
                self._alerts.setdefault(alert.number, (elapsed_s, alert.signal))
            # An edit that is still to come makes a success of the old words no success.
            if self._station.detected() == "success" and not edits.to_come:
                return elapsed_s, elapsed_s, ""
            if loop.ownership.mode is not Mode.AUTO:
                return None, elapsed_s, loop.ownership.reason
        return None, self._longest_s, ""

    def _tell_first_words(self, asked: Goal) -> str:
        """The words that the policy is told, empty for what the reset said; told to the judge."""
        text = worded(self._trials.instruction, asked)
        if text and not self._trials.keep_goal:
            self._do(SetInstruction(text))
        return text

    @property
    def _goal(self) -> Goal:
        if isinstance(self._robot, SimRobot):
            return self._robot.world.run.goal
        return Goal(self._trials.task)          # an environment that says no more than its task

    def _end(self, *, keep: bool) -> None:
        self._do(EndEpisode() if keep or self._store is None else DiscardEpisode())
        while self._station.feed.busy:
            self._tick()

    def _tick(self) -> None:
        self._clock.advance(round(NS_PER_S / RATE_HZ))
        self._loop.tick()

    def _do(self, command: Command) -> str:
        reply = self._station.handle(command, SCRIPT)
        if not reply.accepted:
            raise DeviceError(reply.reason)
        return reply.value

    def _note(self, kind: str, **fields: str) -> None:
        self._said.append(fields["says"])
        self._station.feed.event(kind, **fields)


def _in(durations_ns: list[int], unit_ns: float) -> tuple[float, ...]:
    return tuple(duration_ns / unit_ns for duration_ns in durations_ns)

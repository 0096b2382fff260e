"""Runs a recording session: starts what it needs, tells how it goes, and ends everything.

In real time the robot, the recorder, the station and the viewer are processes of their own under
one supervisor; under the virtual clock of `--fast` the same station drives the simulator in this
process and waits for the recorder instead of overflowing. Knows which processes there are; refuses
to know what the screen looks like.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import msgspec
import zmq

from policy.driving.two_speeds import Delays
from recorders.clock import NS_PER_S, ManualClock, SystemClock
from studio.station.commands import TERMINAL, Command, Reply, Shutdown
from studio.station.messages import Snapshot
from studio.station.processes.bus import CommandClient, Endpoints, StationSilent, private_endpoints
from studio.station.processes.endpoints import open_context
from studio.station.processes.rerun_worker import RerunConfig
from studio.station.processes.robot_host import RobotHostConfig
from studio.station.processes.supervisor import Supervisor, WorkerFailed, WorkerSpec
from studio.station.processes.watch import Watcher
from studio.station.recording.made_with import made_with
from studio.station.recording.record_link import RecorderClient
from studio.station.recording.recorder import RecorderConfig
from studio.station.recording.rrd_worker import RrdConfig
from studio.station.robots import (
    OPEN_ROBOT,
    OVERSEER,
    SCRIPTS,
    is_simulated,
    make_operator,
    open_robot,
)
from studio.station.serving.policy_in_process import drive_in_process
from studio.station.serving.policy_process import PolicyChoice, policy_for
from studio.station.session import Outcome, Session, SessionPlan, SessionReport
from studio.station.simulated_person import attend
from studio.station.station import Station
from studio.station.station_worker import StationConfig

START_S, WRITTEN_S, CLOSE_S = 60.0, 60.0, 5.0
LAST_S = 15.0               # to write what still waits, and the last episodes' Rerun files
TURN_MS = 20


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to do at the desk."""

    plan: SessionPlan
    robot: str = "sim"
    teleop: str = "scripted"
    teleop_options: dict[str, Any] = {}
    robot_options: dict[str, Any] = {}
    store: str = ""
    """Folder of the store; empty keeps nothing (then the plan must be practice)."""
    fast: bool = False
    """Virtual time: as fast as the machine allows."""
    policy: PolicyChoice | None = None
    """A policy that drives; the plan must say so too. In virtual time it computes in this process,
    and what it would have cost is modelled: …"""
    delays: Delays = Delays()
    """… so much (virtual time only)."""
    live: bool = False
    """Serve a live view in Rerun (real time only), and leave an .rrd file for each episode; the
    store must exist."""
    image_size: tuple[int, int] = (240, 320)
    images: Literal["jpeg", "jpegxl-lossless"] = "jpeg"
    rate_hz: float = 100.0


class Listener(msgspec.Struct, frozen=True):
    """Who is told what; see `run_session`."""

    on_outcome: Callable[[Outcome], None]
    on_snapshot: Callable[[Snapshot], None]
    say: Callable[[str], None]
    on_start: Callable[[Callable[[Command], Reply]], None]
    on_turn: Callable[[], None]


def run_session(request: SessionRequest, *,
                on_outcome: Callable[[Outcome], None] = lambda outcome: None,
                on_snapshot: Callable[[Snapshot], None] = lambda snapshot: None,
                say: Callable[[str], None] = lambda line: None,
                on_start: Callable[[Callable[[Command], Reply]], None] = lambda call: None,
                on_turn: Callable[[], None] = lambda: None) -> str:
    """Run a session to its end.

    Args:
        request: what to do.
        on_outcome: told each episode's end.
        on_snapshot: told the state of the station, some times a second.
        say: told what the operator should know.
        on_start: given a function that sends a command, once the station serves (real time
            only); to be called from `on_turn` or `on_snapshot`.
        on_turn: called some fifty times a second meanwhile (real time only).

    Returns:
        Empty, or one sentence on why the session ended early.

    Raises:
        WorkerFailed: a process did not start; says its reason.
    """
    listener = Listener(on_outcome, on_snapshot, say, on_start, on_turn)
    with private_endpoints() as links, Supervisor(SystemClock(), say) as supervisor:
        if request.store and request.live:      # first, so that it ends last: after the last commit
            supervisor.start(WorkerSpec(name="rrd", role="rrd", restart=True,
                                        patience_s=LAST_S, config=RrdConfig(store=request.store)))
        if request.store:
            supervisor.start(WorkerSpec(name="recorder", role="recorder", restart=True,
                                        patience_s=LAST_S,
                                        config=RecorderConfig(store=request.store, links=links)))
        if request.fast:
            return _run_virtual(request, links, supervisor, listener)
        return _run_live(request, links, supervisor, listener)


class _Progress:
    """Tells each outcome once."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self._told = listener, 0
        self.report = SessionReport()

    def update(self, report: SessionReport | None) -> None:
        if report is None:
            return
        self.report = report
        for outcome in report.outcomes[self._told:]:
            self._listener.on_outcome(outcome)
        self._told = len(report.outcomes)


def _run_virtual(request: SessionRequest, links: Endpoints, supervisor: Supervisor,
                 listener: Listener) -> str:
    machine = SystemClock()
    clock = ManualClock(machine.now_ns(), machine.wall_ns())
    robot = open_robot(request.robot, clock, **_robot_options(request))
    chance = {"seed": request.plan.seed} if request.teleop in (*SCRIPTS, OVERSEER) else {}
    operator = make_operator(request.teleop, clock, request.robot,
                             **chance | request.teleop_options)
    progress = _Progress(listener)
    robot.connect()
    operator.connect()
    try:
        with open_context() as context:
            recorder = RecorderClient(context, links, machine, block=True)
            if request.store:
                supervisor.wait_ready("recorder", timeout_s=START_S)
                recorder.wait_alive(START_S)
            station = Station(clock=clock, robot=robot, teleop=operator, sink=recorder,
                              rate_hz=request.rate_hz, publish=listener.on_snapshot,
                              software=made_with())
            if request.policy is not None:
                drive_in_process(request.policy, station, request.delays)
            session = Session(station, request.plan, simulated=True)
            attend(station)

            def between_ticks() -> None:
                progress.update(session.report)
                supervisor.poll()

            station.loop.between_ticks = between_ticks
            try:
                station.run()
            except KeyboardInterrupt:
                station.handle(Shutdown())
                station.run()
                raise
            finally:
                problem = _recorder_problem(recorder) if request.store else ""
                recorder.close()
            progress.update(session.report)
            return session.problem or problem
    finally:
        robot.disconnect()


def _robot_options(request: SessionRequest) -> dict[str, Any]:
    size = {"image_size": request.image_size} if is_simulated(request.robot) else {}
    return {**size, "image_encoding": request.images,
            **request.robot_options}


def _recorder_problem(recorder: RecorderClient) -> str:
    written, health = recorder.wait_written(WRITTEN_S), recorder.health()
    if not written:
        return f"the recorder has not written {health.queued} messages: {health.error}"
    return health.error


def _run_live(request: SessionRequest, links: Endpoints, supervisor: Supervisor,
              listener: Listener) -> str:
    supervisor.start(WorkerSpec(name="robot", role="robot", config=RobotHostConfig(
        links=links, driver=OPEN_ROBOT,
        options={"name": request.robot} | _robot_options(request))))
    supervisor.wait_ready("robot", *(["recorder"] if request.store else []), timeout_s=START_S)
    progress = _Progress(listener)
    with open_context() as context, _policy(request, context, links, supervisor,
                                            listener) as look_after:
        supervisor.start(WorkerSpec(name="station", role="station", config=StationConfig(
            links=links, robot=request.robot, teleop=request.teleop,
            teleop_options=request.teleop_options,
            plan=request.plan, recorded=bool(request.store), rate_hz=request.rate_hz,
            watched=request.live,
            policy=request.policy is not None, software=made_with())))
        supervisor.wait_ready("station", timeout_s=START_S)
        if request.live:
            supervisor.start(WorkerSpec(
                name="rerun", role="rerun", restart=True, config=RerunConfig(
                    links=links, rate_hz=request.rate_hz, policy=request.policy is not None)))
        watcher = Watcher(context, links)
        commands: CommandClient[Command, Reply] = CommandClient(
            context, links.command, Reply, name=TERMINAL)
        listener.on_start(commands.call)
        try:
            _watch(watcher, supervisor, listener, progress, look_after)
        except KeyboardInterrupt:
            _end(commands, watcher, listener, progress)
            raise
    ended = supervisor.ended.get("station") or supervisor.ended.get("robot")
    return progress.report.problem or (f"the station ended: {ended}" if ended else "")


def _policy(request: SessionRequest, context: zmq.Context, links: Endpoints,
            supervisor: Supervisor, listener: Listener
            ) -> AbstractContextManager[Callable[[Snapshot], None]]:
    """The policy, if one drives; gives what looks after it."""
    if request.policy is None:
        return nullcontext(lambda snapshot: None)
    return policy_for(request.policy, context, supervisor, links, request.rate_hz, listener.say)


def _watch(watcher: Watcher, supervisor: Supervisor, listener: Listener,
           progress: _Progress, look_after: Callable[[Snapshot], None]) -> None:
    """Follow the session to its end, or to the end of a process without which it cannot go on."""
    while not progress.report.done:
        listener.on_turn()
        progress.update(watcher.report(TURN_MS))
        if (snapshot := watcher.snapshot()) is not None:
            listener.on_snapshot(snapshot)
            look_after(snapshot)
        supervisor.poll()
        if not {"station", "robot"}.isdisjoint(supervisor.ended):
            return


def _end(commands: CommandClient[Command, Reply], watcher: Watcher, listener: Listener,
         progress: _Progress) -> None:
    """Ask the station to hold the arm and to close the open episode; wait for it, but not long."""
    try:
        commands.call(Shutdown(), timeout_s=1.0)
    except StationSilent as silent:
        listener.say(str(silent))
        return
    clock = SystemClock()
    deadline_ns = clock.now_ns() + int(CLOSE_S * NS_PER_S)
    while not progress.report.done and clock.now_ns() < deadline_ns:
        progress.update(watcher.report(TURN_MS))


__all__ = ["SessionRequest", "WorkerFailed", "run_session"]

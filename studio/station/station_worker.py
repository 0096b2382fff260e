"""The station's process: role "station" of worker.py.

Puts a control loop together with the robot over the bus, a teleoperator, the recorder's link and
the commands, and ticks until told to end: by a session's plan, or by consoles if it has none. Knows
how the parts are wired; what they do is theirs.
"""

import gc
from typing import Any

import msgspec

from studio.station.commands import Command, Reply, Shutdown
from studio.station.loop.safety import SafetyLimits, limits_for
from studio.station.processes.bus import CommandServer, Endpoints, open_context
from studio.station.processes.priority import raise_priority
from studio.station.processes.remote_robot import RemoteSimulator, open_remote_robot
from studio.station.processes.watch import WatchPublisher
from studio.station.processes.worker import Life
from studio.station.recording.episode_feed import NoRecorder
from studio.station.recording.record_link import RecorderClient
from studio.station.robots import make_operator
from studio.station.serving.remote_policy import RemotePolicy
from studio.station.session import Session, SessionPlan
from studio.station.simulated_person import attend
from studio.station.station import Station

FAREWELL_S = 0.05           # between two sayings of the session's end
FIRST_WORD_S = 10.0         # a recorder that says nothing for so long will not
LAST_WORD_S = 3.0           # for it to take what was handed over


class StationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the station is told."""

    links: Endpoints
    robot: str = "sim"
    """Which robot a script shall drive; the robot itself is at the end of a link."""
    teleop: str
    teleop_options: dict[str, Any] = {}
    plan: SessionPlan | None = None
    """What to record by itself; None leaves everything to consoles."""
    recorded: bool = True
    """Whether a recorder listens on the links; without one there is only practice."""
    rate_hz: float = 100.0
    limits: SafetyLimits = SafetyLimits()
    watched: bool = False
    """Whether somebody wants to see every row and picture (Rerun, consoles)."""
    policy: bool = False
    """Whether a policy's process may listen on the links …"""
    policy_joined: bool = True
    """… and does from the beginning; otherwise `JoinPolicy` says so."""
    software: dict[str, str] = {}


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: drive until the session ends or the supervisor wants an end."""
    told = msgspec.json.decode(config, type=StationConfig)
    teleop = make_operator(told.teleop, life.clock, told.robot, **told.teleop_options)
    with open_context() as context:
        robot = open_remote_robot(context, told.links, life.clock)
        limits = limits_for(robot.info, told.limits)
        teleop.connect()
        recorder = RecorderClient(context, told.links, life.clock) if told.recorded else None
        server: CommandServer[Command, Reply] = CommandServer(context, told.links.command)
        watch = WatchPublisher(context, told.links, batches=told.watched)
        if recorder is not None:
            recorder.wait_alive(FIRST_WORD_S)
        station = Station(clock=life.clock, robot=robot, teleop=teleop,
                          sink=recorder or NoRecorder(), limits=limits,
                          rate_hz=told.rate_hz, publish=watch.on_snapshot, software=told.software)
        station.loop.subscribers.append(watch)
        if told.policy:
            policy = RemotePolicy(context, told.links, station.loop, limits,
                                  note=station.feed.event)
            policy.expected = told.policy_joined
            station.policy, station.health.policy = policy, policy.health
        if told.plan is not None:
            watch.session = Session(station, told.plan,
                                    simulated=isinstance(robot, RemoteSimulator))
        attend(station)

        def between_ticks() -> None:
            for command, answer in server.poll():
                answer(station.handle(command, server.asked_by))
            if life.stopping and not station.ending:
                station.handle(Shutdown())
            life.beat()

        station.loop.between_ticks = between_ticks
        gc.collect()
        gc.freeze()         # what is here now stays: a full collection would be a late tick
        life.ready(raise_priority())
        station.run()
        gc.unfreeze()
        robot.hold()
        teleop.disconnect()
        if recorder is not None:
            recorder.wait_written(LAST_WORD_S)
            recorder.close()
        while not life.wait_for_stop(FAREWELL_S):
            watch.tell_session()
            life.beat()
        robot.disconnect()

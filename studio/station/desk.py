"""The desk: the process that owns a station's processes, and outlives every console.

It starts them, says how they are, starts them anew with other devices or another store, and ends
them. Whatever fails leaves a sentence in `DeskState.problem` and the desk alive, so that a person
can choose something else. Knows processes and what a console may ask of them; refuses to know what
is driven, recorded or drawn.
"""

from collections import deque
from collections.abc import Callable, Iterator
from functools import singledispatchmethod
from pathlib import Path

import msgspec
import zmq

from recorders.clock import NS_PER_S, Clock
from recorders.store import DemoStore, StoreError
from studio.devices.interfaces import DeviceError
from studio.station.bus import CommandServer, Endpoints, LatestPublisher
from studio.station.commands import Reply
from studio.station.desk_link import (
    DESK_STATE,
    ConsoleHere,
    ConsoleLeft,
    DeskRequest,
    DeskState,
    EndDesk,
    OpenStore,
    OpenWeb,
    UseDevices,
)
from studio.station.desk_processes import (
    CONSOLE,
    END_ORDER,
    RECORDER,
    RERUN,
    ROBOT,
    RRD,
    STATION,
    WEB,
    DeskConfig,
    console_worker,
    recorder_worker,
    rerun_worker,
    robot_worker,
    rrd_worker,
    station_worker,
    web_worker,
)
from studio.station.desk_view import StationView, processes_of
from studio.station.robots import operator_names, require_robot, tasks_of
from studio.station.supervisor import DONE, Supervisor, WorkerFailed, WorkerSpec
from studio.station.wire import pack

STATE_NS = NS_PER_S // 5
START_NS = 60 * NS_PER_S    # a simulator on a busy machine
CONSOLE_SILENT_NS = 5 * NS_PER_S    # a console says every second that it is there
NEWS = 40                   # lines that a console can still read
ACCEPTED = Reply(True)
_REMEDY = {ROBOT: "choose the devices again to start it anew",
           STATION: "choose the devices again to start it anew",
           RECORDER: "open the store again, or another one"}


class Desk:
    """Owns the processes of one station; turn it with `step` until `ended`.

    Args:
        config: what it is asked to be; kept up to date in `config`.
        links: of the station; this process binds `desk` and `desk_state`.
        context: of this process.
        clock: the machine's.
        say: told, from any thread, what the person who started the desk should know.

    Attributes:
        ended: nothing is left to do; `close` ends the processes.
        problem: why it ended early, if it did.
    """

    def __init__(self, config: DeskConfig, links: Endpoints, context: zmq.Context, clock: Clock,
                 say: Callable[[str], None] = lambda line: None) -> None:
        self.config, self.ended, self.problem = config, False, ""
        self._links, self._clock, self._say = links, clock, say
        self._news: deque[str] = deque(maxlen=NEWS)
        self._supervisor = Supervisor(clock, self._tell)
        self._requests: CommandServer[DeskRequest, Reply] = CommandServer(
            context, links.desk, DeskRequest)
        self._states = LatestPublisher(context, links.desk_state)
        self._station = StationView(context, links)
        self._consoles: dict[str, int] = {}     # name -> when it last said that it is there
        self._busy, self._failure = "", ""
        self._work: Iterator[None] | None = self._begin()
        self._next_state_ns = 0

    @property
    def state(self) -> DeskState:
        """As consoles see it."""
        processes = processes_of(self._supervisor)
        said = {state.name: state.said for state in self._supervisor.states()}
        return DeskState(
            stamp_ns=self._clock.now_ns(), busy=self._busy, problem=self._trouble(),
            robot=self.config.robot, robot_options=self.config.robot_options,
            teleop=self.config.teleop, teleop_options=self.config.teleop_options,
            task=self.config.task, rate_hz=self.config.rate_hz, store=self.config.store,
            live_url=said.get(RERUN, ""), web_url=said.get(WEB, ""), processes=processes,
            consoles=tuple(self._consoles), news=tuple(self._news))

    def step(self, timeout_ms: int = 20) -> None:
        """One turn: answer consoles, look after the processes, go on with what is being started.

        Waits for a request up to `timeout_ms`; stopping a process may take seconds.
        """
        if self._requests.wait(timeout_ms):
            for request, answer in self._requests.poll():
                answer(self._obey(request))
                self._after(request)
        self._station.look()
        self._supervisor.poll()
        self._go_on()
        self._look_at_consoles()
        if self._clock.now_ns() >= self._next_state_ns:
            self._next_state_ns = self._clock.now_ns() + STATE_NS
            self._states.publish(DESK_STATE, [pack(self.state)])

    def close(self) -> None:
        """End every process: the arm is held, an open episode closed, everything written."""
        self._supervisor.stop_all(END_ORDER)
        for link in (self._requests, self._states, self._station):
            link.close()

    def _tell(self, line: str) -> None:
        self._news.append(line)
        self._say(line)

    # ---- what is being started ------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._work is None:
            return
        try:
            next(self._work)
        except StopIteration:
            self._work, self._busy = None, ""
        except WorkerFailed as failed:
            self._work, self._busy, self._failure = None, "", str(failed)
            self._tell(str(failed))

    def _take_on(self, work: Iterator[None]) -> Reply:
        self._work, self._failure = work, ""
        return ACCEPTED

    def _begin(self) -> Iterator[None]:
        if self.config.console:
            self._supervisor.start(console_worker(self._links))
        if self.config.web:
            self._supervisor.start(web_worker(self.config, self._links))
        self._start(robot_worker(self.config, self._links))     # it takes longest: begin with it
        yield from self._open_store()
        yield from self._until_it_serves(ROBOT)
        yield from self._start_station()

    def _open_store(self) -> Iterator[None]:
        for name in (RECORDER, RRD):
            self._supervisor.stop(name)
        if not self.config.store:
            return
        self._start(recorder_worker(self.config, self._links))
        yield from self._until_it_serves(RECORDER)
        if self.config.live:
            self._start(rrd_worker(self.config))

    def _start_station(self) -> Iterator[None]:
        self._start(station_worker(self.config, self._links))
        yield from self._until_it_serves(STATION)
        if self.config.live:
            self._start(rerun_worker(self.config, self._links))
        if self.config.task:        # a real robot's scene is set up by hand
            self._station.set_scene(self.config.task)

    def _change_devices(self, *, robot: bool) -> Iterator[None]:
        self._busy = "starting the station with other devices"
        yield                       # said before anything is stopped
        for name in (RERUN, STATION, *([ROBOT] if robot else [])):
            self._supervisor.stop(name)
        if robot:
            self._start(robot_worker(self.config, self._links))
            yield from self._until_it_serves(ROBOT)
        yield from self._start_station()

    def _change_store(self, *, station: bool) -> Iterator[None]:
        self._busy = "opening the store"
        yield
        if station:                 # it is told at its start whether anything is kept
            self._supervisor.stop(STATION)
        yield from self._open_store()
        if station:
            yield from self._start_station()

    def _start(self, spec: WorkerSpec) -> None:
        self._supervisor.stop(spec.name)
        self._supervisor.start(spec)

    def _until_it_serves(self, name: str) -> Iterator[None]:
        self._busy = f"starting the {name}"
        deadline_ns = self._clock.now_ns() + START_NS
        while not self._supervisor.serves(name):
            if self._clock.now_ns() > deadline_ns:
                self._supervisor.stop(name)
                raise WorkerFailed(f"the {name} is not ready after {START_NS // NS_PER_S} s: see "
                                   "its messages, or choose other devices")
            yield

    def _trouble(self) -> str:
        if self._failure or self._busy:
            return self._failure
        ended = self._supervisor.ended
        return next((f"the {name} has ended: {ended[name]}; {remedy}"
                     for name, remedy in _REMEDY.items() if name in ended), "")

    def _runs(self, name: str) -> bool:
        return any(state.name == name for state in self._supervisor.states())

    # ---- what is asked --------------------------------------------------------------------------

    def _not_now(self) -> str:
        """Why nothing can be started anew now; empty if it can."""
        if self._work is not None:
            return f"wait: {self._busy or 'the station is being started'}"
        episode = self._station.episode if self._runs(STATION) else ""
        return f"episode {episode} is open: end or discard it first" if episode else ""

    @singledispatchmethod
    def _obey(self, request: DeskRequest) -> Reply:
        return Reply(False, f"{type(request).__name__} is not a request of this desk")

    @_obey.register
    def _(self, request: UseDevices) -> Reply:
        if refusal := self._not_now():
            return Reply(False, refusal)
        if request.teleop not in operator_names() and not request.teleop.startswith("leader:"):
            return Reply(False, f"unknown teleop {request.teleop!r}: valid are "
                                f"{', '.join(operator_names())}")
        try:
            require_robot(request.robot)
        except DeviceError as refusal:
            return Reply(False, str(refusal))
        before, tasks = self.config, tasks_of(request.robot)
        wanted = msgspec.structs.replace(
            before, robot=request.robot, robot_options=request.robot_options,
            teleop=request.teleop, teleop_options=request.teleop_options,
            task=before.task if before.task in tasks else next(iter(tasks)))
        same_robot = (wanted.robot, wanted.robot_options) == (before.robot, before.robot_options)
        self.config = wanted        # asked for the same again, all is started anew
        keep = same_robot and wanted != before and self._runs(ROBOT)
        return self._take_on(self._change_devices(robot=not keep))

    @_obey.register
    def _(self, request: OpenStore) -> Reply:
        if refusal := self._not_now():
            return Reply(False, refusal)
        path = str(Path(request.path).expanduser().absolute()) if request.path else ""
        if path == self.config.store and (self._runs(RECORDER) or not path):
            return ACCEPTED
        if path:
            try:
                DemoStore.open(path, write=True, create=True).close()
            except (StoreError, OSError) as refusal:
                return Reply(False, str(refusal))
        station = not (path and self.config.store and self._runs(STATION))
        self.config = msgspec.structs.replace(self.config, store=path)
        return self._take_on(self._change_store(station=station))

    @_obey.register
    def _(self, request: OpenWeb) -> Reply:
        if not self._runs(WEB):
            self._supervisor.start(web_worker(self.config, self._links))
        return Reply(True, value=self.state.web_url)

    @_obey.register
    def _(self, request: ConsoleHere) -> Reply:
        self._consoles[request.name] = self._clock.now_ns()
        return ACCEPTED

    @_obey.register
    def _(self, request: ConsoleLeft) -> Reply:
        self._consoles.pop(request.name, None)
        return ACCEPTED

    @_obey.register
    def _(self, request: EndDesk) -> Reply:
        self.ended = True
        return ACCEPTED

    # ---- who looks ------------------------------------------------------------------------------

    def _after(self, request: DeskRequest) -> None:
        """What is done once the console has its answer."""
        if isinstance(request, ConsoleLeft):
            if request.name in (CONSOLE, WEB):
                self._supervisor.stop(request.name)
            self._perhaps_end()

    def _look_at_consoles(self) -> None:
        horizon_ns = self._clock.now_ns() - CONSOLE_SILENT_NS
        self._consoles = {name: seen_ns for name, seen_ns in self._consoles.items()
                          if seen_ns > horizon_ns}
        for name in (CONSOLE, WEB):
            reason = self._supervisor.ended.get(name)
            if reason is not None:
                self._supervisor.forget(name)
                self._consoles.pop(name, None)
                self._perhaps_end("" if reason == DONE else f"the {name} has ended: {reason}")

    def _perhaps_end(self, why: str = "") -> None:
        """The last console is gone: end, unless that would end somebody's work."""
        if self.config.stays or self.ended or self._consoles or any(
                self._runs(name) for name in (CONSOLE, WEB)):
            return
        if work := self._station.at_work if self._runs(STATION) else "":
            self._tell(f"the last console was closed, but {work}: the desk goes on; `tandem "
                       "console` opens another one, Ctrl-C ends it")
            return
        self.ended, self.problem = True, why

"""The desk: the process that owns a station's processes, and outlives every console.

It starts them, says how they are, starts them anew with other devices or another store, and ends
them. Whatever fails leaves a sentence in `DeskState.problem` and the desk alive, so that a person
can choose something else. Knows processes and what a console may ask of them; refuses to know what
is driven, recorded or drawn.
"""

from collections import deque
from collections.abc import Callable, Set
from functools import singledispatchmethod
from pathlib import Path

import msgspec
import zmq

from recorders.clock import NS_PER_S, Clock
from recorders.store import DemoStore, StoreError, StoreLocked
from recorders.store_folders import StoreFolders
from studio.devices.interfaces import DeviceError
from studio.station.commands import Reply
from studio.station.desk.learning import LearningAtDesk
from studio.station.desk.link import (
    DESK_STATE,
    ConsoleHere,
    ConsoleLeft,
    DeskRequest,
    DeskState,
    EndDesk,
    OpenStore,
    OpenWeb,
    UseDevices,
    UsePolicy,
)
from studio.station.desk.policy import PolicyAtDesk
from studio.station.desk.processes import (
    CONSOLE,
    END_ORDER,
    RECORDER,
    RERUN,
    STATION,
    WEB,
    DeskConfig,
)
from studio.station.desk.view import StationView, processes_of
from studio.station.desk.work import DeskWork
from studio.station.processes.bus import CommandServer, Endpoints, LatestPublisher
from studio.station.processes.supervisor import DONE, Supervisor
from studio.station.processes.wire import pack
from studio.station.robots import require_operator, require_robot, tasks_of
from studio.station.training.training_link import Promote, RollBack, StartTraining, StopTraining

STATE_NS = NS_PER_S // 5
CONSOLE_SILENT_NS = 5 * NS_PER_S    # a console says every second that it is there
NEWS = 40                   # lines that a console can still read
REASON_LETTERS = 500        # of a refusal that quotes what was typed
ACCEPTED = Reply(True)


class Desk:
    """Owns the processes of one station; turn it with `step` until `ended`.

    Args:
        config: what it is asked to be.
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
        self.ended, self.problem = False, ""
        self._clock, self._say = clock, say
        self._news: deque[str] = deque(maxlen=NEWS)
        self._supervisor = Supervisor(clock, self._tell)
        self._requests: CommandServer[DeskRequest, Reply] = CommandServer(
            context, links.desk, DeskRequest)
        self._states = LatestPublisher(context, links.desk_state)
        self._station = StationView(context, links)
        self._work = DeskWork(config, links, self._supervisor, clock, self._meet_station)
        self._policy = PolicyAtDesk(links, self._supervisor, clock, self._station.join)
        self._policy.use(config.policy)
        self._learning = LearningAtDesk(links, context, self._supervisor, clock, self._station,
                                        self._keep_version)
        self._consoles: dict[str, int] = {}     # name -> when it last said that it is there
        self._gone: Set[str] = frozenset()      # consoles of ours whose end was seen
        self._next_state_ns = 0

    @property
    def config(self) -> DeskConfig:
        """What it is asked to be, as of now."""
        return self._work.config

    @property
    def state(self) -> DeskState:
        """As consoles see it."""
        said = {state.name: state.said for state in self._supervisor.states()}
        chosen = self.config
        return DeskState(
            stamp_ns=self._clock.now_ns(), busy=self._work.busy, problem=self._work.problem,
            refused=self._work.refused, robot=chosen.robot, robot_options=chosen.robot_options,
            teleop=chosen.teleop, teleop_options=chosen.teleop_options, task=chosen.task,
            rate_hz=chosen.rate_hz, store=chosen.store, policy=self._policy.state,
            training=self._learning.training.state, versions=self._learning.versions.state,
            live_url=said.get(RERUN, ""), web_url=said.get(WEB, ""),
            processes=processes_of(self._supervisor), consoles=tuple(self._consoles),
            news=tuple(self._news))

    def step(self, timeout_ms: int = 20) -> None:
        """One turn: answer consoles, look after the processes, go on with what is being started.

        Waits for a request up to `timeout_ms`; stopping a process may take seconds.
        """
        if self._requests.wait(timeout_ms):
            for request, answer in self._requests.poll():
                answer(self._obey(request))
                if isinstance(request, ConsoleLeft):
                    self._let_go(request.name)
        self._station.look()
        self._supervisor.poll()
        if failure := self._work.go_on() or (
                "" if self._work.busy else self._policy.go_on(self.config)):
            self._tell(failure)
        for line in self._learning.go_on(self.config):
            self._tell(line)
        self._look_at_consoles()
        if self._clock.now_ns() >= self._next_state_ns:
            self._next_state_ns = self._clock.now_ns() + STATE_NS
            self._states.publish(DESK_STATE, [pack(self.state)])

    def close(self) -> None:
        """End every process: the arm is held, an open episode closed, everything written."""
        self._supervisor.stop_all(END_ORDER)
        for link in (self._requests, self._states, self._station, self._learning):
            link.close()

    def _tell(self, line: str) -> None:
        self._news.append(line)
        self._say(line)

    def _meet_station(self) -> None:
        """A station was started: it is given the scene that stood there before, if the robot knows
        its task, else the first one; and it is told of the policy.
        """
        self._policy.meet()
        task, seed = self._station.scene
        if task not in tasks_of(self.config.robot):
            task, seed = self.config.task, 0
        if task:
            self._station.set_scene(task, seed)

    def _keep_version(self, folder: str) -> None:
        """Another version drives from now on, also after its process was started anew."""
        self._work.config = msgspec.structs.replace(self.config, policy=folder)
        self._policy.drives(self.config)

    # ---- what is asked --------------------------------------------------------------------------

    def _not_now(self) -> str:
        """Why nothing can be started anew now; empty if it can."""
        if self._work.busy:
            return f"wait: {self._work.busy}"
        self._station.look()
        episode = self._station.episode if self._work.runs(STATION) else ""
        return f"episode {episode} is open: end or discard it first" if episode else ""

    @singledispatchmethod
    def _obey(self, request: DeskRequest) -> Reply:
        return Reply(False, f"{type(request).__name__} is not a request of this desk")

    @_obey.register
    def _(self, request: UseDevices) -> Reply:
        if refusal := self._not_now():
            return Reply(False, refusal)
        try:
            require_robot(request.robot, request.robot_options)
            require_operator(request.teleop, request.robot)
        except DeviceError as refusal:
            return Reply(False, str(refusal))
        tasks = tasks_of(request.robot)
        self._work.use(msgspec.structs.replace(
            self.config, robot=request.robot, robot_options=request.robot_options,
            teleop=request.teleop, teleop_options=request.teleop_options,
            task=self.config.task if self.config.task in tasks else next(iter(tasks))))
        return ACCEPTED

    @_obey.register
    def _(self, request: OpenStore) -> Reply:
        if refusal := self._not_now():
            return Reply(False, refusal)
        if not request.path:
            if self.config.store:
                self._work.record_into("")
            return ACCEPTED
        path = request.path
        try:
            path = str(Path(path).expanduser().absolute())
            there = StoreFolders(Path(path)).description.exists()
            DemoStore.open(path, write=True, create=True).close()
        except (StoreError, OSError, ValueError, RuntimeError) as refusal:  # or no name of a file
            ours = path == self.config.store and self._work.runs(RECORDER)
            if ours and isinstance(refusal, StoreLocked):
                return ACCEPTED             # the recorder has it open already
            return Reply(False, " ".join(str(refusal).split())[:REASON_LETTERS])
        self._work.record_into(path)
        return Reply(True, "" if there else f"a new store was made: {path}")

    @_obey.register
    def _(self, request: UsePolicy) -> Reply:
        if self._work.busy:
            return Reply(False, f"wait: {self._work.busy}")
        self._station.look()
        if self._station.policy_drives:
            return Reply(False, "the policy drives: pause or take over first")
        folder = str(Path(request.folder).expanduser().absolute()) if request.folder else ""
        if folder and not Path(folder).is_dir():
            why = f"there is no folder {folder}: choose a training run"
            return Reply(False, why[:REASON_LETTERS])
        self._work.config = msgspec.structs.replace(self.config, policy=folder)
        self._policy.use(folder)
        self._learning.versions.forget()
        return ACCEPTED

    @_obey.register
    def _(self, request: StartTraining | StopTraining | Promote | RollBack) -> Reply:
        return self._learning.obey(request, self.config, self._requests.asked_by)

    @_obey.register
    def _(self, request: OpenWeb) -> Reply:
        self._work.serve_web()
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

    def _look_at_consoles(self) -> None:
        horizon_ns = self._clock.now_ns() - CONSOLE_SILENT_NS
        self._consoles = {name: seen_ns for name, seen_ns in self._consoles.items()
                          if seen_ns > horizon_ns}
        ended = {name: reason for name, reason in self._supervisor.ended.items()
                 if name in (CONSOLE, WEB)}
        for name in ended.keys() - self._gone:
            self._let_go(name, "" if ended[name] == DONE
                         else f"the {name} has ended: {ended[name]}")
        self._gone = ended.keys()

    def _let_go(self, console: str, why: str = "") -> None:
        """A console is gone; with the last one the desk ends, unless that would end some work."""
        self._consoles.pop(console, None)
        if console in (CONSOLE, WEB) and self._work.runs(console):
            self._supervisor.stop(console)
        others = self._consoles or self._work.runs(CONSOLE) or self._work.runs(WEB)
        if self.config.stays or others:
            return
        if work := self._station.at_work if self._work.runs(STATION) else "":
            self._tell(f"the last console is gone, but {work}: the desk goes on; `tandem console` "
                       "opens another one, Ctrl-C ends it")
            return
        self.ended, self.problem = True, why

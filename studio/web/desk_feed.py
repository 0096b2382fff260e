"""What the web desk hears of a running desk, and how it asks.

A DeskClient belongs to one thread; a web server has many. The thread of `run` owns the client,
keeps the newest of everything where other threads may read it, and carries requests out one after
the other. Without a desk every request is refused in words. Knows the client; refuses to know who
asks.
"""

import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, Clock
from recorders.streams import StreamSpec
from studio.station.commands import PAGE, Command, Reply
from studio.station.desk.client import DeskClient
from studio.station.desk.link import ConsoleHere, DeskRequest, DeskState
from studio.station.messages import Snapshot
from studio.station.processes.bus import Endpoints, open_context
from studio.station.processes.worker import Life
from studio.views.dialogue import Dialogue
from studio.views.live_plan import History
from studio.views.plan_lines import PlanLine, plan_lines

LOOK_S = 0.05               # a station speaks twenty times a second
LEARN_NS = 2 * NS_PER_S     # between two questions about the robot; each may wait for a second
HERE_NS = NS_PER_S
WATCHED_NS = 5 * NS_PER_S   # a page asks several times a second while somebody looks at it
ANSWER_S = 10.0             # more than a client waits for any reply

_Ask = Callable[[DeskClient], Reply]


class DeskView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest of everything; all fields belong together.

    Attributes:
        attached: whether there is a desk at all.
        snapshot, state, silent, missed, streams, problem: as `DeskClient` has them.
        pictures: camera stream -> its newest colour picture as it is recorded.
        cameras: camera stream -> the row of that picture: where the camera was.
        plan: the plan that runs, as lines; none while nobody looks at a page.
        dialogue: what was said to the policy and by it since this process began.
    """

    attached: bool = False
    snapshot: Snapshot | None = None
    state: DeskState | None = None
    silent: bool = True
    missed: int = 0
    streams: tuple[StreamSpec, ...] = ()
    problem: str = ""
    pictures: Mapping[str, bytes] = {}
    cameras: Mapping[str, np.void] = {}
    plan: tuple[PlanLine, ...] = ()
    dialogue: Dialogue = Dialogue()


class DeskFeed:
    """The thread that owns the client.

    Args:
        links: of the desk; None if there is none.
        clock: the machine's.
        name: of this console, as others see it.
    """

    def __init__(self, links: Endpoints | None, clock: Clock, name: str = "web") -> None:
        self._links, self._clock, self._name = links, clock, name
        self._asked: queue.Queue[tuple[_Ask, Future[Reply]]] = queue.Queue()
        self._looked_at_ns = clock.now_ns() - WATCHED_NS
        self._learnt_ns = self._here_ns = 0
        self._busy, self._dialogue = True, Dialogue(me=PAGE)
        self._history = History()
        self._questions = threading.Event()
        self.view = DeskView(attached=links is not None)

    def look(self) -> DeskView:
        """The newest of everything, for a page that somebody looks at."""
        self._looked_at_ns = self._clock.now_ns()
        return self.view

    def ask(self, command: Command) -> Reply:
        """Ask the station; any thread may. A silent one is a refusal that says so."""
        return self._through_the_thread(lambda client: client.ask(command))

    def ask_desk(self, request: DeskRequest) -> Reply:
        """Ask the desk; any thread may. A silent one is a refusal that says so."""
        return self._through_the_thread(lambda client: client.ask_desk(request))

    def ask_doing(self) -> None:
        """Ask what the policy is doing; the answer is in the dialogue soon. Any thread may."""
        self._questions.set()

    def run(self, life: Life) -> None:
        """Listen and carry out until told to end; without a desk, only wait for that."""
        if self._links is None:
            while not life.wait_for_stop(LOOK_S):
                life.beat()
            return
        with open_context() as context:
            client = DeskClient(context, self._links, self._clock, PAGE)
            while not life.stopping:
                self._carry_out(client)
                self._listen(client)
                life.beat()
            client.close()

    def _through_the_thread(self, ask: _Ask) -> Reply:
        if self._links is None:
            return Reply(False, "no desk is running: start one with `tandem`")
        done: Future[Reply] = Future()
        self._asked.put((ask, done))
        try:
            return done.result(ANSWER_S)
        except TimeoutError:
            return Reply(False, "the desk does not answer; what was asked may still be done")

    def _carry_out(self, client: DeskClient) -> None:
        try:
            ask, done = self._asked.get(timeout=LOOK_S)
        except queue.Empty:
            return
        try:
            done.set_result(ask(client))
        except UnicodeEncodeError:          # half a character, which no page should send
            done.set_result(Reply(False, "the text holds half a character: write it again"))

    def _listen(self, client: DeskClient) -> None:
        client.look()
        now_ns = self._clock.now_ns()
        busy = client.state is None or bool(client.state.busy)
        if self._busy and not busy:
            client.robot = None             # it may be another one
        self._busy = busy
        if client.robot is None and not busy and now_ns - self._learnt_ns > LEARN_NS:
            client.learn_robot()
            self._learnt_ns = self._clock.now_ns()
        watched = now_ns - self._looked_at_ns < WATCHED_NS
        if watched and now_ns - self._here_ns > HERE_NS:
            client.ask_desk(ConsoleHere(self._name))
            self._here_ns = now_ns
        if client.snapshot is not None:
            self._history.add(client.snapshot)
            self._dialogue = self._dialogue.follow(client.snapshot)
            if self._questions.is_set():
                self._questions.clear()
                self._dialogue = self._dialogue.asked(client.snapshot)
        self.view = DeskView(
            attached=True, dialogue=self._dialogue, snapshot=client.snapshot,
            state=client.state, silent=client.silent, missed=client.missed,
            streams=client.streams, problem=client.problem, pictures=dict(client.pictures),
            cameras=dict(client.cameras),
            plan=plan_lines(client.snapshot.chunk, client.robot, self._history)
            if watched and client.snapshot is not None and not client.silent else ())

"""Asks the station and the desk, so that the window never waits for an answer.

A thread of its own with links of its own: chains of commands go in, answers come out, in order. A
chain ends at its first refusal. Also tells the desk every second that this console is here. Knows
the links; refuses to know what is asked.
"""

import queue
import threading

import zmq

from recorders.clock import NS_PER_S, Clock
from studio.station.commands import DESKTOP, Command, Reply, ResetScene
from studio.station.desk.link import ConsoleHere, ConsoleLeft, DeskRequest
from studio.station.processes.bus import CommandClient, Endpoints, StationSilent

Asked = Command | DeskRequest
HERE_S = 1.0
STATION_S, SLOW_S = 1.0, 15.0       # a reset builds a scene; devices are opened and closed


class Asker:
    """Carries commands there and answers back.

    Args:
        context: of this process.
        links: of the desk.
        name: of this console, as the desk shall know it.
        clock: the machine's.

    Attributes:
        by: what the record calls who asks here.
        answered: set whenever something was answered.
    """

    def __init__(self, context: zmq.Context, links: Endpoints, name: str, clock: Clock) -> None:
        self._context, self._links, self._name = context, links, name
        self.by = desktop_named(name)
        self._clock, self._here_ns = clock, -NS_PER_S
        self._chains: queue.Queue[tuple[Asked, ...] | None] = queue.Queue()
        self._answers: queue.Queue[tuple[Asked, Reply]] = queue.Queue()
        self.answered = threading.Event()
        self._thread = threading.Thread(target=self._run, name="asking", daemon=True)
        self._thread.start()

    def ask(self, *chain: Asked) -> None:
        """Ask, one after the other, up to the first refusal. Never waits."""
        if chain:
            self._chains.put(chain)

    def answers(self) -> list[tuple[Asked, Reply]]:
        """What was answered since the last call, in order."""
        self.answered.clear()
        answers = []
        while not self._answers.empty():
            answers.append(self._answers.get_nowait())
        return answers

    def close(self, *, left: bool) -> None:
        """End; what waits is still asked. `left`: the person closed the window."""
        if left:
            self._chains.put((ConsoleLeft(self._name),))
        self._chains.put(None)
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        station: CommandClient[Command, Reply] = CommandClient(
            self._context, self._links.command, Reply, name=self.by)
        desk: CommandClient[DeskRequest, Reply] = CommandClient(
            self._context, self._links.desk, Reply, "the desk", self.by)
        try:
            while True:
                self._say_here(desk)
                try:
                    chain = self._chains.get(timeout=HERE_S)
                except queue.Empty:
                    continue
                if chain is None:
                    return
                self._ask_chain(station, desk, chain)
        finally:
            station.close()
            desk.close()

    def _say_here(self, desk: CommandClient[DeskRequest, Reply]) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - self._here_ns < HERE_S * NS_PER_S:
            return
        self._here_ns = now_ns
        try:
            desk.call(ConsoleHere(self._name), timeout_s=0.5)
        except StationSilent:
            return              # the banner says so; nobody needs to be told twice

    def _ask_chain(self, station: CommandClient[Command, Reply],
                   desk: CommandClient[DeskRequest, Reply], chain: tuple[Asked, ...]) -> None:
        for asked in chain:
            try:
                if isinstance(asked, DeskRequest):
                    reply = desk.call(asked, SLOW_S, connect_s=1.0)
                else:
                    slow = isinstance(asked, ResetScene)
                    reply = station.call(asked, SLOW_S if slow else STATION_S, connect_s=1.0)
            except StationSilent as silent:
                reply = Reply(False, str(silent))
            self._answers.put((asked, reply))
            self.answered.set()
            if not reply.accepted:
                return


def desktop_named(console: str) -> str:
    """What the record calls a console: "desktop" for the desk's own window, "desktop-4711"."""
    return DESKTOP + console.removeprefix("console")

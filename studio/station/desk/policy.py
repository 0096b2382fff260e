"""A desk's policy: which one was chosen, its process, and whether the station knows of it.

Loading a network takes seconds, in which everything else of the desk goes on. A robot that was
started anew may show other streams, so its policy is started anew, too. Nothing here moves the
arm: a person lets the policy drive. Knows a process and when it serves; refuses to know what a
policy is.
"""

from collections.abc import Callable

from recorders.clock import NS_PER_S, Clock
from studio.station.desk.link import DeskPolicy
from studio.station.desk.processes import POLICY, ROBOT, DeskConfig, policy_worker
from studio.station.processes.endpoints import Endpoints
from studio.station.processes.supervisor import Supervisor, WorkerFailed

LOAD_NS = 180 * NS_PER_S    # a large network on a busy machine


class PolicyAtDesk:
    """Starts, watches and ends the policy's process of a desk.

    Args:
        links: of the station.
        supervisor: owns the processes.
        clock: the machine's.
        join: tells the station a policy's name, or with an empty one that none is there any more.

    Attributes:
        state: as consoles see it.
    """

    def __init__(self, links: Endpoints, supervisor: Supervisor, clock: Clock,
                 join: Callable[[str], None]) -> None:
        self._links, self._supervisor, self._clock = links, supervisor, clock
        self._join, self._robot, self._late_ns = join, 0, 0
        self.state = DeskPolicy()

    def use(self, folder: str) -> None:
        """Work with another policy; asked for the same again, it is loaded anew. Empty: none."""
        self._supervisor.stop(POLICY)
        if self.state.folder:
            self._join("")
        self._robot, self.state = 0, DeskPolicy(folder, loading=bool(folder))

    def drives(self, config: DeskConfig) -> None:
        """Its process has taken other weights: these are loaded, should it be started anew."""
        self._supervisor.revise(policy_worker(config, self._links))
        self.state = DeskPolicy(config.policy)

    def go_on(self, config: DeskConfig) -> str:
        """Take the next step, while the desk starts nothing; returns what failed in it, if any."""
        robot = next((process.pid for process in self._supervisor.states()
                      if process.name == ROBOT), 0)
        if not self.state.folder or not robot:
            return ""
        if robot != self._robot:
            self._robot, self._late_ns = robot, self._clock.now_ns() + LOAD_NS
            self._supervisor.stop(POLICY)
            self._supervisor.start(policy_worker(config, self._links))
            self.state = DeskPolicy(self.state.folder, loading=True)
        elif self.state.loading:
            return self._until_it_serves()
        elif not self.state.problem and POLICY in self._supervisor.ended:
            return self._failed(f"the policy has ended: {self._supervisor.ended[POLICY]}")
        return ""

    def meet(self) -> None:
        """A station was started: it does not know yet that a policy serves it."""
        if self.state.folder and not self.state.loading and not self.state.problem:
            self._join(self.state.folder)

    def _until_it_serves(self) -> str:
        try:
            if self._supervisor.serves(POLICY):
                self.state = DeskPolicy(self.state.folder)
                self._join(self.state.folder)
            elif self._clock.now_ns() > self._late_ns:
                self._supervisor.stop(POLICY)
                return self._failed(f"the policy is not ready after {LOAD_NS // NS_PER_S} s")
        except WorkerFailed as failed:
            return self._failed(str(failed))
        return ""

    def _failed(self, why: str) -> str:
        self._join("")
        self.state = DeskPolicy(self.state.folder,
                                problem=f"{why}; choose it again, or another one")
        return self.state.problem

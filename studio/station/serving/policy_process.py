"""Where a session's policy comes from: a process of its own, or one that somebody serves already.

A process of our own is supervised like the others and started again when it dies; a served one
(`tandem serve`) is asked to attach, and asked again when it was started anew. Neither moves the arm
by that: a person lets it drive again (remote_policy.py). Knows requests and processes; refuses to
know what a policy is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec
import zmq

from policy.driving.two_speeds import Pace
from recorders.clock import NS_PER_S
from studio.station.chunks.joining import JOIN, Join
from studio.station.commands import Reply
from studio.station.messages import Snapshot
from studio.station.processes.bus import CommandClient, Endpoints, StationSilent
from studio.station.processes.endpoints import is_address
from studio.station.processes.supervisor import Supervisor, WorkerFailed, WorkerSpec
from studio.station.serving.policy_link import Attach, Detach, PolicyRequest
from studio.station.serving.policy_loading import LOADER, PolicyConfig

START_S = 180.0             # a large network on a busy machine
ATTACH_S = 30.0             # it warms up on this robot's streams
AGAIN_NS = 2 * NS_PER_S     # between two attempts to attach to a served policy
NAME = "policy"


class PolicyChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which policy drives, and how."""

    policy: str
    """Folder of a run, of one of its checkpoints or of a LeRobot policy, ws://HOST:PORT, or an
    address that `tandem serve` printed."""
    device: str = "cpu"
    """Where the network computes: cpu or cuda."""
    threads: int = 1
    """Of the network."""
    flow_steps: int | None = None
    """Of System 1; None: as trained."""
    pace: Pace = Pace()
    """How often the two systems run."""
    join: Join = JOIN
    """How its chunks are joined."""
    deadline_ms: float = 0.0
    """Of System 1, from the tick that brought the picture; 0: a step of the chunk."""
    loader: str = LOADER
    """See `PolicyConfig`."""
    policy_map: tuple[str, ...] = ()
    """See `PolicyConfig`."""

    @property
    def served(self) -> bool:
        """Whether it runs already; then only its own command says how it drives."""
        return is_address(self.policy)

    def worker(self, address: str, links: Endpoints | None = None,
               rate_hz: float = 100.0) -> WorkerSpec:
        """The process that drives with it."""
        return WorkerSpec(
            name=NAME, role="policy", restart=True, patience_s=10.0,
            environment={"OMP_NUM_THREADS": str(self.threads)},     # torch takes it from there
            config=PolicyConfig(
                policy=self.policy, address=address, links=links, rate_hz=rate_hz,
                device=self.device, flow_steps=self.flow_steps, pace=self.pace, join=self.join,
                deadline_ms=self.deadline_ms, loader=self.loader, policy_map=self.policy_map))


@contextmanager
def policy_for(choice: PolicyChoice, context: zmq.Context, supervisor: Supervisor,
               links: Endpoints, rate_hz: float,
               say: Callable[[str], None]) -> Iterator[Callable[[Snapshot], None]]:
    """Let a policy serve a station whose robot is there already.

    Yields:
        A function to be told the station's snapshots, which brings a policy back that was lost.

    Raises:
        WorkerFailed: the process did not start, or the served one refuses; says why.
    """
    if not choice.served:
        supervisor.start(choice.worker(links.policy_request, links, rate_hz))
        supervisor.wait_ready(NAME, timeout_s=START_S)
        yield lambda snapshot: None
        return
    served = _Served(context, choice.policy, Attach(links, rate_hz), say)
    try:
        served.attach()
        yield served.look_after
    finally:
        served.leave()


class _Served:
    """A policy's process that belongs to somebody else."""

    def __init__(self, context: zmq.Context, address: str, attach: Attach,
                 say: Callable[[str], None]) -> None:
        self._client: CommandClient[PolicyRequest, Reply] = CommandClient(
            context, address, Reply, "the served policy")
        self._address, self._attach, self._say = address, attach, say
        self._tried_ns = 0

    def attach(self) -> None:
        try:
            reply = self._client.call(self._attach, ATTACH_S, connect_s=2.0)
        except StationSilent as silent:
            raise WorkerFailed(f"{silent}: is {self._address} what `tandem serve` printed, and "
                               "does it still run?") from silent
        if not reply.accepted:
            raise WorkerFailed(reply.reason)

    def look_after(self, snapshot: Snapshot) -> None:
        """Attach again to one that was started anew."""
        lost = snapshot.policy is not None and not snapshot.policy.alive
        if not lost or snapshot.stamp_ns - self._tried_ns < AGAIN_NS:
            return
        self._tried_ns = snapshot.stamp_ns
        with suppress(StationSilent):       # still on its way: the next snapshot tries again
            reply = self._client.call(self._attach, ATTACH_S, connect_s=0.0)
            self._say("the served policy is there again" if reply.accepted else reply.reason)

    def leave(self) -> None:
        with suppress(StationSilent):       # it ended before us
            self._client.call(Detach(), 1.0, connect_s=0.0)
        self._client.close()

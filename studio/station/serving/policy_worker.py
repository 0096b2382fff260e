"""The policy's process: role "policy" of worker.py.

Loads a checkpoint, warms it up, and then drives whichever station it is attached to: the one whose
links stand in its configuration (`tandem rollout`), or the next that asks (`tandem serve`). Weights
are loaded and warmed up in a thread of their own, and swapped between two calls; those before stay
in memory, to go back to at once. May be killed and
started again while an arm moves: its last chunk runs dry, the arm holds, and the new process drives
on once a person lets it. The work itself is policy_turns.py; this file knows sockets, threads and
requests.
"""

import gc
import math
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import zmq

from policy.errors import CheckpointError
from policy.interfaces import Policy
from recorders.clock import NS_PER_S, Clock
from recorders.streams import StreamSpec
from studio.devices.interfaces import DeviceError, RobotInfo
from studio.station.commands import Reply
from studio.station.messages import tick_stream
from studio.station.processes.bus import CommandServer, Endpoints, StationSilent, open_context
from studio.station.processes.remote_robot import described_robot
from studio.station.processes.worker import Life
from studio.station.serving.policy_link import (
    Attach,
    Detach,
    PolicyEnd,
    PolicyRequest,
    SwapBack,
    SwapWeights,
)
from studio.station.serving.policy_loading import (
    PolicyConfig,
    calibration_of,
    load,
    remark_on,
    require_fit,
    require_for,
)
from studio.station.serving.policy_turns import PolicyTurns, warm_up

STATUS_NS = NS_PER_S // 10
GONE_NS = NS_PER_S          # a station that shows nothing for so long is no station any more
IDLE_MS = 20
# While weights are loaded in a thread, System 1 may wait this long for its turn (default: 5 ms).
SWITCH_S = 0.0005


class PolicyDesk:
    """A loaded policy, the station that it serves, and the requests that it hears.

    Args:
        told: how to drive.
        policy: to begin with.
        context: of this process.
        clock: the machine's.
    """

    def __init__(self, told: PolicyConfig, policy: Policy, context: zmq.Context,
                 clock: Clock) -> None:
        self._told, self._policy, self._name = told, policy, told.policy
        self._context, self._clock = context, clock
        self._server: CommandServer[PolicyRequest, Reply] = CommandServer(
            context, told.address, PolicyRequest)
        self._link: PolicyEnd | None = None
        self._turns: PolicyTurns | None = None
        self._streams: Sequence[StreamSpec] = ()
        self._robot: RobotInfo | None = None
        self._heard_ns = self._said_ns = 0
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="weights")
        self._loading: tuple[str, Future[Policy], Callable[[Reply], None]] | None = None
        self._arriving: tuple[Policy, str, Callable[[Reply], None]] | None = None
        self._before: tuple[Policy, str] | None = None      # the last swap
        self._problem = self._remark = ""
        self._calibration = calibration_of(told.policy)

    def attach(self, links: Endpoints, rate_hz: float) -> str:
        """Serve a station from now on; returns why not, or an empty string."""
        if self._link is not None and self._clock.now_ns() - self._heard_ns < GONE_NS:
            return "this policy drives another station: end that one first, or serve the policy " \
                   "twice"
        self.detach()
        try:
            info = described_robot(self._context, links)
            require_for(self._name, info)
            streams = (tick_stream(info, rate_hz), *info.streams)
            require_fit(self._policy, info, streams)
            turns = PolicyTurns(self._policy, streams, self._clock, pace=self._told.pace,
                                name=self._name, deadline_s=self._told.deadline_ms / 1000)
        except (DeviceError, StationSilent, ValueError) as mistake:
            return str(mistake)
        warm_up(self._policy, streams)
        self._robot, self._streams, self._turns = info, streams, turns
        self._remark = remark_on(self._name, streams)
        self._link = PolicyEnd(self._context, links,
                               {spec.name: spec.row_dtype for spec in streams})
        self._heard_ns = self._clock.now_ns()
        return ""

    def detach(self) -> None:
        """Serve nobody."""
        if self._link is not None:
            self._link.close()
        self._link = self._turns = None

    def turn(self) -> None:
        """Do what is to be done now; waits a few milliseconds if that is nothing."""
        for request, answer in self._server.poll():
            self._obey(request, answer)
        self._take_what_is_loaded()
        self._let_arrive()
        if self._turns is None or self._link is None:
            self._server.wait(IDLE_MS)
            return
        self._link.wait(math.ceil(self._turns.rest_ns() / 1e6))
        for batches, assignment in self._link.ticks():
            self._heard_ns = self._clock.now_ns()
            self._turns.take(batches, assignment)
        self._turns.decided = self._link.decided() or self._turns.decided
        self._turns.work()
        if (answered := self._turns.answer()) is not None:
            self._link.send(answered)
        if self._clock.now_ns() - self._said_ns >= STATUS_NS:
            self._say()

    def close(self) -> None:
        """End."""
        self._loader.shutdown(wait=False, cancel_futures=True)
        self.detach()
        self._server.close()

    # ---- inside ----------------------------------------------------------------------------------

    def _say(self) -> None:
        assert self._turns is not None and self._link is not None
        status, self._said_ns = self._turns.status(), self._clock.now_ns()
        health = msgspec.structs.replace(status.health, remark=self._remark)
        self._link.say(msgspec.structs.replace(
            status, health=health, calibration=self._calibration, join=self._told.join))
        if status.health.problem not in ("", self._problem):
            print(status.health.problem, file=sys.stderr, flush=True)
        self._problem = status.health.problem

    def _obey(self, request: PolicyRequest, answer: Callable[[Reply], None]) -> None:
        match request:
            case Attach(links, rate_hz):
                refusal = self.attach(links, rate_hz)
                answer(Reply(not refusal, refusal, self._name))
            case Detach():
                self.detach()
                answer(Reply(True))
            case SwapWeights() | SwapBack() if self._loading is not None:
                answer(Reply(False, f"{self._loading[0]} is being loaded: wait"))
            case SwapWeights() | SwapBack() if self._arriving is not None:
                answer(Reply(False, f"{self._arriving[1]} is about to drive: wait"))
            case SwapWeights(folder):
                self._loading = folder, self._loader.submit(self._load, folder), answer
            case SwapBack(version):
                policy, name = self._before or (None, "")
                if policy is None or policy.weights_version != version:
                    answer(Reply(False, f"version {version} is not in memory any more"))
                else:
                    self._swap(policy, name, answer)

    def _load(self, folder: str) -> Policy:
        """In the loader's thread: a policy that is ready to drive."""
        if self._robot is not None:
            require_for(folder, self._robot)
        policy = load(self._told, folder)
        if self._robot is not None:
            require_for(folder, self._robot)        # one of the hub is here only now
            require_fit(policy, self._robot, self._streams)
        if self._streams and (wrong := warm_up(policy, self._streams, 1)):
            raise CheckpointError(f"{folder} gives no chunk to follow: {wrong}")
        return policy

    def _take_what_is_loaded(self) -> None:
        if self._loading is None or not self._loading[1].done():
            return
        (folder, loaded, answer), self._loading = self._loading, None
        try:
            policy = loaded.result()
        except (CheckpointError, DeviceError, ValueError) as mistake:
            answer(Reply(False, f"{mistake}; {self._name} goes on"))
            return
        self._arriving = policy, folder, answer
        if self._turns is not None and policy.spec == self._turns.policy.spec:
            self._turns.prepare(policy, folder)

    def _let_arrive(self) -> None:
        """Those that are loaded drive once their System 2 has looked."""
        if self._arriving is None or (self._turns is not None and self._turns.preparing):
            return
        policy, name, answer = self._arriving
        self._arriving = None
        self._swap(policy, name, answer)

    def _swap(self, policy: Policy, name: str, answer: Callable[[Reply], None]) -> None:
        try:
            if self._turns is not None and self._turns.policy is not policy:
                self._turns.swap(policy, name)
        except (DeviceError, ValueError) as mistake:
            answer(Reply(False, f"{mistake}; {self._name} goes on"))
            return
        self._before = self._policy, self._name
        self._policy, self._name = policy, name
        self._remark = remark_on(name, self._streams)
        self._calibration = calibration_of(name) or self._calibration
        answer(Reply(True, value=str(policy.weights_version)))


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: drive until told to end.

    Raises:
        CheckpointError: the policy cannot be loaded.
        DeviceError: the robot does not show what the policy wants.
    """
    told = msgspec.json.decode(config, type=PolicyConfig)
    sys.setswitchinterval(SWITCH_S)
    policy = load(told, told.policy)
    with open_context() as context:
        desk = PolicyDesk(told, policy, context, life.clock)
        if told.links is not None and (refusal := desk.attach(told.links, told.rate_hz)):
            raise DeviceError(refusal)
        gc.collect()
        gc.freeze()         # the network stays: a full collection would be a late chunk
        life.ready(Path(told.policy).name)
        try:
            while not life.stopping:
                desk.turn()
                life.beat()
        finally:
            desk.close()

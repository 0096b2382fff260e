"""A robot in another process, as the control loop sees it: an ordinary `RobotDriver`.

Polling reads what arrived, sending says the newest target, and neither waits for the robot's
process. Knows the robot only by what its process declares; a robot that cannot be reset offers no
`reset`, so the station need not ask.
"""

import msgspec
import numpy as np
import zmq

from recorders.clock import NS_PER_S, Clock
from recorders.streams import Batch
from studio.devices.interfaces import DeviceError, RobotInfo
from studio.station.processes.bus import (
    CommandClient,
    Endpoints,
    LatestPublisher,
    LosslessReceiver,
    StationSilent,
)
from studio.station.processes.robot_link import (
    TARGET,
    Describe,
    GoBack,
    HostReport,
    Reset,
    Reword,
    RobotReply,
    RobotRequest,
    Target,
)
from studio.station.processes.wire import WireError, decode_batches, pack, unpack

_FOREVER = 2**63 - 1
SILENT_NS = NS_PER_S // 2       # the host reports twenty times a second, whatever its robot does
RESET_S = 10.0                  # on a busy machine; a dead process is noticed at once
DESCRIBE_S = 10.0
REWORD_S = 0.05                 # the host answers between two turns; the loop can spare no more
GO_BACK_S = 0.5                 # … but must not miss this answer: the world stands elsewhere then

_report_decoder = msgspec.msgpack.Decoder(HostReport)


class RemoteRobot:
    """The robot behind the links of a station; make one with `open_remote_robot`.

    Attributes:
        held: the robot's process stopped the arm because this station was silent.
    """

    def __init__(self, context: zmq.Context, links: Endpoints, clock: Clock, info: RobotInfo,
                 requests: CommandClient[RobotRequest, RobotReply]) -> None:
        self.info = info
        self.held = False
        self._clock, self._requests = clock, requests
        self._dtypes = {spec.name: spec.row_dtype for spec in info.streams}
        self._receiver = LosslessReceiver(context, links.robot, capacity=1000, bind=False)
        self._publisher = LatestPublisher(context, links.target)
        self._last: HostReport | None = None
        self._position: np.ndarray | None = None    # (D,)
        self._gripper: float | None = None
        self._damage = ""
        self._heard_ns = clock.now_ns()
        self._since_ns = 0          # samples from before a reset tell of another world

    def connect(self) -> None:
        """Nothing is left to do: the links are open, and the robot's process has connected it."""

    def disconnect(self) -> None:
        """Close the links; the robot's process goes on holding the arm."""
        self._receiver.close()
        self._publisher.close()
        self._requests.close()

    def poll(self) -> list[Batch]:
        """Everything that arrived since the last call, per stream in order."""
        batches: list[Batch] = []
        while (frames := self._receiver.receive()) is not None:
            self._heard_ns = self._clock.now_ns()
            try:
                self._last = unpack(frames[0], _report_decoder)
                arrived = decode_batches(list(frames[1:]), self._dtypes)
            except WireError as error:
                self._damage = f"the robot's process speaks another version: {error}"
                continue
            self.held = self._last.held
            batches += (kept for batch in arrived
                        if len((kept := batch.between(self._since_ns, _FOREVER)).rows))
        arms = [batch.rows[-1] for batch in batches if batch.stream == "arm"]
        if arms:
            self._position = np.array(arms[-1]["position"])
        return batches

    def send(self, target: np.ndarray) -> None:
        """Command absolute positions (D,)."""
        self._gripper = float(target[-1])
        self._publisher.publish(TARGET, [pack(Target(self._clock.now_ns(),
                                                     tuple(target.tolist())))])

    def hold(self) -> None:
        """Command the last position heard of; the gripper goes on holding what it has."""
        if self._position is not None:
            gripper = self._position[-1] if self._gripper is None else self._gripper
            self.send(np.append(self._position[:-1], gripper))

    @property
    def fault(self) -> str:
        """What the robot or its process complains of."""
        silent_ns = self._clock.now_ns() - self._heard_ns
        if silent_ns > SILENT_NS:
            return (f"the robot's process has said nothing for {silent_ns / NS_PER_S:.1f} s: see "
                    "its messages, make sure that the arm stands, then start the station again")
        return self._damage or (self._last.fault if self._last else "")

    def _reset(self, task: str, seed: int) -> str:
        try:
            reply = self._requests.call(Reset(task, seed), RESET_S, connect_s=0.2)
        except (StationSilent, WireError) as error:
            raise DeviceError(str(error)) from error
        if not reply.accepted:
            raise DeviceError(reply.reason)
        self._since_ns, self._heard_ns = reply.stamp_ns, self._clock.now_ns()
        self._position = self._gripper = None
        return reply.value

    def _reword(self, text: str) -> None:
        try:
            reply = self._requests.call(Reword(text), REWORD_S)
        except (StationSilent, WireError) as error:
            raise DeviceError(str(error)) from error
        if not reply.accepted:
            raise DeviceError(reply.reason)


    def _go_back(self, stamp_ns: int) -> int:
        try:
            reply = self._requests.call(GoBack(stamp_ns), GO_BACK_S)
        except (StationSilent, WireError) as error:
            raise DeviceError(str(error)) from error
        if not reply.accepted:
            raise DeviceError(reply.reason)
        self._since_ns, self._heard_ns = reply.stamp_ns, self._clock.now_ns()
        return reply.moment_ns


class RemoteSimulator(RemoteRobot):
    """A remote robot whose world can be set up anew."""

    def reset(self, task: str, seed: int) -> str:
        """Set the scene for a task from a seed; returns the instruction. Blocks meanwhile.

        Raises:
            DeviceError: the simulator refuses (an unknown task), or is silent.
        """
        return self._reset(task, seed)

    def set_instruction(self, text: str) -> None:
        """Let the simulator judge by other words. Blocks meanwhile.

        Raises:
            DeviceError: the words name no goal, or the simulator is silent.
        """
        self._reword(text)


class RemoteRewindable(RemoteSimulator):
    """A remote simulator that remembers the moments that it has been in."""

    def rewind(self, stamp_ns: int) -> int:
        """Go back to the newest kept moment not after a stamp; returns it. Blocks meanwhile.

        Raises:
            DeviceError: no such moment is kept, or the simulator is silent.
        """
        return self._go_back(stamp_ns)


def open_remote_robot(context: zmq.Context, links: Endpoints, clock: Clock,
                      timeout_s: float = 10.0) -> RemoteRobot:
    """The robot whose process listens on these links, a `RemoteSimulator` if it can be reset.

    Raises:
        DeviceError: nobody answers in time.
    """
    requests = CommandClient[RobotRequest, RobotReply](context, links.robot_request, RobotReply,
                                                       "the robot's process")
    try:
        reply = requests.call(Describe(), timeout_s)
    except (StationSilent, WireError) as error:
        requests.close()
        raise DeviceError(str(error)) from error
    assert reply.info is not None       # Describe is never refused
    kind = (RemoteRewindable if reply.rewindable else
            RemoteSimulator if reply.resettable else RemoteRobot)
    return kind(context, links, clock, reply.info, requests)


def described_robot(context: zmq.Context, links: Endpoints) -> RobotInfo:
    """What the robot's process says of its robot; asking takes no samples from the station.

    Raises:
        StationSilent: it does not answer.
    """
    requests = CommandClient[RobotRequest, RobotReply](context, links.robot_request, RobotReply,
                                                       "the robot's process")
    try:
        reply = requests.call(Describe(), DESCRIBE_S)
    finally:
        requests.close()
    assert reply.info is not None       # Describe is never refused
    return reply.info

"""A console's end of everything: what to draw, and whom to ask.

One object of one thread. Nothing here waits for longer than its docstring says, and nobody waits
for a console. Knows the links; refuses to know what is drawn.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import zmq

from recorders.clock import NS_PER_S, Clock
from recorders.streams import Batch, StreamSpec
from studio.devices.interfaces import RobotInfo
from studio.station.commands import SCRIPT, Command, Reply
from studio.station.desk.link import DESK_STATE, DeskRequest, DeskState
from studio.station.messages import BATCHES, SNAPSHOT, Snapshot, tick_stream
from studio.station.processes.bus import CommandClient, Endpoints, LatestSubscriber, StationSilent
from studio.station.processes.remote_robot import described_robot
from studio.station.processes.wire import WireError, decode_batches, unpack

_snapshots = msgspec.msgpack.Decoder(Snapshot)
_states = msgspec.msgpack.Decoder(DeskState)
BACKLOG = 64                # ticks that may wait: a console that draws slowly misses some
SILENT_NS = NS_PER_S        # a station speaks twenty times a second
AGAIN_NS = 2 * NS_PER_S     # between two questions about a robot whose rows are not understood


class DeskClient:
    """What a console sees of a desk, and how it asks.

    Args:
        context: of this process.
        links: of the desk.
        clock: the machine's.
        name: who asks, for the record.

    Attributes:
        snapshot: the newest of the station; None before the first one.
        state: the newest of the desk; None before the first one.
        pictures: camera stream -> its newest colour picture, encoded as it is recorded.
        cameras: camera stream -> the row of that picture: where the camera was.
        robot: what the robot's process says of its robot; None until it answered.
        streams: all that the station shows, the stream `tick` first; empty until then.
        missed: ticks that this console was too slow for.
        problem: why nothing of what arrives is understood, although the robot was asked what it
            is; empty as soon as something is.
    """

    def __init__(self, context: zmq.Context, links: Endpoints, clock: Clock,
                 name: str = SCRIPT) -> None:
        self._context, self._links, self._clock = context, links, clock
        self._snapshots = LatestSubscriber(context, links.watch, SNAPSHOT)
        self._batches = LatestSubscriber(context, links.watch, BATCHES, capacity=BACKLOG)
        self._states = LatestSubscriber(context, links.desk_state, DESK_STATE)
        self._station: CommandClient[Command, Reply] = CommandClient(
            context, links.command, Reply, name=name)
        self._desk: CommandClient[DeskRequest, Reply] = CommandClient(
            context, links.desk, Reply, "the desk", name)
        self._heard_ns = self._learnt_ns = 0
        self._misread = 0                   # times since something was understood
        self._dtypes: dict[str, np.dtype] = {}
        self.snapshot: Snapshot | None = None
        self.state: DeskState | None = None
        self.pictures: dict[str, bytes] = {}
        self.cameras: dict[str, np.void] = {}
        self.robot: RobotInfo | None = None
        self.streams: tuple[StreamSpec, ...] = ()
        self.problem = ""

    @property
    def missed(self) -> int:
        """Ticks that this console was too slow for."""
        return self._batches.dropped

    @property
    def silent(self) -> bool:
        """Whether the station has said nothing for a second: what is drawn is old."""
        return self._clock.now_ns() - self._heard_ns > SILENT_NS

    def look(self) -> Sequence[Batch]:
        """Take what arrived; returns the rows since the last look, without pictures' bytes twice.

        Pictures are left in `pictures`. What another robot shows is thrown away until `learn_robot`
        was called: `robot` is None then. Never waits.
        """
        if (frames := self._states.newest()) is not None:
            before, self.state = self.state, unpack(frames[0], _states)
            if before is not None and _robot_of(before) != _robot_of(self.state):
                self._forget_robot()
        if (frames := self._snapshots.newest()) is not None:
            self.snapshot, self._heard_ns = unpack(frames[0], _snapshots), self._clock.now_ns()
        if not self._dtypes:
            for _ in self._batches.drain():
                pass                    # nobody knows yet what they mean
            return []
        try:
            batches = [batch for message in self._batches.drain()
                       for batch in decode_batches(message, self._dtypes)]
        except WireError as error:  # another robot is there already; the desk says so later
            self._misread += 1
            if self._misread > 1:   # the one that was asked since is no other
                self.problem = ("what the station sends is not understood here: end the desk and "
                                f"its consoles, and start all of one version ({error})")
            self._forget_robot()
            return []
        if batches:
            self._misread, self.problem = 0, ""
        for batch in batches:
            if batch.images and "rgb" in batch.images[-1]:
                self.cameras[batch.stream] = batch.rows[-1]
                self.pictures[batch.stream] = bytes(batch.images[-1]["rgb"])
        return batches

    def _forget_robot(self) -> None:
        self.robot, self.streams, self._dtypes = None, (), {}

    def learn_robot(self) -> bool:
        """Ask the robot's process what it is; whether it is known. Waits up to a second or so.

        To be called when `robot` is None, and again after the desk changed the devices. While there
        is a `problem` it asks every two seconds only.
        """
        now_ns = self._clock.now_ns()
        if self.problem and now_ns - self._learnt_ns < AGAIN_NS:
            return False
        self._learnt_ns = now_ns
        with suppress(StationSilent):
            self.robot = described_robot(self._context, self._links)
            rate_hz = self.state.rate_hz if self.state else 100.0
            self.streams = (tick_stream(self.robot, rate_hz), *self.robot.streams)
            self._dtypes = {spec.name: spec.row_dtype for spec in self.streams}
            self.pictures, self.cameras = {}, {}
            for _ in self._batches.drain():
                pass                    # while it was asked, the one before may have spoken
            return True
        return False

    def ask(self, command: Command, timeout_s: float = 1.0) -> Reply:
        """Ask the station; a silent one is a refusal that says so. Waits up to `timeout_s`."""
        try:
            return self._station.call(command, timeout_s)
        except StationSilent as silent:
            return Reply(False, str(silent))

    def ask_desk(self, request: DeskRequest, timeout_s: float = 2.0) -> Reply:
        """Ask the desk; a silent one is a refusal that says so. Waits up to `timeout_s`."""
        try:
            return self._desk.call(request, timeout_s)
        except StationSilent as silent:
            return Reply(False, str(silent))

    def close(self) -> None:
        """Let go of the links."""
        for link in (self._snapshots, self._batches, self._states, self._station, self._desk):
            link.close()


def _robot_of(state: DeskState) -> tuple[str, dict[str, Any]]:
    return state.robot, state.robot_options

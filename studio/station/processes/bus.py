"""The links between the station's processes: pipes over ZeroMQ.

Lossless: bounded, in one order, a full pipe is said and counted. Latest: whoever is late misses
something and knows how much. Commands (command_link.py): a request and its reply. This file moves
frames; it refuses to know what is in them (see wire.py), and nothing in it blocks unless its
docstring says so.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import zmq
from zmq.utils.monitor import parse_monitor_message

from studio.station.processes.command_link import CommandClient, CommandServer, StationSilent
from studio.station.processes.endpoints import (
    Endpoints,
    open_context,
    open_socket,
    private_endpoints,
    receive_message,
)
from studio.station.processes.wire import Frame

__all__ = ["CommandClient", "CommandServer", "Endpoints", "LatestPublisher", "LatestSubscriber",
           "LosslessReceiver", "LosslessSender", "StationSilent", "open_context",
           "private_endpoints"]


class _PeerWatch:
    """Notices when the other end of a socket goes away; any one thread may ask."""

    def __init__(self, socket: zmq.Socket) -> None:
        self._socket = socket
        self._events = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)

    def gone(self) -> bool:
        """Whether it ended since the last call."""
        gone = False
        with suppress(zmq.Again):
            while True:
                event = parse_monitor_message(self._events.recv_multipart(zmq.NOBLOCK))
                gone = gone or event["event"] == zmq.EVENT_DISCONNECTED
        return gone

    def close(self) -> None:
        """Stop watching; before the socket is closed."""
        self._socket.disable_monitor()
        self._events.close(linger=0)


class LosslessSender:
    """Hands messages over in order; a message that does not fit is refused and counted.

    The side that connects keeps what it could not deliver yet, also while the other side is being
    restarted; the side that binds refuses while nobody listens.

    Args:
        context: of this process.
        address: of the link.
        capacity: messages that may wait here; the receiver's own queue comes on top.
        block: wait for room instead of refusing (only where time is virtual), up to
            `patience_s`; after that it refuses until something fits again.
        bind: listen instead of connecting.
        linger_s: how long `close` waits for delivery.
    """

    def __init__(self, context: zmq.Context, address: str, *, capacity: int, block: bool = False,
                 bind: bool = False, linger_s: float = 5.0, patience_s: float = 10.0) -> None:
        self._socket = open_socket(context, zmq.PUSH, address, bind=bind, SNDHWM=capacity,
                               LINGER=int(linger_s * 1000), SNDTIMEO=int(patience_s * 1000))
        self._peer = _PeerWatch(self._socket)
        self._block = block
        self._stuck = False
        self.overflowed = 0

    def send(self, frames: Sequence[Frame]) -> bool:
        """Whether the message was taken; the frames may be reused afterwards."""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return self._wait_or_refuse(frames)
        self._stuck = False
        return True

    def _wait_or_refuse(self, frames: Sequence[Frame]) -> bool:
        if self._block and not self._stuck:
            try:
                self._socket.send_multipart(frames)
                return True
            except zmq.Again:
                self._stuck = True      # nobody reads: do not wait again for every message
        self.overflowed += 1
        return False

    def receiver_gone(self) -> bool:
        """Whether a receiver ended since the last call; what it had not read may be lost."""
        return self._peer.gone()

    def close(self) -> None:
        """Close; what waits is still delivered for `linger_s`."""
        self._peer.close()
        self._socket.close()


class LosslessReceiver:
    """Takes messages in the order in which they were handed over.

    Args:
        context: of this process.
        address: of the link.
        capacity: messages that may wait here before the sender's own queue fills. Keep it above
            what can be on its way: when a sender ends or is killed, ZeroMQ 4.3 throws away what
            a receiver with a full queue has not taken out of the kernel yet.
        bind: listen instead of connecting.
    """

    def __init__(self, context: zmq.Context, address: str, *, capacity: int = 2000,
                 bind: bool = True) -> None:
        self._socket = open_socket(context, zmq.PULL, address, bind=bind, RCVHWM=capacity)
        self._peer = _PeerWatch(self._socket)

    def receive(self) -> list[memoryview] | None:
        """The next message's frames, or None; views stay valid as long as they are kept."""
        return receive_message(self._socket)

    def wait(self, timeout_ms: int) -> bool:
        """Block until a message is there or the time has passed; whether one is there."""
        return bool(self._socket.poll(timeout_ms))

    def sender_gone(self) -> bool:
        """Whether a sender ended since the last call. Read what it left before acting on it."""
        return self._peer.gone()

    def close(self) -> None:
        """Close; what was not received is lost."""
        self._peer.close()
        self._socket.close()


_PUB_LINGER_MS = 300        # with 0, ZeroMQ 4.3 now and then aborts when data is in flight


class LatestPublisher:
    """Says things to whoever listens; never waits for anybody.

    Args:
        context: of this process.
        address: of the link; bound.
        capacity: messages that may wait for a slow subscriber before it misses some.
    """

    def __init__(self, context: zmq.Context, address: str, *, capacity: int = 64) -> None:
        self._socket = open_socket(context, zmq.PUB, address, bind=True, SNDHWM=capacity,
                                   LINGER=_PUB_LINGER_MS)
        self._numbers: dict[str, int] = {}

    def publish(self, topic: str, frames: Sequence[Frame]) -> None:
        """Send one message under a topic."""
        number = self._numbers.get(topic, 0)
        self._numbers[topic] = number + 1
        self._socket.send_multipart([_topic(topic), number.to_bytes(8, "little"), *frames])

    def close(self) -> None:
        """Close."""
        self._socket.close()


class LatestSubscriber:
    """Hears one topic of a link and counts what it missed.

    Args:
        context: of this process.
        address: of the link.
        topic: exactly as published.
        capacity: messages that may wait here.

    Attributes:
        dropped: messages published since the first one heard and never returned here.
    """

    def __init__(self, context: zmq.Context, address: str, topic: str, *,
                 capacity: int = 64) -> None:
        self._socket = open_socket(context, zmq.SUB, address, bind=False, RCVHWM=capacity,
                               SUBSCRIBE=_topic(topic))
        self._expected: int | None = None
        self.dropped = 0

    def newest(self) -> list[memoryview] | None:
        """The newest message that nobody has seen yet, or None; older ones count as dropped."""
        newest: list[memoryview] | None = None
        for message in self.drain():
            self.dropped += newest is not None
            newest = message
        return newest

    def drain(self) -> Iterator[list[memoryview]]:
        """Every message that waits, oldest first."""
        while (parts := receive_message(self._socket)) is not None:
            if len(parts) < 2:
                continue    # not a LatestPublisher
            number = int.from_bytes(parts[1], "little")
            # A number from the past is a publisher that was restarted.
            if self._expected is not None and number > self._expected:
                self.dropped += number - self._expected
            self._expected = number + 1
            yield parts[2:]

    def wait(self, timeout_ms: int) -> bool:
        """Block until a message is there or the time has passed; whether one is there."""
        return bool(self._socket.poll(timeout_ms))

    def close(self) -> None:
        """Close."""
        self._socket.close()


def _topic(name: str) -> bytes:
    """Subscriptions match prefixes; the end mark makes them match whole names."""
    return name.encode() + b"\0"

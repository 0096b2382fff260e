"""Requests and their replies: how anybody asks the station (or a robot host) to do something.

Every request is answered exactly once: accepted, or refused with a reason. A server never blocks;
a client does, up to its time-out, and a request is sent to a live server or not at all: it never
waits in a queue for a station that is started later. This file refuses to know what is asked.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import zmq

from studio.station.commands import Command, Reply
from studio.station.processes.endpoints import open_socket, receive_message
from studio.station.processes.wire import WireError, pack, unpack

NAME_LETTERS = 60           # of who asks
_LOOK_MS = 50               # between two looks whether the server still lives


class StationSilent(RuntimeError):
    """A request got no answer in time; the message says what to look at."""


class CommandServer[C, R]:
    """Hears requests and answers each exactly once.

    Args:
        context: of this process.
        address: of the link; bound.
        requests: type of a request (a tagged union of structs).
        refusal: makes the reply to something that is no request.

    Attributes:
        asked_by: who asked the request that `poll` gave last, as they call themselves; may be
            empty.
    """

    def __init__(self, context: zmq.Context, address: str, requests: Any = Command,
                 refusal: Callable[[str], Any] = lambda reason: Reply(False, reason)) -> None:
        self._socket = open_socket(context, zmq.ROUTER, address, bind=True, LINGER=500)
        self._decoder = msgspec.msgpack.Decoder(requests)
        self._refusal = refusal
        self.asked_by = ""

    def poll(self) -> Iterator[tuple[C, Callable[[R], None]]]:
        """Requests that wait, each with the function that answers it. Never blocks."""
        while (parts := receive_message(self._socket)) is not None:
            if len(parts) not in (3, 4):
                continue    # not a CommandClient: there is no number to answer under
            address = [bytes(parts[0]), bytes(parts[1])]

            def answer(reply: R, address: list[bytes] = address) -> None:
                self._socket.send_multipart([*address, pack(reply)])

            try:
                request = unpack(parts[2], self._decoder)
            except WireError as error:
                self._socket.send_multipart([*address, pack(self._refusal(str(error)))])
                continue
            self.asked_by = bytes(b"".join(parts[3:])).decode(errors="replace")[:NAME_LETTERS]
            yield request, answer

    def wait(self, timeout_ms: int) -> bool:
        """Block until a request is there or the time has passed; whether one is there."""
        return bool(self._socket.poll(timeout_ms))

    def close(self) -> None:
        """Close."""
        self._socket.close()


class CommandClient[C, R]:
    """Asks and waits for the answer.

    Args:
        context: of this process.
        address: of the link.
        replies: type of a reply.
        whom: what the operator calls the other side.
        name: who asks, for the record.
    """

    def __init__(self, context: zmq.Context, address: str, replies: Any = Reply,
                 whom: str = "the station", name: str = "") -> None:
        self._socket = open_socket(context, zmq.DEALER, address, bind=False, IMMEDIATE=1)
        self._decoder = msgspec.msgpack.Decoder(replies)
        self._whom = whom
        self._name = [name.encode()] if name else []
        self._number = 0

    def call(self, command: C, timeout_s: float = 2.0, connect_s: float | None = None) -> R:
        """The reply to a command; blocks up to about `timeout_s`, but not for a dead server.

        Args:
            command: what to ask.
            timeout_s: how long to wait for the reply.
            connect_s: how long to wait for a server to be there; as long, if None.

        Raises:
            StationSilent: no reply came in time, or the server is gone.
            WireError: the reply is of another version.
        """
        self._number += 1
        number = self._number.to_bytes(8, "little")
        waits_ms = int((timeout_s if connect_s is None else connect_s) * 1000)
        if not self._socket.poll(waits_ms, zmq.POLLOUT):
            raise self._silent(command, "it has ended or was not started")
        try:
            self._socket.send_multipart([number, pack(command), *self._name], zmq.NOBLOCK)
        except zmq.Again:           # it ended since the line before
            raise self._silent(command, "it has ended") from None
        for _ in range(max(1, int(timeout_s * 1000) // _LOOK_MS)):
            if self._socket.poll(_LOOK_MS):
                parts = self._socket.recv_multipart()
                if len(parts) == 2 and parts[0] == number:  # else: of a call that was given up
                    return unpack(parts[1], self._decoder)
            elif not self._socket.poll(0, zmq.POLLOUT):
                raise self._silent(command, "it ended over this")
        raise self._silent(command, f"it is busy for more than {timeout_s:g} s")

    def _silent(self, command: C, why: str) -> StationSilent:
        return StationSilent(f"{self._whom} did not answer {type(command).__name__}: {why}; see "
                             "its messages")

    def close(self) -> None:
        """Close."""
        self._socket.close()

"""A lossless sender that costs its caller almost nothing: a thread does the sending.

Sending wakes ZeroMQ's own thread, and waking a sleeping core costs a tenth of a millisecond and
more (on a virtual machine above all), whatever the size of the message. Here the caller leaves the
frames in a bounded queue; a thread that looks by itself every few milliseconds sends them in order.
Knows queues; refuses to know what is sent.
"""

import threading
from collections import deque
from collections.abc import Sequence

from studio.station.processes.bus import LosslessSender
from studio.station.processes.priority import raise_priority
from studio.station.processes.wire import Frame

LOOK_S = 0.005              # what a killed station may lose beyond what it had handed over


class Outbox:
    """Frames on their way to a `LosslessSender`, which belongs to the thread in here.

    Args:
        sender: not blocking; closed with this.
        capacity: messages that may wait here; the sender's own queue comes on top.
    """

    def __init__(self, sender: LosslessSender, capacity: int) -> None:
        self._sender, self._capacity = sender, capacity
        self._waiting: deque[Sequence[Frame]] = deque()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def send(self, frames: Sequence[Frame]) -> bool:
        """Whether the message was taken; its frames must not be changed afterwards."""
        if len(self._waiting) >= self._capacity:
            return False
        self._waiting.append(frames)
        return True

    def receiver_gone(self) -> bool:
        """Whether a receiver ended since the last call."""
        return self._sender.receiver_gone()

    def close(self) -> None:
        """Send what waits, as far as there is room, and close the sender."""
        self._ending.set()
        self._thread.join()
        self._sender.close()

    def _run(self) -> None:
        raise_priority()        # it holds the interpreter for moments: nobody may hold it up then
        while not self._ending.wait(LOOK_S):
            self._send_what_fits()
        self._send_what_fits()

    def _send_what_fits(self) -> None:
        while self._waiting and self._sender.send(self._waiting[0]):
            self._waiting.popleft()

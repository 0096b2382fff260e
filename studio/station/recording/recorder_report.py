"""What the recorder says of itself, ten times a second and whenever something happened.

Looks once a second whether the store is there and its disk has room, so that a person is told
before the next episode and not by its loss. Knows the store and the words; refuses to write.
"""

import shutil
from contextlib import suppress
from typing import Any

import msgspec
import zmq

from recorders.clock import NS_PER_S, Clock
from recorders.store import DemoStore
from studio.station.messages import RecorderHealth
from studio.station.processes.bus import Endpoints, LatestPublisher
from studio.station.processes.wire import pack
from studio.station.recording.record_link import STATUS, RecorderStatus

STATUS_NS = NS_PER_S // 10
DISK_NS = NS_PER_S
LOW_DISK_BYTES = 2 << 30    # five minutes of two cameras at 30 Hz; said before it is an error


class RecorderReport:
    """Keeps what is known and tells it.

    Args:
        store: open for writing; stays its owner's.
        context: of this process.
        links: of the station.
        clock: the machine's clock.
        incarnation: random name of the recorder's process.

    Attributes:
        health: as it will be told next, but for what is worked out when it is told.
        unsaid: why the last thing said of a closed episode could not be done.
    """

    def __init__(self, store: DemoStore, context: zmq.Context, links: Endpoints, clock: Clock,
                 incarnation: str) -> None:
        self._store, self._clock, self._incarnation = store, clock, incarnation
        self._publisher = LatestPublisher(context, links.recorder_status)
        self._next_look_ns = self._next_status_ns = 0
        self.unsaid = ""
        self.health = RecorderHealth(alive=True, store=str(store.path))
        self.look()
        self.look_for_interrupted()

    def note(self, **changes: Any) -> None:
        """Something is otherwise."""
        self.health = msgspec.structs.replace(self.health, **changes)

    def look_for_interrupted(self) -> None:
        """Which episodes wait to be kept or discarded; of a store that is gone, the last known."""
        if not self._store.lost:
            self.note(interrupted=tuple(one.episode for one in self._store.interrupted()))

    def look(self) -> None:
        """See whether the store is there and has room; what hindered and is mended is forgotten."""
        obstacle = self._store.obstacle()
        with suppress(OSError):             # the disk of a store that is gone: as last known
            self.note(disk_free_bytes=shutil.disk_usage(self._store.path).free)
        if self.health.unable and not obstacle:
            self.unsaid = ""
            self.note(error="")
            self._store.catch_up()
            self.look_for_interrupted()
        self.note(unable=obstacle)

    def tell_if_due(self, session: str, expected: int) -> None:
        """Look, and tell, if it is time."""
        now_ns = self._clock.now_ns()
        if now_ns >= self._next_look_ns:
            self._next_look_ns = now_ns + DISK_NS
            self.look()
        if now_ns >= self._next_status_ns:
            self.tell(session, expected)

    def tell(self, session: str, expected: int) -> None:
        """Tell now.

        Args:
            session: whose messages are taken.
            expected: number of the next one.
        """
        now_ns = self._clock.now_ns()
        self._next_status_ns = now_ns + STATUS_NS
        health = msgspec.structs.replace(self.health, error=self._error(),
                                         changes=self._store.changes)
        self._publisher.publish(STATUS, [pack(RecorderStatus(
            now_ns, self._incarnation, session, expected, health))])

    def close(self) -> None:
        """Tell nobody any more."""
        self._publisher.close()

    def _error(self) -> str:
        """The gravest: what was lost, what cannot be recorded, what was not done, what is near."""
        free = self.health.disk_free_bytes
        low = (f"only {free / 1e9:.1f} GB are free where {self._store.path} lies: free some space "
               "before it is full") if free < LOW_DISK_BYTES else ""
        return self.health.error or self.health.unable or self.unsaid or low

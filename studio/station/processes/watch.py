"""What the station tells everybody who watches: batches, snapshots, and how the session goes.

Latest values over one link; a slow watcher misses some and knows how many. The station never waits
for a watcher. Knows topics; refuses to know who listens.
"""

import msgspec
import zmq

from studio.station.loop.control_loop import TickRecord
from studio.station.messages import BATCHES, SESSION, SNAPSHOT, Snapshot
from studio.station.processes.bus import Endpoints, LatestPublisher, LatestSubscriber
from studio.station.processes.wire import Frame, encode_batches, pack, unpack
from studio.station.session import Session, SessionReport

_snapshots = msgspec.msgpack.Decoder(Snapshot)
_reports = msgspec.msgpack.Decoder(SessionReport)


class WatchPublisher:
    """The station's end of the link; a subscriber of its control loop."""

    def __init__(self, context: zmq.Context, links: Endpoints, *, batches: bool) -> None:
        self._publisher = LatestPublisher(context, links.watch)
        self._batches = batches
        self.session: Session | None = None

    def on_tick(self, tick: TickRecord) -> None:
        """Show the rows and pictures of a tick."""
        if self._batches:
            frames: list[Frame] = encode_batches(tick.batches)
            self._publisher.publish(BATCHES, frames)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Show the state of the station."""
        self._publisher.publish(SNAPSHOT, [pack(snapshot)])
        self.tell_session()

    def tell_session(self) -> None:
        """Show how the session goes; said again and again, because a watcher may miss some."""
        if self.session is not None:
            self._publisher.publish(SESSION, [pack(self.session.report)])


class Watcher:
    """A watcher's end of the link for what a command line shows."""

    def __init__(self, context: zmq.Context, links: Endpoints) -> None:
        self._snapshots = LatestSubscriber(context, links.watch, SNAPSHOT)
        self._reports = LatestSubscriber(context, links.watch, SESSION)

    def snapshot(self) -> Snapshot | None:
        """The newest that was not seen yet."""
        frames = self._snapshots.newest()
        return unpack(frames[0], _snapshots) if frames else None

    def report(self, timeout_ms: int) -> SessionReport | None:
        """The newest that was not seen yet, waiting for one up to `timeout_ms`."""
        if not self._reports.wait(timeout_ms):
            return None
        frames = self._reports.newest()
        return unpack(frames[0], _reports) if frames else None

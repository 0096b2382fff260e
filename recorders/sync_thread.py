"""A thread that waits for the disk so that the recording thread need not.

It calls one function over and over, at least every period, and keeps the first exception for
its owner, who asks for it. It knows nothing about what is written.
"""

from collections.abc import Callable
from threading import Event, Thread

# Half a second may be lost to a power cut; fsync itself takes its time, so begin a little earlier.
SYNC_PERIOD_S = 0.35


class SyncThread:
    """Calls `work` every `SYNC_PERIOD_S`, or sooner when nudged, until it is stopped."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.error: Exception | None = None
        self._work = work
        self._wake = Event()
        self._stopping = False
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """Work now, not at the end of the period."""
        self._wake.set()

    def stop(self) -> None:
        """Return when the work under way, if any, has ended; nothing is worked afterwards."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait(SYNC_PERIOD_S)
            self._wake.clear()
            if self._stopping or self.error is not None:
                return
            try:
                self._work()
            except Exception as error:     # the edge of this thread: its owner raises it
                self.error = error
                return

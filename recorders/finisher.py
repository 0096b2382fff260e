"""Waits, behind the recording's back, until a committed episode's many files are on the disk.

An episode has hundreds of small files and fsyncing them takes a second or more. Until that is done
its journal is the copy that survives a power cut; this thread does it and then removes the
journal. If the process dies first, opening the store finds the journal and finishes the episode.
"""

from pathlib import Path
from queue import Queue
from threading import Thread

from recorders.files import fsync_path, fsync_tree
from recorders.store_errors import StoreError


class Finisher:
    """A thread with a queue of committed episodes."""

    def __init__(self) -> None:
        self._jobs: Queue[tuple[Path, Path] | None] = Queue()
        self._error: Exception | None = None
        self._failed: list[tuple[Path, Path]] = []
        self._thread = Thread(target=self._run, name="store-finisher", daemon=True)
        self._thread.start()

    def submit(self, group: Path, journal: Path) -> None:
        """Make a group's files safe, then remove its journal."""
        self._jobs.put((group, journal))

    def drain(self) -> None:
        """Return when every submitted episode is finished.

        Raises:
            StoreError: if one could not be; its journal is still there.
        """
        self._jobs.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise StoreError(
                f"a committed episode is not safe from a power cut yet ({error}): its journal is "
                f"kept, and opening the store for writing tries again") from error

    def try_again(self) -> None:
        """Finish what could not be finished, because its folder was away for a while."""
        again, self._failed, self._error = self._failed, [], None
        for job in again:
            self._jobs.put(job)

    def close(self) -> None:
        """Finish everything and end the thread. Raises as `drain` does."""
        self._jobs.put(None)
        self._thread.join()
        self.drain()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                finish(*job)
            except Exception as error:      # the edge of this thread: its owner raises it
                self._error = error
                self._failed.append(job)
            self._jobs.task_done()
        self._jobs.task_done()


def finish(group: Path, journal: Path) -> None:
    """Fsync everything below a group and its place, then remove the journal."""
    fsync_tree(group)
    fsync_path(group.parent)
    journal.unlink(missing_ok=True)
    fsync_path(journal.parent)

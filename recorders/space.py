"""One writer at a time, and room to end well.

The lock is the kernel's (flock), so it is gone with its process, however that ended. The reserve is
a file of preallocated blocks: when the disk is full, giving it up makes the room that closing an
episode needs. Neither knows what is written.
"""

import errno
import fcntl
import os
from pathlib import Path
from typing import Literal

from recorders.files import means_full
from recorders.store_errors import DiskFull, StoreLocked

# Closing an hour's episode of a few hundred columns takes some 10 MB at most: part-filled chunks,
# metadata, and the line in the log.
RESERVE_BYTES = 16 * 2**20

# What may have become of a store's folder while it was open: moved or unmounted, deleted, or
# another one lies in its place.
Lost = Literal["", "gone", "deleted", "replaced"]

_LOST: dict[Lost, str] = {
    "gone": "the store {} is not there any more: bring it back, or open another one",
    "deleted": "the store {} was deleted: open it again to begin an empty one, or open another",
    "replaced": "another store lies at {} now: open it again",
}


def what_became(store: Path, lost: Lost) -> str:
    """The same in a sentence that says what to do; empty for a store that is there."""
    return _LOST[lost].format(store) if lost else ""


class WriterLock:
    """Holds the right to write a store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 64).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise StoreLocked(
                f"{path.parent} is being written by process {holder}: end that recording first, "
                f"or open the store for reading") from None
        # Always of the same length: overwriting needs no space on a full disk.
        os.pwrite(self._file, f"{os.getpid():<15}\n".encode(), 0)

    def lost(self) -> Lost:
        """Whether the store is still where it was; looks at names only."""
        ours = os.fstat(self._file)
        try:
            theirs = self.path.stat()
        except OSError:
            return "gone" if ours.st_nlink else "deleted"
        return "" if os.path.samestat(ours, theirs) else "replaced"

    def release(self) -> None:
        """Let others write."""
        os.pwrite(self._file, b" " * 15, 0)
        os.close(self._file)


def is_locked(path: Path) -> bool:
    """Whether some process, perhaps this one, is writing the store with this lock file."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        holder = os.read(file, 64).strip()
        # Trying the lock for a moment could turn a real writer away, so it is tried only if the
        # process that is written there lives.
        if not holder.isdigit() or not Path(f"/proc/{int(holder)}").exists():
            return False
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


class Reserve:
    """Space that is kept free for closing an episode."""

    def __init__(self, path: Path, size_bytes: int = RESERVE_BYTES) -> None:
        self.path = path
        self.size_bytes = size_bytes

    def fill(self) -> bool:
        """Take the space, if it is not taken yet; returns False if there is not enough."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if os.fstat(file).st_size >= self.size_bytes:
                return True
            os.posix_fallocate(file, 0, self.size_bytes)
        except OSError as error:
            if not means_full(error) and error.errno != errno.EINVAL:
                raise
            os.ftruncate(file, 0)
            return False
        finally:
            os.close(file)
        return True

    def require(self) -> None:
        """Take the space.

        Raises:
            DiskFull: if there is not enough.
        """
        if not self.fill():
            raise DiskFull(self._too_little())

    def lacking(self) -> str:
        """Why the space cannot be taken now, and what to do; empty if it can be, or is."""
        taken = self.path.stat().st_size if self.path.exists() else 0
        wanted = self.size_bytes - taken
        return self._too_little() if wanted > free_bytes(self.path.parent) else ""

    def _too_little(self) -> str:
        store = self.path.parent
        return (f"the disk of {store} has {free_bytes(store) >> 20} MiB left, less than the "
                f"{self.size_bytes >> 20} MiB that are kept for closing an episode: free some "
                f"space")

    def give_up(self) -> None:
        """Free the space."""
        self.path.unlink(missing_ok=True)


def free_bytes(path: Path) -> int:
    """How much a file below this path could still take."""
    volume = os.statvfs(path)
    return volume.f_bavail * volume.f_frsize

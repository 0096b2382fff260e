"""Where a running desk is found: one small file of this user's, held by a lock while it runs.

The lock is the kernel's (flock), so it is gone with its process, however that ended: a file that
nobody holds is old, whatever it says. Knows the file; refuses to know what a desk does.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from studio.station.processes.endpoints import Endpoints, process_lives, runtime_folder


class DeskRunsAlready(RuntimeError):
    """Another desk of this user runs; the message says what to do."""


class _Note(msgspec.Struct, frozen=True):
    """What the file says."""

    pid: int
    links: Endpoints


def address_file() -> Path:
    """The file, whether it is there or not."""
    return runtime_folder() / f"tandem-desk.{os.getuid()}.json"


@contextmanager
def announce(links: Endpoints) -> Iterator[None]:
    """Let this process's desk be found meanwhile.

    Raises:
        DeskRunsAlready: there is one.
    """
    path = address_file()
    descriptor = _hold(path)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(_Note(os.getpid(), links)), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def refuse_second() -> None:
    """Say now what `announce` would say later.

    Raises:
        DeskRunsAlready: a desk of this user runs.
    """
    if (note := _running()) is not None:
        raise _refusal(note)


def find_desk() -> Endpoints | None:
    """Where this user's running desk listens, if one runs."""
    note = _running()
    return note.links if note else None


def _refusal(note: _Note | None) -> DeskRunsAlready:
    return DeskRunsAlready(
        f"a desk runs already{f' (process {note.pid})' if note else ''}: `tandem console` opens a "
        "window on it, `tandem web` a page; end it first to start another")


def _running() -> _Note | None:
    try:
        descriptor = os.open(address_file(), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        note = _read(descriptor) if _ours(descriptor) else None
        # Trying the lock could turn a desk away that starts now, so it is tried only if the
        # process that is written there lives.
        if note is None or not process_lives(note.pid) or not _is_held(descriptor):
            return None
        return note
    finally:
        os.close(descriptor)


def _hold(path: Path) -> int:
    """The file, open and locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note = _read(descriptor)
            os.close(descriptor)
            raise _refusal(note) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)        # its owner took it away meanwhile


def _is_held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _ours(descriptor: int) -> bool:
    """Nobody else may lead us to a desk of theirs, nor read where ours is."""
    found = os.fstat(descriptor)
    return found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o600


def _read(descriptor: int) -> _Note | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 1 << 16, 0), type=_Note)
    except msgspec.MsgspecError:
        return None                 # of another version, or half written

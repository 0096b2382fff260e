"""Files that are either there in full or not at all.

It knows what POSIX promises about rename and fsync, and which errors mean that space has run out.
It knows nothing about what the files hold.
"""

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

# A quota or a file-size limit ends a recording just as a full disk does.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PROTECTED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

PARTIAL_SUFFIX = ".partial"


def means_full(error: OSError) -> bool:
    """Whether the system refused to write because there is no room."""
    return error.errno in _FULL


def means_protected(error: OSError) -> bool:
    """Whether the system refused to write because the place is read-only for us."""
    return error.errno in _PROTECTED


def write_all(file: int, parts: Iterable[bytes | memoryview]) -> int:
    """Write all parts at a descriptor's position; returns how many bytes that were.

    Raises:
        OSError: if not everything could be written; some of it may have been.
    """
    left = [memoryview(part).cast("B") for part in parts if len(part)]
    total = sum(len(part) for part in left)
    while left:
        written = os.writev(file, left)     # may take less than all, for instance at a quota
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left:
            left[0] = left[0][written:]
    return total


def make_folder(folder: Path, *, inside: Path) -> None:
    """Make a folder, and what is missing between it and `inside`, which must be there.

    A store that somebody moves away while it is written must not be made anew, piece by piece,
    where it was.

    Raises:
        FileNotFoundError: if `inside` is not there.
    """
    made = inside
    for name in folder.relative_to(inside).parts:
        made /= name
        made.mkdir(exist_ok=True)


def partial_of(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(path.name + PARTIAL_SUFFIX)


def write_atomically(path: Path, data: bytes) -> None:
    """Put a file in place so that nobody ever sees half of it; not yet safe from a power cut."""
    _write_partial(path, data, lambda file: None).rename(path)


def write_durably(path: Path, data: bytes) -> None:
    """Put a file in place so that it is there in full after a power cut, too."""
    _write_partial(path, data, os.fsync).rename(path)
    fsync_path(path.parent)


def _write_partial(path: Path, data: bytes, settle: Callable[[int], None]) -> Path:
    """The whole of a file, beside its place; nothing of it stays where the disk is full."""
    partial = partial_of(path)
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        write_all(file, [data])
        settle(file)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
    return partial


def fsync_path(path: Path) -> None:
    """Make a file's content, or a folder's list of names, safe from a power cut."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def fsync_tree(folder: Path) -> None:
    """Make everything below a folder, and the folder, safe from a power cut."""
    for parent, _, names in folder.walk(top_down=False):
        for name in names:
            fsync_path(parent / name)
        fsync_path(parent)


def bytes_of_tree(folder: Path) -> int:
    """The sizes of all files below a folder."""
    return sum((parent / name).stat().st_size
               for parent, _, names in folder.walk() for name in names)

"""What is exported or imported is there in full or not at all.

It grows beside its destination and is moved there when it is whole; an error, or Ctrl-C, leaves
nothing. Knows names and renaming, and no format.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recorders.files import PARTIAL_SUFFIX
from recorders.store_errors import StoreError


@contextmanager
def moved_when_whole(to: Path) -> Iterator[Path]:
    """A new name beside `to`, for a folder or a file; it becomes `to` at the end.

    Raises:
        StoreError: if `to` is there already, or no such name can be made.
    """
    partial = to.with_name(f".{to.name}{PARTIAL_SUFFIX}")
    try:
        if to.exists():
            raise StoreError(f"{to} exists already: choose another name, nothing is overwritten")
        to.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)                # what a kill left
    except OSError as error:
        raise StoreError(f"{to} cannot be made ({error.strerror}): choose another name or "
                         f"place") from error
    try:
        yield partial
        partial.rename(to)
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

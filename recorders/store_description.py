"""What makes a folder a store: its store.json. Made last when a store is created, read first.

It knows the format's name and version, and turns the system's refusals into sentences. It knows no
episodes.
"""

from pathlib import Path

import msgspec

from recorders.clock import Clock
from recorders.files import (
    fsync_path,
    fsync_tree,
    means_full,
    means_protected,
    partial_of,
    write_atomically,
    write_durably,
)
from recorders.group_writer import FORMAT_VERSION
from recorders.store_errors import DiskFull, NotAStore, StoreError, StoreReadOnly, UnknownFormat
from recorders.store_folders import StoreFolders
from recorders.zarr_metadata import group_json

FORMAT_NAME = "tandem-demonstrations"


class StoreDescription(msgspec.Struct, frozen=True):
    """store.json."""

    format: str
    version: int
    created_wall_ns: int


def create_store(folders: StoreFolders, clock: Clock) -> None:
    """Make an empty store.

    Raises:
        NotAStore: if something else is there.
        OSError: if the folder cannot be written.
    """
    if folders.root.exists() and not _may_become_a_store(folders):
        raise NotAStore(f"{folders.root} exists and is no store: choose an empty or a new folder")
    folders.root.mkdir(parents=True, exist_ok=True)
    for folder in folders.all_folders():
        folder.mkdir(exist_ok=True)
    write_atomically(folders.zarr / "zarr.json", group_json({}))
    folders.commits.touch()
    folders.lock.write_bytes(b" " * 16)
    # Last of all: a folder is a store from here on.
    description = StoreDescription(FORMAT_NAME, FORMAT_VERSION, clock.wall_ns())
    fsync_tree(folders.root)
    write_durably(folders.description, msgspec.json.encode(description) + b"\n")
    fsync_path(folders.root.parent)


def _may_become_a_store(folders: StoreFolders) -> bool:
    """Whether the folder is empty, or holds what a creation left that was killed."""
    ours = {path.name for path in (*folders.all_folders(), folders.commits, folders.lock,
                                   partial_of(folders.description))}
    return (folders.root.is_dir() and {path.name for path in folders.root.iterdir()} <= ours
            and not (folders.commits.exists() and folders.commits.stat().st_size))


def require_store(folders: StoreFolders) -> None:
    """Refuse a folder that is no store of this format.

    Raises:
        NotAStore, UnknownFormat: saying what it is instead.
    """
    root = folders.root
    if not root.exists():
        raise NotAStore(f"there is no folder {root}: name an existing store, or record into a new "
                        f"one with `tandem record --to {root}`")
    try:
        description = msgspec.json.decode(folders.description.read_bytes(), type=StoreDescription)
    except (FileNotFoundError, NotADirectoryError):
        raise NotAStore(f"{root} is no demonstration store (it has no store.json): name the folder "
                        f"that `tandem record --to` made") from None
    except msgspec.DecodeError as error:
        raise NotAStore(f"{folders.description} cannot be read ({error}): restore it from a "
                        f"backup or another store") from error
    if description.format != FORMAT_NAME:
        raise NotAStore(f"{root} holds '{description.format}', not '{FORMAT_NAME}'")
    if description.version != FORMAT_VERSION:
        raise UnknownFormat(f"{root} has format version {description.version}, and this studio "
                            f"reads version {FORMAT_VERSION}: install the studio that wrote it")


def cannot_write(path: Path, error: OSError) -> StoreError:
    """What a person should be told about a store that the system would not let us use."""
    if means_protected(error):
        return StoreReadOnly(f"{path} cannot be written ({error.strerror}): change the folder's "
                             f"permissions, or use another folder")
    if means_full(error):
        return DiskFull(f"the disk of {path} is full ({error.strerror}): free some space")
    return StoreError(f"cannot use {path}: {error}")

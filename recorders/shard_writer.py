"""Pictures appended to the Zarr shard that they will be read from.

A shard under construction lies at its final place with the suffix `.partial`: first its index,
preallocated, then the encoded pictures, each followed by its CRC-32C, as they arrived. Sealing
writes the index, waits for the disk and renames; no picture is ever moved or encoded again. This
file knows the bytes of a shard (FORMAT.md, "Images"); it knows no streams, threads or journals.
"""

import os
from pathlib import Path

import google_crc32c
import numpy as np

from recorders.files import fsync_path, make_folder, partial_of, write_all
from recorders.journal import Placement
from recorders.zarr_metadata import PICTURES_PER_SHARD, chunk_path

CRC_BYTES = 4
INDEX_BYTES = 16 * PICTURES_PER_SHARD + CRC_BYTES
EMPTY = np.uint64(2**64 - 1)            # Zarr's mark for "no such chunk in this shard"


def empty_index() -> np.ndarray:
    """An index (256, 2) u8 of offsets and sizes that holds no picture."""
    return np.full((PICTURES_PER_SHARD, 2), EMPTY, "<u8")


def encode_index(index: np.ndarray) -> bytes:
    """The index as it stands at the start of a shard, with its checksum."""
    data = index.tobytes()
    return data + google_crc32c.value(data).to_bytes(CRC_BYTES, "little")


def decode_index(data: bytes) -> np.ndarray | None:
    """The index (256, 2) at the start of a shard; None if its checksum is wrong or it is cut."""
    body, crc = data[:INDEX_BYTES - CRC_BYTES], data[INDEX_BYTES - CRC_BYTES:INDEX_BYTES]
    if len(crc) < CRC_BYTES or google_crc32c.value(body) != int.from_bytes(crc, "little"):
        return None
    return np.frombuffer(body, "<u8").reshape(PICTURES_PER_SHARD, 2)


class Shard:
    """One shard of an array, under construction."""

    def __init__(self, path: Path, array: Path) -> None:
        self.path = path
        self.count = 0
        self._array = array
        self._names_synced = False
        self._index = empty_index()
        self._size = INDEX_BYTES
        make_folder(path.parent, inside=array.parent)
        self._file = os.open(partial_of(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            write_all(self._file, [encode_index(self._index)])
        except OSError:
            self.remove()
            raise

    @property
    def full(self) -> bool:
        """Whether no further picture fits."""
        return self.count == PICTURES_PER_SHARD

    def append(self, picture: bytes | memoryview) -> Placement:
        """Append an encoded picture.

        Raises:
            OSError: if it could not be written in full; then nothing has changed.
        """
        crc = google_crc32c.value(np.frombuffer(picture, "u1"))
        try:
            written = write_all(self._file, [picture, crc.to_bytes(CRC_BYTES, "little")])
        except OSError:
            self._cut()
            raise
        placement = Placement(self._size, written - CRC_BYTES, crc)
        self._index[self.count] = placement.offset, written
        self._size += written
        self.count += 1
        return placement

    def take_back(self) -> None:
        """Forget the last picture: its row could not be recorded."""
        self.count -= 1
        self._size = int(self._index[self.count, 0])
        self._index[self.count] = EMPTY
        self._cut()

    def sync(self) -> None:
        """Wait until the pictures appended so far, and the file's name, are on the disk."""
        os.fdatasync(self._file)
        if not self._names_synced:
            self._sync_names()

    def seal(self) -> None:
        """Write the index, wait for the disk, and give the shard its final name."""
        os.pwrite(self._file, encode_index(self._index), 0)
        os.fsync(self._file)
        partial_of(self.path).rename(self.path)
        self._sync_names()
        os.close(self._file)

    def abandon(self) -> None:
        """Close the file and leave it as it is; the journal knows what it holds."""
        os.close(self._file)

    def remove(self) -> None:
        """Close and delete the file: it holds nothing."""
        os.close(self._file)
        partial_of(self.path).unlink()

    def _sync_names(self) -> None:
        folder = self.path.parent
        while folder != self._array.parent:
            fsync_path(folder)
            folder = folder.parent
        self._names_synced = True

    def _cut(self) -> None:
        os.ftruncate(self._file, self._size)
        os.lseek(self._file, self._size, os.SEEK_SET)


class ImageWriter:
    """All pictures of one image array, shard after shard.

    `append`, `take_back` and `row_done` belong to the recording thread; full shards are handed to
    whoever calls `seal_full`, so that the recording thread never waits for a seal.
    """

    def __init__(self, array: Path, axes: int) -> None:
        self.array = array
        self.sealed_rows = 0
        self._axes = axes
        self._shards = 0
        self._open: Shard | None = None
        self._full: list[Shard] = []

    def append(self, picture: bytes | memoryview) -> Placement:
        """Append the next row's picture."""
        if self._open is None:
            self._open = Shard(chunk_path(self.array, self._shards, self._axes), self.array)
            self._shards += 1
        return self._open.append(picture)

    def take_back(self) -> None:
        """Forget the last picture."""
        assert self._open is not None
        self._open.take_back()

    def row_done(self) -> None:
        """The row with the last picture is in the journal; a full shard may be sealed."""
        if self._open is not None and self._open.full:
            self._full.append(self._open)
            self._open = None

    @property
    def open_shard(self) -> Shard | None:
        """The shard that pictures are being appended to."""
        return self._open

    def seal_full(self) -> bool:
        """Seal the shards that are full; returns whether there were any."""
        sealed = False
        while self._full:
            self._seal(self._full[0])
            self._full.pop(0)
            sealed = True
        return sealed

    def seal_all(self) -> None:
        """Seal everything: the episode is over."""
        self.seal_full()
        if self._open is not None and self._open.count:
            self._seal(self._open)
        elif self._open is not None:
            self._open.remove()
        self._open = None

    def abandon(self) -> None:
        """Close all files and leave them as they are."""
        for shard in (*self._full, *([self._open] if self._open else [])):
            shard.abandon()
        self._full, self._open = [], None

    def _seal(self, shard: Shard) -> None:
        shard.seal()
        self.sealed_rows += shard.count

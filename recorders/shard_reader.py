"""Single pictures out of the shards of a recording, without zarr-python in between.

A shard is one file: an index of (offset, length) pairs with a checksum, and encoded pictures. This
file reads the index once and then, per picture, opens, reads and decodes: at 20 µs the opening is
lost beside a decoding of a millisecond, and no descriptor or mapping stays behind, so ten thousand
episodes are read under a limit of a thousand open files, and a file that was cut short is an error
with a name instead of a SIGBUS. It follows Zarr's rule that what was never written reads as fill
value, and says which pictures those are.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recorders.array_layout import ArrayLayout, DamagedRecording, UnknownLayout, read_layout
from recorders.checksums import ChecksumMismatch, split_checksum
from recorders.images import UnreadablePicture, decode, encoding_of
from recorders.streams import Encoding

_NOTHING = np.uint64(2**64 - 1)         # Zarr's offset and length of a chunk that was not written
_INDEX_CODECS = ["bytes", "crc32c"]


class FrameReader:
    """The pictures of one image array, by row.

    Attributes:
        shape: (N, H, W, 3) or, for depth, (N, H, W).
        dtype: u1, or <u2 for depth.
        encoding: how the pictures are stored.
    """

    def __init__(self, folder: Path) -> None:
        """Read the array's metadata; shards are opened when they are needed.

        Raises:
            DamagedRecording: if there is no such array.
            UnknownLayout: if it is not sharded as FORMAT.md says.
        """
        layout = read_layout(folder)
        inner = _sharding(layout)
        codecs = list(inner["codecs"])
        self._checked = codecs[-1]["name"] == "crc32c"
        if self._checked:
            codecs.pop()
        try:
            self.encoding: Encoding = encoding_of(codecs)
        except ValueError as error:
            raise UnknownLayout(f"{folder}: {error}") from None
        self.shape = layout.shape
        self.dtype = layout.dtype
        self._layout = layout
        self._index_at_start = inner.get("index_location", "end") == "start"
        self._indices: dict[int, np.ndarray] = {}
        self._files: dict[int, str] = {}    # a Path costs more to open than the file does

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """Decode one picture, or several into one new array.

        Returns:
            (H, W, …) for a number, (n, H, W, …) for a slice or a list of rows.

        Raises:
            IndexError: if a row is not there.
            DamagedRecording: naming the shard and the row that cannot be read.
        """
        if isinstance(rows, int | np.integer):
            return self.read_into(int(rows), np.empty(self.shape[1:], self.dtype))
        wanted = range(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        pictures = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        for picture, row in zip(pictures, wanted, strict=True):
            self.read_into(int(row), picture)
        return pictures

    def read_into(self, row: int, out: np.ndarray) -> np.ndarray:
        """Decode the picture of a row into `out`, C-contiguous (H, W, …); returns `out`."""
        data = self._stored(row)
        if data is None:
            out[...] = self._layout.fill
            return out
        try:
            return decode(data, self.encoding, self.shape[1:], out)
        except UnreadablePicture as error:
            raise self._damage(row, str(error)) from error

    def encoded(self, row: int) -> bytes:
        """The picture of a row as it was encoded at its capture.

        Raises:
            DamagedRecording: if it was never written, or does not match its checksum.
        """
        data = self._stored(row)
        if data is None:
            raise self._damage(row, "it was never written")
        return data

    def missing(self) -> np.ndarray:
        """The rows whose picture was never written, ascending; they read as fill value."""
        lost = [self._shard_rows(shard)[self._index(shard)[:, 0] == _NOTHING]
                for shard in range(self._layout.row_chunks)]
        return np.concatenate(lost) if lost else np.empty(0, np.int64)

    def repeated(self) -> np.ndarray:
        """The rows whose picture is, byte for byte, the one before, ascending.

        Two different pictures are seldom equally long, so few have to be read.
        """
        sizes = [self._index(shard)[:, 1] for shard in range(self._layout.row_chunks)]
        sizes = np.concatenate(sizes) if sizes else np.empty(0, np.uint64)
        equal = np.flatnonzero((sizes[1:] == sizes[:-1]) & (sizes[1:] != _NOTHING)) + 1
        return np.array([row for row in equal if self._stored(row) == self._stored(row - 1)],
                        np.int64)

    def _stored(self, row: int) -> bytes | None:
        """The encoded picture, its checksum verified; None if it was never written."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {self._layout.folder}: it has {len(self)} rows")
        shard, slot = divmod(row % len(self), self._layout.chunk[0])
        offset, length = self._index(shard)[slot]
        if offset == _NOTHING:
            return None
        try:
            data = _read(self._files[shard], int(offset), int(length))
            return split_checksum(data) if self._checked else data
        except (OSError, ChecksumMismatch) as error:
            raise self._damage(row, str(error)) from error

    def _shard_rows(self, shard: int) -> np.ndarray:
        per_shard = self._layout.chunk[0]
        return np.arange(shard * per_shard, min((shard + 1) * per_shard, len(self)))

    def _index(self, shard: int) -> np.ndarray:
        """(rows in the shard, 2) offset and length, read and checked on first use."""
        index = self._indices.get(shard)
        if index is None:
            self._files[shard] = str(self._layout.chunk_file(shard))
            index = self._indices[shard] = self._read_index(shard)
        return index

    def _read_index(self, shard: int) -> np.ndarray:
        file = self._layout.chunk_file(shard)
        slots, rows = self._layout.chunk[0], len(self._shard_rows(shard))
        size = 16 * slots + 4
        try:
            start = 0 if self._index_at_start else max(0, file.stat().st_size - size)
            table = split_checksum(_read(file, start, size))
        except FileNotFoundError:       # Zarr: a shard that is not there holds only fill values
            return np.full((rows, 2), _NOTHING)
        except (OSError, ChecksumMismatch) as error:
            raise DamagedRecording(f"{file}: its index of {slots} pictures is damaged: {error}"
                                   ) from error
        return np.frombuffer(table, "<u8").reshape(slots, 2)[:rows]

    def _damage(self, row: int, what: str) -> DamagedRecording:
        file = self._layout.chunk_file(row % len(self) // self._layout.chunk[0])
        return DamagedRecording(f"{file}: the picture of row {row % len(self)} cannot be read: "
                                f"{what}")


def _sharding(layout: ArrayLayout) -> dict:
    where = layout.folder / "zarr.json"
    if [codec["name"] for codec in layout.codecs] != ["sharding_indexed"]:
        raise UnknownLayout(f"{where}: pictures must be in shards (sharding_indexed)")
    inner = layout.codecs[0]["configuration"]
    if tuple(inner["chunk_shape"]) != (1, *layout.shape[1:]):
        raise UnknownLayout(f"{where}: chunks of {inner['chunk_shape']}; only single pictures "
                            f"are known")
    if [codec["name"] for codec in inner["index_codecs"]] != _INDEX_CODECS:
        raise UnknownLayout(f"{where}: index codecs must be {_INDEX_CODECS}")
    return inner


def _read(file: Path | str, offset: int, length: int) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
    if len(data) != length:
        raise OSError(f"it ends {length - len(data)} bytes too early: the file was cut short")
    return data

"""The journal of an open episode: every row, event and picture offset, each record checksummed.

While an episode is open the journal is its only complete copy; after a crash it is replayed. This
file knows the record format of FORMAT.md ("Journal") and stops at the first record that is not
whole. It does not know what the rows mean or where the pictures lie.
"""

import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import msgspec
import numpy as np

from recorders.episode import Detector, EpisodeHeader, plain
from recorders.files import write_all
from recorders.store_errors import DamagedJournal

MAGIC = b"TJR1"
_PREFIX = struct.Struct("<4sII")        # magic, length of the body, CRC-32C of length and body
_LENGTH = struct.Struct("<I")
_ROWS = struct.Struct("<HQI")           # stream, first row, rows
_PLACEMENT = struct.Struct("<QII")      # offset, size, CRC-32C of a picture


class Placement(NamedTuple):
    """Where a picture lies in its shard: bytes from the shard's start, and its CRC-32C."""

    offset: int
    size: int
    crc: int


class JournalHeader(msgspec.Struct, frozen=True):
    """The first record: the episode's header, its model by the prefix of its checksum."""

    header: EpisodeHeader
    model: str


class RowsRecord(NamedTuple):
    """Rows of one stream; placements[i] holds one placement per image of row i."""

    stream: int
    first_row: int
    rows: np.ndarray
    placements: list[tuple[Placement, ...]]


class EndRecord(msgspec.Struct, frozen=True):
    """The episode was closed on purpose."""

    ended_mono_ns: int
    detector: Detector


Event = dict[str, Any]
Record = RowsRecord | Event | EndRecord


class JournalWriter:
    """Appends records; a record that cannot be written in full is taken back."""

    def __init__(self, path: Path, header: JournalHeader) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self._size = 0
        body = msgspec.msgpack.encode(header, enc_hook=plain)
        self._append(b"H", body)
        self._append(b"H", body)        # a second copy: one flipped bit must not cost an episode

    def rows(
        self, stream: int, first_row: int, count: int, rows: bytes,
        placements: Sequence[tuple[Placement, ...]] = (),
    ) -> None:
        """Append rows of a stream and where their pictures lie."""
        placed = b"".join(_PLACEMENT.pack(*one) for row in placements for one in row)
        self._append(b"R", _ROWS.pack(stream, first_row, count), rows, placed)

    def event(self, event: Event) -> None:
        """Append an event."""
        self._append(b"E", msgspec.msgpack.encode(event, enc_hook=plain))

    def end(self, record: EndRecord) -> None:
        """Append the end mark."""
        self._append(b"Z", msgspec.msgpack.encode(record))

    def sync(self) -> None:
        """Wait until everything appended so far is on the disk."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Close the file, which stays."""
        os.close(self._file)

    def _append(self, *body: bytes) -> None:
        length = sum(len(part) for part in body)
        crc = google_crc32c.value(_LENGTH.pack(length))
        for part in body:
            crc = google_crc32c.extend(crc, part)
        try:
            self._size += write_all(self._file, [_PREFIX.pack(MAGIC, length, crc), *body])
        except OSError:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise


class JournalReader:
    """Reads the records that are whole, as often as wanted.

    Attributes:
        header: what the episode is, and how to understand its rows.
        damage: empty, or one sentence about where and how the journal breaks off; known after
            the records have been read once.
        records_lost: how many records seem to stand behind the damage.

    Raises:
        DamagedJournal: if neither copy of the header can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = ""
        self.records_lost = 0
        with path.open("rb") as file:
            self.size = os.fstat(file.fileno()).st_size
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self.size else b""
        try:
            self.header, self._first = self._read_header()
        except DamagedJournal:
            self.close()
            raise
        self._dtypes = [stream.row_dtype for stream in self.header.header.streams]
        self._images = [len(stream.images) for stream in self.header.header.streams]

    def __iter__(self) -> Iterator[Record]:
        """All whole records behind the header, in order."""
        at = self._first
        while at < self.size:
            body, end = self._body(at)
            if body is None:
                self._note_damage(at)
                return
            kind, rest = body[:1], body[1:]
            if kind == b"R":
                yield self._decode_rows(rest)
            elif kind == b"E":
                yield msgspec.msgpack.decode(rest)
            elif kind == b"Z":
                yield msgspec.msgpack.decode(rest, type=EndRecord)
            at = end

    def close(self) -> None:
        """Let go of the file."""
        if isinstance(self._map, mmap.mmap):
            self._map.close()

    def _read_header(self) -> tuple[JournalHeader, int]:
        # The two copies have the same length, so that either finds the other.
        first, first_end = self._body(0)
        if first is not None:
            second, second_end = self._body(first_end)
            start = second_end if second is not None and second[:1] == b"H" else first_end
            if second is None and first_end < self.size:
                twin_end = 2 * first_end
                start = twin_end if twin_end <= self.size else self.size
            return self._decode_header(first), start
        twin = self._map.find(MAGIC, 1)
        while twin > 0:
            second, second_end = self._body(twin)
            if second is not None and second[:1] == b"H":
                return self._decode_header(second), second_end
            twin = self._map.find(MAGIC, twin + 1)
        raise DamagedJournal(
            f"the journal {self.path} has no readable header ({self.size} bytes): the episode was "
            f"killed as it began, or the disk is damaged; nothing can be restored from it")

    def _decode_header(self, body: bytes) -> JournalHeader:
        try:
            return msgspec.msgpack.decode(body[1:], type=JournalHeader)
        except msgspec.DecodeError as error:
            raise DamagedJournal(f"the journal {self.path} has a header of an unknown form "
                                 f"({error}): was it written by a newer version?") from error

    def _body(self, at: int) -> tuple[bytes | None, int]:
        """A record's body and where the next begins; None if it is not whole."""
        if at + _PREFIX.size > self.size:
            return None, at
        magic, length, crc = _PREFIX.unpack_from(self._map, at)
        start = at + _PREFIX.size
        if magic != MAGIC or length == 0 or start + length > self.size:
            return None, at
        body = bytes(self._map[start:start + length])
        if google_crc32c.extend(google_crc32c.value(_LENGTH.pack(length)), body) != crc:
            return None, at
        return body, start + length

    def _decode_rows(self, rest: bytes) -> RowsRecord:
        stream, first_row, count = _ROWS.unpack_from(rest)
        dtype = self._dtypes[stream]
        at = _ROWS.size
        rows = np.frombuffer(rest, dtype, count, at)
        at += count * dtype.itemsize
        flat = [Placement(*fields) for fields in _PLACEMENT.iter_unpack(rest[at:])]
        width = self._images[stream]
        placements = [tuple(flat[i * width:(i + 1) * width]) for i in range(count)] if width else []
        return RowsRecord(stream, first_row, rows, placements)

    def _note_damage(self, at: int) -> None:
        tail = self._map[at + 1:]
        self.records_lost = 1 + tail.count(MAGIC)
        self.damage = (f"the journal {self.path.name} breaks off at byte {at} of {self.size}: "
                       f"about {self.records_lost} records cannot be read")

"""The one file that readers trust: facts about episodes, one checksummed line each.

It knows how a fact becomes a line, how lines become a list of episodes, and that a fact counts only
when it is on the disk. It does not know where episodes lie or how they are recorded.
"""

import os
from pathlib import Path

import google_crc32c
import msgspec

from recorders.episode import EpisodeSummary, Label
from recorders.files import means_full, write_all
from recorders.store_errors import DiskFull, StoreError


class Commit(msgspec.Struct, frozen=True, kw_only=True, tag="commit", tag_field="op"):
    """The episode exists."""

    episode: str
    wall_ns: int
    summary: EpisodeSummary


class Labelled(msgspec.Struct, frozen=True, kw_only=True, tag="label", tag_field="op"):
    """Somebody judged the episode."""

    episode: str
    wall_ns: int
    by: str
    label: Label
    note: str


class Relabelled(msgspec.Struct, frozen=True, kw_only=True, tag="relabel", tag_field="op"):
    """Somebody said what was really done; None leaves a value as it is."""

    episode: str
    wall_ns: int
    by: str
    task: str | None
    instruction: str | None


class Trashed(msgspec.Struct, frozen=True, kw_only=True, tag="trash", tag_field="op"):
    """The episode is put away."""

    episode: str
    wall_ns: int
    by: str


class Restored(msgspec.Struct, frozen=True, kw_only=True, tag="restore", tag_field="op"):
    """The episode is back."""

    episode: str
    wall_ns: int
    by: str


class Recovered(msgspec.Struct, frozen=True, kw_only=True, tag="recovered", tag_field="op"):
    """What was found of an interrupted episode."""

    episode: str
    wall_ns: int
    kept: bool
    rows: int
    lost: int


Fact = Commit | Labelled | Relabelled | Trashed | Restored | Recovered

_decoder = msgspec.json.Decoder(Fact)
_CRC_MEMBER = b',"crc":"'
_TAIL_BYTES = len(_CRC_MEMBER) + 8 + len(b'"}')


class DamagedLine(ValueError):
    """A line of the log that cannot be believed."""


class LogProblem(msgspec.Struct, frozen=True):
    """A line that was skipped."""

    line: int
    what: str


def encode_fact(fact: Fact) -> bytes:
    """A fact as its line, with checksum and line break."""
    body = msgspec.json.encode(fact)
    return body[:-1] + _CRC_MEMBER + b'%08x"}\n' % google_crc32c.value(body)


def decode_line(line: bytes) -> Fact:
    """The fact that a line states, with or without its line break.

    Raises:
        DamagedLine: if the checksum is wrong, or the fact is of an unknown kind.
    """
    line = line.rstrip(b"\n")
    body = line[:-_TAIL_BYTES] + b"}"
    tail = line[-_TAIL_BYTES:]
    if not tail.startswith(_CRC_MEMBER) or tail[-10:-2] != b"%08x" % google_crc32c.value(body):
        raise DamagedLine("its checksum is wrong: it was changed after it was written")
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise DamagedLine(f"it says something unknown ({error})") from error


def apply_fact(episodes: dict[str, EpisodeSummary], fact: Fact) -> bool:
    """Bring a table of episodes up to date; returns False if the fact's episode is unknown."""
    if isinstance(fact, Commit):
        episodes[fact.episode] = fact.summary
        return True
    if isinstance(fact, Recovered):     # a report; what it led to has its own line
        return True
    known = episodes.get(fact.episode)
    if known is None:
        return False
    if isinstance(fact, Labelled):
        changed = msgspec.structs.replace(known, label=fact.label, label_by=fact.by, note=fact.note)
    elif isinstance(fact, Relabelled):
        changed = msgspec.structs.replace(
            known, task=known.task if fact.task is None else fact.task,
            instruction=known.instruction if fact.instruction is None else fact.instruction)
    else:
        changed = msgspec.structs.replace(known, trashed=isinstance(fact, Trashed))
    episodes[fact.episode] = changed
    return True


class CommitLog:
    """The log of a store, read as it grows.

    Attributes:
        episodes: by id, in the order in which they were committed; trashed ones included.
        problems: the lines that were skipped.
        lines: how many were read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.episodes: dict[str, EpisodeSummary] = {}
        self.problems: list[LogProblem] = []
        self._read_bytes = 0
        self.lines = 0
        self.refresh()

    def refresh(self) -> None:
        """Read the whole lines that were added since the last call."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size == self._read_bytes:
                    return
                file.seek(self._read_bytes)
                added = file.read()
        except FileNotFoundError:
            return
        whole = added[:added.rfind(b"\n") + 1]
        for line in whole.split(b"\n")[:-1]:
            self.lines += 1
            try:
                known = apply_fact(self.episodes, decode_line(line))
            except DamagedLine as damage:
                self.problems.append(LogProblem(self.lines, str(damage)))
                continue
            if not known:
                self.problems.append(LogProblem(
                    self.lines, "it speaks of an episode that no line before it commits"))
        self._read_bytes += len(whole)

    def cut_torn_line(self) -> None:
        """Remove what a crash left behind the last whole line, so that appending is safe."""
        self.refresh()
        if self.path.exists() and self.path.stat().st_size > self._read_bytes:
            os.truncate(self.path, self._read_bytes)

    def append(self, *facts: Fact) -> None:
        """State facts; they are on the disk when this returns.

        Raises:
            DiskFull: if there is no room; then nothing has been stated.
        """
        self.refresh()
        lines = b"".join(encode_fact(fact) for fact in facts)
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            try:
                write_all(file, [lines])
                os.fsync(file)
            except OSError as error:
                os.ftruncate(file, self._read_bytes)
                if means_full(error):
                    raise DiskFull(f"no room left for a line in {self.path}: free some space "
                                   f"and try again") from error
                raise StoreError(f"cannot write {self.path}: {error.strerror}") from error
        finally:
            os.close(file)
        self.refresh()

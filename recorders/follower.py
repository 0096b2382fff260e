"""What happened in a store since somebody last looked, while a recorder goes on writing to it.

A trainer or a console asks again and again; each question reads only what the commit log grew by.
It knows the log, not the recordings; it holds no lock, starts no thread and never waits.
"""

from pathlib import Path
from typing import Literal

import msgspec

from recorders.commit_log import (
    Commit,
    DamagedLine,
    Fact,
    Labelled,
    LogProblem,
    Relabelled,
    Restored,
    Trashed,
    apply_fact,
    decode_line,
)
from recorders.episode import EpisodeSummary
from recorders.store_description import require_store
from recorders.store_errors import StoreError
from recorders.store_folders import StoreFolders

ChangeKind = Literal["committed", "labelled", "relabelled", "trashed", "restored"]


class Change(msgspec.Struct, frozen=True):
    """Something that was said about an episode.

    Attributes:
        kind: what happened; an episode that was discarded while recording is "trashed" at once.
        summary: the episode as it stands after this change.
        path: the episode's Zarr group; in the trash for a trashed one.
    """

    kind: ChangeKind
    summary: EpisodeSummary
    path: Path


class StoreFollower:
    """Follows a growing store.

    Attributes:
        problems: the lines of the log that could not be believed and were skipped.
    """

    def __init__(self, path: Path | str) -> None:
        """Begin before the first line: the first `poll` tells all that ever happened.

        Raises:
            NotAStore: if there is no store.
            UnknownFormat: if this version cannot read it.
        """
        self._folders = StoreFolders(Path(path))
        require_store(self._folders)
        self._episodes: dict[str, EpisodeSummary] = {}
        self._read_bytes = 0
        self._lines = 0
        self.problems: list[LogProblem] = []

    def poll(self) -> list[Change]:
        """The changes since the last call, oldest first; a line being written waits.

        Raises:
            StoreError: if the log became shorter: the store was replaced, so what was told before
                may be untrue.
        """
        changes = []
        for line in self._new_lines():
            self._lines += 1
            try:
                fact = decode_line(line)
            except DamagedLine as damage:
                self.problems.append(LogProblem(self._lines, str(damage)))
                continue
            if not apply_fact(self._episodes, fact):
                self.problems.append(LogProblem(
                    self._lines, f"it speaks of the unknown episode {fact.episode}"))
            elif kind := _kind(fact):
                summary = self._episodes[fact.episode]
                home = self._folders.home(summary.episode, summary.trashed)
                changes.append(Change(kind, summary, home))
        return changes

    def _new_lines(self) -> list[bytes]:
        try:
            with self._folders.commits.open("rb") as log:
                log.seek(self._read_bytes)
                added = log.read()
                size = log.seek(0, 2)
        except FileNotFoundError:
            added, size = b"", 0
        if size < self._read_bytes:
            raise StoreError(f"{self._folders.commits} became shorter: the store was replaced "
                             f"while it was followed; start again")
        whole = added[:added.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        return whole.split(b"\n")[:-1]


def _kind(fact: Fact) -> ChangeKind | None:
    match fact:
        case Commit():
            return "trashed" if fact.summary.trashed else "committed"
        case Labelled():
            return "labelled"
        case Relabelled():
            return "relabelled"
        case Trashed():
            return "trashed"
        case Restored():
            return "restored"
    return None         # a report of recovery; what it led to has its own line

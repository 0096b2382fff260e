"""The demonstration store: episodes in a folder, safe to write and plain to read.

    with DemoStore.open("datasets/mydata", write=True, create=True) as store:
        writer = store.begin(header)
        writer.append(batch)
        summary = writer.commit(ended_mono_ns, detector="success")

This is the façade: it finds episodes and says who may write. How an episode is written is
EpisodeWriter's business, what a crash leaves is recovery's, what people say about an episode later
is in labels_and_trash.py; FORMAT.md has the format.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from recorders.clock import Clock, SystemClock
from recorders.commit_log import CommitLog
from recorders.episode import EpisodeHeader, EpisodeSummary, Label, require_recordable
from recorders.episode_finder import find_episode
from recorders.episode_writer import EpisodeWriter
from recorders.interrupted import Interrupted, find_interrupted, journals_in, look_into
from recorders.journal import JournalHeader
from recorders.labels_and_trash import (
    label_episode,
    relabel_episode,
    require_label,
    restore_episode,
    trash_episode,
)
from recorders.recovery import RecoveryReport, put_in_order, recover
from recorders.robot_models import keep_model
from recorders.space import RESERVE_BYTES, Lost, free_bytes, is_locked, what_became
from recorders.store_check import Problem, check_episode, check_store
from recorders.store_copy import copy_episodes
from recorders.store_description import cannot_write, create_store, require_store
from recorders.store_errors import (
    DamagedJournal,
    DiskFull,
    NoSuchEpisode,
    NotAStore,
    StoreError,
    StoreLocked,
    StoreReadOnly,
    UnknownFormat,
)
from recorders.store_folders import StoreFolders
from recorders.store_hands import StoreHands, take_hands

__all__ = [
    "DamagedJournal", "DemoStore", "DiskFull", "NoSuchEpisode", "NotAStore", "Problem",
    "StoreError", "StoreLocked", "StoreReadOnly", "UnknownFormat",
]

class DemoStore:
    """A store that was opened. Use `DemoStore.open`.

    Attributes:
        path: its folder.
        unfinished: why committed episodes still need their journals; empty as a rule.
    """

    def __init__(self, folders: StoreFolders, clock: Clock, hands: StoreHands | None) -> None:
        self.path = folders.root
        self.unfinished: tuple[str, ...] = ()
        self._folders = folders
        self._clock = clock
        self._hands = hands
        self._log = hands.log if hands else CommitLog(folders.commits)
        self._writer: EpisodeWriter | None = None

    @classmethod
    def open(
        cls, path: str | Path, write: bool = False, create: bool = False,
        clock: Clock | None = None, reserve_bytes: int = RESERVE_BYTES,
    ) -> Self:
        """Open a store.

        Args:
            path: its folder.
            write: take the lock, finish what a crash left unfinished, allow changes.
            create: make a store if there is none.
            clock: for the wall times in the log; the system's by default.
            reserve_bytes: how much space is kept free for closing an episode on a full disk.

        Raises:
            NotAStore, UnknownFormat, StoreLocked, StoreReadOnly: as their messages say.
        """
        clock = clock or SystemClock()
        folders = StoreFolders(Path(path))
        try:
            if create and not folders.description.exists():
                create_store(folders, clock)
            require_store(folders)
            if not write:
                return cls(folders, clock, None)
            with ExitStack() as undo:
                hands = take_hands(folders, clock, reserve_bytes)
                undo.callback(hands.let_go)
                store = cls(folders, clock, hands)
                store.unfinished = put_in_order(hands)
                undo.pop_all()
            return store
        except OSError as error:
            raise cannot_write(folders.root, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store. An episode that is still open counts as interrupted."""
        hands, self._hands = self._hands, None
        if hands is None:
            return
        if self._writer is not None:
            self._writer.abandon()
        hands.let_go()

    # Reading

    @property
    def changes(self) -> int:
        """Lines of the log as far as it was read: everything that is said adds one."""
        return self._log.lines

    def episodes(self, include_trashed: bool = False) -> list[EpisodeSummary]:
        """All episodes in the order in which they were committed, as the log tells."""
        self._log.refresh()
        return [one for one in self._log.episodes.values() if include_trashed or not one.trashed]

    def episode(self, which: str | int) -> EpisodeSummary:
        """Find an episode.

        Args:
            which: its id, the beginning of its id if that is unique, or its number in
                `episodes()` (-1 is the last).

        Raises:
            NoSuchEpisode: naming the valid ids.
        """
        self._log.refresh()
        return find_episode(self._log.episodes, which, self.path)

    def episode_path(self, which: str | int) -> Path:
        """The folder of an episode's Zarr group; in the trash, if the episode is."""
        found = self.episode(which)
        return self._folders.home(found.episode, found.trashed)

    def instruction_of(self, which: str | int) -> str:
        """An episode's instruction as it stands now."""
        return self.episode(which).instruction

    def model_path(self, prefix: str) -> Path:
        """The MJCF file that an episode's attribute `model` names."""
        return self._folders.model(prefix)

    def free_bytes(self) -> int:
        """How much room is left on the store's disk, the reserve not counted."""
        return free_bytes(self.path)

    @property
    def lost(self) -> Lost:
        """What became of the folder since it was opened; empty as a rule. Tells writers only."""
        return self._hands.lock.lost() if self._hands else ""

    def obstacle(self) -> str:
        """Why no episode can be begun now, and what to do; empty if one can be."""
        hands = self._require_hands()
        try:
            return what_became(self.path, self.lost) or hands.reserve.lacking()
        except OSError as error:
            return str(cannot_write(self.path, error))

    def catch_up(self) -> None:
        """Do what waited while the folder was away."""
        self._require_hands().finisher.try_again()

    def interrupted(self) -> list[Interrupted]:
        """Episodes that were begun and neither committed nor discarded; the open one left out."""
        self._log.refresh()
        own = self._writer.header.episode if self._writer and self._writer.open else None
        being_recorded = self._hands is None and is_locked(self._folders.lock)
        return [look_into(self._folders.journal(episode), being_recorded)
                for episode in journals_in(self._folders)
                if episode not in self._log.episodes and episode != own]

    def check(
        self, deep: bool = True, progress: Callable[[int, int], None] | None = None,
        only: str = "",
    ) -> list[Problem]:
        """Look for everything that is not as FORMAT.md says.

        Args:
            deep: also check every checksum, which reads every byte.
            progress: called with how many of how many episodes were looked at.
            only: an episode; then nothing else of the store is looked at.
        """
        if only:
            return check_episode(self._folders, self.episode(only), deep)
        if self._hands is not None:
            self._hands.finisher.drain()
        self._log.refresh()
        if self._hands is None and is_locked(self._folders.lock):
            interrupted, unfinished = [], []        # its writer is at work on them
        else:
            interrupted = self.interrupted()
            unfinished = [one for one in journals_in(self._folders)
                          if one in self._log.episodes]
        return check_store(self._folders, self._log, interrupted, unfinished, deep, progress)

    # Writing

    def begin(self, header: EpisodeHeader) -> EpisodeWriter:
        """Begin an episode.

        Raises:
            StoreError: if the header cannot be stored, or another episode is open.
            DiskFull: if there is no room even for the reserve.
        """
        hands = self._require_hands()
        require_recordable(header)
        if self._writer is not None and self._writer.open:
            raise StoreError(f"episode {self._writer.header.episode} is still open: commit or "
                             f"discard it before beginning another")
        if header.episode in self._log.episodes or self._folders.journal(header.episode).exists():
            raise StoreError(f"there is an episode {header.episode} already: use a new id")
        try:
            hands.reserve.require()
            model = keep_model(self._folders, header.model_xml)
            plain_header = msgspec.structs.replace(header, model_xml="")
            self._writer = EpisodeWriter(hands, JournalHeader(plain_header, model))
        except OSError as error:
            raise cannot_write(self.path, error) from error
        return self._writer

    def label(self, which: str | int, label: Label, note: str = "", by: str = "") -> EpisodeSummary:
        """Judge an episode: `success`, `failure`, `partial` or `unlabelled`."""
        require_label(label)
        episode = self.episode(which).episode
        return label_episode(self._require_hands(), episode, label, note, by)

    def relabel(
        self, which: str | int, task: str | None = None, instruction: str | None = None,
        by: str = "",
    ) -> EpisodeSummary:
        """Say which task was really done, or how it should be asked for; nothing is rewritten."""
        if task is None and instruction is None:
            raise StoreError("nothing to relabel: give a task, an instruction, or both")
        episode = self.episode(which).episode
        return relabel_episode(self._require_hands(), episode, task, instruction, by)

    def trash(self, which: str | int, by: str = "") -> EpisodeSummary:
        """Put an episode away; `restore` brings it back."""
        found = self.episode(which)
        return found if found.trashed else trash_episode(self._require_hands(), found, by)

    def restore(self, which: str | int, by: str = "") -> EpisodeSummary:
        """Bring an episode back from the trash."""
        found = self.episode(which)
        return restore_episode(self._require_hands(), found, by) if found.trashed else found

    def recover(self, episode: str, keep: bool = True) -> RecoveryReport:
        """Keep or discard an interrupted episode.

        Raises:
            NoSuchEpisode: if it is not among `interrupted()`.
        """
        hands = self._require_hands()
        chosen = find_interrupted(self.interrupted(), episode, self.path)
        try:
            return recover(hands, chosen, keep)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def copy_to(self, path: str | Path, which: Iterable[str | int]) -> list[EpisodeSummary]:
        """Copy episodes, with what has been said about them since, into another store.

        Args:
            path: the other store's folder; it is made if it does not exist.
            which: the episodes; all are looked up before anything is copied.
        """
        chosen = [self.episode(one) for one in which]
        if self._hands is not None:
            self._hands.finisher.drain()
        with DemoStore.open(path, write=True, create=True, clock=self._clock) as other:
            hands = other._require_hands()
            try:
                copy_episodes(self._folders, hands, chosen)
            except OSError as error:
                raise cannot_write(other.path, error) from error
            return [other.episode(one.episode) for one in chosen]

    def _require_hands(self) -> StoreHands:
        if self._hands is None:
            raise StoreReadOnly(f"{self.path} is open for reading only, or closed: open it with "
                                f"write=True")
        return self._hands

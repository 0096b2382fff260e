"""The store as the web desk sees it: a list that grows, episodes to look into, things to say.

Reading never needs the lock. What is said of an episode goes to the desk if one is running on this
store (its recorder holds the lock), else the store is opened for writing for that moment. A store
that vanishes is an ordinary event. Safe to use from threads. Knows stores; refuses to know pages.
"""

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from recorders.array_layout import DamagedRecording, UnknownLayout
from recorders.clock import NS_PER_S
from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.interrupted import journals_in, look_into
from recorders.quality import Quality, assess, read_ticks
from recorders.space import is_locked
from recorders.store import DemoStore
from recorders.store_errors import NoSuchEpisode, NotAStore, StoreError
from recorders.store_folders import StoreFolders
from recorders.trim import propose_trim
from studio.station.commands import AboutEpisode, Reply
from studio.station.recording.closed_episodes import carry_out, refusal_of
from studio.views.episode_rows import EpisodeRow, rows_of, who_drove
from studio.views.interrupted import InterruptedRow, interrupted_rows
from studio.views.player import CURVE_POINTS, Mark, PlayerView, mark_of

BY = "web desk"
PICTURE = "rgb"
OPEN_EPISODES = 8       # looked into at once: a page of thumbnails opens and drops the others
UNREADABLE = (DamagedRecording, UnknownLayout, StoreError, OSError, KeyError, ValueError)


class Shelf(msgspec.Struct, frozen=True):
    """What the list is made of.

    Attributes:
        rows: all episodes in the order of recording, trashed ones included.
        revision: another number whenever anything changed.
        trouble: why the list is old or empty; empty if it is neither.
    """

    rows: tuple[EpisodeRow, ...] = ()
    revision: int = 0
    trouble: str = ""


class Library:
    """One store.

    Args:
        path: its folder; empty for none.
        ask: hands something said of an episode to the desk; None where none is running.
    """

    def __init__(self, path: str, ask: Callable[[AboutEpisode], Reply] | None = None) -> None:
        self.path = path
        self._ask = ask
        self._lock = threading.Lock()
        self._store: DemoStore | None = None
        self._opened = False
        self._shelf = Shelf()
        self._reader = lru_cache(OPEN_EPISODES)(EpisodeReader)
        self._drivers: dict[str, str] = {}
        self._quality = lru_cache(256)(self._assess)
        self._journal = lru_cache(64)(lambda path, _size: look_into(path, being_recorded=False))

    def revision(self) -> int:
        """Another number whenever something was said of an episode; costs one look at a file."""
        try:
            return StoreFolders(Path(self.path)).commits.stat().st_size if self.path else 0
        except OSError:
            return -1

    def shelf(self) -> Shelf:
        """The list as it is now; never raises."""
        with self._lock:
            revision = self.revision()
            if revision != self._shelf.revision or self._store is None:
                self._shelf = self._read(revision)
            return self._shelf

    def interrupted(self, waiting: Sequence[str] | None) -> tuple[InterruptedRow, ...]:
        """The episodes that are to be kept or discarded; never raises.

        Args:
            waiting: their ids, as the recorder says them; None looks for them where nobody records.
        """
        folders = StoreFolders(Path(self.path))
        try:
            if waiting is None:
                known = {row.episode for row in self.shelf().rows}
                ours = self.path and not is_locked(folders.lock)
                waiting = [one for one in journals_in(folders) if one not in known] if ours else ()
            journals = [folders.journal(one) for one in waiting]
            return interrupted_rows(self._journal(journal, journal.stat().st_size)
                                    for journal in journals if journal.exists())
        except OSError:
            return ()

    def summary(self, episode: str) -> EpisodeSummary:
        """What is known of an episode.

        Raises:
            StoreError: there is no such episode, or no store.
        """
        with self._lock:
            if self._store is None:
                raise NotAStore(self._shelf.trouble or "no store is open")
            return self._store.episode(episode)

    def reader(self, episode: str) -> EpisodeReader:
        """An episode opened for reading.

        Raises:
            StoreError, DamagedRecording, OSError: as their messages say.
        """
        found = self.summary(episode)
        if found.episode != episode:
            raise NoSuchEpisode(f"there is no episode {episode}")
        return self._reader(StoreFolders(Path(self.path)).home(found.episode, found.trashed))

    def quality(self, episode: str) -> Quality | None:
        """What `assess` finds; None where the episode cannot be opened."""
        try:
            return self._quality(episode)
        except UNREADABLE:
            return None

    def player(self, episode: str) -> PlayerView:
        """What a player needs; never raises, a damaged episode says so."""
        try:
            return _player(self.reader(episode))
        except UNREADABLE as error:
            return PlayerView(episode=episode, length_s=0.0, cameras={}, trouble=str(error))

    def with_drivers(self, rows: Sequence[EpisodeRow]) -> list[EpisodeRow]:
        """The same rows, with who drove each; reads a column of each that was not read before."""
        return [msgspec.structs.replace(row, driver=self._driver(row)) for row in rows]

    def say(self, about: AboutEpisode) -> Reply:
        """Say something of a closed episode; accepted, or refused with a reason."""
        if self._ask is not None:
            return self._ask(about)
        if reason := refusal_of(about):
            return Reply(False, reason)
        try:
            with DemoStore.open(self.path, write=True) as store:
                carry_out(store, about, BY)
        except (StoreError, OSError) as error:
            return Reply(False, str(error))
        return Reply(True)

    def _read(self, revision: int) -> Shelf:
        if not self.path:
            return Shelf(trouble="No store is open: start with `--store FOLDER`")
        try:
            if revision < 0 and self._opened:
                self._store = None          # whatever comes back is read anew
                raise NotAStore(f"{self.path} is gone: bring it back, or open another store")
            if self._store is None:
                self._store, self._opened = DemoStore.open(self.path), True
            rows = rows_of(self._store.episodes(include_trashed=True))
        except (StoreError, OSError) as error:
            return Shelf(self._shelf.rows, revision, str(error))
        return Shelf(rows, revision)

    def _driver(self, row: EpisodeRow) -> str:
        if row.episode not in self._drivers:
            try:
                drove = who_drove(self.reader(row.episode)["tick"].column("owner"))
            except UNREADABLE:
                return "–"
            # Whoever looks is not who drove: the operator has a name, or is a person.
            self._drivers[row.episode] = drove.replace("You", row.operator or "Person")
        return self._drivers[row.episode]

    def _assess(self, episode: str) -> Quality:
        return assess(self.reader(episode))


def cameras_of(reader: EpisodeReader) -> tuple[str, ...]:
    """The streams with colour pictures."""
    return tuple(name for name, stream in reader.streams.items() if PICTURE in stream.image_names)


def _player(reader: EpisodeReader) -> PlayerView:
    begun_ns = reader.attrs["started_mono_ns"]
    trouble: list[str] = []
    times: dict[str, tuple[float, ...]] = {}
    for camera in cameras_of(reader):
        try:
            seconds = (reader[camera].stamps_ns - begun_ns) / NS_PER_S
            times[camera] = tuple(seconds.round(3).tolist())
        except UNREADABLE as error:
            trouble.append(str(error))
    view = PlayerView(
        episode=reader.episode, length_s=reader.duration_s, cameras=times,
        marks=_marks(reader.events, begun_ns), trouble="; ".join(trouble))
    try:
        ticks = read_ticks(reader)
    except UNREADABLE as error:
        return msgspec.structs.replace(view, trouble="; ".join([*trouble, str(error)]))
    if not len(ticks.speed):
        return view
    step = max(1, len(ticks.speed) // CURVE_POINTS)
    whole = len(ticks.speed) // step * step
    curve = ticks.speed[:whole].reshape(-1, step).max(axis=1).clip(0.0, 1.0)
    return msgspec.structs.replace(view, speed=tuple(curve.round(3).tolist()),
                                   trim=propose_trim(ticks.stamps_ns, ticks.speed))


def _marks(events: list[dict], begun_ns: int) -> tuple[Mark, ...]:
    return tuple(mark_of((event["t_mono_ns"] - begun_ns) / NS_PER_S, event) for event in events)

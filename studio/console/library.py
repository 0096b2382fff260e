"""The store as the list of episodes needs it, read in a thread so that no frame waits for a disk.

Reads only; what is changed goes to the station as commands. A store that vanishes is a line to be
shown, and is looked for again. Knows the store; refuses to know how it is drawn.
"""

import threading
from pathlib import Path

import msgspec
import numpy as np

from recorders.array_layout import DamagedRecording, UnknownLayout
from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.images import UnreadablePicture
from recorders.interrupted import Interrupted, look_into
from recorders.reduced_pictures import picture_for
from recorders.store import DemoStore, StoreError
from recorders.store_folders import StoreFolders
from studio.views.chunk_timeline import Chunk, cut_chunks
from studio.views.episode_rows import who_drove

THUMB = (72, 54)            # width, height in pixels
NEWEST = 60                 # episodes that get a thumbnail; the web console pages through all
LOOK_S = 2.0                # between two looks whether the store is still there
STEP_S, HORIZON = 0.1, 16   # of chunks that are cut from a recording, as our policies say them


class Listing(msgspec.Struct, frozen=True):
    """What the store held when somebody last looked."""

    summaries: tuple[EpisodeSummary, ...] = ()
    drivers: dict[str, str] = {}
    interrupted: tuple[Interrupted, ...] = ()
    problem: str = ""


class Library:
    """Reads a store in a thread.

    Attributes:
        listing: the newest.
        read: whether the store was looked at yet.
        thumbs: episode -> (h, w, 3) picture, 0..1.
        chunks: the episode asked for by `cut`, and its chunks.
        news: set when something of these is new; the window clears it.
    """

    def __init__(self) -> None:
        self.listing = Listing()
        self.read = False
        self.thumbs: dict[str, np.ndarray] = {}
        self.chunks: tuple[str, tuple[Chunk, ...]] = ("", ())
        self.news = threading.Event()
        self._wake, self._ending = threading.Event(), threading.Event()
        self._listed = Path()
        self._wanted: tuple[str, int, tuple[str, ...]] = ("", 0, ())
        self._cut = ""
        self._thread = threading.Thread(target=self._run, name="library", daemon=True)
        self._thread.start()

    def follow(self, store: str, changes: int, interrupted: tuple[str, ...] = ()) -> None:
        """Look again if the store or what the recorder says of it is new. Never waits.

        Args:
            store: its folder; empty for none.
            changes: lines of its log.
            interrupted: ids of the episodes that are to be kept or discarded.
        """
        if store != self._wanted[0]:
            self.listing, self.read = Listing(), False
        if (store, changes, interrupted) != self._wanted:
            self._wanted = (store, changes, interrupted)
            self._wake.set()

    def look_again(self) -> None:
        """Look again now."""
        self._wake.set()

    def cut(self, episode: str) -> None:
        """Read an episode's command as action chunks."""
        if episode != self._cut:
            self._cut = episode
            self._wake.set()

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        self._wake.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while not self._ending.is_set():
            woken = self._wake.wait(timeout=LOOK_S)
            self._wake.clear()
            store = self._wanted[0]
            if self._ending.is_set() or not store:
                continue
            there = StoreFolders(Path(store)).description.exists()
            if woken or there == bool(self.listing.problem):
                self._read(Path(store))

    def _read(self, path: Path) -> None:
        try:
            store = DemoStore.open(path)
            summaries = tuple(store.episodes(include_trashed=True))
            self._listed = path
            self._tell(Listing(summaries, dict(self.listing.drivers), self._interrupted(path)))
            self._cut_chunks(store)
            for summary in reversed(summaries[-NEWEST:]):
                if self._ending.is_set() or self._wake.is_set():
                    return
                if summary.episode not in self.thumbs:
                    self._look_into(store, summary)
        except (StoreError, OSError) as error:
            known = self.listing if path == self._listed else Listing()
            self._tell(msgspec.structs.replace(known, problem=str(error)))

    def _interrupted(self, path: Path) -> tuple[Interrupted, ...]:
        known = {one.episode: one for one in self.listing.interrupted}
        journals = [StoreFolders(path).journal(one) for one in self._wanted[2]]
        return tuple(known.get(journal.stem) or look_into(journal, being_recorded=False)
                     for journal in journals if journal.exists())

    def _tell(self, listing: Listing) -> None:
        self.read = True
        self.listing = listing
        self.news.set()

    def _look_into(self, store: DemoStore, summary: EpisodeSummary) -> None:
        """Thumbnail and driver of an episode; one that cannot be read has neither."""
        picture, driver = np.zeros((THUMB[1], THUMB[0], 3), np.float32), "unreadable"
        try:
            episode = EpisodeReader(store.episode_path(summary.episode))
            driver = who_drove(episode["tick"]["owner"])
            picture = thumbnail(episode)
        except (DamagedRecording, UnknownLayout, UnreadablePicture, KeyError, OSError,
                StoreError):
            pass            # `tandem data check` says what is wrong with it
        self.thumbs[summary.episode] = picture
        self._tell(msgspec.structs.replace(
            self.listing, drivers=self.listing.drivers | {summary.episode: driver}))

    def _cut_chunks(self, store: DemoStore) -> None:
        if self._cut in ("", self.chunks[0]):
            return
        try:
            chunks = chunks_of(EpisodeReader(store.episode_path(self._cut)))
        except (DamagedRecording, UnknownLayout, KeyError, OSError, StoreError):
            chunks = ()
        self.chunks = (self._cut, chunks)
        self.news.set()


def thumbnail(episode: EpisodeReader) -> np.ndarray:
    """(h, w, 3) float32 0..1: the first camera's picture from the middle of an episode."""
    width, height = THUMB
    for stream in episode.streams.values():
        if "rgb" in stream.image_names and len(stream):
            shown = picture_for(stream.spec.images, "rgb", (height, width))
            picture = stream.images(shown)[len(stream) // 2]
            rows = np.linspace(0, picture.shape[0] - 1, height).astype(int)
            columns = np.linspace(0, picture.shape[1] - 1, width).astype(int)
            return picture[np.ix_(rows, columns)].astype(np.float32) / 255.0
    return np.zeros((height, width, 3), np.float32)


def chunks_of(episode: EpisodeReader) -> tuple[Chunk, ...]:
    """What was sent to the robot, cut as a policy would have said it."""
    tick = episode["tick"]
    robot, rate_hz = episode.attrs.get("robot", {}), tick.spec.rate_hz
    stride = max(1, round(STEP_S * rate_hz))
    sent = np.asarray(tick["sent"])[::stride]
    names = tuple(robot.get("joint_names") or [str(i + 1) for i in range(sent.shape[1])])
    lower = tuple(robot.get("lower") or sent.min(axis=0) - 0.5)
    upper = tuple(robot.get("upper") or sent.max(axis=0) + 0.5)
    kept = sent[np.isfinite(sent).all(axis=1)]
    return cut_chunks(tuple(tuple(row) for row in kept.tolist()), step_s=STEP_S, horizon=HORIZON,
                      names=names, lower=tuple(map(float, lower)), upper=tuple(map(float, upper)))

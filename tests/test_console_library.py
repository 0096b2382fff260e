"""The list of episodes reads a store that others write, that vanishes, and that may be damaged."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recorders.clock import NS_PER_S, SystemClock
from recorders.store import DemoStore
from studio.console.library import HORIZON, THUMB, Library

pytestmark = pytest.mark.alone

SAMPLE = next(path.parent for path in
              sorted((Path(__file__).parent.parent / "datasets/samples").rglob("store.json")))
PATIENCE_NS = 60 * NS_PER_S


@pytest.fixture
def library() -> Iterator[Library]:
    made = Library()
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "store"))


def until(library: Library, reached: Callable[[], bool]) -> None:
    clock = SystemClock()
    deadline_ns = clock.now_ns() + PATIENCE_NS
    while not reached():
        assert clock.now_ns() < deadline_ns, library.listing
        library.news.wait(0.1)
        library.news.clear()


def test_every_episode_gets_a_thumbnail_and_says_who_drove(library, store):
    library.follow(str(store), 0)
    known = {one.episode for one in DemoStore.open(store).episodes(include_trashed=True)}
    until(library, lambda: known == library.thumbs.keys() == library.listing.drivers.keys())
    assert {one.episode for one in library.listing.summaries} == known
    for picture in library.thumbs.values():
        assert picture.shape == (THUMB[1], THUMB[0], 3)
        assert picture.min() >= 0.0 and picture.max() <= 1.0


def test_a_label_is_seen_when_the_station_says_that_something_changed(library, store):
    library.follow(str(store), 1)
    until(library, lambda: bool(library.listing.summaries))
    episode = library.listing.summaries[0].episode
    with DemoStore.open(store, write=True) as writing:
        writing.label(episode, "partial")
    library.follow(str(store), 2)
    until(library, lambda: library.listing.summaries[0].label == "partial")


def test_a_store_that_vanishes_is_said_and_what_was_known_stays(library, store):
    library.follow(str(store), 1)
    until(library, lambda: bool(library.listing.summaries))
    before = library.listing.summaries
    shutil.rmtree(store)
    library.follow(str(store), 2)
    until(library, lambda: bool(library.listing.problem))
    assert str(store) in library.listing.problem and library.listing.summaries == before


def test_an_episode_that_cannot_be_read_is_listed_all_the_same(library, store):
    (first, *_) = DemoStore.open(store).episodes()
    (DemoStore.open(store).episode_path(first.episode) / "zarr.json").unlink()
    library.follow(str(store), 0)
    until(library, lambda: first.episode in library.listing.drivers)
    assert library.listing.drivers[first.episode] == "unreadable"


def test_a_recorded_command_comes_as_action_chunks(library, store):
    library.follow(str(store), 0)
    until(library, lambda: bool(library.listing.summaries))
    episode = library.listing.summaries[0].episode
    library.cut(episode)
    until(library, lambda: library.chunks[0] == episode)
    chunks = library.chunks[1]
    assert chunks and all(len(chunk.values) == HORIZON for chunk in chunks[:-1])
    assert len(chunks[0].names) == len(chunks[0].values[0])

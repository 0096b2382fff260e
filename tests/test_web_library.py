"""The store as the web desk shows it: it grows, is judged, may vanish, may be very long."""

import shutil
from io import BytesIO
from pathlib import Path

import pytest
from doubles.snapshots import summary
from PIL import Image

from recorders.clock import SystemClock
from recorders.commit_log import Commit, encode_fact
from recorders.store import DemoStore
from studio.station.commands import LabelEpisode, Reply, RestoreEpisode, TrashEpisode
from studio.views.pages import PAGE_ROWS
from studio.web import episode_pieces
from studio.web.jobs import Jobs
from studio.web.library import Library
from studio.web.parts import Parts, WebConfig
from studio.web.pictures import THUMB_SIZE, shrunk
from studio.web.tabs.listing import ANY, Asked, Listing

SAMPLES = Path(__file__).parent.parent / "datasets" / "samples" / "format-1"
NASTY = "<img src=x onerror=alert(1)> \u202e مرحبا 把红色方块放进盒子 " + "long " * 5000


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLES, tmp_path / "store"))


@pytest.fixture
def library(store: Path) -> Library:
    return Library(str(store))


def first(library: Library) -> str:
    return library.shelf().rows[0].episode


def test_the_list_holds_what_the_store_holds(library, store):
    with DemoStore.open(store) as opened:
        assert [row.episode for row in library.shelf().rows] == [
            one.episode for one in opened.episodes(include_trashed=True)]


def test_without_a_desk_labels_and_trash_go_into_the_store_at_once(library, store):
    episode = first(library)
    before = library.revision()
    assert library.say(LabelEpisode(episode, "partial", "almost")).accepted
    assert library.say(TrashEpisode(episode)).accepted
    assert library.revision() != before
    row = library.shelf().rows[0]
    assert (row.label, row.note, row.trashed) == ("partial", "almost", True)
    assert library.player(episode).cameras          # also in the trash it can be looked at
    assert library.say(RestoreEpisode(episode)).accepted and not library.shelf().rows[0].trashed


def test_a_refusal_says_why_and_changes_nothing(library, store):
    before = library.revision()
    assert "valid are" in library.say(LabelEpisode(first(library), "splendid")).reason
    with DemoStore.open(store, write=True):
        reply = library.say(TrashEpisode(first(library)))
        assert not reply.accepted and reply.reason
    assert library.revision() == before


def test_with_a_desk_everything_is_said_to_it(store):
    said: list[object] = []
    library = Library(str(store), lambda about: said.append(about) or Reply(True))
    library.say(TrashEpisode("20261123T001000-00000000"))
    assert said == [TrashEpisode("20261123T001000-00000000")]


def test_a_store_that_vanishes_is_said_and_the_list_stays(library, store):
    rows = library.shelf().rows
    store.rename(store.with_name("elsewhere"))
    shelf = library.shelf()
    assert "gone" in shelf.trouble and shelf.rows == rows
    assert library.shelf().trouble == shelf.trouble         # as long as it is away
    assert library.player(rows[0].episode).trouble
    assert not library.say(TrashEpisode(rows[0].episode)).accepted
    store.with_name("elsewhere").rename(store)
    assert library.shelf().trouble == ""


def test_no_store_and_no_such_store_are_sentences():
    assert "--store" in Library("").shelf().trouble
    assert "/nowhere" in Library("/nowhere").shelf().trouble


def test_a_damaged_episode_is_said_where_it_is_looked_at(library, store):
    episode = first(library)
    shutil.rmtree(store / "data.zarr" / episode / "front" / "t_mono_ns")
    shutil.rmtree(store / "data.zarr" / episode / "tick" / "t_mono_ns")
    view = library.player(episode)
    assert list(view.cameras) == ["wrist"] and "t_mono_ns" in view.trouble
    assert episode_pieces.player(view).count("notice") == 1
    assert library.with_drivers(library.shelf().rows[:1])[0].driver == "–"


def test_a_player_is_given_the_times_of_every_cameras_pictures(library):
    view = library.player(first(library))
    assert view.length_s > 0 and len(view.cameras) == 2
    for times in view.cameras.values():
        assert list(times) == sorted(times) and times[0] > -0.1 and times[-1] < view.length_s + 0.1


def test_thumbnails_are_small_whatever_the_picture_was_stored_as(library):
    reader = library.reader(first(library))
    camera = next(iter(library.player(first(library)).cameras))
    data = shrunk(reader[camera].images("rgb").encoded(0))
    with Image.open(BytesIO(data)) as picture:
        assert picture.format == "JPEG"
        assert picture.width <= THUMB_SIZE[0] and picture.height <= THUMB_SIZE[1]


def asked(**changes: object) -> Asked:
    return Asked(text="", task=ANY, label=ANY, trashed=False, page=0, picked=(), focus=""
                 )._replace(**changes)       # type: ignore[arg-type]


def listing_of(store: Path) -> Listing:
    return Listing(Parts(WebConfig(store=str(store)), SystemClock(), Jobs(SystemClock())))


def test_ten_thousand_episodes_are_listed_a_page_at_a_time_and_found_by_words(store):
    lines = b"".join(
        encode_fact(Commit(episode=one.episode, wall_ns=1, summary=one)) for number in range(10_000)
        for one in [summary(1, episode=f"20260101T{number % 240000:06d}-{number:08x}",
                            instruction=f"instruction number {number}")])
    with (store / "commits.jsonl").open("ab") as log:
        log.write(lines)
    listing = listing_of(store)
    html, words, page, *_ = listing.drawn(asked(page=3))
    assert html.count("data-episode=") == PAGE_ROWS and page == 3
    assert words.startswith("151–200 of 10,0")
    html, words, *_ = listing.drawn(asked(text="number 4321"))
    assert html.count("data-episode=") == 1 and words == "1–1 of 1"


def test_a_selection_survives_a_filter_and_forgets_what_is_gone(store):
    listing = listing_of(store)
    ids = tuple(row.episode for row in listing.rows(asked()))
    *_, picked, words = listing.drawn(asked(text="no such words", picked=(ids[0], "gone")))
    assert picked == (ids[0],) and words == "Acts on 1 selected episode"
    assert set(listing.picked(asked(picked=(ids[-1],)), ids[0], "range")) == set(ids)
    assert listing.picked(asked(picked=ids[:1]), ids[0], "toggle") == ()


def test_absurd_texts_are_shown_plainly_and_never_as_html(library):
    row = library.shelf().rows[0]
    html = episode_pieces.listing(
        [row.__class__(**{name: getattr(row, name) for name in row.__struct_fields__}
                       | {"instruction": NASTY, "task": NASTY, "driver": NASTY})], (), "", NASTY)
    assert "<img src=x" not in html and "\u202e" not in html
    assert len(html) < 20_000 and "مرحبا" in html and "把红色方块放进盒子" in html

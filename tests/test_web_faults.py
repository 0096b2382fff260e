"""Trouble as people at the page see it: on a real desk, in a real browser.

A disk that fills up, a store that is moved away, an interrupted episode, another store.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from doubles.browser import Browser, chromium, open_browser
from doubles.seat import Seat, seated
from doubles.small_disk import fill, small_disk

from recorders.clock import SystemClock
from recorders.store import DemoStore
from studio.station.commands import EndEpisode, StartEpisode
from studio.station.desk.link import OpenWeb
from studio.web.app import serving
from studio.web.jobs import Jobs
from studio.web.parts import Parts, WebConfig

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.skipif(
    not chromium(), reason="no chromium: run .ci/setup, which says why if it cannot install it")]
TASK = "push-button"


@contextmanager
def at_the_page(folder: Path, store: Path) -> Iterator[tuple[Browser, Seat]]:
    """A page on a desk that records into a store."""
    with (open_browser(folder) as browser,
          seated(task=TASK, store=str(store), stays=True, web_options={"port": 0}) as seat):
        seat.ready()
        seat.until(lambda: bool(seat.asked(OpenWeb()).value))
        browser.open(seat.asked(OpenWeb()).value)
        browser.tab("Episodes")
        yield browser, seat


def begin(seat: Seat) -> str:
    episode = seat.do(StartEpisode(TASK))
    seat.until(lambda: seat.snapshot.episode == episode and seat.snapshot.episode_s > 0.3)
    return episode


def keep(seat: Seat) -> str:
    episode = begin(seat)
    seat.do(EndEpisode("success"))
    seat.until(lambda: seat.snapshot.recorder.last_episode == episode)
    return episode


def look(browser: Browser, name: str) -> None:
    """Leave a picture where somebody asked for one."""
    if folder := os.environ.get("TANDEM_SCREENSHOTS"):
        browser.page.screenshot(path=Path(folder) / f"{name}.png")


def episodes(store: Path) -> dict[str, str]:
    return {one.episode: one.label for one in DemoStore.open(store).episodes()}


def test_a_full_disk_is_said_with_the_episode_and_is_over_when_there_is_room(
        tmp_path: Path) -> None:
    with small_disk(tmp_path, 64) as disk, at_the_page(tmp_path, disk / "store") as (browser, seat):
        keep(seat)
        cut = begin(seat)
        ballast = fill(disk)
        browser.shows("#problems .notice", "disk is full")
        browser.shows("#problems .notice", cut)
        browser.shows("#page-words", "1–2 of 2")
        look(browser, "page-disk-full")
        ballast.unlink()
        browser.page.locator("#problems .notice", has_text="disk is full").wait_for(
            state="detached")
        keep(seat)
        browser.shows("#page-words", "1–3 of 3")
        assert browser.mistakes == []


def test_a_store_that_vanishes_is_said_and_what_was_cut_short_is_kept_with_a_click(
        tmp_path: Path) -> None:
    store, away = tmp_path / "store", tmp_path / "away"
    with at_the_page(tmp_path, store) as (browser, seat):
        keep(seat)
        browser.shows("#page-words", "1–1 of 1")
        cut = begin(seat)
        store.rename(away)
        browser.shows("#problems .notice", "is not there any more")
        browser.shows("#episode-list .notice", "is gone")
        look(browser, "page-store-gone")
        away.rename(store)
        browser.shows("#interrupted", "1 episode was interrupted")
        look(browser, "page-interrupted")
        browser.page.locator(f"[data-settle=partial][data-of='{cut}']").click()
        browser.shows("#page-words", "1–2 of 2")
        browser.shows(".episode .tag", "recovered")
        browser.page.locator("#interrupted .notice").wait_for(state="detached")
        seat.until(lambda: episodes(store)[cut] == "partial")
        assert browser.mistakes == []


def test_another_store_is_refused_in_one_line_or_recorded_into(tmp_path: Path) -> None:
    store, other, taken = (tmp_path / name for name in ("store", "other", "taken"))
    taken.mkdir()
    (taken / "thesis.txt").write_text("not a store")
    with at_the_page(tmp_path, store) as (browser, seat):
        keep(seat)
        browser.shows(".store", str(store))
        browser.page.locator("#stores").click()
        for path, words in ((str(taken), "is no store"), ("~nobody-here/x", "Refused"),
                            ("\0", "Refused"), ("x" * 100_000, "Refused")):
            browser.page.locator("#store-path input, #store-path textarea").fill(path)
            browser.page.locator("#store-open").click()
            browser.shows(".toast-body", words)
            look(browser, "page-store-refused")
            for toast in browser.page.locator(".toast-close").all():
                toast.click()
            browser.page.locator(".toast-body").first.wait_for(state="detached")
        browser.page.locator("#store-path input, #store-path textarea").fill(str(other))
        browser.page.locator("#store-open").click()
        browser.shows(".store", str(other))
        browser.shows("#page-words", "None")
        seat.until(lambda: seat.snapshot.recorder.store == str(other)
                   and seat.snapshot.recorder.alive and not seat.state.busy)
        kept = keep(seat)
        browser.shows("#page-words", "1–1 of 1")
        assert episodes(other) == {kept: "success"} and len(episodes(store)) == 1
        assert browser.mistakes == []


def test_without_a_desk_an_interrupted_episode_is_discarded_and_another_store_is_shown(
        tmp_path: Path) -> None:
    store, other = tmp_path / "store", tmp_path / "other"
    from doubles.synthetic_episodes import FRONT, TICK, batch, header

    DemoStore.open(other, write=True, create=True).close()
    with DemoStore.open(store, write=True, create=True) as opened:
        writer = opened.begin(header(0, (TICK, FRONT)))
        writer.append(batch(TICK, 0, 50))
        cut = writer.header.episode
        writer.abandon()
    with (open_browser(tmp_path) as browser, Jobs(SystemClock()) as jobs,
          serving(Parts(WebConfig(store=str(store), port=0), SystemClock(), jobs)) as url):
        browser.open(url)
        browser.tab("Episodes")
        browser.shows("#interrupted", "1 episode was interrupted")
        browser.page.locator("[data-settle=discard]").click()
        browser.shows(".toast-body", "Discarded: it is in the trash")
        browser.page.locator("#interrupted .notice").wait_for(state="detached")
        with DemoStore.open(store) as opened:
            (one,) = opened.episodes(include_trashed=True)
            assert (one.episode, one.trashed) == (cut, True)
        browser.page.locator("#stores").click()
        browser.page.locator("#store-path input, #store-path textarea").fill(str(other))
        browser.page.locator("#store-open").click()
        browser.shows(".store", str(other))
    assert browser.mistakes == []

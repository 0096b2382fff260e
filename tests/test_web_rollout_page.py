"""A rollout from the page, in a real browser on a real desk: let drive, told otherwise, judged."""

from collections.abc import Callable
from pathlib import Path

import pytest
from doubles.browser import PATIENCE_MS, chromium, open_browser
from doubles.desktop import running_desk
from doubles.random_checkpoint import write_random_run
from playwright.sync_api import Page, TimeoutError, expect

from recorders.clock import NS_PER_S, SystemClock
from recorders.store import DemoStore
from studio.station.desk.client import DeskClient
from studio.station.desk.link import OpenWeb
from studio.station.messages import Mode
from studio.station.processes.endpoints import open_context

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.gl, pytest.mark.timeout(600),
              pytest.mark.skipif(not chromium(), reason="no chromium: run .ci/setup, which says "
                                                        "why if it cannot install it")]
PATIENCE_S = 120
WORDS = "put the blue cube in the bin"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a short name, because sockets lie in it."""
    return tmp_path_factory.mktemp("page")


def until(client: DeskClient, reached: Callable[[], object]) -> None:
    """Look until something is so."""
    clock = SystemClock()
    deadline_ns = clock.now_ns() + PATIENCE_S * NS_PER_S
    while not reached():
        assert clock.now_ns() < deadline_ns, f"{client.state}\n{client.snapshot}"
        client._states._socket.poll(50)
        client.look()


def click_until_said(page: Page, button: str, words: str) -> None:
    """On a busy machine a page that is just being put together may not hear a click yet."""
    for _ in range(4):
        page.locator(button).click()
        try:
            page.get_by_text(words).first.wait_for(timeout=PATIENCE_MS / 6)
            return
        except TimeoutError:
            continue
    raise AssertionError(f"{button} was clicked four times, and nobody said {words!r}")


def test_a_policy_is_let_drive_from_the_page_told_otherwise_and_judged(folder: Path):
    run, store = write_random_run(folder / "run"), folder / "store"
    with (running_desk(folder, store, "--policy", str(run)) as links, open_context() as context,
          open_browser(folder) as browser):
        client = DeskClient(context, links, SystemClock())
        until(client, lambda: client.snapshot and client.snapshot.policy
              and client.snapshot.policy.alive)
        client.ask_desk(OpenWeb(), 10.0)
        until(client, lambda: client.state and client.state.web_url)
        assert client.state is not None
        browser.open(client.state.web_url)
        browser.tab("Rollout")
        browser.shows("#policy", "version 7")
        page = browser.page
        expect(page.locator("#policy-run input")).to_have_value("run, step 7", timeout=PATIENCE_MS)

        click_until_said(page, "#rollout-start", "say that somebody is beside the arm first")
        page.get_by_label("Somebody is beside the arm").check()
        page.locator("#rollout-start").click()
        until(client, lambda: client.snapshot and client.snapshot.mode is Mode.AUTO)
        browser.shows("#lamps", "Policy")
        browser.shows("#plan", "steps to go")
        page.locator("#plan svg").first.wait_for()

        page.locator("#rollout-words input").fill(WORDS)
        page.locator("#words-now").click()
        browser.shows("#dialogue", f"Person {WORDS}")
        page.locator("#words-ask").click()
        browser.shows("#dialogue", "What are you doing?")
        page.locator("#rollout-failure").click()
        until(client, lambda: client.snapshot and client.snapshot.recorder.last_label == "failure")

        browser.tab("Train")
        browser.shows("#versions", "Drives")
        assert browser.mistakes == []
        client.close()
    with DemoStore.open(store) as kept:
        (episode,) = kept.episodes()
        assert episode.label == "failure"

"""The web desk end to end, in a real browser: with a store alone, and on a real desk."""

import gc
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import AsyncGeneratorType
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from doubles.browser import PATIENCE_MS, Browser, chromium, open_browser
from doubles.feetech_bus import write_calibration
from doubles.servo_arm_process import ServoArmProcess

from recorders.clock import SystemClock
from recorders.store import DemoStore
from studio.web.app import serving
from studio.web.jobs import Jobs
from studio.web.page import keep_listening
from studio.web.parts import Parts, WebConfig

FRAME = "document.querySelector('img[data-frame=front]')"
ROOT = Path(__file__).resolve().parent.parent
pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.gl, pytest.mark.timeout(900),
              pytest.mark.skipif(not chromium(), reason="no chromium: run .ci/setup, which says "
                                                        "why if it cannot install it")]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three demonstrations of the simulated arm."""
    store = tmp_path_factory.mktemp("recorded") / "store"
    subprocess.run([sys.executable, "-m", "studio.cli", "record", "--fast", "--headless", "--task",
                    "put-cube-in-bin", "--episodes", "3", "--to", str(store)], cwd=ROOT, check=True,
                   capture_output=True)
    return store


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "store"))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with open_browser(tmp_path) as opened:
        yield opened


@contextmanager
def web_desk(store: Path, **config: object) -> Iterator[str]:
    """A web desk without a desk, in this process."""
    with Jobs(SystemClock()) as jobs:
        told = WebConfig(store=str(store), **{"port": 0, **config})     # type: ignore[arg-type]
        with serving(Parts(told, SystemClock(), jobs)) as url:
            yield url


@contextmanager
def running_web(folder: Path, store: Path) -> Iterator[dict[str, str]]:
    """`tandem web` in a folder of its own, so that nobody's own desk is met; its addresses."""
    runtime = folder / "r"
    runtime.mkdir(mode=0o700)
    desk = subprocess.Popen(
        [sys.executable, "-m", "studio.cli", "web", "--store", str(store), "--teleop", "keyboard",
         "--port", "0", "--json"], cwd=ROOT, stdout=subprocess.PIPE,
        env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)})
    assert desk.stdout is not None
    try:
        line = desk.stdout.readline()
        assert line, "the desk did not start"
        yield json.loads(line)
    finally:
        desk.terminate()
        desk.wait(timeout=60)
        desk.stdout.close()


def labels(store: Path) -> list[tuple[str, str, bool]]:
    with DemoStore.open(store) as opened:
        return [(one.label, one.note, one.trashed) for one in opened.episodes(include_trashed=True)]


def look_through_and_judge(browser: Browser, store: Path) -> None:
    """Filter, scrub, label with a note, undo, trash, restore; in the words of the screen."""
    page = browser.page
    browser.tab("Episodes")
    browser.shows("#page-words", "1–3 of 3")
    browser.write("#filter-text", "no such words")
    browser.shows("#page-words", "None")
    browser.write("#filter-text", "")
    browser.shows("#page-words", "1–3 of 3")

    page.locator(".episode").last.click()                       # the newest stands first
    browser.shows("#selection", "Acts on episode 1")
    shown = page.locator("img[data-frame=front]")
    page.wait_for_function(f"{FRAME}.naturalWidth > 0")
    page.locator(".player [data-do=forward]").click()
    page.wait_for_function(f"{FRAME}.dataset.row === '1'")
    page.locator("[data-scrub]").fill("2.5")
    page.wait_for_function(f"Number({FRAME}.dataset.row) > 60")
    assert f"/{shown.get_attribute('data-row')}.jpg" in (shown.get_attribute("src") or "")
    browser.shows("#quality", "front")

    page.locator("#note textarea").fill("knocked the bin 碰到了盒子")
    page.locator("#label-failure").click()
    browser.shows(".episode.focus .label", "Failure")
    assert labels(store)[0] == ("failure", "knocked the bin 碰到了盒子", False)
    page.locator("#undo").click()
    browser.shows(".episode.focus .label", "Success")
    assert labels(store)[0] == ("success", "", False)

    page.locator("#trash").click()
    browser.shows("#page-words", "1–2 of 2")
    page.locator("#filter-trash input").check()
    browser.shows("#page-words", "1–1 of 1")
    page.locator("#restore").click()
    browser.shows("#page-words", "None")
    page.locator("#filter-trash input").uncheck()
    browser.shows("#page-words", "1–3 of 3")
    assert [trashed for *_, trashed in labels(store)] == [False] * 3


def test_with_a_store_alone_episodes_are_looked_through_judged_and_put_away(store, browser):
    with web_desk(store) as url:
        browser.open(url)
        browser.shows(".banner", "No desk")
        look_through_and_judge(browser, store)

        browser.page.locator("#select-all").click()
        browser.shows("#selection", "Acts on 3 selected episodes")
        browser.page.locator("#label-partial").click()
        browser.page.wait_for_function(
            "[...document.querySelectorAll('.episode .label')]"
            ".every(label => /Partial/.test(label.innerText))")
        assert [label for label, *_ in labels(store)] == ["partial"] * 3

        browser.tab("Export")
        browser.page.get_by_label("Rerun files (.rrd)").check()
        browser.page.get_by_label("All episodes").check()
        browser.page.locator("#export").click()
        browser.shows(".job", "Done")
        assert len([*(store / "rrd").glob("*.rrd")]) == 3
    browser.page.wait_for_selector(".banner:has-text('Web desk gone')")
    assert browser.hosts == {"127.0.0.1"} and browser.mistakes == []


def open_pages() -> set[int]:
    """Those that this process believes to be open."""
    return {id(one) for one in gc.get_objects()
            if type(one) is AsyncGeneratorType and one.ag_code is keep_listening.__code__}


def test_one_stream_brings_all_answers_and_a_desk_started_again_answers_the_same_page(
        store, browser, monkeypatch):
    # Gradio closes a stream without questions: a click at that moment never heard its answer.
    monkeypatch.setattr("studio.web.page.STILL_THERE_S", 0.1)
    streams: list[str] = []
    browser.page.context.on("request", lambda asked: streams.append(asked.url)
                            if "/queue/data" in asked.url else None)

    def select_and_leave() -> None:
        browser.page.locator("#select-all").click()
        browser.shows("#selection", "Acts on 3 selected episodes")
        browser.page.locator("#select-none").click()
        browser.shows("#selection", "Choose or select")

    with web_desk(store) as url:
        browser.open(url)
        browser.tab("Episodes")
        for _ in range(3):
            select_and_leave()
        assert len(streams) == 1
    browser.page.wait_for_selector(".banner:has-text('Web desk gone')")

    before = open_pages()
    with web_desk(store, port=urlsplit(url).port):
        browser.page.locator("#episode-list").wait_for(state="hidden")      # at the first tab again
        browser.tab("Episodes")
        browser.shows("#page-words", "1–3 of 3")
        select_and_leave()
        here = open_pages() - before
        assert here
        browser.page.goto("about:blank")
        for _ in range(100):
            browser.page.wait_for_timeout(100)
            if not open_pages() & here:
                return
        pytest.fail("the desk goes on listening for a page that is gone")


def test_a_password_is_asked_for_by_everything_and_lets_in(store, browser):
    with web_desk(store, password="open sesame") as url:
        for path in ("", "live/status", "viewer/", "look/style.css", "gradio_api/info"):
            assert httpx.get(url + path, trust_env=False).status_code == 401
        page = browser.page.context.browser.new_context(        # type: ignore[union-attr]
            http_credentials={"username": "ada", "password": "open sesame"}).new_page()
        page.goto(url, timeout=PATIENCE_MS)
        page.get_by_role("tab", name="Episodes").click(timeout=PATIENCE_MS)
        page.wait_for_selector(".episode", timeout=PATIENCE_MS)


def test_on_a_desk_the_arm_is_watched_judged_and_stopped_and_nobody_else_is_called(
        store, browser, tmp_path):
    with running_web(tmp_path, store) as told:
        browser.open(told["web_url"])
        browser.shows(".banner", "Idle")
        browser.page.wait_for_function(
            "[...document.querySelectorAll('img[data-camera]')]"
            ".filter(image => image.naturalWidth).length > 1")
        assert browser.page.locator(".gauge").count() > 5

        # The arm in 3-D: many colours in the middle of the viewer, where its one view in space is.
        browser.page.wait_for_selector(".viewer iframe")
        browser.page.frame_locator(".viewer iframe").locator("#said").wait_for(state="hidden")
        seen: set[int] = set()
        for _ in range(20):
            seen.add(colours_of_the_middle(browser))
            if max(seen) > 500:
                break
            browser.page.wait_for_timeout(3000)
        assert max(seen) > 500, seen

        browser.page.locator("#stop").click()
        browser.shows(".banner", "Stopped")
        browser.shows(".banner", "web desk")
        look_through_and_judge(browser, store)

        browser.tab("Devices")
        browser.shows("#devices", "Teleoperator")
        browser.page.wait_for_function(
            "document.querySelector('#teleop input').value === 'Keyboard'")
        choose_a_leader(browser, tmp_path)
    assert browser.hosts == {"127.0.0.1"} and browser.mistakes == []


def choose_a_leader(browser: Browser, folder: Path) -> None:
    """In the tab Devices, by its type and fields; a mistake is said first."""
    write_calibration(folder)
    leader, page = ServoArmProcess(folder / "l"), browser.page
    try:
        page.locator("#teleop input").click()
        page.get_by_role("option", name="Leader arm").click()
        page.locator("#leader-type input").fill("so101_leader")
        page.locator("#leader-type input").press("Enter")
        fields = page.locator("#leader-fields textarea, #leader-fields input")
        fields.fill("nonsense")
        page.locator("#use-devices").click()
        browser.shows(".toast-body", "write NAME=VALUE")
        fields.fill(f"port={leader.port} id=leader calibration_dir={folder}")
        page.locator("#use-devices").click()
        browser.shows("#devices", "Leader so101_leader: works")
        page.locator("#teleop input").click()
        page.get_by_role("option", name="Nobody").click()
        page.locator("#use-devices").click()
        browser.shows("#devices", "Nobody sits here")
    finally:
        leader.close()


def colours_of_the_middle(browser: Browser) -> int:
    picture = browser.picture(".viewer")
    height, width = picture.shape[:2]
    middle = picture[height // 10: height // 2, width // 3: width // 2]
    return len(np.unique(middle.reshape(-1, 3), axis=0))

"""Export and import by hand, in a real browser, without a desk."""

from pathlib import Path

import pytest
from doubles import toy_demonstrations as toy
from doubles.browser import chromium, open_browser

from recorders.clock import SystemClock
from recorders.store import DemoStore
from studio.web.app import serving
from studio.web.jobs import Jobs
from studio.web.parts import Parts, WebConfig

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(600),
              pytest.mark.skipif(not chromium(), reason="no chromium: run .ci/setup, which says "
                                                        "why if it cannot install it")]


def test_what_goes_out_for_umi_on_the_page_comes_in_as_a_store_on_the_page(tmp_path):
    store, buffer = toy.make_store(tmp_path / "mine", episodes=1), tmp_path / "mine.zarr.zip"
    with Jobs(SystemClock()) as jobs, open_browser(tmp_path) as browser, serving(
            Parts(WebConfig(store=str(store), port=0), SystemClock(), jobs)) as url:
        browser.open(url)
        browser.tab("Export")
        assert browser.page.get_by_label("Sharp videos (larger)").is_visible()
        browser.page.get_by_label("UMI replay buffer (.zarr.zip)").check()
        browser.page.get_by_label("Sharp videos (larger)").wait_for(state="hidden")
        browser.page.wait_for_function(     # the name that is suggested follows the format
            "[...document.querySelectorAll('#to [placeholder]')]"
            ".some(field => field.placeholder.endsWith('.zarr.zip'))")
        browser.page.locator("#export").click()
        browser.shows("#jobs .job", "Done")
        browser.tab("Import")
        browser.page.locator("#import").click()
        browser.shows(".toast-body", "Give the folder or file to import")
        browser.page.get_by_label("UMI or diffusion_policy replay buffer (Zarr)").check()
        browser.page.get_by_label("Their folder or file").fill(str(buffer))
        browser.page.get_by_label("Instruction").fill("go there")
        browser.page.locator("#import").click()
        browser.page.wait_for_function(
            "[...document.querySelectorAll('#import-jobs .job')]"
            ".filter(job => /Done/.test(job.innerText)).length == 2")
        assert browser.mistakes == []
    with DemoStore.open(Path(f"{tmp_path}/mine-store")) as back:
        assert [one.instruction for one in back.episodes()] == ["go there"]

"""A headless browser for tests of the web desk, which notes every host that any page asks for.

Debian's chromium is used; its WebGL is drawn in software. Playwright waits for what a page
shows.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Request, sync_playwright

PATIENCE_MS = 180_000
QUICKEST_PERSON_MS = 200
SIZE = (1600, 930)
_OPTIONS = ("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--use-gl=angle",
            "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


def chromium() -> str:
    """The browser's program; empty if there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or ""


class Browser:
    """One page, and what it asked for.

    Attributes:
        page: Playwright's.
        hosts: every host that was asked for anything, frames included.
        mistakes: what the pages' scripts complained about.
    """

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self._folder = page, folder
        self.hosts: set[str] = set()
        self.mistakes: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.context.on("request", self._note)
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))

    def open(self, url: str) -> None:
        """Open the web desk and wait until it hears of the desk."""
        self.page.goto(url, wait_until="domcontentloaded", timeout=PATIENCE_MS)
        self.page.wait_for_selector(".banner")

    def tab(self, name: str) -> None:
        """Open a tab."""
        self.page.get_by_role("tab", name=name).click()

    def write(self, place: str, words: str) -> None:
        """Put words into a box that asks for something with each change, as soon as a person could.

        In the instant in which an answer ends, Gradio 6.31 puts back what its box held before.
        """
        self.page.wait_for_timeout(QUICKEST_PERSON_MS)
        self.page.locator(place).locator("textarea, input").fill(words)

    def shows(self, place: str, words: str) -> None:
        """Wait until a place shows words."""
        self.page.locator(place, has_text=words).first.wait_for()

    def picture(self, place: str) -> np.ndarray:
        """(H, W, 3) u1: what is drawn there now, also by WebGL."""
        file = self._folder / "picture.png"
        box = self.page.locator(place).first.bounding_box()
        assert box is not None
        self.page.screenshot(path=file, clip=box, timeout=PATIENCE_MS, animations="allow")
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))

    def _note(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")):
            self.hosts.add(urlsplit(request.url).hostname or "")


@contextmanager
def open_browser(folder: Path, size: tuple[int, int] = SIZE) -> Iterator[Browser]:
    """A browser for a while."""
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True,
                                             args=[*_OPTIONS], env={**environment})
        page = browser.new_context(viewport={"width": size[0], "height": size[1]},
                                   color_scheme="light").new_page()
        yield Browser(page, folder)
        browser.close()

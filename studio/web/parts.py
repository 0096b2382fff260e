"""What every page and route of the web desk is given: the feed, the store, the jobs.

One object, made once. It knows which store is meant now (the desk's, if there is one), and turns an
answer of the station into words on the screen. Refuses to know how anything looks.
"""

import threading
from pathlib import Path

import gradio as gr
import msgspec

from recorders.clock import Clock
from studio.station.commands import Reply
from studio.station.desk.link import OpenStore
from studio.station.processes.bus import Endpoints
from studio.views.words import sentence, shortened
from studio.web.access import LOOPBACK
from studio.web.desk_feed import DeskFeed
from studio.web.jobs import Jobs
from studio.web.library import Library

DEFAULT_PORT = 7860         # where Gradio's users look


class WebConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the web desk is told."""

    links: Endpoints | None = None
    """Where a running desk listens; None looks at a store only."""
    name: str = "web"
    """Of this console, as others see it."""
    store: str = ""
    """Folder of the store to show while no desk says another."""
    host: str = LOOPBACK
    """Address to listen on; any other than this machine needs a password."""
    port: int = DEFAULT_PORT
    """Another free one is taken if somebody else listens there."""
    password: str = ""
    """Asked of everybody who comes; empty only on this machine."""


class Parts:
    """The web desk's parts.

    Args:
        config: what it was told.
        clock: the machine's.
        jobs: where long work is done.
    """

    def __init__(self, config: WebConfig, clock: Clock, jobs: Jobs) -> None:
        self.config = config
        self.clock = clock
        self.jobs = jobs
        self.feed = DeskFeed(config.links, clock, config.name)
        self._lock = threading.Lock()
        self._chosen = config.store
        self._library = self._open(config.store)

    def library(self) -> Library:
        """The store that is meant now."""
        state = self.feed.view.state
        path = state.store if state is not None and state.store else self._chosen
        with self._lock:
            if path != self._library.path:
                self._library = self._open(path)
            return self._library

    def open_store(self, path: str) -> None:
        """Let the desk record into another store; without a desk, show another one."""
        path = (path or "").strip()
        if not path:
            gr.Warning("Give the folder of a store")
        elif self.config.links is not None:
            show_reply(self.feed.ask_desk(OpenStore(path)),
                       f"Recording into {shortened(path, 200)}")
        else:
            self._show_store(path)

    def _show_store(self, path: str) -> None:
        there = Library("")
        try:
            there = Library(str(Path(path).expanduser().absolute()))
            trouble = there.shelf().trouble
        except (RuntimeError, ValueError) as mistake:       # no name of a folder
            trouble = str(mistake)
        if trouble:
            gr.Warning(f"Refused: {sentence(shortened(trouble, 400))}", duration=10)
            return
        with self._lock:
            self._chosen, self._library = there.path, there
        gr.Info(f"Showing {shortened(there.path, 200)}", duration=4)

    def live_url(self) -> str:
        """Where Rerun viewers connect now; empty without a live view."""
        state = self.feed.view.state
        return state.live_url if state is not None else ""

    def _open(self, path: str) -> Library:
        return Library(path, self.feed.ask if self.config.links is not None else None)


def show_reply(reply: Reply, done: str) -> None:
    """Say to the person at the page what became of a command; a refusal with its reason."""
    if reply.accepted:
        gr.Info(sentence(reply.reason) or done, duration=4)
    else:
        gr.Warning(f"Refused: {sentence(reply.reason)}", duration=10)

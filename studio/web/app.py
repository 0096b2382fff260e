"""The web desk's process: role "web" of worker.py.

Puts the routes and the page behind the guard and serves them until told to end. It may be slow, be
killed and be started again without the arm or the recording noticing. Knows what there is to serve;
refuses to know how any of it looks.
"""

import asyncio
import logging
import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"    # read once, when Gradio is imported
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr
import msgspec
import uvicorn
from fastapi import FastAPI

from studio.station.processes.rerun_server import free_port
from studio.station.processes.worker import Life
from studio.web import access
from studio.web.assets import assets
from studio.web.jobs import Jobs
from studio.web.live import live
from studio.web.page import HEAD, page
from studio.web.parts import Parts, WebConfig
from studio.web.pictures import pictures
from studio.web.style import theme
from studio.web.viewer import ViewerFiles, viewer

__all__ = ["WebConfig", "run"]

_PATIENCE_S = 1             # for requests that are being answered when the desk ends


def application(parts: Parts) -> access.Guard:
    """Everything that is served, behind the guard."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for router in (assets(), live(parts.feed, parts.library, parts.jobs),
                   pictures(parts.feed, parts.library),
                   viewer(ViewerFiles(parts.clock), parts.live_url)):
        app.include_router(router)
    blocks = page(parts).queue(default_concurrency_limit=None)
    gr.mount_gradio_app(app, blocks, path="/", server_name=parts.config.host, ssr_mode=False,
                        footer_links=[], theme=theme(), head=HEAD, show_error=True,
                        enable_monitoring=False)
    return access.Guard(app, access.rules_for(parts.config.host, parts.config.password))


class _EndIsNoError(logging.Filter):
    """Gradio keeps a request open for every page; that it is cut off at the end is no news."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is worth telling."""
        cut_off = record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)
        return not cut_off and "timeout graceful shutdown exceeded" not in record.getMessage()


_END_IS_NO_ERROR = _EndIsNoError()


@contextmanager
def serving(parts: Parts) -> Iterator[str]:
    """Serve in a thread; gives the address to open."""
    host, port = parts.config.host, parts.config.port
    if access.is_local(host):
        port = free_port(port)
    logging.getLogger("uvicorn.error").addFilter(_END_IS_NO_ERROR)
    server = uvicorn.Server(uvicorn.Config(
        application(parts), host=host, port=port, log_level="warning", access_log=False,
        timeout_graceful_shutdown=_PATIENCE_S))
    listener = server.config.bind_socket()
    listener.listen()           # from here on nobody who comes is turned away
    thread = threading.Thread(target=server.run, args=([listener],), name="web-server")
    thread.start()
    try:
        yield f"http://{_reachable(host)}:{port}/"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: serve until told to end."""
    told = msgspec.json.decode(config, type=WebConfig)
    if refusal := access.unsafe(told.host, told.password):
        life.failed(refusal)
        return
    with Jobs(life.clock) as jobs:
        parts = Parts(told, life.clock, jobs)
        with serving(parts) as url:
            life.ready(url)
            parts.feed.run(life)


def _reachable(host: str) -> str:
    return socket.gethostname() if host in ("0.0.0.0", "::") else host

"""Rerun's web viewer, served so that it calls nobody but this desk.

Rerun's own page asks for fonts and counts its visitors elsewhere. Here its program hands out the
viewer's two files once, a page of ours loads them, and what the viewer wants of the live server is
passed on by this one: everything has one origin, and the Guard's headers forbid the browser any
other. Knows the viewer's files and its gRPC path; refuses to know what is drawn.
"""

import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from recorders.clock import NS_PER_S, Clock
from studio.station.processes.rerun_server import LOOPBACK, environment, free_port, server_program
from studio.views.look import asset

FILES = {"re_viewer.js": "text/javascript", "re_viewer_bg.wasm": "application/wasm"}
START_S = 30.0              # it takes 0.2 s; a cold disk reads 200 MB first
_RETRY_S = 0.05
_SERVICE = "/rerun.sdk_comms.v1alpha1.MessageProxyService"
_DAY = {"cache-control": "private, max-age=86400"}
# Of one hop only; the rest of the conversation is the viewer's and the server's.
_PASSED_ON = ("content-type", "accept", "x-grpc-web", "x-user-agent", "grpc-timeout")
_NOT_BACK = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length", "date",
                       "server", "vary"})


class ViewerFiles:
    """The viewer's files, fetched from Rerun's program when they are first wanted.

    Args:
        clock: real time, for the patience.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._files: dict[str, bytes] = {}

    def get(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            RuntimeError: Rerun's program does not hand it out; says why.
        """
        with self._lock:
            if not self._files:
                self._files = self._fetch()
            return self._files[name]

    def _fetch(self) -> dict[str, bytes]:
        web, grpc = free_port(0), free_port(0)
        process = subprocess.Popen(
            [str(server_program()), "--serve-web", "--bind", LOOPBACK, "--port", str(grpc),
             "--web-viewer-port", str(web), "--server-memory-limit", "1MB"],
            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            with httpx.Client(base_url=f"http://{LOOPBACK}:{web}", trust_env=False,
                              timeout=START_S) as client:
                self._wait(client, process)
                return {name: client.get(f"/{name}").raise_for_status().content for name in FILES}
        except httpx.HTTPError as error:
            raise RuntimeError(f"Rerun's program gives no viewer: {error}") from error
        finally:
            process.kill()
            process.wait()

    def _wait(self, client: httpx.Client, process: subprocess.Popen) -> None:
        deadline_ns = self._clock.now_ns() + int(START_S * NS_PER_S)
        while process.poll() is None and self._clock.now_ns() < deadline_ns:
            with suppress(httpx.ConnectError):
                client.head("/")
                return
            self._clock.wait_until(self._clock.now_ns() + int(_RETRY_S * NS_PER_S))
        raise RuntimeError(f"Rerun's program ended with {process.poll()} before it served")


def viewer(files: ViewerFiles, live_url: Callable[[], str]) -> APIRouter:
    """The routes: the page, its files, and the way to the live server.

    Args:
        files: of the viewer.
        live_url: where Rerun viewers connect now; empty without a live view.
    """
    router = APIRouter()
    upstream = httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(10.0, read=None))

    @router.get("/viewer/")
    def page() -> Response:
        return Response(asset("web/viewer.html").read_bytes(), media_type="text/html")

    @router.get("/viewer/{name}")
    def file(name: str) -> Response:
        if name not in FILES:
            return Response(status_code=404)
        return Response(files.get(name), media_type=FILES[name], headers=_DAY)

    @router.post(_SERVICE + "/{method}")
    async def pass_on(method: str, request: Request) -> Response:
        server = urlsplit(live_url())
        if not server.netloc:
            return Response("there is no live view", 503)
        asked = upstream.build_request(
            "POST", f"http://{server.netloc}{_SERVICE}/{method}", content=await request.body(),
            headers={name: request.headers[name] for name in _PASSED_ON
                     if name in request.headers})
        try:
            answer = await upstream.send(asked, stream=True)
        except httpx.HTTPError as error:
            return Response(f"the live view does not answer: {error}", 503)
        return StreamingResponse(
            _pieces(answer), answer.status_code, background=BackgroundTask(answer.aclose),
            headers={name: value for name, value in answer.headers.items()
                     if name not in _NOT_BACK and not name.startswith("access-control-")})

    return router


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    with suppress(httpx.HTTPError):         # the live view ended: so does what we pass on
        async for piece in answer.aiter_raw():
            yield piece

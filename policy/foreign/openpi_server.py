"""Any policy of ours for whoever speaks openpi's protocol, such as openpi-client's
`WebsocketClientPolicy`.

One client at a time: a policy has one past. It speaks first and says what it wants; every
observation gets `actions` and timings, a mistake gets a line of text. Where there is a key, clients
must show it (`Authorization: Api-Key …`); web pages are refused. Knows sockets and policies; knows
no robot.
"""

import hmac
import time
from http import HTTPStatus
from threading import Lock
from typing import Any, TypeGuard

import numpy as np
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from policy.foreign.openpi_names import (
    ACTIONS,
    BASE,
    CAMERA,
    CLOUD,
    EPISODE,
    PROMPT,
    SEED,
    STATE,
    metadata_of,
)
from policy.foreign.openpi_wire import WireMistake, pack, unpack
from policy.interfaces import Latent, Observation, Policy, PolicySpec, SeesAll

MOST_BYTES = 1 << 26
LEAVES_S = 1.0              # a client before may be on its way out
HEALTH = "/healthz"         # where openpi's own servers say that they live


class Turn:
    """A policy that is asked by observation alone: thinks at its pace, acts every time.

    Args:
        policy: loaded; called by nobody else.
        think_every: System 2 looks at every so many observations, and at new words.
    """

    def __init__(self, policy: Policy, think_every: int = 4) -> None:
        self._policy, self._every = policy, think_every
        self._latent: Latent | None = None
        self._words, self._words_id, self._episode, self._asked = "", 0, 0, 0

    def begin(self, seed: int = 0) -> None:
        """A new episode."""
        self._policy.reset(seed)
        self._latent, self._asked = None, 0

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Actions and timings for an observation.

        Raises:
            WireMistake: it is not what this policy wants; says what that is.
        """
        episode, seed = (_count(message.get(name)) for name in (EPISODE, SEED))
        if episode != self._episode:
            self._episode = episode
            self.begin(seed)
        observation = self._observation(message)
        began = time.perf_counter()
        if isinstance(self._policy, SeesAll):
            self._policy.see(observation)
        if self._latent is None or self._latent.instruction_id != self._words_id \
                or self._asked % self._every == 0:
            self._latent = self._policy.think(observation)
        self._asked += 1
        chunk = self._policy.act(observation, self._latent)
        spent_ms = (time.perf_counter() - began) * 1000
        return {ACTIONS: np.asarray(chunk.targets, np.float64),
                "policy_timing": {"infer_ms": spent_ms}, "server_timing": {"infer_ms": spent_ms}}

    def _observation(self, message: dict[str, Any]) -> Observation:
        spec = self._policy.spec
        pictures = {camera: message.get(f"{CAMERA}{camera}") for camera in spec.cameras}
        felt, base, words = message.get(STATE), message.get(BASE), message.get(PROMPT, "")
        cloud = message.get(CLOUD) if spec.cloud_points else None
        whole = all(isinstance(p, np.ndarray) and p.shape == (*spec.picture_size, 3)
                    and p.dtype == np.uint8 for p in pictures.values())
        # One number alone would be taken for every one of them.
        numbers = all(_are_numbers(n) and n.ndim == 1 and n.size != 1 for n in (felt, base))
        points = not spec.cloud_points or (
            _are_numbers(cloud) and cloud.shape == (spec.cloud_points, 6))
        if not whole or not numbers or not points or not isinstance(words, str):
            raise WireMistake(_wants(spec))
        if words != self._words:
            self._words, self._words_id = words, self._words_id + 1
        return Observation(
            stamp_ns=time.monotonic_ns(), images=pictures,          # type: ignore[arg-type]
            proprioception=felt.astype(np.float32),                 # type: ignore[union-attr]
            base=base.astype(np.float64),                           # type: ignore[union-attr]
            cloud=None if cloud is None else cloud.astype(np.float32),
            instruction=words, instruction_id=self._words_id)


def open_server(policy: Policy, host: str, port: int, key: str = "", think_every: int = 4
                ) -> Server:
    """A server that listens; `serve_forever` and `shutdown` are the caller's.

    Args:
        policy: loaded and warmed up.
        host, port: where; 0 chooses a free port.
        key: that clients must know; empty asks for none.
        think_every: see `Turn`.

    Raises:
        OSError: it cannot listen there.
    """
    busy, turn = Lock(), Turn(policy, think_every)

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == HEALTH:
            return _response(HTTPStatus.OK, "OK\n")
        told = request.headers.get("Authorization", "").removeprefix("Api-Key ")
        if key and not hmac.compare_digest(told.encode(), key.encode()):
            return _response(HTTPStatus.UNAUTHORIZED, "this policy wants its key\n")
        return None

    def converse(connection: ServerConnection) -> None:
        if not busy.acquire(timeout=LEAVES_S):
            connection.send("this policy drives for another client: wait, or serve it twice")
            return
        try:
            turn.begin()
            connection.send(pack(metadata_of(policy.spec)))
            for data in connection:
                try:
                    if isinstance(data, str):
                        raise WireMistake("an observation is MessagePack, not text")
                    connection.send(pack(turn.answer(unpack(data))))
                except WireMistake as mistake:
                    connection.send(" ".join(str(mistake).split()))
                except (ValueError, IndexError, RuntimeError) as mistake:   # of another length
                    connection.send(" ".join(f"{mistake}; {_wants(policy.spec)}".split()))
        except ConnectionClosed:
            pass                            # the client has gone: the next one may come
        finally:
            busy.release()

    return serve(converse, host, port, process_request=admit, compression=None,
                 max_size=MOST_BYTES, origins=[None])


def _wants(spec: PolicySpec) -> str:
    return "this policy wants " + "; ".join(
        f"{name}: {what}" for name, what in metadata_of(spec)["observations"].items())


def _are_numbers(told: object) -> TypeGuard[np.ndarray]:
    if not isinstance(told, np.ndarray) or told.dtype.kind not in "iuf":
        return False
    with np.errstate(over="ignore"):        # what does not fit into float32 is infinite there
        return bool(np.isfinite(told.astype(np.float32)).all())


def _count(told: object) -> int:
    return int(told) if isinstance(told, int | np.integer) and 0 <= told < 1 << 62 else 0


def _response(status: HTTPStatus, text: str) -> Response:
    body = text.encode()
    return Response(status.value, status.phrase, Headers(
        {"Content-Type": "text/plain", "Content-Length": str(len(body))}), body)

"""Who may speak to the web desk, and from which page.

Bound to this machine it asks for no password; to any other address it refuses to start without
one. Whatever it is bound to, a page of another origin can neither read from it nor make it do
something (headers Origin and Sec-Fetch-Site), nor can a name that somebody points at this machine
(header Host: DNS rebinding). Every answer forbids the browser to call anywhere else. Knows HTTP
headers; refuses to know what is served.
"""

import base64
import binascii
import hmac
import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = frozenset({"localhost", LOOPBACK, "::1"})
_ANY_ADDRESS = frozenset({"0.0.0.0", "::"})

# Gradio and wasm-bindgen need inline scripts and eval; what matters here is that nothing is
# fetched from, sent to, or framed by anybody else.
CONTENT_POLICY = "; ".join((
    "default-src 'self'", "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src 'self' 'unsafe-inline'", "img-src 'self' data: blob:", "font-src 'self' data:",
    "connect-src 'self' data: blob:", "worker-src 'self' blob:", "object-src 'none'",
    "base-uri 'self'", "form-action 'self'", "frame-ancestors 'self'"))
HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_POLICY,
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-dns-prefetch-control": "off",
}


class Refusal(msgspec.Struct, frozen=True):
    """Why a request is not answered."""

    status: int
    reason: str


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Who may come.

    Attributes:
        host: the address to which the server is bound.
        password: empty only where `host` is this machine.
        own_names: further names of this machine, by which others reach it.
    """

    host: str = LOOPBACK
    password: str = ""
    own_names: frozenset[str] = frozenset()


def unsafe(host: str, password: str) -> str:
    """Why the web desk may not listen there, and what to do; empty if it may."""
    if password or is_local(host):
        return ""
    return (f"{host} can be reached from other machines: give a password (--password-file, or "
            f"TANDEM_PASSWORD), or leave the address at {LOOPBACK} and come through an ssh tunnel")


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def rules_for(host: str, password: str) -> Rules:
    """The rules of a server that is bound to `host`."""
    names = frozenset() if is_local(host) else frozenset(
        name.lower() for name in (socket.gethostname(), socket.getfqdn()))
    return Rules(host=host, password=password, own_names=names)


def refusal(rules: Rules, method: str, headers: Mapping[str, str]) -> Refusal | None:
    """Why a request is refused; None if it is not.

    Args:
        rules: who may come.
        method: of HTTP.
        headers: by lower-case name.
    """
    host = headers.get("host", "")
    if not _is_ours(rules, host):
        return Refusal(421, f"this is not {_name_of(host) or 'what you asked for'}: open "
                            f"http://{LOOPBACK} with the port that the desk says")
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return Refusal(403, "a page of another origin may not use the desk")
    foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    visits = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if foreign and not visits:
        return Refusal(403, "a page of another origin may not use the desk")
    if rules.password and not _knows(rules.password, headers.get("authorization", "")):
        return Refusal(401, "the password of the web desk is needed; any user name will do")
    return None


class Guard:
    """Asks `refusal` about every request, and adds `HEADERS` to every answer.

    Args:
        app: what is guarded.
        rules: who may come.
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        refused = refusal(self._rules, scope.get("method", "WEBSOCKET"), Headers(scope=scope))
        if refused is None and scope["type"] == "websocket":
            refused = Refusal(404, "the web desk has no web sockets")
        if refused is not None:
            return await _answer(refused)(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    added[name] = value
            await send(message)

        await self._app(scope, receive, with_headers)


def _answer(refused: Refusal) -> PlainTextResponse:
    headers = dict(HEADERS)
    if refused.status == 401:
        headers["www-authenticate"] = 'Basic realm="Tandem Studio", charset="UTF-8"'
    return PlainTextResponse(refused.reason, refused.status, headers)


def _name_of(host: str) -> str:
    """The name in a header such as "localhost:7860" or "[::1]:7860", in lower case."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_ours(rules: Rules, host: str) -> bool:
    name = _name_of(host)
    if name in _LOCAL_NAMES or name == rules.host.lower() or name in rules.own_names:
        return True
    if rules.host not in _ANY_ADDRESS:
        return False
    try:        # an address in numbers is nobody's name, so nobody can have pointed it at us
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _knows(password: str, authorization: str) -> bool:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        _, _, given = base64.b64decode(encoded, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, password.encode())

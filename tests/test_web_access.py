"""Who may use the web desk: a password off this machine, and no page of another origin ever."""

import asyncio
import base64
from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from studio.web.access import Guard, Rules, refusal, rules_for, unsafe

HERE = {"host": "127.0.0.1:7860"}


def basic(password: str, name: str = "anybody") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.1"])
def test_this_machine_needs_no_password(host):
    assert unsafe(host, "") == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "lab-7.example"])
def test_any_other_address_is_refused_without_a_password_and_the_way_out_is_named(host):
    assert "password" in unsafe(host, "") and "ssh" in unsafe(host, "")
    assert unsafe(host, "open sesame") == ""


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860"])
def test_this_machines_names_are_answered(host):
    assert refusal(Rules(), "GET", {"host": host}) is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "",
                                  "localhost.evil.example:7860", "[", "192.168.1.7"])
def test_a_name_that_somebody_points_at_this_machine_is_refused(host):
    refused = refusal(Rules(), "GET", {"host": host})
    assert refused is not None and refused.status == 421


def test_bound_to_every_address_numbers_are_answered_and_foreign_names_are_not():
    rules = Rules(host="0.0.0.0", own_names=frozenset({"lab-7"}))
    assert refusal(rules, "GET", {"host": "192.168.1.7:7860"}) is None
    assert refusal(rules, "GET", {"host": "lab-7:7860"}) is None
    assert refusal(rules, "GET", {"host": "evil.example"}) is not None


def test_a_machine_that_others_reach_knows_its_own_name():
    assert rules_for("0.0.0.0", "x").own_names and not rules_for("127.0.0.1", "").own_names


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999",
                                    "http://localhost:7860"])
def test_a_page_of_another_origin_is_refused_whatever_it_asks(method, origin):
    refused = refusal(Rules(), method, HERE | {"origin": origin})
    assert refused is not None and refused.status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_picture_or_a_form_on_another_page_is_refused_without_an_origin_too(site):
    assert refusal(Rules(), "GET", HERE | {"sec-fetch-site": site,
                                           "sec-fetch-mode": "no-cors"}) is not None
    assert refusal(Rules(), "POST", HERE | {"sec-fetch-site": site,
                                            "sec-fetch-mode": "navigate"}) is not None


def test_a_link_to_the_desk_may_be_followed_and_its_own_page_may_do_everything():
    assert refusal(Rules(), "GET", HERE | {"sec-fetch-site": "cross-site",
                                           "sec-fetch-mode": "navigate"}) is None
    assert refusal(Rules(), "POST", HERE | {"origin": "http://127.0.0.1:7860",
                                            "sec-fetch-site": "same-origin"}) is None
    assert refusal(Rules(), "POST", HERE) is None       # a program, not a browser


@pytest.mark.parametrize("given", ["", "Basic", "Basic !!!", basic("wrong"), basic(""),
                                   basic("pass wörd").replace("Basic", "Bearer")])
def test_without_the_password_nobody_gets_in(given):
    refused = refusal(Rules(password="pass wörd"), "GET", HERE | {"authorization": given})
    assert refused is not None and refused.status == 401


def test_with_the_password_any_user_name_does():
    assert refusal(Rules(password="pass:wörd"), "GET",
                   HERE | {"authorization": basic("pass:wörd")}) is None


@pytest.fixture
def reached() -> list[str]:
    return []


@pytest.fixture
def ask(reached: list[str]) -> Callable[..., httpx.Response]:
    async def act(request: Request) -> PlainTextResponse:
        reached.append(request.method)
        return PlainTextResponse("done")

    guard = Guard(Starlette(routes=[Route("/", act, methods=["GET", "POST"])]), Rules())

    async def answer(method: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard),
                                     base_url="http://127.0.0.1:7860") as client:
            return await client.request(method, "/", headers=headers)

    return lambda method, **headers: asyncio.run(answer(method, **headers))


def test_a_refused_request_never_reaches_the_application(ask, reached):
    answer = ask("POST", origin="http://evil.example")
    assert answer.status_code == 403 and "origin" in answer.text and reached == []
    assert ask("POST").text == "done" and reached == ["POST"]


def test_every_answer_forbids_the_browser_to_call_anybody_else(ask):
    for answer in (ask("GET"), ask("GET", host="evil.example")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'self'" in policy
        assert "http:" not in policy and "https:" not in policy and "*" not in policy
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"

"""Policies over openpi's protocol: ours served to others, others' driving our arm."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve

from policy.errors import CheckpointError
from policy.foreign import openpi_client
from policy.foreign.opening import open_policy
from policy.foreign.openpi_names import squared
from policy.foreign.openpi_server import open_server
from policy.foreign.openpi_wire import WireMistake, pack, unpack
from policy.interfaces import Choosy, Chunk, Held, Latent, Observation, PolicySpec
from policy.peers.one_speed import OneSpeed
from studio import cli

PACKAGES = ("openpi-client==0.1.2", "msgpack>=1.0.5,<2")
SPEC = PolicySpec(cameras={"front": "rgb"}, picture_size=(48, 64), steps=4,
                  proprioception=("joints",), action_space="joints")
dtypes = st.one_of(arrays.boolean_dtypes(), arrays.integer_dtypes(),
                   arrays.unsigned_integer_dtypes(), arrays.floating_dtypes(sizes=(32, 64)))
messages = st.dictionaries(st.text(), st.one_of(
    st.text(), st.integers(0, 1 << 40), st.floats(allow_nan=False), st.booleans(),
    arrays.arrays(dtypes, arrays.array_shapes(max_dims=3, max_side=4))), max_size=5).filter(
    lambda message: not {"__ndarray__", "__npgeneric__"} & message.keys())


class Follower(OneSpeed):
    """Goes to what it feels, a bit further with every step and with the brightness it sees."""

    def __init__(self, spec: PolicySpec = SPEC) -> None:
        super().__init__(spec, 3)
        self.resets: list[int] = []

    def reset(self, seed: int = 0) -> None:
        self.resets.append(seed)

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        bright = float(observation.images["front"].mean()) / 255
        steps = np.arange(1, SPEC.steps + 1)[:, None] * bright
        return self.chunk(observation.base + steps + len(observation.instruction), observation,
                          latent, held)


def seen(bright: int = 255) -> Observation:
    return Observation(stamp_ns=5, images={"front": np.full((48, 64, 3), bright, np.uint8)},
                       proprioception=np.zeros(8, np.float32), base=np.arange(8.0),
                       instruction="go")


@contextmanager
def served(policy: Any, key: str = "") -> Iterator[str]:
    with open_server(policy, "127.0.0.1", 0, key) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@given(messages)
def test_what_is_packed_is_unpacked_dtypes_and_shapes_included(message):
    found = unpack(pack(message))
    assert found.keys() == message.keys()
    for name, value in message.items():
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype and found[name].shape == value.shape
            assert found[name].tobytes() == value.tobytes()
        else:
            assert found[name] == value


@pytest.mark.parametrize("told", [
    {"dtype": "|O", "data": b"x" * 8, "shape": [1]},
    {"dtype": "V8", "data": b"x" * 8, "shape": [1]},
    {"dtype": "<U2", "data": b"x" * 8, "shape": [1]}, {"dtype": 7, "data": b"", "shape": [0]},
    {"dtype": "[('a', 'i4')]", "data": b"xxxx", "shape": [1]},
    {"dtype": "<f4", "data": b"x" * 7, "shape": [2]}, {"dtype": "<f4", "data": b"", "shape": [-1]},
    {"dtype": "<f4", "data": "text", "shape": [1]}, {"dtype": "<f4", "data": b"x" * 4},
])
def test_anything_but_a_plain_array_of_numbers_is_refused(told):
    array = {b"__ndarray__": True, **{name.encode(): value for name, value in told.items()}}
    with pytest.raises(WireMistake):
        unpack(msgspec.msgpack.encode({"actions": array}))


@pytest.mark.parametrize("data", [
    b"", b"\xc1", b"\x93\x01", msgspec.msgpack.encode([1]), b"\x91" * 5000 + b"\x00",
    msgspec.msgpack.encode({"a": msgspec.msgpack.Ext(5, b"x")})])
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(WireMistake):
        unpack(data)


def test_objects_are_never_sent():
    with pytest.raises(WireMistake, match="only numbers"):
        pack({"a": np.array([object()])})


def test_a_served_policy_of_ours_answers_as_it_does_at_home():
    home = Follower()
    with served(home) as address:
        away = open_policy(address)
        assert away.spec == SPEC
        away.reset(11)
        for observation in (seen(), seen(51)):
            there = away.act(observation, away.think(observation))
            here = home.act(observation, home.think(observation))
            assert np.array_equal(there.targets, here.targets)
        assert home.resets[-1] == 11        # a new episode began there, too
        away.close()                        # type: ignore[attr-defined]
        with pytest.raises(CheckpointError, match="leave --policy-map away"):
            open_policy(address, wishes=("libero",))


class Reacher(Follower):
    """Goes as far as the points that it sees are high."""

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        assert observation.cloud is not None and observation.cloud.dtype == np.float32
        high = np.full((SPEC.steps, 8), observation.cloud[:, 2].mean())
        return self.chunk(high + observation.proprioception + observation.base, observation,
                          latent, held)


def test_a_policy_that_looks_at_points_is_sent_them_and_says_that_it_wants_them():
    spec = msgspec.structs.replace(SPEC, cloud_points=5)
    now = msgspec.structs.replace(seen(), cloud=np.full((5, 6), 0.5, np.float32))
    home = Reacher(spec)
    with served(home) as address:
        away = open_policy(address)
        there, here = (one.act(now, one.think(now)) for one in (away, home))
        assert np.array_equal(there.targets, here.targets)
        away.close()                        # type: ignore[attr-defined]
        with connect(address, compression=None) as client:
            wants = unpack(client.recv())["observations"]               # type: ignore[arg-type]
            assert "(5, 6)" in wants["observation/cloud"]
            for wrong in ({}, {"observation/cloud": np.zeros((4, 6))},
                          {"observation/cloud": np.full((5, 6), np.nan)}):
                client.send(pack(_message() | wrong))
                assert "observation/cloud: (5, 6)" in str(client.recv())


@pytest.mark.parametrize(("wrong", "says"), [
    ({"observation/state": np.zeros(1)}, "wants"), ({"observation/base": np.zeros(1)}, "wants"),
    ({"observation/base": np.full(8, 1e300)}, "wants"),
    ({"observation/state": np.zeros(3)}, r"\(3,\).*wants.*observation/state: joints")])
def test_numbers_of_another_length_are_never_stretched_to_fit(wrong, says):
    spec = msgspec.structs.replace(SPEC, cloud_points=5)
    with served(Reacher(spec)) as address, connect(address, compression=None) as client:
        client.recv()
        client.send(pack(_message() | {"observation/cloud": np.zeros((5, 6))} | wrong))
        assert re.search(says, str(client.recv()))


def test_a_second_client_is_told_to_wait_and_a_mistake_is_answered_in_a_line():
    with served(Follower()) as address, connect(address, compression=None) as first:
        assert "observation/images/front" in unpack(first.recv())["observations"]   # type: ignore
        with connect(address, compression=None) as second:
            assert "another client" in str(second.recv())
        for wrong in (b"\xc1", pack({"prompt": "go"}), "text",
                      pack({"observation/images/front": np.zeros((4, 4, 3), np.uint8),
                            "observation/state": np.zeros(8), "observation/base": np.zeros(8)})):
            first.send(wrong)
            assert isinstance(said := first.recv(), str) and "\n" not in said
        first.send(pack(_message()))
        assert unpack(first.recv())["actions"].shape == (4, 8)      # type: ignore[arg-type]


def _message() -> dict[str, Any]:
    one = seen()
    return {"observation/images/front": one.images["front"], "prompt": "go",
            "observation/state": one.proprioception, "observation/base": one.base}


def test_without_the_key_and_from_a_web_page_nobody_gets_in(monkeypatch):
    monkeypatch.delenv(openpi_client.KEY, raising=False)
    with served(Follower(), key="s3cret") as address:
        with pytest.raises(CheckpointError, match=f"401.*{openpi_client.KEY}"):
            open_policy(address)
        monkeypatch.setenv(openpi_client.KEY, "wrong")
        with pytest.raises(CheckpointError, match="401"):
            open_policy(address)
        with pytest.raises(InvalidStatus, match="403"):
            connect(address, origin="http://page.example",      # type: ignore[arg-type]
                    additional_headers={"Authorization": "Api-Key s3cret"}).__enter__()
        monkeypatch.setenv(openpi_client.KEY, "s3cret")
        assert open_policy(address).spec == SPEC


@pytest.mark.parametrize(("place", "says"), [
    ("0.0.0.0:8000", "put a key into"), ("192.168.1.7:8000", "put a key into"),
    ("8000", "wants HOST:PORT"), ("127.0.0.1:99999", "wants HOST:PORT")])
def test_serve_refuses_an_open_door_and_a_place_that_is_none(place, says, capsys, monkeypatch):
    monkeypatch.delenv(openpi_client.KEY, raising=False)
    assert cli.main(["serve", "runs/none", "--openpi", place]) == 2
    assert says in capsys.readouterr().err


@contextmanager
def libero(then: tuple[int, int] = (5, 7)) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Somebody else's server with the names of openpi's LIBERO example; what it heard is kept.

    Its first chunk is (5, 7), others are `then`.
    """
    heard: list[dict[str, Any]] = []

    def converse(connection) -> None:
        connection.send(pack({"name": "pi0_libero"}))
        for data in connection:
            heard.append(unpack(data))
            rows = np.zeros((5, 7) if len(heard) == 1 else then)
            rows[:, 0], rows[:, -1] = 1.0, -1.0
            connection.send(pack({"actions": rows, "policy_timing": {"infer_ms": 1.0}}))

    with serve(converse, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", heard
        finally:
            server.shutdown()
            thread.join()


def test_somebody_elses_server_is_asked_in_openpis_names_and_its_changes_become_targets():
    with libero() as (address, heard):
        policy = open_policy(address)
        assert isinstance(policy, Choosy)
        assert (policy.spec.steps, policy.spec.action_space) == (5, "tool")
        assert policy.spec.step_s == pytest.approx(1 / 20)
        tool = [0.4, 0, 0.2, 1, 0, 0, 0, 1, 0]
        now = Observation(
            stamp_ns=5, instruction="lift it", base=np.array([0.4, 0, 0.2, 1, 0, 0, 0, 0.0]),
            images={camera: np.full((168, 224, 3), 9, np.uint8) for camera in ("front", "wrist")},
            proprioception=np.array([*tool, 0.5, 1.0], np.float32))
        chunk = policy.act(now, policy.think(now))
        assert np.allclose(chunk.targets[:, 0], 0.4 + 0.05 * np.arange(1, 6))
        assert np.allclose(chunk.targets[:, -1], 1.0)               # -1 opens
        message = heard[-1]
        assert message.keys() == {"observation/image", "observation/wrist_image",
                                  "observation/state", "prompt"}
        assert message["prompt"] == "lift it"
        assert message["observation/image"].shape == (224, 224, 3)
        assert np.allclose(message["observation/state"], [0.4, 0, 0.2, 0, 0, 0, 0.02, -0.02])
        assert "--policy-map observation/image=" in "; ".join(policy.misfits("arm", ("a",), ()))


@pytest.mark.parametrize("then", [(3, 7), (5, 5), (0, 7), (6, 7)])
def test_a_server_whose_chunks_become_others_is_one_line_with_both_sizes(then):
    with libero(then) as (address, _):
        policy = open_policy(address)
        now = msgspec.structs.replace(
            seen(), images={camera: np.zeros((4, 4, 3), np.uint8) for camera in ("front", "wrist")},
            proprioception=np.array([0.4, 0, 0.2, 1, 0, 0, 0, 1, 0, 0.5, 1.0], np.float32),
            base=np.array([0.4, 0, 0.2, 1, 0, 0, 0, 0.0]))
        with pytest.raises(CheckpointError, match=r"answered with .* not with \(5, 7\)"):
            policy.act(now, policy.think(now))


def test_a_server_that_is_not_there_or_no_policy_is_one_line():
    with pytest.raises(CheckpointError, match="nobody serves a policy"):
        open_policy("ws://127.0.0.1:9")
    with libero() as (address, _), pytest.raises(CheckpointError, match="valid are joints"):
        open_policy(address, wishes=("action=fly",))


def test_a_picture_keeps_its_shape_in_a_black_square():
    found = squared(np.full((168, 224, 3), 7, np.uint8))
    assert found.shape == (224, 224, 3)
    assert (found[28:196] == 7).all() and not found[:28].any() and not found[196:].any()


_CLIENT = """
import sys, numpy as np
from openpi_client.websocket_client_policy import WebsocketClientPolicy
client = WebsocketClientPolicy("127.0.0.1", int(sys.argv[1]), api_key="s3cret")
told = client.get_server_metadata()
answer = client.infer({"observation/images/front": np.full((48, 64, 3), 255, np.uint8),
    "observation/state": np.zeros(8, np.float32), "observation/base": np.arange(8.0),
    "prompt": "go"})
assert np.allclose(answer["actions"][1], np.arange(8.0) + 4), answer
print(told["tandem"]["steps"], answer["actions"].shape, answer["policy_timing"]["infer_ms"] >= 0)
"""


@pytest.mark.slow
def test_openpis_own_client_drives_with_a_policy_of_ours(tmp_path):
    uv = Path(sys.executable).with_name("uv")
    fetched = subprocess.run([uv, "pip", "install", "--quiet", "--no-deps", "--python",
                              sys.executable, "--target", tmp_path / "packages", *PACKAGES],
                             capture_output=True, timeout=120)
    if fetched.returncode:
        pytest.skip("openpi-client 0.1.2 cannot be fetched here")
    with served(Follower(), key="s3cret") as address:
        done = subprocess.run([sys.executable, "-c", _CLIENT, address.rpartition(":")[2]],
                              env={"PYTHONPATH": str(tmp_path / "packages")}, timeout=100,
                              capture_output=True, text=True)
    assert done.stdout.split() == ["4", "(4,", "8)", "True"], done.stderr

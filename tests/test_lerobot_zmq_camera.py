"""LeRobot's ZeroMQ camera as our stream: a real publisher speaks, falls silent, comes back."""

import base64
import json
import socket
from collections.abc import Callable, Iterator
from threading import Event, Thread

import cv2
import numpy as np
import pytest
import zmq

from recorders.clock import NS_PER_S, SystemClock
from recorders.images import decode
from recorders.streams import Batch
from studio.devices.lerobot_camera import LerobotCamera
from studio.devices.lerobot_types import decode_config

pytestmark = pytest.mark.alone

SIZE, FPS = (48, 64), 30
COLOUR = (200, 120, 40)


class Publisher:
    """An image server as LeRobot's own speaks, in a thread."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.silent, self._over = Event(), Event()
        self._thread = Thread(target=self._speak, name="publisher")
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _speak(self) -> None:
        picture = np.full((*SIZE, 3), COLOUR, np.uint8)
        coded = cv2.imencode(".jpg", picture)[1].tobytes()      # as LeRobot's server: no reordering
        said = json.dumps({"timestamps": {"eye": 0.0},
                           "images": {"eye": base64.b64encode(coded).decode()}})
        with zmq.Context() as context, context.socket(zmq.PUB) as out:
            out.setsockopt(zmq.LINGER, 0)
            out.bind(f"tcp://127.0.0.1:{self.port}")
            while not self._over.wait(1 / FPS):
                if not self.silent.is_set():
                    out.send_string(said)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    made = Publisher()
    yield made
    made.close()


@pytest.fixture
def camera(publisher: Publisher) -> Iterator[LerobotCamera]:
    config = decode_config("camera", "zmq", {
        "server_address": "127.0.0.1", "port": publisher.port, "camera_name": "eye",
        "timeout_ms": 300, "warmup_s": 1, "fps": FPS, "height": SIZE[0], "width": SIZE[1]})

    def make():
        from lerobot.cameras.utils import make_cameras_from_configs

        return make_cameras_from_configs({"eye": config})["eye"]

    made = LerobotCamera(SystemClock(), "eye", config, make, "jpeg")
    yield made
    made.release()


def until(camera: LerobotCamera, seen: Callable[[], bool], rounds: int = 60) -> None:
    """Let the camera's thread go round until something is seen."""
    for _ in range(rounds):
        camera.step()
        if seen():
            return
    pytest.fail(f"not within {rounds} rounds: {camera.fault or 'no fault'}")


def test_frames_become_rows_with_host_stamps_and_ascending_numbers(camera):
    before_ns = SystemClock().now_ns()
    batches = []

    def enough() -> bool:
        batches.extend(camera.take())
        return len(batches) >= 6

    until(camera, enough)
    rows = np.concatenate([batch.rows for batch in batches])
    assert (np.diff(rows["t_mono_ns"]) > 0).all() and rows["t_mono_ns"][0] > before_ns
    assert (np.diff(rows["seq"]) >= 1).all() and (rows["t_device_ns"] == 0).all()
    assert rows.dtype == camera.spec.row_dtype
    picture = decode(batches[-1].images[0]["rgb"], "jpeg", (*SIZE, 3))
    np.testing.assert_allclose(picture.mean(axis=(0, 1)), COLOUR, atol=4)


def test_a_publisher_that_falls_silent_is_told_and_its_gap_is_seen_when_it_is_back(
        camera, publisher):
    batches: list[Batch] = []

    def have(more: int) -> bool:
        batches.extend(camera.take())
        return camera.connected and len(batches) > more

    until(camera, lambda: have(0))
    publisher.silent.set()
    until(camera, lambda: bool(camera.fault), rounds=4)
    assert not camera.connected
    assert "camera 'eye' (zmq) gives no pictures" in camera.fault
    assert "plugged in" in camera.fault
    publisher.silent.clear()
    have(0)
    before = len(batches)
    until(camera, lambda: have(before + 2))
    rows = np.concatenate([batch.rows for batch in batches])
    assert not camera.fault
    gap = int(np.diff(rows["seq"]).max())
    silent_s = float(np.diff(rows["t_mono_ns"]).max()) / NS_PER_S
    assert gap == pytest.approx(silent_s * FPS, abs=1) and gap > FPS / 2

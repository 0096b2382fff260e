"""LeRobot's own OpenCV camera as a stream of ours, on a film, and on a device that is not there."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from recorders.clock import ManualClock
from studio.devices.interfaces import DeviceError
from studio.devices.lerobot_camera import LerobotCamera
from studio.devices.lerobot_types import decode_config

pytestmark = [
    pytest.mark.alone, pytest.mark.slow,
    # LeRobot's reading thread ends with the film, by an exception that it lets through
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")]

SIZE, FRAMES = (120, 160), 300


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred grey pictures."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, SIZE[::-1])
    for number in range(FRAMES):
        writer.write(np.full((*SIZE, 3), 40 + number % 100, np.uint8))
    writer.release()
    return path


def camera(clock: ManualClock, path: Path, **fields: Any) -> LerobotCamera:
    config = decode_config("camera", "opencv", {"index_or_path": str(path), "warmup_s": 0,
                                                **fields})

    def make() -> Any:
        from lerobot.cameras.utils import make_cameras_from_configs

        return make_cameras_from_configs({"front": config})["front"]

    return LerobotCamera(clock, "front", config, make, "jpeg")


def test_a_camera_that_is_not_told_its_size_is_asked(film):
    front = camera(ManualClock(), film)
    image = front.spec.images[0]
    assert (image.height, image.width, front.spec.rate_hz) == (*SIZE, 30.0)


def test_a_camera_that_is_not_there_is_one_line_with_what_to_do():
    with pytest.raises(DeviceError, match=r"camera 'front'.*lerobot-find-cameras.*width") as why:
        camera(ManualClock(), Path("/dev/video99"))
    assert "\n" not in str(why.value)
    told = camera(ManualClock(), Path("/dev/video99"), width=640, height=480, fps=30)
    told.step()
    assert "cannot be opened" in told.fault and "other program" in told.fault

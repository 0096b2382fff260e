"""RealSense cameras through the real librealsense: its software device, recorded and played."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from doubles.realsense_bag import (
    DEVICE_0_MS,
    DROPPED,
    FPS,
    FRAMES,
    HEIGHT,
    SCALE_M,
    WIDTH,
    record_bag,
)

from recorders.clock import SystemClock
from recorders.images import decode
from recorders.streams import TAKEN, Batch
from studio.devices.interfaces import DeviceError
from studio.devices.lerobot_robot import _realsense
from studio.devices.reader import DeviceReader
from studio.devices.realsense import DOMAINS, RealSenseCamera, RealSenseConfig
from studio.station.robots import open_robot

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_bag(tmp_path_factory.mktemp("bag") / "camera.bag")


@pytest.fixture
def camera(bag: Path) -> Iterator[RealSenseCamera]:
    made = RealSenseCamera(SystemClock(), "front", RealSenseConfig(file=str(bag)),
                           "jpegxl-lossless")
    yield made
    made.release()


def played(camera: RealSenseCamera, lost: int = 1) -> list[Batch]:
    """All that comes until the camera has been lost so often."""
    batches: list[Batch] = []
    for _ in range(lost * 3 * FRAMES):
        pause_s = camera.step()
        batches += camera.take()
        lost -= pause_s > 0
        if not lost:
            return batches
    pytest.fail("the recording does not end")


def test_rows_hold_stamps_numbers_intrinsics_and_the_scale_of_depth(camera):
    batches = played(camera)
    rows = np.concatenate([batch.rows for batch in batches])
    assert len(rows) > FRAMES // 2
    gaps = np.diff(rows["seq"])
    numbers = np.round((rows["t_device_ns"] / 1e6 - DEVICE_0_MS) * FPS / 1000).astype(int)
    np.testing.assert_array_equal(gaps, np.diff(numbers))       # each gap is a frame not given
    assert gaps.min() >= 1 and gaps.max() >= 3 and not set(numbers) & set(DROPPED)
    np.testing.assert_array_equal(rows["depth_seq"], numbers)
    assert (np.diff(rows[TAKEN]) > 0).all() and (rows[TAKEN] <= rows["t_mono_ns"]).all()
    assert DOMAINS[rows["clock_domain"][0]] == "hardware_clock"
    np.testing.assert_allclose(rows["intrinsics"][0], [80, 80, 48, 32])
    assert rows["depth_scale"][0] == pytest.approx(SCALE_M)
    assert np.isnan(rows["world_from_camera"]).all()
    fields = {field.name: field for field in camera.spec.images}
    assert fields["depth"].unit == f"{SCALE_M:g} m"
    last, number = batches[-1].images[0], numbers[-1]
    colour = decode(last["rgb"], "jpegxl-lossless", (HEIGHT, WIDTH, 3))
    assert colour[32, 48].tolist() == [200, 100, 2 * number]
    assert decode(last["depth"], "zstd", (HEIGHT, WIDTH))[32, 48] == 1000 + number


def test_one_that_was_lost_is_told_opened_again_and_its_numbers_go_on(camera):
    first = played(camera)
    assert not camera.connected and "camera 'front' (RealSense" in camera.fault
    assert "USB 3" in camera.fault
    second = played(camera)
    rows = np.concatenate([batch.rows for batch in first + second])
    assert (np.diff(rows["seq"]) >= 1).all() and (np.diff(rows["t_mono_ns"]) > 0).all()
    lost = len(first)
    silent_s = (rows["t_mono_ns"][lost] - rows["t_mono_ns"][lost - 1]) / 1e9
    assert rows["seq"][lost] - rows["seq"][lost - 1] == pytest.approx(silent_s * FPS, abs=1)
    assert rows["t_device_ns"][lost] < rows["t_device_ns"][lost - 1]    # its clock began anew
    assert (np.diff(rows[TAKEN]) > 0).all()


def test_a_real_arms_cameras_may_be_realsense_ones_with_a_latency(bag, tmp_path):
    robot = open_robot("so101_follower", SystemClock(), latency_ms={"front": 21},
                       fields={"port": "/dev/null", "calibration_dir": str(tmp_path)},
                       cameras={"front": {"type": "realsense", "file": str(bag)}})
    front = robot.info.streams[-1]
    assert (front.name, front.rate_hz, front.latency_ns) == ("front", FPS, 21_000_000)
    assert front.moment_column == TAKEN


def test_a_camera_that_is_not_there_is_one_line_with_what_to_do():
    with pytest.raises(DeviceError, match=r"camera 'front' \(RealSense, 12345\) cannot be opened"
                                          r".*USB 3.*lerobot-find-cameras") as why:
        RealSenseCamera(SystemClock(), "front", RealSenseConfig(serial="12345"), "jpeg")
    assert "\n" not in str(why.value)


def test_its_fields_are_those_of_the_config_and_a_serial_may_look_like_a_number():
    config = _realsense("front", {"type": "realsense", "serial": 123456, "width": 848})
    assert (config.serial, config.width, config.fps) == ("123456", 848, 30)
    for wrong in ({"fps": "fast"}, {"colour": True}):
        with pytest.raises(DeviceError, match=r"refuses its fields.*valid are serial, width"):
            _realsense("front", {"type": "realsense"} | wrong)


def test_several_at_once_each_in_its_thread_keep_their_own_numbers(bag):
    clock, news = SystemClock(), Event()
    cameras = [RealSenseCamera(clock, name, RealSenseConfig(file=str(bag), depth=depth), "jpeg")
               for name, depth in (("front", True), ("wrist", False))]
    readers = [DeviceReader(one.spec.name, one.step, lambda why: news.set(), one.release)
               for one in cameras]
    for reader in readers:
        reader.start()
    try:
        assert all(reader.wait_for_rounds(15, 20.0) for reader in readers)
    finally:
        for reader in readers:
            reader.stop()
    assert not news.is_set()
    for one in cameras:
        batches = one.take()
        assert batches and {batch.stream for batch in batches} == {one.spec.name}
        assert (np.diff([batch.rows["seq"][0] for batch in batches]) >= 1).all()
    assert "depth" not in [field.name for field in cameras[1].spec.images]

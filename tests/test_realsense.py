"""RealSense cameras through the real librealsense: its software device, recorded and played."""

import gc
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pyrealsense2 as rs
import pytest

from recorders.clock import SystemClock
from recorders.images import decode
from recorders.streams import TAKEN, Batch
from studio.devices.interfaces import DeviceError
from studio.devices.lerobot_robot import _realsense
from studio.devices.reader import DeviceReader
from studio.devices.realsense import DOMAINS, RealSenseCamera, RealSenseConfig
from studio.station.robots import open_robot

pytestmark = pytest.mark.alone

WIDTH, HEIGHT, FPS = 96, 64, 30
FRAMES, DROPPED = 45, (20, 21)
DEVICE_0_MS = 5_000_000.0       # the camera has been on for a while
SCALE_M = 0.0005


def stream(kind: rs.stream, number: int, form: rs.format, bytes_per_pixel: int) -> rs.video_stream:
    inside = rs.intrinsics()
    inside.width, inside.height, inside.ppx, inside.ppy = WIDTH, HEIGHT, 47.5, 31.5
    inside.fx = inside.fy = 80.0
    inside.model, inside.coeffs = rs.distortion.none, [0.0] * 5
    made = rs.video_stream()
    made.type, made.index, made.uid, made.fmt, made.bpp = kind, 0, number, form, bytes_per_pixel
    made.width, made.height, made.fps, made.intrinsics = WIDTH, HEIGHT, FPS, inside
    return made


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half of a software device, at its pace, two frames dropped."""
    path = tmp_path_factory.mktemp("bag") / "camera.bag"
    device = rs.software_device()
    device.register_info(rs.camera_info.name, "Software D435")
    device.register_info(rs.camera_info.serial_number, "000000000001")
    device.register_info(rs.camera_info.product_line, "D400")
    deep, coloured = device.add_sensor("Stereo Module"), device.add_sensor("RGB Camera")
    depth = deep.add_video_stream(stream(rs.stream.depth, 0, rs.format.z16, 2))
    colour = coloured.add_video_stream(stream(rs.stream.color, 1, rs.format.rgb8, 3))
    deep.add_read_only_option(rs.option.depth_units, SCALE_M)
    apart = rs.extrinsics()
    apart.rotation, apart.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0]
    depth.register_extrinsics_to(colour, apart)
    device.create_matcher(rs.matchers.dlr_c)
    recorder = rs.recorder(str(path), device)
    sensors, together, pace = recorder.query_sensors(), rs.syncer(), Event()
    for sensor, profile in zip(sensors, (depth, colour), strict=True):
        sensor.open(profile)
        sensor.start(together)
    held = []
    for number in range(FRAMES):
        pace.wait(1 / FPS)
        if number in DROPPED:
            continue
        pixels = (np.full((HEIGHT, WIDTH), 1000 + number, np.uint16),
                  np.full((HEIGHT, WIDTH, 3), (200, 100, 2 * number), np.uint8))
        held.append(pixels)
        for sensor, profile, values in zip((deep, coloured), (depth, colour), pixels, strict=True):
            frame = rs.software_video_frame()
            frame.pixels, frame.bpp = values, values.nbytes // (WIDTH * HEIGHT)
            frame.stride = WIDTH * frame.bpp
            frame.timestamp = DEVICE_0_MS + number * 1000 / FPS
            frame.domain, frame.frame_number = rs.timestamp_domain.hardware_clock, number
            frame.profile = profile.as_video_stream_profile()
            sensor.on_video_frame(frame)
    while sensors:
        ended = sensors.pop()
        ended.stop()
        ended.close()
        del ended
    del recorder, sensors
    gc.collect()            # closes the file
    return path


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

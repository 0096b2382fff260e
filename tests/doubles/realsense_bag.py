"""A `.bag` of librealsense's own software device: a second and a half, two frames dropped.

Colour and depth of one size, with the camera's stamps and numbers. Real time: its recorder stamps
what it writes by the machine's clock, and its player keeps that pace.
"""

import gc
from pathlib import Path
from threading import Event

import numpy as np
import pyrealsense2 as rs

WIDTH, HEIGHT, FPS = 96, 64, 30
FRAMES, DROPPED = 45, (20, 21)
DEVICE_0_MS = 5_000_000.0       # the camera has been on for a while
SCALE_M = 0.0005


def _stream(kind: rs.stream, number: int, form: rs.format, bytes_per_pixel: int) -> rs.video_stream:
    inside = rs.intrinsics()
    inside.width, inside.height, inside.ppx, inside.ppy = WIDTH, HEIGHT, 47.5, 31.5
    inside.fx = inside.fy = 80.0
    inside.model, inside.coeffs = rs.distortion.none, [0.0] * 5
    made = rs.video_stream()
    made.type, made.index, made.uid, made.fmt, made.bpp = kind, 0, number, form, bytes_per_pixel
    made.width, made.height, made.fps, made.intrinsics = WIDTH, HEIGHT, FPS, inside
    return made


def record_bag(path: Path) -> Path:
    """Write one."""
    device = rs.software_device()
    device.register_info(rs.camera_info.name, "Software D435")
    device.register_info(rs.camera_info.serial_number, "000000000001")
    device.register_info(rs.camera_info.product_line, "D400")
    deep, coloured = device.add_sensor("Stereo Module"), device.add_sensor("RGB Camera")
    depth = deep.add_video_stream(_stream(rs.stream.depth, 0, rs.format.z16, 2))
    colour = coloured.add_video_stream(_stream(rs.stream.color, 1, rs.format.rgb8, 3))
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

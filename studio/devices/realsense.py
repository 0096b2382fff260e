"""A RealSense camera as a stream of ours: colour, depth on it, and the stamps that LeRobot drops.

Frames carry the camera's own stamp and number: the stamp is mapped to this machine's clock
(`recorders.clock_map`), a gap in the numbers is a dropped frame. Depth is aligned to colour, so
that one set of intrinsics holds for both; a row is a pair of the same moment, and a frame without
its partner counts as dropped. A camera that is lost is looked for by its serial number twice a
second; the arm goes on. A `.bag` recording plays in a camera's place, at its own pace.
Knows librealsense; refuses to know robots.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, Clock
from recorders.clock_map import CLOCK_COLUMNS, ClockMap
from recorders.streams import TAKEN, Column, Encoding, StreamSpec
from studio.devices.camera_thread import CameraThread, image_fields
from studio.devices.columns import POSE
from studio.devices.interfaces import DeviceError

TYPE = "realsense"      # in `--cameras`; LeRobot's own is "intelrealsense"
FIRST_MS = 3000         # a camera that has just been opened measures its exposure first
FRAME_MS = 400          # silent for so long: gone, and looked for
_NEAR = 0.75            # of a period: sensors that are not in step lie up to half of one apart
_REMEDY = ("see that it is plugged into USB 3 and that no other program uses it; "
           "`lerobot-find-cameras realsense` lists what is there")
DOMAINS = ("hardware_clock", "system_time", "global_time")      # librealsense's, in its order
_COLUMNS = (
    Column(name="world_from_camera", dtype="<f8", shape=(7,), unit="m", names=POSE),
    Column(name="intrinsics", dtype="<f8", shape=(4,), unit="px", names=("fx", "fy", "cx", "cy")),
    Column(name="depth_scale", dtype="<f8", unit="m"),      # metres per count; NaN without depth
    Column(name="depth_seq", dtype="<i8"),                  # the depth frame's number; -1 without
    Column(name="clock_domain", dtype="u1", values=DOMAINS),
    *CLOCK_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class RealSenseConfig:
    """Which camera, and what it shall deliver."""

    serial: str = ""
    """Its serial number; empty is the only one that is plugged in. `lerobot-find-cameras
    realsense` lists them."""
    width: int = 640
    """Of colour and depth, in pixels."""
    height: int = 480
    """Of colour and depth, in pixels."""
    fps: int = 30
    """Pictures a second."""
    depth: bool = True
    """Whether depth is recorded, aligned to colour."""
    exposure: float = 0.0
    """Of colour, as librealsense counts it; 0 leaves it to the camera."""
    world_from_camera: tuple[float, ...] = ()
    """Where it stands: x y z in m, qw qx qy qz, looking along z with y down; empty: not known."""
    file: str = ""
    """A .bag recording that is played in the camera's place."""


class _Profile(msgspec.Struct, frozen=True):
    """What an open camera says of itself."""

    height: int
    width: int
    fps: float
    intrinsics: tuple[float, float, float, float]
    depth_scale: float


class RealSenseCamera(CameraThread):
    """One camera.

    Args:
        clock: stamps what arrives.
        name: of the stream.
        config: which one.
        encoding: of the colour pictures.

    Raises:
        DeviceError: it cannot be opened to be asked for its depth's scale and its size.
    """

    def __init__(self, clock: Clock, name: str, config: RealSenseConfig, encoding: Encoding
                 ) -> None:
        if len(config.world_from_camera) not in (0, 7):
            raise DeviceError(f"camera '{name}': world_from_camera is 7 numbers, x y z qw qx qy qz")
        which = config.file or config.serial or "the only one"
        super().__init__(clock, name, f"RealSense, {which}", _REMEDY)
        self._config, self._align = config, None
        self._map, self._first = ClockMap(), True
        self._seq, self._from_number, self._number, self._newest_ns = -1, 0, -1, 0
        try:
            self._profile = seen = self._open()
        except Exception as error:      # librealsense raises RuntimeError for all there is
            raise DeviceError(self._trouble("cannot be opened", error)) from error
        finally:
            self.release()
        unit = f"{seen.depth_scale:g} m" if config.depth else ""
        self.spec = StreamSpec(name=name, rate_hz=seen.fps, columns=_COLUMNS, images=image_fields(
            seen.height, seen.width, encoding, unit))

    def _close(self, device: Any) -> None:
        device.stop()       # raises for one that is unplugged, or a recording at its end

    def _open(self) -> _Profile:
        import pyrealsense2 as rs

        config, asked = self._config, rs.config()
        if config.file:
            asked.enable_device_from_file(config.file, repeat_playback=False)
        else:
            asked.enable_device(_plugged_in(config.serial, rs))
            size = (config.width, config.height)
            asked.enable_stream(rs.stream.color, *size, rs.format.rgb8, config.fps)
            if config.depth:
                asked.enable_stream(rs.stream.depth, *size, rs.format.z16, config.fps)
        self._device = pipeline = rs.pipeline()
        started = pipeline.start(asked)
        if config.exposure and not config.file:
            sensor = started.get_device().first_color_sensor()
            sensor.set_option(rs.option.enable_auto_exposure, 0)
            sensor.set_option(rs.option.exposure, config.exposure)
        seen = started.get_stream(rs.stream.color).as_video_stream_profile()
        inside = seen.get_intrinsics()
        scale = _depth_scale(started.get_device(), rs) if config.depth else float("nan")
        self._align = rs.align(rs.stream.color) if config.depth else None
        self._first = True
        # librealsense counts the middle of the first pixel as 0, the studio its edge.
        return _Profile(seen.height(), seen.width(), float(seen.fps()), (
            inside.fx, inside.fy, inside.ppx + 0.5, inside.ppy + 0.5), scale)

    def _wait_for_frame(self) -> None:
        came, frames = self._device.try_wait_for_frames(FIRST_MS if self._first else FRAME_MS)
        now_ns = self._clock.now_ns()
        if not came:
            raise TimeoutError("no frame in time")
        colour = frames.get_color_frame()
        depth = frames.get_depth_frame() if self._config.depth else None
        if not colour or (self._config.depth and not (depth and self._together(colour, depth))):
            return      # a set comes for every frame, with the newest of the other sensor
        number, depth_number = colour.get_frame_number(), depth.get_frame_number() if depth else -1
        if not self._first and number <= self._number:
            return
        if self._align is not None:
            frames = self._align.process(frames)
            colour = frames.get_color_frame()
        row = self._row(self._numbered(number, now_ns), now_ns)
        device_ns = round(colour.get_timestamp() * 1e6)         # in ms
        row["t_device_ns"], row[TAKEN] = device_ns, self._map.taken_ns(device_ns, now_ns)
        row["clock_drift_ppm"] = self._map.fit.drift_ppm
        row["clock_drift_error_ppm"] = self._map.fit.error_ppm
        row["clock_domain"] = DOMAINS.index(colour.get_frame_timestamp_domain().name)
        row["world_from_camera"] = self._config.world_from_camera or np.nan
        row["intrinsics"], row["depth_scale"] = self._profile.intrinsics, self._profile.depth_scale
        row["depth_seq"] = depth_number
        self._keep(row, np.array(colour.get_data()), None if depth is None else
                   np.array(frames.get_depth_frame().get_data()))
        self.fault, self._newest_ns = "", now_ns

    def _together(self, colour: Any, depth: Any) -> bool:
        """Whether two frames are nearer in time than two of one sensor, as far as can be told."""
        if colour.get_frame_timestamp_domain() != depth.get_frame_timestamp_domain():
            return True
        apart_ms = abs(colour.get_timestamp() - depth.get_timestamp())
        return apart_ms * self._profile.fps < _NEAR * 1000

    def _numbered(self, number: int, now_ns: int) -> int:
        """The frame's number, going on where the camera was lost: it counts from the beginning."""
        if self._first:
            lost = round((now_ns - self._newest_ns) * self.spec.rate_hz / NS_PER_S)
            following = self._seq + (max(1, lost) if self._newest_ns else 1)
            self._from_number, self._first = following - number, False
        self._number, self._seq = number, self._from_number + number
        return self._seq


def _plugged_in(serial: str, rs: Any) -> str:
    """The serial number to open; librealsense itself would wait 15 s for one that is not there."""
    here = [device.get_info(rs.camera_info.serial_number)
            for device in rs.context().query_devices()
            if device.supports(rs.camera_info.serial_number)]
    if serial in here or (not serial and len(here) == 1):
        return serial or here[0]
    raise DeviceError(f"it is not there; plugged in are {', '.join(here)}" if here and serial else
                      f"say which serial: {', '.join(here)}" if here else "none is plugged in")


def _depth_scale(device: Any, rs: Any) -> float:
    for sensor in device.query_sensors():
        if sensor.supports(rs.option.depth_units):
            return float(sensor.get_option(rs.option.depth_units))
    raise DeviceError("it has no depth sensor: say `depth: false`")

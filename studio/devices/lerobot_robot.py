"""Any LeRobot robot that is an arm driven by joint positions, by its type and its config's fields.

`--robot so101_follower --robot.port /dev/ttyACM0` becomes this: LeRobot's robot in a thread of its
own (`lerobot_bus`), its cameras as streams of ours (`lerobot_camera`), its units as ours
(`joint_units`), and its model (`robot_model`), which the station needs for Cartesian driving and
for its workspace. Never blocks its caller. Refuses to know who drives.

Its velocity is that of the last `VELOCITY_NS`: LeRobot tells none, and a difference of two
neighbouring readings is mostly the encoder's last digit.
"""

import dataclasses
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, Clock
from recorders.streams import Batch, Encoding
from studio.devices.columns import arm_stream, joint_column
from studio.devices.interfaces import DeviceError, RobotInfo
from studio.devices.joint_units import Unit, joint_keys, joint_units
from studio.devices.lerobot_bus import LerobotBus, Reading
from studio.devices.lerobot_camera import LerobotCamera
from studio.devices.lerobot_types import (
    DISCOVER,
    decode_config,
    module_names,
    one_line,
    parsed,
)
from studio.devices.reader import DeviceReader
from studio.devices.realsense import TYPE as REALSENSE
from studio.devices.realsense import RealSenseCamera, RealSenseConfig
from studio.devices.robot_model import RobotModel, ToolFrame, load_model, own_model

VELOCITY_NS = 60_000_000
STEP_RAD = 2 * np.pi / 4096         # of a servo's encoder; one step to and fro is standing still
OPEN_S = 60.0                       # opening a bus takes a second, a camera that warms up some
OPEN_TRIES = 5                      # LeRobot gives up opening when one packet is lost
SWITCH_S = 5e-4     # the SDK spins while it waits for an answer; other threads shall not wait 5 ms
_KEEPS_TORQUE = "disable_torque_on_disconnect"


class LerobotRobot:
    """A LeRobot robot as the station's `RobotDriver`.

    Args:
        clock: stamps what arrives.
        robot_type: as registered in LeRobot.
        fields: of LeRobot's config; its `cameras` become streams of ours.
        cameras: further cameras: name to LeRobot's fields, `type` among them.
        model: URDF or MJCF; empty for a robot whose model comes with the studio.
        tool: site or link in the model; empty looks for the usual names.
        joints: LeRobot's joint to the model's name for it, where they differ.
        unit: of LeRobot's joints; empty: as its config's `use_degrees` says, else degrees.
        gripper_open: the gripper's number when open.
        max_velocity, max_acceleration, max_jerk: of every joint, rad/s, rad/s², rad/s³.
        rate_hz: how often the robot is read.
        image_encoding: of colour pictures.

    Raises:
        DeviceError: naming valid types, fields, joints or what is missing.
    """

    def __init__(self, clock: Clock, robot_type: str, *, fields: Mapping[str, Any] | None = None,
                 cameras: Mapping[str, Any] | str | None = None, model: str = "", tool: str = "",
                 joints: Mapping[str, str] | str | None = None, unit: Unit | None = None,
                 gripper_open: float = 100.0, max_velocity: float = 2.0,
                 max_acceleration: float = 12.0, max_jerk: float = 300.0, rate_hz: float = 100.0,
                 image_encoding: Encoding = "jpeg") -> None:
        _require_positive(rate_hz=rate_hz, max_velocity=max_velocity, max_jerk=max_jerk,
                          max_acceleration=max_acceleration)
        self._clock, self._title = clock, robot_type
        given = dict(fields or {})
        plugins = module_names(given.pop(DISCOVER, ()))
        wanted = {**_mapping("cameras", given.pop("cameras", {})),
                  **_mapping("cameras", cameras or {})}
        config = self._config(robot_type, given, plugins)
        robot = _made(robot_type, config, given)
        keys = joint_keys(robot_type, tuple(robot.action_features))
        motors = [key.removesuffix(".pos") for key in keys[:-1]]
        renamed = _mapping("joints", joints or {})
        self._model = _model_of(robot_type, model, [renamed.get(m, m) for m in motors], tool)
        lower, upper = np.array(self._model.lower), np.array(self._model.upper)
        spoken = unit or ("m100_100" if getattr(config, "use_degrees", True) is False else "deg")
        ranges = _calibrated_rad(robot, motors)
        if spoken == "m100_100" and ranges is None:
            raise DeviceError(f"{robot_type} is not calibrated, so that -100..100 means nothing: "
                              f"{_calibrating(robot_type, given)}, or drive it in degrees")
        half = np.full(len(motors), np.inf) if ranges is None else ranges
        self._units = joint_units(keys, spoken, -half, half, gripper_open)
        self._cameras = [self._camera(name, camera, plugins, image_encoding)
                         for name, camera in wanted.items()]
        self.info = self._info(np.maximum(lower, -half), np.minimum(upper, half), rate_hz, (
            max_velocity, max_acceleration, max_jerk))
        port = getattr(config, "port", "")
        self._bus = LerobotBus(
            clock, lambda: _made(robot_type, config, given), self._units, title=robot_type,
            rate_hz=rate_hz,
            remedy=f"check its power, its cable and its port{f' ({port})' if port else ''}; "
                   "`lerobot-find-port` finds it, `tandem doctor` lists the ports",
            uncalibrated=_calibrating(robot_type, given))
        self._readers = [DeviceReader(f"{robot_type} bus", self._bus.step, self._fail,
                                      self._bus.release),
                         *(DeviceReader(f"camera {c.spec.name}", c.step, self._fail, c.release)
                           for c in self._cameras)]
        self._frame = ToolFrame(self._model)
        self._recent: deque[Reading] = deque()
        self._dtype = self.info.streams[0].row_dtype
        self._broken = ""

    # ----------------------------------------------------------------------------- RobotDriver

    def connect(self) -> None:
        """Open the robot and its cameras, each in its own thread.

        Raises:
            DeviceError: one of them does not open; says what to do.
        """
        sys.setswitchinterval(SWITCH_S)
        for reader in self._readers:
            reader.start()
        for reader, device in zip(self._readers, [self._bus, *self._cameras], strict=True):
            for tries in range(1, OPEN_TRIES + 1):
                reader.wait_for_rounds(tries, OPEN_S)
                if device.connected or device.refused:
                    break
            if not device.connected:
                fault = device.fault or f"{self._title} does not open within {OPEN_S:.0f} s"
                self.disconnect()
                raise DeviceError(fault)

    def disconnect(self) -> None:
        """Hold the present posture, close the port and the cameras; torque stays on."""
        for reader in self._readers:
            if reader.running:
                reader.stop()

    def poll(self) -> list[Batch]:
        """Everything that arrived since the last call."""
        rows = [self._row(reading) for reading in self._bus.take()]
        batches = [Batch("arm", np.concatenate(rows))] if rows else []
        for camera in self._cameras:
            batches += camera.take()
        return batches

    def send(self, target: np.ndarray) -> None:
        """Command absolute positions (D,), kept within the limits.

        Raises:
            DeviceError: if the target has another shape or is not finite.
        """
        target, names = np.asarray(target, float), self.info.joint_names
        if target.shape != (len(names),) or not np.isfinite(target).all():
            raise DeviceError(f"a target is {len(names)} finite numbers ({', '.join(names)}), not "
                              f"{target}: it was not sent")
        self._bus.send(np.clip(target, self.info.lower, self.info.upper))

    def hold(self) -> None:
        """Command the present position; the gripper keeps what it was told."""
        if self._recent:
            newest = self._recent[-1]
            held = newest.position.copy()
            if np.isfinite(newest.goal[-1]):
                held[-1] = newest.goal[-1]
            self.send(held)

    @property
    def fault(self) -> str:
        """What is wrong with the arm; a camera that is lost does not stop it."""
        return self._bus.fault or self._broken

    # ------------------------------------------------------------------------------------ inside

    def _fail(self, sentence: str) -> None:
        self._broken = sentence     # a thread of ours let something through: that is ours to mend

    def _row(self, reading: Reading) -> np.ndarray:
        self._recent.append(reading)
        while reading.stamp_ns - self._recent[0].stamp_ns > VELOCITY_NS and len(self._recent) > 2:
            self._recent.popleft()
        first = self._recent[0]
        moved = reading.position - first.position
        moved[np.abs(moved) <= 1.5 * STEP_RAD] = 0.0
        velocity = moved / max((reading.stamp_ns - first.stamp_ns) / NS_PER_S, 1e-3)
        row = np.zeros(1, self._dtype)
        row["t_mono_ns"], row["t_wall_ns"] = reading.stamp_ns, reading.wall_ns
        row["seq"], row["position"], row["velocity"] = reading.seq, reading.position, velocity
        row["effort"], row["goal"] = np.nan, reading.goal
        row["tool_pose"], row["tool_twist"] = self._frame.at(reading.position[:-1], velocity[:-1])
        return row

    def _config(self, robot_type: str, fields: dict[str, Any], plugins: tuple[str, ...]) -> Any:
        config = decode_config("robot", robot_type, fields, plugins)
        if hasattr(config, _KEEPS_TORQUE) and _KEEPS_TORQUE not in fields:
            setattr(config, _KEEPS_TORQUE, False)       # an arm that is let go of falls
        return config

    def _camera(self, name: str, fields: Any, plugins: tuple[str, ...], encoding: Encoding
                ) -> LerobotCamera | RealSenseCamera:
        given = dict(_mapping(f"camera '{name}'", fields))
        if given.get("type") == REALSENSE:
            return RealSenseCamera(self._clock, name, _realsense(name, given), encoding)
        config = decode_config("camera", str(given.pop("type", "opencv")), given, plugins)

        def make() -> Any:
            from lerobot.cameras.utils import make_cameras_from_configs

            return make_cameras_from_configs({name: config})[name]

        return LerobotCamera(self._clock, name, config, make, encoding)

    def _info(self, lower: np.ndarray, upper: np.ndarray, rate_hz: float,
              motion: tuple[float, float, float]) -> RobotInfo:
        names, count = self._units.names, len(lower)
        velocity, acceleration, jerk = ((*[of_a_joint] * count, of_the_gripper) for (
            of_a_joint, of_the_gripper) in zip(motion, (4.0, 60.0, 2000.0), strict=True))
        return RobotInfo(
            name=self._title, joint_names=names, lower=(*lower.tolist(), 0.0),
            upper=(*upper.tolist(), 1.0), max_velocity=velocity, max_acceleration=acceleration,
            max_jerk=jerk, home=(*np.clip(self._model.home, lower, upper).tolist(), 1.0),
            model_xml=self._model.xml, tool_site=self._model.tool_site,
            arm_joints=self._model.joints, workspace=(self._model.low, self._model.high),
            streams=(arm_stream(rate_hz, names, "rad", "N m", joint_column("goal", "rad", names)),
                     *(camera.spec for camera in self._cameras)))


def _realsense(name: str, fields: dict[str, Any]) -> RealSenseConfig:
    given = {key: value for key, value in fields.items() if key != "type"}
    if "serial" in given:
        given["serial"] = str(given["serial"])      # YAML reads a number
    valid = [field.name for field in dataclasses.fields(RealSenseConfig)]
    try:
        if unknown := given.keys() - set(valid):
            raise msgspec.ValidationError(f"there is no '{min(unknown)}'")
        return msgspec.convert(given, RealSenseConfig)
    except msgspec.ValidationError as error:
        raise DeviceError(f"camera '{name}' (RealSense) refuses its fields: {error}; valid are "
                          f"{', '.join(valid)}") from error


def _made(robot_type: str, config: Any, fields: Mapping[str, Any]) -> Any:
    from draccus.utils import DraccusException
    from lerobot.robots.utils import make_robot_from_config

    try:
        return make_robot_from_config(config)
    except DraccusException as error:       # it reads its calibration as it is made
        raise DeviceError(f"{robot_type}: its calibration cannot be read ({one_line(error)}): "
                          f"{_calibrating(robot_type, fields)}") from error
    except (ValueError, TypeError, ImportError) as error:
        raise DeviceError(f"LeRobot robot '{robot_type}' cannot be had: {one_line(error)}"
                          ) from error


def _model_of(robot_type: str, model: str, joints: list[str], tool: str) -> RobotModel:
    path = Path(model).expanduser() if model else own_model(robot_type)
    if path is None:
        raise DeviceError(f"{robot_type} comes without a model: give its URDF or MJCF with "
                          "--robot.model FILE")
    return load_model(path, joints, tool)


def _calibrated_rad(robot: Any, motors: list[str]) -> np.ndarray | None:
    """(D - 1,) half of each joint's calibrated range, where the robot's bus knows it."""
    bus = getattr(robot, "bus", None)
    calibration = getattr(bus, "calibration", None) or {}
    steps = getattr(bus, "model_resolution_table", None) or {}
    if bus is None or not all(m in calibration and bus.motors[m].model in steps for m in motors):
        return None
    return np.array([np.pi * (calibration[m].range_max - calibration[m].range_min)
                     / (steps[bus.motors[m].model] - 1) for m in motors])


def _calibrating(robot_type: str, fields: Mapping[str, Any]) -> str:
    told = {name: fields[name] for name in ("port", "id", "calibration_dir") if name in fields}
    return " ".join(["run `lerobot-calibrate", f"--robot.type={robot_type}",
                     *(f"--robot.{name}={value}" for name, value in told.items())]) + "`"


def _require_positive(**numbers: Any) -> None:
    """A limit that is no number would limit nothing."""
    for name, value in numbers.items():
        if not isinstance(value, int | float) or not 0 < value < np.inf:
            raise DeviceError(f"{name} is {value!r}: give a number that is more than 0")


def _mapping(what: str, value: Any) -> dict[str, Any]:
    found = parsed(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise DeviceError(f"{what} must be a mapping of names, as in {{front: {{type: opencv, "
                          f"index_or_path: 0}}}}, not {value!r}")
    return dict(found)

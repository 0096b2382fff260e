"""The simulated robot: what the station drives, and what LeRobot's own tools can drive.

Lets the world follow a clock and hands out what arrived. Knows no station and no task beyond its
name. Shaped as LeRobot 0.6.1's `Robot` without importing it, because that imports torch; positions
are in rad, the gripper's in 0..1.
"""

from typing import Any, Self

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, Clock, SystemClock
from recorders.streams import Batch, Encoding
from studio.devices.interfaces import DeviceError, RobotInfo
from studio.sim.arm_model import HOME_RAD, LOWER_RAD, N_JOINTS, UPPER_RAD
from studio.sim.cameras import CameraOptions, CameraRig
from studio.sim.clocked_robot import ClockedRobot
from studio.sim.disturbance import Disturbance, disturbance_from
from studio.sim.instructions import InstructionError
from studio.sim.mishaps import Mishaps
from studio.sim.moments import Moments
from studio.sim.samples import ARM_PERIOD_NS, JOINT_NAMES, Sampler
from studio.sim.scene import ARM_NAME
from studio.sim.world import SimWorld


class SimCamera(msgspec.Struct, frozen=True):
    """What LeRobot asks a camera for."""

    height: int
    width: int
    fps: float


class SimRobot(ClockedRobot):
    """A simulated arm at a table, with cameras.

    Args:
        clock: what the world follows; the machine's if None.
        world: to be driven; a fresh one if None.
        image_size: (height, width) of the pictures.
        camera_hz: rate of the cameras.
        render: False: no cameras, whatever `cameras` says.
        cameras: names out of `studio.sim.scene.CAMERA_NAMES`.
        depth: whether the cameras deliver depth.
        image_encoding: of the colour pictures.
        shadows: prettier pictures, eight times as dear.
        camera_delay_ms: the cameras stamp pictures as those of real robots do, when they arrive,
            so long after they were taken; None: with the moment in which they were taken.
        disturbance: what happens to the cube that is asked for, in a world made here.
        mishaps: what breaks there.

    Attributes:
        world: the simulated world.
    """

    name = robot_type = "tandem_sim"

    def __init__(self, clock: Clock | None = None, world: SimWorld | None = None, *,
                 image_size: tuple[int, int] = (240, 320), camera_hz: float = 30.0,
                 render: bool = True, cameras: tuple[str, ...] = ("front", "wrist"),
                 depth: bool = True, image_encoding: Encoding = "jpeg",
                 shadows: bool = False, camera_delay_ms: float | None = None,
                 disturbance: Disturbance | dict[str, Any] | None = None,
                 mishaps: Mishaps | None = None) -> None:
        clock = clock or SystemClock()
        self.world = world or SimWorld(clock, disturbance=disturbance_from(disturbance),
                                       mishaps=mishaps)
        self._sampler, self._moments = Sampler(self.world), Moments(self.world)
        options = CameraOptions(
            names=tuple(cameras) if render else (), height=image_size[0], width=image_size[1],
            rate_hz=camera_hz, depth=depth, encoding=image_encoding, shadows=shadows,
            delay_ms=camera_delay_ms)
        rig = CameraRig(self.world.model, options)
        self.cameras = {spec.name: SimCamera(*image_size, camera_hz) for spec in rig.streams}
        super().__init__(
            clock, rig, camera_hz, title="the simulated robot", delay_ns=options.delay_ns,
            info=_describe(self.world, (*self._sampler.streams, *rig.streams)))

    # ----------------------------------------------------------------------------- RobotDriver

    def connect(self, calibrate: bool = True) -> None:
        """Start the cameras and let time begin to pass; `calibrate` is LeRobot's.

        Raises:
            DeviceError: if it is connected, or if no picture can be drawn here.
        """
        self._open()
        self.world.skip_to(self._clock.now_ns())
        self._begin_pictures(self.world.stamp_ns)
        self._sampler.tare()
        self._sampler.sample()
        self._capture_what_is_due()

    def poll(self) -> list[Batch]:
        """Advance the world to the clock and return what arrived.

        Never waits in real time; under a virtual clock it waits for pictures that are due.

        Raises:
            DeviceError: if the robot is not connected.
        """
        self._must_be_connected()
        now_ns = self._clock.now_ns()
        if steps := self._steps_to_skip(now_ns, self.world.stamp_ns, ARM_PERIOD_NS):
            self.world.skip_to(self.world.stamp_ns + steps * ARM_PERIOD_NS)
            self._sampler.skip(steps * ARM_PERIOD_NS)
        self.world.advance_to(now_ns, self._after_step)
        batches = self._sampler.take(self._wall_minus_mono_ns()) + self._collected(now_ns)
        if self.world.unstable:
            self.fault = "the simulated physics diverged: reset the scene"
        return batches

    def send(self, target: np.ndarray) -> None:
        """Command absolute positions (8,): rad, and 0..1 for the gripper; kept within the limits.

        Raises:
            DeviceError: if the target has another shape or is not finite, or without a connection.
        """
        self.world.aim(self._within_limits(target))

    def hold(self) -> None:
        """Stay here. The gripper keeps its target: letting go of its grip is not holding."""
        self._must_be_connected()
        self.world.command(np.append(self.world.position[:N_JOINTS], self.world.goal[N_JOINTS]))

    # ------------------------------------------------------------------------------- Resettable

    def reset(self, task: str, seed: int, instruction: str | None = None) -> str:
        """Set the scene for a task from a seed; returns the instruction to give.

        Args:
            task: name of a task.
            seed: of everything that is drawn.
            instruction: replaces the drawn one and its goal.

        Raises:
            DeviceError: for an unknown task.
        """
        instruction = self.world.reset(task, seed, instruction)
        self._moments.clear()
        self._sampler.tare()
        self.fault = ""
        return instruction

    def rewind(self, stamp_ns: int) -> int:
        """Go back to the newest kept moment not after a stamp; the judge keeps the present words.

        Returns:
            That moment's stamp.

        Raises:
            DeviceError: nothing so old is kept.
        """
        self._must_be_connected()
        words = self.world.run.instruction if self.world.run is not None else ""
        moment = self._moments.back_to(stamp_ns)
        self.world.restore(moment.saved)
        if self.world.run is not None and words not in ("", self.world.run.instruction):
            self.world.set_instruction(words)
        self.fault = ""
        return moment.stamp_ns

    def set_instruction(self, text: str) -> None:
        """Let the task's judge look for something else; see `SimWorld.set_instruction`.

        Raises:
            DeviceError: the text names no goal; the old one stays.
        """
        try:
            self.world.set_instruction(text)
        except InstructionError as error:
            raise DeviceError(str(error)) from error

    # ---------------------------------------------------------------------------- LeRobot's face

    @property
    def observation_features(self) -> dict[str, Any]:
        """A float per joint, and (H, W, 3) per camera."""
        pictures = {name: (camera.height, camera.width, 3)
                    for name, camera in self.cameras.items()}
        return {**self.action_features, **pictures}

    @property
    def action_features(self) -> dict[str, type]:
        """A float per joint: "joint1.pos" in rad … "gripper.pos" in 0..1."""
        return {f"{name}.pos": float for name in JOINT_NAMES}

    @property
    def is_connected(self) -> bool:
        """Whether time passes."""
        return self._connected

    @property
    def is_calibrated(self) -> bool:
        """Always: a simulated joint knows its zero."""
        return True

    def calibrate(self) -> None:
        """Nothing to do."""

    def configure(self) -> None:
        """Nothing to do."""

    def get_observation(self) -> dict[str, Any]:
        """The newest positions, and the newest picture of each camera as u1 (H, W, 3).

        What `poll` would return is used up: a loop calls one or the other.
        """
        self.poll()
        if len(self.rig.newest) < len(self.cameras):
            self.rig.collect_all()     # the first picture may still be in the making
        joints = {f"{name}.pos": float(value)
                  for name, value in zip(JOINT_NAMES, self.world.position, strict=True)}
        return {**joints, **self.rig.newest}

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        """Command a position for each joint that is named; the others keep theirs.

        Returns:
            What was really sent, after the limits.

        Raises:
            DeviceError: for a key that is no joint.
        """
        if unknown := [key for key in action if key not in self.action_features]:
            raise DeviceError(f"unknown action '{unknown[0]}': valid are "
                              f"{', '.join(self.action_features)}")
        self.send(np.array([float(action.get(f"{name}.pos", kept))
                            for name, kept in zip(JOINT_NAMES, self.world.goal, strict=True)]))
        return {f"{name}.pos": float(value)
                for name, value in zip(JOINT_NAMES, self.world.goal, strict=True)
                if f"{name}.pos" in action}

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    # ------------------------------------------------------------------------------------ inside

    def _after_step(self) -> None:
        self._sampler.after_step()
        self._moments.keep()
        self._capture_what_is_due()

    def _capture_what_is_due(self) -> None:
        world = self.world
        if self._picture_due(world.stamp_ns):
            self._capture(world.stamp_ns, round(world.time_s * NS_PER_S), world.state)


def _describe(world: SimWorld, streams: tuple[Any, ...]) -> RobotInfo:
    def limits(joint: float, gripper: float) -> tuple[float, ...]:
        return (*([joint] * N_JOINTS), gripper)

    return RobotInfo(
        name=SimRobot.name, joint_names=JOINT_NAMES, lower=(*LOWER_RAD, 0.0),
        upper=(*UPPER_RAD, 1.0), max_velocity=limits(2.0, 4.0),
        max_acceleration=limits(12.0, 60.0), max_jerk=limits(300.0, 2000.0),
        home=(*HOME_RAD, 1.0), model_xml=world.model_xml, tool_site=f"{ARM_NAME}/tool",
        arm_joints=tuple(f"{ARM_NAME}/{name}" for name in JOINT_NAMES[:N_JOINTS]),
        streams=streams)

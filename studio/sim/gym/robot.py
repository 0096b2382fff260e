"""A gymnasium environment as a robot of the station.

Steps the environment to where the clock is, hands out what arrived, and takes targets as any robot
does: positions of a gantry's slides in metres and of the gripper 0..1. Knows worlds through
gym/world.py only; knows no environment by name and no station.
"""

import numpy as np

from recorders.clock import Clock
from recorders.streams import Batch, Encoding
from studio.devices.interfaces import DeviceError
from studio.sim.clocked_robot import ClockedRobot
from studio.sim.gym.gantry import gantry_info
from studio.sim.gym.samples import GymSampler
from studio.sim.gym.world import GymWorld
from studio.sim.picture_thread import PictureThread, camera_stream


class GymRobot(ClockedRobot):
    """An environment that follows a clock.

    Args:
        name: as after `--robot`; recordings and checkpoints call it so.
        clock: what it follows.
        world: the environment.
        image_size: (height, width) of the pictures; a world that wants square ones takes the
            smaller side.
        camera_hz: rate of the cameras.
        render: False: no cameras, whatever `cameras` says.
        cameras: names out of the world's; all of them if None.
        depth: whether the cameras deliver depth, where the world has any.
        image_encoding: of the colour pictures.

    Attributes:
        world: the environment.

    Raises:
        DeviceError: for an unknown camera.
    """

    def __init__(self, name: str, clock: Clock, world: GymWorld, *,
                 image_size: tuple[int, int] = (240, 320), camera_hz: float = 30.0,
                 render: bool = True, cameras: tuple[str, ...] | None = None, depth: bool = True,
                 image_encoding: Encoding = "jpeg") -> None:
        wanted = () if not render else world.cameras if cameras is None else tuple(cameras)
        if unknown := [camera for camera in wanted if camera not in world.cameras]:
            raise DeviceError(f"{name} has no camera '{unknown[0]}': valid are "
                              f"{', '.join(world.cameras)}")
        self.world = world
        self._sampler = GymSampler(world)
        height, width = (min(image_size),) * 2 if world.square else image_size
        with_depth = depth and world.has_depth
        rig = PictureThread(
            [camera_stream(camera, height=height, width=width, rate_hz=camera_hz,
                           depth=with_depth, encoding=image_encoding) for camera in wanted],
            world.darkroom(height=height, width=width, depth=with_depth))
        super().__init__(
            clock, rig, camera_hz, title=name,
            info=gantry_info(name, world.slides, (*self._sampler.streams, *rig.streams)))
        self._stamp_ns = clock.now_ns()
        self._target: np.ndarray | None = None      # (D,); None: stay

    # ----------------------------------------------------------------------------- RobotDriver

    def connect(self) -> None:
        """Start the cameras and let time begin to pass.

        Raises:
            DeviceError: if it is connected, or if no picture can be drawn here.
        """
        self._open()
        self._stamp_ns = self._clock.now_ns()
        self._begin_pictures(self._stamp_ns)
        self._keep()

    def poll(self) -> list[Batch]:
        """Step to the clock and return what arrived.

        Never waits in real time; under a virtual clock it waits for pictures that are due.

        Raises:
            DeviceError: if the robot is not connected.
        """
        self._must_be_connected()
        now_ns, step_ns = self._clock.now_ns(), self.world.step_ns
        if steps := self._steps_to_skip(now_ns, self._stamp_ns, step_ns):
            self._stamp_ns += steps * step_ns
            self._sampler.skip(steps)
        while self._stamp_ns + step_ns <= now_ns and not self.world.reading.problem:
            self.world.step(self._target)
            self._stamp_ns += step_ns
            self._keep()
        batches = self._sampler.take(self._wall_minus_mono_ns()) + self._collected(now_ns)
        self.fault = self.world.reading.problem or self.fault
        return batches

    def send(self, target: np.ndarray) -> None:
        """Command absolute positions (D,): m, and 0..1 for the gripper; kept within the limits.

        Raises:
            DeviceError: if the target has another shape or is not finite, or without a connection.
        """
        self._target = self._within_limits(target)

    def hold(self) -> None:
        """Stay here. The gripper keeps its target: letting go of its grip is not holding."""
        self._must_be_connected()
        if self._target is not None:
            self._target = np.append(self.world.reading.position[:-1], self._target[-1])

    # ------------------------------------------------------------------------------- Resettable

    def reset(self, task: str, seed: int) -> str:
        """Set up a task from a seed; returns the instruction to give.

        Raises:
            DeviceError: for an unknown task.
        """
        if task not in self.world.tasks:
            raise DeviceError(f"{self.info.name} has no task '{task}': valid are "
                              f"{', '.join(self.world.tasks)}")
        self.world.reset(task, seed)
        self._target, self.fault = None, ""
        self._sampler.begin()
        if not self._clock.virtual:         # setting up took its time, in which nothing happened
            self._stamp_ns = max(self._stamp_ns, self._clock.now_ns())
        instructions = self.world.tasks[task].instructions
        return instructions[seed % len(instructions)]

    def set_instruction(self, text: str) -> None:
        """An environment judges by what it was made for, whatever is said.

        Raises:
            DeviceError: always, with the tasks that can be asked for.
        """
        raise DeviceError(f"{self.info.name} cannot judge {text!r}: its tasks are fixed "
                          f"({', '.join(self.world.tasks)})")

    # ------------------------------------------------------------------------------------ inside

    def _keep(self) -> None:
        self._sampler.sample(self._stamp_ns, self._target)
        if self._picture_due(self._stamp_ns):
            self._capture(self._stamp_ns, self._sampler.device_ns, self.world.view)

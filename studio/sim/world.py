"""The simulated world: physics at 500 Hz, a task that judges it, and its exact state.

Knows how the physics steps, and the stamp of the present state; what can be read off that state is
in `readings`. Refuses to know streams, pictures and real time: somebody else says up to which
moment to advance.

A step ends with MuJoCo's `mj_step1` at the new state, so that poses, velocities and contacts
always belong to `stamp_ns`. Forces belong to the interval behind it and are kept in `measured`.

Bit-identical repetition holds for the same build of MuJoCo on the same kind of CPU.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import mujoco
import numpy as np

from recorders.clock import NS_PER_S, Clock
from studio.devices.interfaces import DeviceError
from studio.sim.arm_model import FINGER_TRAVEL_M, HOME_RAD, N_JOINTS
from studio.sim.disturbance import Disturbance, Disturber
from studio.sim.furniture import CUBE_HALF_M
from studio.sim.mishaps import MishapMaker, Mishaps
from studio.sim.readings import SceneReadings
from studio.sim.scene import CUBE_NAMES, PHYSICS_HZ, build_scene

STEP_NS = NS_PER_S // PHYSICS_HZ
AIM_STEPS = 5               # 10 ms: a tick of the control loop at its usual 100 Hz
# With the motors' targets, all that the next step depends on; in MuJoCo's order.
STATE_PARTS = (
    mujoco.mjtState.mjSTATE_TIME | mujoco.mjtState.mjSTATE_QPOS | mujoco.mjtState.mjSTATE_QVEL
    | mujoco.mjtState.mjSTATE_ACT | mujoco.mjtState.mjSTATE_WARMSTART
    | mujoco.mjtState.mjSTATE_MOCAP_POS | mujoco.mjtState.mjSTATE_MOCAP_QUAT
)
_SETTLE_STEPS = 100         # 0.2 s: cubes placed half a millimetre too high come to rest


class SavedWorld(msgspec.Struct, frozen=True):
    """A moment of the world, to come back to.

    Attributes:
        task, seed: what `reset` was given; empty before the first reset.
        state, target: the vectors of `SimWorld.state` and `.target`.
        aim, aim_steps: what `SimWorld.aim` still has to do.
        progress: what the task's judge remembers.
        disturbed: what the scene's disturber remembers.
    """

    task: str
    seed: int
    state: np.ndarray
    target: np.ndarray
    aim: np.ndarray
    aim_steps: int
    progress: tuple[Any, ...]
    disturbed: tuple[Any, ...]


class SimWorld(SceneReadings):
    """Arm, table and objects under physics.

    Args:
        clock: gives the stamp of the first state; time then passes by `advance_to`.
        tasks: by name; `studio.sim.tasks.TASKS` if None.
        disturbance: what happens to the cube that is asked for; nothing if None.
        mishaps: what breaks; nothing if None.

    Attributes:
        model, data: MuJoCo's, for those who look (tasks, cameras); only the world steps them.
        model_xml: the scene as MJCF.
        stamp_ns: the monotonic stamp of the present state.
        measured: (n_sensordata,) all sensors as they were at `stamp_ns` - STEP_NS.
        target: (8,) what the motors aim for: rad, and 0..1 for the gripper.
        push: (3, 3) N, what pushes each cube's foot in the present step, world frame.
        run: the judge of the present task, or None before the first reset.
    """

    def __init__(self, clock: Clock, tasks: Mapping[str, Any] | None = None,
                 disturbance: Disturbance | None = None, mishaps: Mishaps | None = None) -> None:
        if tasks is None:
            from studio.sim.tasks import TASKS  # here, because tasks are optional to a world
            tasks = TASKS
        spec = build_scene(cover=mishaps is not None)
        super().__init__(spec.compile())
        self.model_xml = spec.to_xml()
        self.stamp_ns = clock.now_ns()
        self.measured = np.zeros(self.model.nsensordata)
        self.run: Any = None
        self._aim, self._aim_steps = np.zeros(0), 0
        self._tasks = tasks
        self._disturber = Disturber(disturbance, self) if disturbance is not None else None
        self._mishaps = MishapMaker(mishaps, self.model, self.data) if mishaps else None
        self._said = ("", 0)
        self._state_size = mujoco.mj_stateSize(self.model, STATE_PARTS)
        self._clear()
        self._settle()

    def reset(self, task: str, seed: int, instruction: str | None = None) -> str:
        """Set the scene for a task.

        The same task and seed give the same state to the last bit. `stamp_ns` does not change.

        Args:
            task: a name in the registry.
            seed: of the places, the goal and the phrasing.
            instruction: replaces the drawn goal and phrasing.

        Returns:
            The instruction to give.

        Raises:
            DeviceError: for an unknown task.
        """
        if task not in self._tasks:
            raise DeviceError(f"unknown task '{task}': valid are {', '.join(self._tasks)}")
        self._clear()
        rng = np.random.default_rng(seed)
        extra = {} if instruction is None else {"instruction": instruction}
        self.run = self._tasks[task].start(self, rng, **extra)
        self._settle()
        self._said = (task, seed)
        if self._disturber is not None:
            self._disturber.begin(seed)
        if self._mishaps is not None:
            self._mishaps.begin(seed)
        return self.run.instruction

    def set_instruction(self, text: str) -> None:
        """Aim for something else in the same scene; what was reached before does not count.

        Raises:
            DeviceError: before the first reset.
            InstructionError: the text names no goal; the goal stays as it was.
        """
        if self.run is None:
            raise DeviceError("no task is set up in the simulated scene: reset it first")
        self.run.set_instruction(text)

    def save(self) -> SavedWorld:
        """The present moment."""
        progress = self.run.saved() if self.run else ()
        disturbed = self._disturber.saved() if self._disturber else ()
        return SavedWorld(*self._said, self.state, self.target, self._aim, self._aim_steps,
                          progress, disturbed)

    def restore(self, saved: SavedWorld) -> None:
        """Go back to a saved moment; from there on everything repeats to the last bit."""
        if saved.task:
            if self.run is None or self.unstable or (saved.task, saved.seed) != self._said:
                self.reset(saved.task, saved.seed)      # else that scene is the one that is here
            assert self.run is not None
            self.run.restore(saved.progress)
        else:
            self.run, self._said = None, ("", 0)
        if self._disturber is not None:
            self._disturber.restore(saved.disturbed)
        self.restore_state(saved.state, saved.target)
        self._aim, self._aim_steps = saved.aim, saved.aim_steps

    @property
    def state(self) -> np.ndarray:
        """(n,) f8: time, positions, velocities, warm start, places of the moved furniture."""
        vector = np.empty(self._state_size)
        mujoco.mj_getState(self.model, self.data, vector, STATE_PARTS)
        return vector

    def restore_state(self, state: np.ndarray, target: np.ndarray | None = None) -> None:
        """Go to a recorded physical state; the task's judge keeps what it knows.

        Args:
            state: as `SimWorld.state` gave it.
            target: what the motors were aiming for; None holds the arm where the state has it.

        Raises:
            DeviceError: if the vector is of another scene.
        """
        if state.shape != (self._state_size,) or not np.isfinite(state).all():
            raise DeviceError(f"a state of this scene has {self._state_size} finite numbers, this "
                              f"one is of shape {state.shape}: it was recorded in another scene")
        mujoco.mj_setState(self.model, self.data, state, STATE_PARTS)
        self.command(self.position if target is None else target)
        self.push_cubes(np.zeros((len(CUBE_NAMES), 3)))
        self._begin()

    def command(self, target: np.ndarray) -> None:
        """What the motors aim for from the next step on: (8,) rad, and 0..1 for the gripper."""
        self._aim_steps = 0
        self._aim_motors_at(np.array(target, float))

    def aim(self, target: np.ndarray) -> None:
        """As `command`, but evenly over the next `AIM_STEPS` steps, as servo drives interpolate.

        Steps at the control loop's rate would ring in what the wrist feels.
        """
        self._aim, self._aim_steps = np.array(target, float), AIM_STEPS

    def push_cubes(self, force_n: np.ndarray) -> None:
        """Push each cube's foot from the next step on: (3, 3) N in the world frame."""
        self.push = np.array(force_n, float)
        # At the foot, where the table rubs: pushed at its middle, a cube would tip over.
        lever = np.cross((0.0, 0.0, -CUBE_HALF_M), self.push)
        self.data.xfrc_applied[self._object_bodies[:len(self.push)]] = np.hstack(
            [self.push, lever])

    @property
    def disturbed(self) -> bool:
        """Whether anything but the arm may move things here."""
        return self._disturber is not None

    @property
    def bumps(self) -> int:
        """How often a cube was nudged in this episode."""
        return self._disturber.bumps if self._disturber else 0

    @property
    def goal(self) -> np.ndarray:
        """(8,) where the motors are being led; `target` once they are there."""
        return self._aim if self._aim_steps else self.target

    def _aim_motors_at(self, target: np.ndarray) -> None:
        self.target = target
        self.data.ctrl[:N_JOINTS] = self.target[:N_JOINTS]
        if self._mishaps is not None and self._mishaps.stuck:
            return
        self.data.ctrl[N_JOINTS] = np.clip(self.target[N_JOINTS], 0.0, 1.0) * FINGER_TRAVEL_M

    def advance_to(self, now_ns: int, after_step: Callable[[], None] | None = None) -> None:
        """Step until the state is less than one step older than a moment.

        Args:
            now_ns: monotonic.
            after_step: called with the world at each new `stamp_ns`.
        """
        while self.stamp_ns + STEP_NS <= now_ns:
            if self._aim_steps:
                self._aim_motors_at(self.target + (self._aim - self.target) / self._aim_steps)
                self._aim_steps -= 1
            if self._disturber is not None and self.run is not None:
                self.push_cubes(self._disturber.forces())
            if self._mishaps is not None:
                self._mishaps.step()
            mujoco.mj_step2(self.model, self.data)
            self.measured[:] = self.data.sensordata
            self.stamp_ns += STEP_NS
            self._begin()
            if self.run is not None:
                self.run.update(self)
            if after_step is not None:
                after_step()

    def skip_to(self, stamp_ns: int) -> None:
        """Let time pass without physics: the world stood still for want of CPU time."""
        self.stamp_ns = max(self.stamp_ns, stamp_ns)

    @property
    def unstable(self) -> bool:
        """Whether the physics diverged, so that MuJoCo had to start it over."""
        warnings = self.data.warning
        return any(warnings[kind].number for kind in (mujoco.mjtWarning.mjWARN_BADQPOS,
                                                      mujoco.mjtWarning.mjWARN_BADQVEL,
                                                      mujoco.mjtWarning.mjWARN_BADQACC))

    @property
    def time_s(self) -> float:
        """Simulated seconds since the reset."""
        return float(self.data.time)

    def _clear(self) -> None:
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._arm_qpos] = HOME_RAD
        self.data.qpos[self._finger_qpos] = FINGER_TRAVEL_M
        self.command(self.position)
        self.push_cubes(np.zeros((len(CUBE_NAMES), 3)))

    def _settle(self) -> None:
        """Let things come to rest while the arm stays where it was put."""
        self.command(self.position)
        self._begin()
        for _ in range(_SETTLE_STEPS):
            mujoco.mj_step2(self.model, self.data)
            mujoco.mj_step1(self.model, self.data)
        self.measured[:] = self.data.sensordata
        self.data.time = 0.0

    def _begin(self) -> None:
        """Everything that follows from positions and velocities."""
        mujoco.mj_step1(self.model, self.data)

"""The rows that the simulated robot produces: arm, contact and scene.

Called after every physics step, it keeps what is due and makes batches when asked. Knows the
world's quantities and the streams' columns; knows neither cameras nor commands.

The arm's rows belong to the moment they are stamped with. Contact forces belong to a whole step
and are stamped with its beginning, so the newest contact row is 2 ms older than the newest state.
"""

import mujoco
import numpy as np

from recorders.clock import NS_PER_S
from recorders.streams import Batch, Column, StreamSpec
from studio.devices.columns import POSE, arm_stream, joint_column
from studio.sim.arm_model import N_JOINTS
from studio.sim.columns import VERDICT
from studio.sim.instructions import COLOURS
from studio.sim.scene import ARM_NAME, OBJECT_NAMES, PHYSICS_HZ
from studio.sim.subtasks import GOAL_COLUMNS, write_goal
from studio.sim.world import STEP_NS, SimWorld

JOINT_NAMES = (*(f"joint{i + 1}" for i in range(N_JOINTS)), "gripper")
ARM_HZ = 100
ARM_PERIOD_NS = NS_PER_S // ARM_HZ
_PUSH = Column(name="push", dtype="<f8", shape=(len(COLOURS), 3), unit="N", names=("x", "y", "z"))
_BUMPS = Column(name="bumps", dtype="u1")       # so far in the episode


def stream_specs(world: SimWorld) -> tuple[StreamSpec, ...]:
    """The three streams of a world, cameras apart; a disturbed one tells what pushed its cubes."""
    target = joint_column("target", "rad", JOINT_NAMES)
    return (
        arm_stream(ARM_HZ, JOINT_NAMES, "rad", "N m"),
        StreamSpec(name="contact", rate_hz=PHYSICS_HZ, columns=(
            # What the world does to the tool, at the tool and in its frame, tared at the reset.
            Column(name="wrench", dtype="<f4", shape=(6,), unit="N N m",
                   names=("fx", "fy", "fz", "tx", "ty", "tz")),
            Column(name="touch", dtype="<f4", shape=(2,), unit="N", names=("left", "right")),
            Column(name="button_force", dtype="<f4", unit="N"),
            # What the motors aimed for during the step: with `sim/state`, all that a replay needs.
            target, *((_PUSH,) if world.disturbed else ()))),
        StreamSpec(name="sim", rate_hz=ARM_HZ, columns=(
            Column(name="state", dtype="<f8", shape=world.state.shape),
            target,
            Column(name="objects", dtype="<f8", shape=(len(OBJECT_NAMES), 7), unit="m",
                   names=POSE),
            *VERDICT, *GOAL_COLUMNS, *((_BUMPS,) if world.disturbed else ()))),
    )


class Sampler:
    """Keeps the rows of a world between two polls.

    Args:
        world: looked at, never changed.

    Attributes:
        streams: what `take` returns batches of.
    """

    def __init__(self, world: SimWorld) -> None:
        self.streams = stream_specs(world)
        self._arm, self._contact, self._sim = (spec.row_dtype for spec in self.streams)
        self._world = world
        self._wrench = _WrenchReading(world.model)
        self._touch = [_address(world.model, f"{ARM_NAME}/touch_{side}")
                       for side in ("left", "right")]
        self._button = _address(world.model, "button_force")
        self._rows: dict[str, list[np.ndarray]] = {"arm": [], "sim": []}
        # Of each step: its stamp, its device stamp, the sensors, the motors' target, the push.
        self._measured: list[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]] = []
        self._seq = {spec.name: 0 for spec in self.streams}
        self._next_arm_ns = world.stamp_ns

    def after_step(self) -> None:
        """Keep what the step measured, and what is due of the new state."""
        world = self._world
        device_ns = _device_ns(world)
        self._measured.append((world.stamp_ns - STEP_NS, device_ns - STEP_NS,
                               world.measured.copy(), world.target, world.push))
        if world.stamp_ns >= self._next_arm_ns:
            self.sample()

    def sample(self) -> None:
        """Take a row of the arm and of the scene now."""
        world = self._world
        self._next_arm_ns = world.stamp_ns + ARM_PERIOD_NS
        arm = self._stamped("arm", self._arm)
        arm["position"], arm["velocity"] = world.position, world.velocity
        arm["effort"] = world.effort
        arm["tool_pose"], arm["tool_twist"] = world.tool_pose, world.tool_twist
        sim = self._stamped("sim", self._sim)
        sim["state"], sim["target"], sim["objects"] = world.state, world.target, world.objects
        if world.run is not None:
            sim["phase"], sim["success"] = world.run.phase, world.run.success
            sim["progress"] = world.run.progress
            write_goal(sim, world.run.goal)
        if world.disturbed:
            sim["bumps"] = world.bumps

    def tare(self) -> None:
        """Call what the wrist measures now zero; to be called with the arm at rest."""
        self._wrench.tare(self._world.measured)

    def skip(self, duration_ns: int) -> None:
        """Count the samples of a time in which the world stood still as dropped."""
        for spec in self.streams:
            self._seq[spec.name] += int(duration_ns * spec.rate_hz) // NS_PER_S
        self._next_arm_ns += duration_ns

    def take(self, wall_minus_mono_ns: int) -> list[Batch]:
        """All rows since the last call.

        Args:
            wall_minus_mono_ns: to be added to a monotonic stamp to get the time since the epoch.
        """
        batches = [Batch(name, np.concatenate(rows)) for name, rows in self._rows.items() if rows]
        if self._measured:
            batches.append(Batch("contact", self._contact_rows()))
        for batch in batches:
            batch.rows["t_wall_ns"] = batch.rows["t_mono_ns"] + wall_minus_mono_ns
        self._rows = {"arm": [], "sim": []}
        self._measured = []
        return batches

    def _stamped(self, stream: str, dtype: np.dtype) -> np.ndarray:
        row = np.zeros(1, dtype)
        row["t_mono_ns"], row["t_device_ns"] = self._world.stamp_ns, _device_ns(self._world)
        row["seq"] = self._seq[stream]
        self._seq[stream] += 1
        self._rows[stream].append(row)
        return row

    def _contact_rows(self) -> np.ndarray:
        stamps_ns, device_ns, measured, targets, pushes = zip(*self._measured, strict=True)
        sensors = np.array(measured)
        rows = np.zeros(len(sensors), self._contact)
        rows["t_mono_ns"], rows["t_device_ns"] = stamps_ns, device_ns
        rows["target"] = targets
        if self._world.disturbed:
            rows["push"] = pushes
        rows["seq"] = self._seq["contact"] + np.arange(len(rows))
        rows["wrench"] = self._wrench.read(sensors)
        rows["touch"] = sensors[:, self._touch]
        rows["button_force"] = sensors[:, self._button]
        self._seq["contact"] += len(rows)
        return rows


class _WrenchReading:
    """Turns the wrist sensor's raw reading into what the world does to the tool.

    MuJoCo's sensor says what the wrist does to the hand. At rest that carries the hand's weight,
    which is known in every orientation and taken away; what remains at a reset is the tare.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._columns = {name: _addresses(model, f"{ARM_NAME}/{name}")
                         for name in ("wrist_force", "wrist_torque", "wrist_pose",
                                      "wrist_position", "hand_com")}
        self._weight_n = (model.body_subtreemass[model.body(f"{ARM_NAME}/hand").id]
                          * model.opt.gravity)                                        # (3,)
        tool_m = (model.site(f"{ARM_NAME}/tool").pos
                  - model.site(f"{ARM_NAME}/wrist_sensor").pos)     # same axes as the hand
        # Both cross products have a constant side: one product with a matrix each.
        self._crossed_by_weight = -_skew(self._weight_n)
        self._tool_crosses = _skew(tool_m)
        self._tare = np.zeros(6)

    def tare(self, measured: np.ndarray) -> None:
        self._tare = self._tare + self.read(measured[None])[0]

    def read(self, sensors: np.ndarray) -> np.ndarray:
        """(N, n_sensordata) to (N, 6): N and N·m at the tool, in its frame."""
        at = {name: sensors[:, columns] for name, columns in self._columns.items()}
        world_from_sensor = _matrices(at["wrist_pose"])                               # (N, 3, 3)
        moment = (at["hand_com"] - at["wrist_position"]) @ self._crossed_by_weight.T  # (N, 3)
        force = -at["wrist_force"] - self._weight_n @ world_from_sensor
        torque = (-at["wrist_torque"] - (moment[:, None] @ world_from_sensor)[:, 0]
                  - force @ self._tool_crosses.T)
        return np.concatenate([force, torque], axis=1) - self._tare


def _device_ns(world: SimWorld) -> int:
    return round(world.time_s * NS_PER_S)


def _addresses(model: mujoco.MjModel, sensor: str) -> np.ndarray:
    found = model.sensor(sensor)
    return np.arange(found.adr[0], found.adr[0] + found.dim[0])


def _address(model: mujoco.MjModel, sensor: str) -> int:
    return int(_addresses(model, sensor)[0])


def _skew(vector: np.ndarray) -> np.ndarray:
    """The matrix by which `vector x other` is `matrix @ other`."""
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def _matrices(quats: np.ndarray) -> np.ndarray:
    """(N, 4) w x y z to (N, 3, 3)."""
    w, x, y, z = quats.T
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]).transpose(2, 0, 1)

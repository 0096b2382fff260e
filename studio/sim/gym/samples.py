"""The rows that an environment produces: arm, contact and sim, one of each per step.

The same streams as the simulated arm's, as far as an environment can fill them. Velocities are
differences of positions over a step, because not every environment tells them; efforts are zero,
because none does. Knows columns and worlds; knows neither cameras nor commands.
"""

import numpy as np

from recorders.clock import NS_PER_S
from recorders.streams import Batch, Column, StreamSpec
from studio.devices.columns import arm_stream, joint_column
from studio.sim.columns import VERDICT
from studio.sim.gym.gantry import GRIPPER, POINTING_DOWN
from studio.sim.gym.world import GymWorld


def stream_specs(world: GymWorld) -> tuple[StreamSpec, ...]:
    """The three streams of a world, cameras apart."""
    rate_hz = NS_PER_S / world.step_ns
    names = (*world.slides.names, GRIPPER)
    return (
        arm_stream(rate_hz, names, "m", "N"),
        StreamSpec(name="contact", rate_hz=rate_hz, columns=(
            Column(name="touch", dtype="<f4", shape=(len(world.touch_names),), unit="N",
                   names=world.touch_names),)),
        StreamSpec(name="sim", rate_hz=rate_hz, columns=(
            # With the state of the first row, `target` (what was aimed for during the step that
            # led to the row; NaN: nothing) is all that a replay needs.
            Column(name="state", dtype="<f8", shape=(world.state_size,)),
            joint_column("target", "m", names),
            Column(name="observation", dtype="<f8", shape=(world.observation_size,)),
            *VERDICT)),
    )


class GymSampler:
    """Keeps the rows of a world between two polls, and that it has once succeeded.

    Args:
        world: looked at, never changed.

    Attributes:
        streams: what `take` returns batches of.
        device_ns: simulated time since the last reset, as of the last sample.
    """

    def __init__(self, world: GymWorld) -> None:
        self.streams = stream_specs(world)
        self.device_ns = 0
        self._world = world
        self._dtypes = {spec.name: spec.row_dtype for spec in self.streams}
        self._rows: dict[str, list[np.ndarray]] = {spec.name: [] for spec in self.streams}
        self._seq = 0
        self._before: np.ndarray | None = None      # (D,) of the last sample
        self._success = False

    def begin(self) -> None:
        """Another scene: it has not succeeded, and did not come from where the last one was."""
        self._before, self._success, self.device_ns = None, False, 0

    def sample(self, stamp_ns: int, target: np.ndarray | None) -> None:
        """Take a row of each stream.

        Args:
            stamp_ns: monotonic.
            target: (D,) aimed for during the last step, or None.
        """
        world, reading = self._world, self._world.reading
        position, slides = reading.position, world.slides
        self._success = self._success or reading.success
        velocity = np.zeros_like(position)
        if self._before is not None:
            velocity = (position - self._before) * (NS_PER_S / world.step_ns)
            self.device_ns += world.step_ns
        self._before = position
        at = dict(zip("xyz", slides.home, strict=True)) | dict(zip(slides.names, position[:-1],
                                                                   strict=True))
        moving = [dict(zip(slides.names, velocity[:-1], strict=True)).get(axis, 0.0)
                  for axis in "xyz"]
        arm, contact, sim = (self._stamped(name, stamp_ns) for name in self._rows)
        arm["position"], arm["velocity"] = position, velocity
        arm["tool_pose"] = [*at.values(), *POINTING_DOWN]
        arm["tool_twist"] = [*moving, 0.0, 0.0, 0.0]
        contact["touch"] = reading.touch
        sim["state"], sim["observation"] = world.state, reading.observation
        sim["target"] = np.nan if target is None else target
        sim["phase"] = sim["success"] = self._success
        sim["progress"] = 1.0 if self._success else reading.progress
        self._seq += 1

    def skip(self, steps: int) -> None:
        """Count steps that were not taken for want of time as dropped samples."""
        self._seq += steps

    def take(self, wall_minus_mono_ns: int) -> list[Batch]:
        """All rows since the last call.

        Args:
            wall_minus_mono_ns: to be added to a monotonic stamp to get the time since the epoch.
        """
        batches = [Batch(name, np.concatenate(rows)) for name, rows in self._rows.items() if rows]
        for batch in batches:
            batch.rows["t_wall_ns"] = batch.rows["t_mono_ns"] + wall_minus_mono_ns
        self._rows = {name: [] for name in self._rows}
        return batches

    def _stamped(self, stream: str, stamp_ns: int) -> np.ndarray:
        row = np.zeros(1, self._dtypes[stream])
        row["t_mono_ns"], row["t_device_ns"], row["seq"] = stamp_ns, self.device_ns, self._seq
        self._rows[stream].append(row)
        return row

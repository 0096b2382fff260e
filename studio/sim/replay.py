"""Repeats an episode of the simulated arm, to the last bit, and says how it ended this time.

The world is put into the recorded state of the episode's first moment; then every physics step is
taken again with the target that the motors had in it, recorded at 500 Hz beside the forces. What
the process could not simulate for want of time did not happen, and rows that were lost on the way
show as jumps of the simulated time. Decides nothing; knows no control loop and no screen.
"""

import contextlib
from collections.abc import Callable

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode_reader import EpisodeReader, StreamReader
from studio.devices.interfaces import DeviceError
from studio.sim.instructions import InstructionError
from studio.sim.world import STEP_NS, SimWorld


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a repetition.

    Attributes:
        recorded, replayed: the detector's verdicts, "success" or "failure".
        max_object_error_m: how far any object ever was from where it had been.
        max_joint_error_rad: the same for the arm's joints.
    """

    episode: str
    task: str
    recorded: str
    replayed: str
    duration_s: float
    max_object_error_m: float
    max_joint_error_rad: float

    @property
    def same(self) -> bool:
        """Whether it ended the same way."""
        return self.recorded == self.replayed


def replay_in_simulator(episode: EpisodeReader,
                        progress: Callable[[float], None] = lambda share: None) -> Replayed:
    """Take every physics step of an episode again, from its recorded initial state.

    Args:
        episode: recorded on the simulated arm.
        progress: told the share done, 0..1.

    Raises:
        DeviceError: if the episode was not recorded on this simulator.
    """
    if not all(name in episode for name in ("sim", "contact", "arm")) or not len(episode["sim"]):
        raise DeviceError(f"episode {episode.episode} has no recorded simulator state: only "
                          "episodes of `--robot sim` can be replayed in the simulator")
    sim, contact, arm = episode["sim"], episode["contact"], episode["arm"]
    if "target" not in contact:
        raise DeviceError(f"episode {episode.episode} holds no motor targets: it was recorded on "
                          "another simulator than this one")
    world = SimWorld(ManualClock(int(sim.stamps_ns[0])))
    world.reset(episode.attrs["task"], episode.attrs["seed"], episode.instruction)
    first = int(np.argmax(_stayed(sim["t_device_ns"])))
    world.restore_state(sim["state"][first], sim["target"][first])
    began_ns = int(sim["t_device_ns"][first])
    compared = _Comparison(sim, arm)

    def step_to(device_ns: int) -> None:
        while round(world.time_s * NS_PER_S) < device_ns:
            world.advance_to(world.stamp_ns + STEP_NS)
            compared.look(world)

    kept = _stayed(contact["t_device_ns"])
    stamps_ns, targets = contact["t_device_ns"][kept], contact["target"][kept]     # (N,) (N, D)
    # Only what was recorded with a disturbance tells what pushed the cubes.
    pushes = contact["push"][kept] if "push" in contact else np.zeros((len(stamps_ns), 3, 3))
    edits = _Edits(episode, contact["t_mono_ns"][kept])
    for row in range(int(np.searchsorted(stamps_ns, began_ns)), len(stamps_ns)):
        step_to(int(stamps_ns[row]))            # only after a gap is there anything to do
        edits.until(row, world)
        world.command(targets[row])
        world.push_cubes(pushes[row])
        step_to(int(stamps_ns[row]) + STEP_NS)
        progress((row + 1) / len(stamps_ns))
    return Replayed(
        episode=episode.episode, task=episode.attrs["task"], recorded=episode.attrs["detector"],
        replayed="success" if world.run.success else "failure",
        duration_s=world.time_s - began_ns / NS_PER_S,
        max_object_error_m=compared.object_m, max_joint_error_rad=compared.joint_rad)


def _stayed(device_ns: np.ndarray) -> np.ndarray:
    """(N,) bool: rows that nobody took back. Where somebody went back, simulated time did, too."""
    later_ns = np.minimum.accumulate(device_ns[::-1])[::-1]
    return np.append(device_ns[:-1] < later_ns[1:], True)


def _by_stamp(stream: StreamReader, column: str) -> dict[int, np.ndarray]:
    """Simulated time to what was recorded then and stayed."""
    stamps_ns = stream["t_device_ns"]
    kept = _stayed(stamps_ns)
    return dict(zip(stamps_ns[kept].tolist(), stream[column][kept], strict=True))


class _Edits:
    """The instruction's changes, each before the physics step in which it fell."""

    def __init__(self, episode: EpisodeReader, stamps_ns: np.ndarray) -> None:
        self._waiting = [(int(np.searchsorted(stamps_ns, event["t_mono_ns"] - STEP_NS, "right")),
                          event["after"])
                         for event in episode.events if event["kind"] == "instruction"]

    def until(self, row: int, world: SimWorld) -> None:
        """Make the changes that came before a step."""
        while self._waiting and self._waiting[0][0] <= row:
            # What it did not understand then, it does not understand now.
            with contextlib.suppress(InstructionError):
                world.set_instruction(self._waiting.pop(0)[1])


class _Comparison:
    """The largest differences from what was recorded."""

    def __init__(self, sim: StreamReader, arm: StreamReader) -> None:
        self._objects, self._joints = _by_stamp(sim, "objects"), _by_stamp(arm, "position")
        self.object_m = self.joint_rad = 0.0

    def look(self, world: SimWorld) -> None:
        """Compare, if this moment was recorded."""
        now_ns = round(world.time_s * NS_PER_S)
        if (objects := self._objects.get(now_ns)) is not None:
            off = np.abs(world.objects[:, :3] - objects[:, :3]).max()
            self.object_m = max(self.object_m, float(off))
        if (joints := self._joints.get(now_ns)) is not None:
            self.joint_rad = max(self.joint_rad, float(np.abs(world.position - joints).max()))

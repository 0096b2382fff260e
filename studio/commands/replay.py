"""`tandem replay`: play an episode's commands again in the simulator and compare the outcome.

The world is put into the recorded state of the episode's first moment, then every command that was
sent is sent again at its own stamp. Knows the recorded streams `sim` and `tick` and the simulated
world. Refuses to know the control loop: nothing is decided here, only repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.commands.output import Answer, Screen, UsersMistakeError


@dataclass(frozen=True, kw_only=True)
class Replayed:
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
    """Send an episode's commands again, from its recorded initial state.

    Under the virtual clock of `--fast` the repetition is exact; in real time a command may have
    reached the physics some steps later than its stamp says, and the errors show how much
    that mattered.

    Args:
        episode: recorded on the simulated arm.
        progress: told the share done, 0..1.

    Raises:
        UsersMistakeError: if the episode was not recorded on the simulated arm.
    """
    from studio.sim.tasks import TASKS
    from studio.sim.world import SimWorld

    task = episode.attrs["task"]
    if "sim" not in episode or "tick" not in episode or not len(episode["sim"]):
        raise UsersMistakeError(f"episode {episode.episode} has no recorded simulator state: only "
                                "episodes of `--robot sim` can be replayed in the simulator")
    if task not in TASKS:
        raise UsersMistakeError(f"episode {episode.episode} shows the task {task!r}, which the "
                                f"simulator does not know; it knows {', '.join(TASKS)}")
    sim, tick = episode["sim"], episode["tick"]
    stamps, states, objects = sim.stamps_ns, sim["state"], sim["objects"]
    positions = episode["arm"]["position"]
    arm_row_at = {int(stamp): row for row, stamp in enumerate(episode["arm"].stamps_ns)}

    world = SimWorld(ManualClock(start_ns=int(stamps[0])))
    world.reset(task, episode.attrs["seed"], episode.instruction)
    world.restore_state(states[0])
    object_error_m = joint_error_rad = 0.0
    commands = list(zip(tick.stamps_ns.tolist(), tick["sent"], strict=True))
    moments = iter(enumerate(stamps.tolist()))
    row, moment_ns = next(moments)
    for sent_ns, target in commands:
        while row < len(stamps) and moment_ns <= sent_ns:
            world.advance_to(moment_ns)
            object_error_m = max(object_error_m, float(np.abs(
                world.objects[:, :3] - objects[row][:, :3]).max()))
            if (arm_row := arm_row_at.get(moment_ns)) is not None:
                joint_error_rad = max(joint_error_rad, float(np.abs(
                    world.position - positions[arm_row]).max()))
            row, moment_ns = next(moments, (len(stamps), moment_ns))
        if sent_ns >= stamps[0]:
            world.advance_to(sent_ns)
            world.command(target)
        progress((sent_ns - commands[0][0]) / max(1, commands[-1][0] - commands[0][0]))
    world.advance_to(max(int(episode.attrs["ended_mono_ns"]), commands[-1][0]))
    return Replayed(
        episode=episode.episode, task=task, recorded=episode.attrs["detector"],
        replayed="success" if world.run.success else "failure",
        duration_s=(commands[-1][0] - int(stamps[0])) / NS_PER_S,
        max_object_error_m=object_error_m, max_joint_error_rad=joint_error_rad)


def describe_replay(replayed: Replayed) -> dict[str, Any]:
    """A repetition as `--json` shows it."""
    return {"episode": replayed.episode, "task": replayed.task, "recorded": replayed.recorded,
            "replayed": replayed.replayed, "same": replayed.same,
            "duration_s": replayed.duration_s,
            "max_object_error_m": replayed.max_object_error_m,
            "max_joint_error_rad": replayed.max_joint_error_rad}


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Play an episode's commands again in the simulator, from its recorded initial state.

    Exit code 1 if it ends differently than it was recorded.
    """

    store: Annotated[Path, tyro.conf.Positional]
    """Folder of the store."""
    episode: Annotated[str, tyro.conf.Positional]
    """Id of the episode, the beginning of it, or its number in the list (0 first, -1 last)."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Replay, and print the comparison."""
        with DemoStore.open(self.store) as store:
            path = store.episode_path(store.episode(self.episode).episode)
        replayed = replay_in_simulator(EpisodeReader(path))
        screen.print(f"{replayed.episode} ({replayed.task}, {replayed.duration_s:.1f} s): "
                     f"recorded {replayed.recorded}, replayed {replayed.replayed}")
        screen.print(f"farthest from the recording: objects "
                     f"{1000 * replayed.max_object_error_m:.3g} mm, joints "
                     f"{replayed.max_joint_error_rad:.3g} rad")
        return Answer(describe_replay(replayed), ok=replayed.same)

"""`tandem replay`: repeat an episode in the simulator and compare the outcome.

Knows options and words; the repetition itself is the robot's (studio/station/robots.py).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.commands.output import Answer, Screen

if TYPE_CHECKING:
    from studio.sim.replay import Replayed


def describe_replay(replayed: "Replayed") -> dict[str, Any]:
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
        # Here, because the simulator brings MuJoCo: --help need not wait for it.
        from studio.station.robots import replay

        with DemoStore.open(self.store) as store:
            path = store.episode_path(store.episode(self.episode).episode)
        replayed = replay(EpisodeReader(path))
        screen.print(f"{replayed.episode} ({replayed.task}, {replayed.duration_s:.1f} s): "
                     f"recorded {replayed.recorded}, replayed {replayed.replayed}")
        screen.print(f"farthest from the recording: objects "
                     f"{1000 * replayed.max_object_error_m:.3g} mm, joints "
                     f"{replayed.max_joint_error_rad:.3g} rad")
        return Answer(describe_replay(replayed), ok=replayed.same)

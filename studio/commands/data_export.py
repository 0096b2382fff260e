"""`tandem data export`: episodes as a dataset that other programs train on.

Knows options and words; what is written is said in recorders/lerobot_v3.py.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from recorders.store import DemoStore
from studio.commands.output import Answer, Screen, UsersMistakeError, readable_bytes


@dataclass(frozen=True, kw_only=True)
class ExportEpisodes:
    """Write episodes of a store as a LeRobot dataset (version 3.0)."""

    store: Annotated[Path, tyro.conf.Positional]
    """Folder of the store."""
    episodes: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Ids, beginnings of ids, or numbers in the list; none means all successes."""
    to: Path
    """A folder that does not exist yet."""
    format: Literal["lerobot"] = "lerobot"
    """What to write."""
    fps: int = 30
    """Frames in a second."""
    size: str = ""
    """Make every picture so large, HEIGHTxWIDTH, for example 96x128; empty leaves them."""
    cameras: tuple[str, ...] = ()
    """Camera streams; none means all that have colour pictures."""
    sharp: bool = False
    """Videos that keep nearly all, instead of LeRobot's default, which blurs small things."""
    all: bool = False
    """Not only episodes that are labelled a success."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Export."""
        from recorders.files import bytes_of_tree
        from recorders.lerobot_v3 import ExportSettings, export_lerobot

        settings = ExportSettings(fps=self.fps, picture_size=parse_size(self.size),
                                  cameras=self.cameras, sharp=self.sharp)
        with DemoStore.open(self.store) as store:
            chosen, left_out = self._choose(store)
            with screen.progress("exporting", len(chosen)) as progress:
                done = export_lerobot(
                    store, chosen, self.to, settings,
                    lambda episode, frames: progress.step(f"{episode}, {frames} frames"))
        size = bytes_of_tree(self.to)
        if left_out:
            screen.say(f"{left_out} episodes that are no success were left out; --all takes them")
        screen.print(f"{done.episodes} episodes, {done.frames} frames at {self.fps} Hz, "
                     f"{readable_bytes(size)}: LeRobotDataset({done.repo_id!r}, root={self.to})")
        return Answer({"to": str(self.to), "repo_id": done.repo_id, "episodes": done.episodes,
                       "frames": done.frames, "fps": self.fps, "cameras": list(done.cameras),
                       "bytes": size, "left_out": left_out})

    def _choose(self, store: DemoStore) -> tuple[list[str], int]:
        if self.episodes:
            return [store.episode(reference).episode for reference in self.episodes], 0
        there = store.episodes()
        wanted = [e.episode for e in there if self.all or e.label == "success"]
        if there and not wanted:
            raise UsersMistakeError(f"none of the {len(there)} episodes of {self.store} is "
                                    f"labelled a success: --all takes them nevertheless")
        return wanted, len(there) - len(wanted)


def parse_size(text: str) -> tuple[int, int] | None:
    """(height, width) out of "96x128"; None out of nothing.

    Raises:
        UsersMistakeError: if it is neither.
    """
    if not text:
        return None
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise UsersMistakeError(f"--size {text}: give HEIGHTxWIDTH, for example 96x128")
    return int(match[1]), int(match[2])

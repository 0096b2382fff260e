"""`tandem data export`: episodes as a dataset that other programs train on.

Knows options and words; what is written is said in recorders/lerobot_v3.py
and recorders/exchange/replay_buffer.py.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from recorders.store import DemoStore
from studio.commands.output import Answer, Screen, UsersMistakeError, readable_bytes

if TYPE_CHECKING:
    from recorders.lerobot_v3 import Exported


@dataclass(frozen=True, kw_only=True)
class ExportEpisodes:
    """Write episodes of a store for others: give one of --lerobot, --diffusion-policy, --umi."""

    store: Annotated[Path, tyro.conf.Positional]
    """Folder of the store."""
    episodes: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Ids, beginnings of ids, or numbers in the list; none means all successes."""
    lerobot: Annotated[Path | None, tyro.conf.arg(aliases=["--to"])] = None
    """A folder for a LeRobot dataset, version 3.0; it must not exist yet."""
    diffusion_policy: Path | None = None
    """A folder for a replay buffer of diffusion_policy (Zarr v2); it must not exist yet."""
    umi: Path | None = None
    """A .zarr.zip file for a replay buffer of UMI; it must not exist yet."""
    fps: int = 30
    """Frames in a second."""
    size: str = ""
    """Make every picture so large, HEIGHTxWIDTH, for example 96x128; empty leaves them."""
    cameras: tuple[str, ...] = ()
    """Camera streams; none means all that have colour pictures."""
    sharp: bool = False
    """LeRobot's videos keep nearly all, instead of its default, which blurs small things."""
    depth: bool = False
    """LeRobot gets pictures of depth, too, count by count; about as large as the store's."""
    gripper_opening: float = 0.08
    """For UMI: metres between the fingers when the gripper's number is 1."""
    all: bool = False
    """Not only episodes that are labelled a success."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Export."""
        from recorders.files import bytes_of_tree

        given = {name: path for name, path in (
            ("--lerobot", self.lerobot), ("--diffusion-policy", self.diffusion_policy),
            ("--umi", self.umi)) if path is not None}
        if len(given) != 1:
            raise UsersMistakeError(
                f"{' and '.join(given) or 'nothing'} was given to write: give exactly one of "
                f"--lerobot FOLDER, --diffusion-policy FOLDER, --umi FILE.zarr.zip")
        (name, to), = given.items()
        if not self.gripper_opening > 0:
            raise UsersMistakeError(f"--gripper-opening {self.gripper_opening}: give metres, more "
                                    f"than 0")
        if self.depth and name != "--lerobot":
            raise UsersMistakeError(f"--depth is for --lerobot: {name} has no place for it")
        with DemoStore.open(self.store) as store:
            chosen, left_out = self._choose(store)
            with screen.progress("exporting", len(chosen)) as progress:
                done = self._export(store, chosen, to, lambda episode, frames: progress.step(
                    f"{episode}, {frames} frames"))
        size = bytes_of_tree(to) if to.is_dir() else to.stat().st_size
        if left_out:
            screen.say(f"{left_out} episodes that are no success were left out; --all takes them")
        if done.left_behind:
            takes = "; --depth takes it" if name == "--lerobot" else ""
            screen.say(f"left behind: {', '.join(done.left_behind)}{takes}")
        opens = f": LeRobotDataset({done.repo_id!r}, root={to})" if name == "--lerobot" else ""
        screen.print(f"{done.episodes} episodes, {done.frames} frames at {self.fps} Hz, "
                     f"{readable_bytes(size)}{opens}")
        screen.print("largest distance between a frame's time and what was taken for it: "
                     + ", ".join(f"{stream} {ms:.1f} ms"
                                 for stream, ms in done.residuals_ms.items()))
        return Answer({"to": str(to), "repo_id": done.repo_id, "episodes": done.episodes,
                       "frames": done.frames, "fps": self.fps, "cameras": list(done.cameras),
                       "bytes": size, "left_out": left_out, "left_behind": list(done.left_behind),
                       "residuals_ms": done.residuals_ms})

    def _export(self, store: DemoStore, chosen: list[str], to: Path,
                progress: Callable[[str, int], None]) -> "Exported":
        size = parse_size(self.size)
        cameras = tuple(dict.fromkeys(self.cameras))
        if self.lerobot is not None:
            from recorders.lerobot_v3 import ExportSettings, export_lerobot

            return export_lerobot(store, chosen, to, ExportSettings(
                fps=self.fps, picture_size=size, cameras=cameras, sharp=self.sharp,
                depth=self.depth), progress)
        from recorders.exchange.replay_buffer import BufferSettings, export_replay_buffer

        return export_replay_buffer(
            store, chosen, to, "umi" if self.umi is not None else "diffusion_policy",
            BufferSettings(fps=self.fps, picture_size=size, cameras=cameras,
                           gripper_opening_m=self.gripper_opening), progress)

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
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise UsersMistakeError(f"--size {text}: give HEIGHTxWIDTH, for example 96x128")
    return int(match[1]), int(match[2])

"""`tandem data import`: other programs' datasets as a store.

Knows options and words; what becomes of which feature is said in recorders/exchange/.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.commands.output import Answer, Screen, UsersMistakeError, readable_bytes

if TYPE_CHECKING:
    from recorders.exchange.imported import Imported


@dataclass(frozen=True, kw_only=True)
class ImportEpisodes:
    """Write another program's dataset into a new store: give one of --lerobot, --hdf5, --umi."""

    to: Path
    """Folder of the store; it must not exist yet (`tandem data copy` brings stores together)."""
    lerobot: Path | None = None
    """Folder of a LeRobot dataset, version 3.0."""
    damaged: bool = False
    """Of a LeRobot dataset that a crash left unfinished, take all that can be had."""
    hdf5: Path | None = None
    """File of robomimic or robosuite: data/demo_0/actions, obs, …"""
    umi: Path | None = None
    """Replay buffer of UMI (.zarr.zip) or diffusion_policy (.zarr)."""
    fps: int = 0
    """Frames in a second, where the data does not say; 0 leaves it to the data or the format."""
    instruction: str = ""
    """What was asked for, where the data does not say."""
    lossless: bool = False
    """Keep pictures exactly as they are decoded (JPEG XL), three times as large."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Import."""
        from recorders.files import bytes_of_tree

        given = {name: path for name, path in (("--lerobot", self.lerobot), ("--hdf5", self.hdf5),
                                               ("--umi", self.umi)) if path is not None}
        if len(given) != 1:
            raise UsersMistakeError(
                f"{' and '.join(given) or 'nothing'} was given to import: give exactly one of "
                f"--lerobot FOLDER, --hdf5 FILE, --umi FILE")
        if self.fps < 0:
            raise UsersMistakeError(f"--fps {self.fps}: give frames in a second, or 0 for what the "
                                    f"data or the format says")
        if self.damaged and self.lerobot is None:
            raise UsersMistakeError("--damaged is for --lerobot only")
        with screen.progress("importing", 0) as progress:
            def step(done: int, total: int, what: str) -> None:
                progress.now(what)
                progress.count(done, total)

            done = self._import(step)
        size = bytes_of_tree(self.to)
        for one in done.lost:
            screen.say(f"lost: {one}")
        if done.left_behind:
            screen.say(f"not kept: {', '.join(done.left_behind)}")
        screen.print(f"{done.episodes} episodes, {done.frames} frames, {readable_bytes(size)}: "
                     f"`tandem data ls {self.to}` lists them")
        return Answer({"to": str(self.to), "episodes": done.episodes, "frames": done.frames,
                       "bytes": size, "lost": list(done.lost),
                       "left_behind": list(done.left_behind)})

    def _import(self, step: Callable[[int, int, str], None]) -> "Imported":
        from recorders.exchange import hdf5_import, lerobot_import, replay_buffer_import

        if self.lerobot is not None:
            return lerobot_import.import_lerobot(self.lerobot, self.to, self.damaged,
                                                 self.lossless, step)
        if self.hdf5 is not None:
            return hdf5_import.import_hdf5(self.hdf5, self.to, self.fps or 20, self.instruction,
                                           self.lossless, step)
        assert self.umi is not None
        return replay_buffer_import.import_replay_buffer(
            self.umi, self.to, self.fps, self.instruction, self.lossless, step)

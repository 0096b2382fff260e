"""A recorded episode as the rules of a rollout look at it: ticks, chunks, edits and limits.

Codes are read as the recording itself declares them, so that recordings of any version can be
looked at. Knows names of streams and columns; knows no rule.

Letters: N ticks, C chunks, D joints + gripper.
"""

from functools import cached_property

import numpy as np

from recorders.episode_reader import EpisodeReader, StreamReader
from studio.station.chunks.log import CHUNK, FATES, TARGET


class RecordedRollout:
    """One episode; arrays are read when they are asked for."""

    def __init__(self, episode: EpisodeReader) -> None:
        self.episode = episode
        self.tick: StreamReader = episode["tick"]

    def has(self, *columns: str) -> bool:
        """Whether every tick says these."""
        return all(column in self.tick for column in columns)

    @property
    def has_chunks(self) -> bool:
        """Whether chunks were recorded, and ticks name them."""
        return CHUNK in self.episode and TARGET in self.episode and self.has("chunk_id")

    @cached_property
    def seq(self) -> np.ndarray:
        """(N,) numbers of the ticks."""
        return self.tick["seq"]

    @cached_property
    def modes(self) -> np.ndarray:
        """(N,) names."""
        return self._names("mode")

    @cached_property
    def owners(self) -> np.ndarray:
        """(N, D) names."""
        return self._names("owner")

    @cached_property
    def same_epoch(self) -> np.ndarray:
        """(N,) whether the tick before was of the same epoch; False for the first one."""
        epoch = self.tick["epoch"]
        return np.append(False, epoch[1:] == epoch[:-1])

    @cached_property
    def acting(self) -> np.ndarray:
        """(N,) whether the policy had a part in what the arm did.

        In the tick in which two drivers begin to share, the policy has none: its plan is of before.
        Nor has it where the safety layer takes the arm from both.
        """
        owned = (self.owners == "POLICY").any(axis=1)
        planned = np.isfinite(self.tick["proposed_policy"]).all(axis=1)
        return owned | ((self.owners == "BLEND").any(axis=1) & self.same_epoch & planned)

    @cached_property
    def changed_ns(self) -> np.ndarray:
        """(N,) stamp of the last tick before the epoch of each tick; 0 if that was not recorded."""
        starts = np.flatnonzero(~self.same_epoch)
        before = np.append(0, self.tick.stamps_ns[starts[1:] - 1])
        return before[np.searchsorted(starts, np.arange(len(self.seq)), side="right") - 1]

    @cached_property
    def chunk_rows(self) -> np.ndarray:
        """(N,) index of the chunk that a tick names among the recorded ones; -1: it is not there.

        The newest one of its number that had come by then.
        """
        chunk = self.episode[CHUNK]
        last = {int(number): at for at, number in enumerate(chunk["chunk_id"])}
        return np.array([last.get(int(number), -1) for number in self.tick["chunk_id"]], int)

    @property
    def taken(self) -> np.ndarray:
        """(C,) whether a chunk became the running one."""
        return self.episode[CHUNK]["fate"] == FATES.index("taken")

    @cached_property
    def edits(self) -> list[dict]:
        """Events of instructions that were changed, in order."""
        return [event for event in self.episode.events if event["kind"] == "instruction"]

    @cached_property
    def limits(self) -> dict[str, np.ndarray]:
        """(D,) of velocity, acceleration and jerk, by name; only those that the robot declared."""
        robot = self.episode.attrs.get("robot", {})
        return {name: np.asarray(robot[f"max_{name}"], float)
                for name in ("velocity", "acceleration", "jerk") if robot.get(f"max_{name}")}

    def _names(self, column: str) -> np.ndarray:
        declared = next(one for one in self.tick.spec.columns if one.name == column).values
        codes = self.tick[column]
        names = np.array([*declared, "?"])
        return names[np.minimum(codes, len(declared))]

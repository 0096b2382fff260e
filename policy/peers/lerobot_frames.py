"""Exported datasets in memory, as the batches that LeRobot's policies learn from.

The same frames that LeRobot's loader would give, but decoded once and before the clock starts: a
peer's minutes are spent on learning, not on seeking in videos. Pictures are shifted and lit at
random as ours are. Steps from the first deliberate error on are marked as padding, which both
policies know how to leave out. LeRobot is imported only when a dataset is opened.

Letters: N frames, B rows, D joints and gripper, S = D + K features of an instruction, H steps.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch

from policy.data import pictures
from policy.errors import TrainingError
from policy.peers.instruction_words import InstructionWords
from policy.peers.lerobot_build import ACTION, PICTURES, STATE
from recorders.lerobot_v3 import PERTURBED

PeerBatch = dict[str, torch.Tensor]


class PeerFrames(msgspec.Struct, frozen=True, kw_only=True):
    """The frames of some datasets, one after another.

    Attributes:
        state, action: (N, D) f4.
        perturbed: (N,) bool, an error on purpose.
        tasks: N texts.
        ends: (N,) one behind the last frame of the frame's episode.
        begins: (N,) the first frame of the frame's episode.
        images: camera to (N, 3, height + 8, width + 8) u1, the edges repeated.
    """

    state: np.ndarray
    action: np.ndarray
    perturbed: np.ndarray
    tasks: list[str]
    begins: np.ndarray
    ends: np.ndarray
    images: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.state)

    @property
    def picture_size(self) -> tuple[int, int]:
        """(height, width) of the pictures without the repeated edges."""
        height, width = next(iter(self.images.values())).shape[2:]
        return height - 2 * pictures.SHIFT_PX, width - 2 * pictures.SHIFT_PX


def read_frames(datasets: Sequence[Path], cameras: Sequence[str]) -> PeerFrames:
    """Read datasets that `recorders.lerobot_v3` wrote.

    Raises:
        TrainingError: if a dataset is not whole.
    """
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    parts: list[PeerFrames] = []
    for root in datasets:
        dataset = LeRobotDataset(f"tandem/{root.name}", root=root)
        table = dataset.hf_dataset.with_format("numpy")
        rows = len(table)
        tasks, episodes = dataset.meta.tasks, dataset.meta.episodes
        if tasks is None or episodes is None:
            raise TrainingError(f"{root} lists no tasks or episodes: export it anew")
        names = {int(row.task_index): str(text) for text, row in tasks.iterrows()}
        first = np.asarray(episodes["dataset_from_index"])
        last = np.asarray(episodes["dataset_to_index"])
        episode = np.asarray(table["episode_index"][:], dtype=np.int64).ravel()
        parts.append(PeerFrames(
            state=np.stack(list(table[STATE][:])).astype(np.float32),
            action=np.stack(list(table[ACTION][:])).astype(np.float32),
            perturbed=np.asarray(table[PERTURBED][:]).ravel().astype(bool),
            tasks=[names[int(i)] for i in np.asarray(table["task_index"][:]).ravel()],
            begins=first[episode], ends=last[episode],
            images={camera: _decode(root, camera, rows) for camera in cameras}))
    return parts[0] if len(parts) == 1 else _joined(parts)


class PeerLessons:
    """Random batches.

    Args:
        frames: to learn from.
        words: how an instruction becomes numbers.
        offsets: (H,) steps from a frame to each action that is learned.
        drop_last: an episode's last frames that are never begun from.
        hold_out: share of the episodes that is never learned from.
        seed: decides which.
        history: the policy wants a time axis of observations.

    Raises:
        TrainingError: if nothing is left to learn from.
    """

    def __init__(self, frames: PeerFrames, words: InstructionWords, offsets: Sequence[int], *,
                 drop_last: int = 0, hold_out: float = 0.05, seed: int = 0,
                 history: bool = False) -> None:
        self._frames, self._offsets, self._history = frames, np.asarray(offsets), history
        codes = {text: words.encode(text) for text in dict.fromkeys(frames.tasks)}
        self._state = np.column_stack(
            [frames.state, np.stack([codes[text] for text in frames.tasks])])       # (N, S)
        usable = ~frames.perturbed & (np.arange(len(frames)) < frames.ends - drop_last)
        episodes = np.unique(frames.begins)
        rng = np.random.default_rng((seed, len(episodes)))
        count = max(1, round(hold_out * len(episodes))) if hold_out else 0
        held = np.isin(frames.begins, rng.choice(episodes, count, replace=False))
        self._training, self._held_out = np.flatnonzero(usable & ~held), \
            np.flatnonzero(usable & held)
        if not len(self._training):
            raise TrainingError("no frame is left to learn from: record more episodes")

    def batch(self, rng: np.random.Generator, rows: int) -> PeerBatch:
        """Rows to learn from, pictures augmented."""
        return self._batch(rng.choice(self._training, rows), rng)

    def held_out_batch(self, rng: np.random.Generator, rows: int) -> PeerBatch | None:
        """The same from the episodes held out, pictures as they are; None if there are none."""
        if not len(self._held_out):
            return None
        return self._batch(rng.choice(self._held_out, rows), None)

    def _batch(self, at: np.ndarray, rng: np.random.Generator | None) -> PeerBatch:
        frames = self._frames
        wanted = at[:, None] + self._offsets                                        # (B, H)
        inside = (wanted >= frames.begins[at, None]) & (wanted < frames.ends[at, None])
        wanted = np.clip(wanted, frames.begins[at, None], frames.ends[at, None] - 1)
        spoilt = np.logical_or.accumulate(frames.perturbed[wanted], axis=1)
        batch = {STATE: torch.from_numpy(self._state[at]),
                 ACTION: torch.from_numpy(frames.action[wanted]),
                 "action_is_pad": torch.from_numpy(~inside | spoilt)}
        for camera, padded in frames.images.items():
            cut = torch.from_numpy(self._cut(padded, at, rng))
            batch[f"{PICTURES}{camera}"] = cut.float() / 255
        if self._history:
            for name in (STATE, *(f"{PICTURES}{camera}" for camera in frames.images)):
                batch[name] = batch[name][:, None]
        return batch

    def _cut(self, padded: np.ndarray, at: np.ndarray, rng: np.random.Generator | None
             ) -> np.ndarray:
        """(B, 3, height, width) u1."""
        out = np.empty((len(at), 3, *self._frames.picture_size), np.uint8)
        for row, frame in enumerate(at):
            if rng is None:
                pictures.cut_out(padded[frame], out[row])
            else:
                down_px, right_px = rng.integers(0, 2 * pictures.SHIFT_PX + 1, 2).tolist()
                pictures.cut_out(padded[frame], out[row], down_px, right_px,
                                 float(rng.uniform(*pictures.LIGHT)))
        return out


def _decode(root: Path, camera: str, rows: int) -> np.ndarray:
    """All pictures of a camera in order, (rows, 3, height + 8, width + 8) u1."""
    import av

    made: np.ndarray | None = None
    row = 0
    for file in sorted((root / "videos" / f"{PICTURES}{camera}").rglob("*.mp4")):
        with av.open(str(file)) as video:
            for frame in video.decode(video=0):
                picture = frame.to_ndarray(format="rgb24")
                padded = pictures.prepare_padded(picture, picture.shape[:2])
                if made is None:
                    made = np.empty((rows, *padded.shape), np.uint8)
                if row < rows:
                    made[row] = padded
                row += 1
    if made is None or row != rows:
        raise TrainingError(f"{root} has {row} pictures of '{camera}' for {rows} rows: export it "
                            f"anew")
    return made


def _joined(parts: Sequence[PeerFrames]) -> PeerFrames:
    shifts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return PeerFrames(
        state=np.concatenate([part.state for part in parts]),
        action=np.concatenate([part.action for part in parts]),
        perturbed=np.concatenate([part.perturbed for part in parts]),
        tasks=[text for part in parts for text in part.tasks],
        begins=np.concatenate([p.begins + s for p, s in zip(parts, shifts, strict=True)]),
        ends=np.concatenate([p.ends + s for p, s in zip(parts, shifts, strict=True)]),
        images={camera: np.concatenate([part.images[camera] for part in parts])
                for camera in parts[0].images})

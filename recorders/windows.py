"""Random training windows out of recorded episodes.

A window is what a policy sees and should answer at one moment: the newest pictures and those
before them, the robot's state, and the actions that follow, at the policy's own step. The moment is
the stamp of a random picture of the first camera; everything else is found by time stamp, and
nothing observed may be newer than the moment. This file knows streams and time; it knows no
batches, no tensors, no normalisation and no ownership weights.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

import msgspec
import numpy as np

from recorders import align
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.picture_cache import PictureCache
from recorders.reduced_pictures import picture_for
from recorders.shard_reader import FrameReader


class ActionWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Which actions follow an observation.

    Attributes:
        stream, column: where they are recorded; "sent" is what the robot was told.
        steps: how many.
        step_s: the policy's own step, whatever the control rate was.
        first_s: from the observation to the first of them.
    """

    stream: str = "tick"
    column: str = "sent"
    steps: int = 16
    step_s: float = 1 / 30
    first_s: float = 0.0

    @property
    def offsets_ns(self) -> np.ndarray:
        """(steps,) nanoseconds from the observation to each action."""
        seconds = self.first_s + self.step_s * np.arange(self.steps)
        return np.round(seconds * NS_PER_S).astype(np.int64)


class Window(msgspec.Struct, frozen=True):
    """One training sample. F = frames, K = action steps, D = degrees of freedom.

    Attributes:
        episode: its number in the sampler.
        moment_ns: monotonic stamp of the newest picture of the first camera.
        images: camera to (F, H, W, 3) u1, or (F, H, W) u2 for depth; oldest first.
        image_ns: camera to (F,) stamps of those pictures.
        image_valid: camera to (F,); False where the episode had not begun and its first picture
            stands in.
        state: (D,) the last that had arrived; None if the sampler was asked for none.
        actions: (K, D); None if the sampler was asked for none.
        action_valid: (K,); False behind the episode's end, where the last action is repeated, and
            where nobody said anything (NaN).
    """

    episode: int
    moment_ns: int
    images: dict[str, np.ndarray]
    image_ns: dict[str, np.ndarray]
    image_valid: dict[str, np.ndarray]
    state: np.ndarray | None
    actions: np.ndarray | None
    action_valid: np.ndarray | None


class WindowSampler:
    """Draws windows from episodes, every picture of the first camera with the same chance."""

    def __init__(
        self,
        episodes: Sequence[EpisodeReader],
        *,
        images: Mapping[str, str],
        frames: int = 2,
        actions: ActionWindow | None = None,
        state: tuple[str, str] | None = None,
        size: tuple[int, int] | None = None,
        pool: Executor | None = None,
        cache: PictureCache | None = None,
    ) -> None:
        """Count the pictures; nothing else is read yet.

        Args:
            episodes: any that hold the wanted streams.
            images: camera stream to picture, for example {"front": "rgb", "wrist": "rgb"}; the
                first camera sets the moment.
            frames: pictures per camera: the newest and those before it.
            actions: which actions to give.
            state: stream and column of the robot's state.
            size: (height, width) in which pictures are wanted: where an episode has a reduced copy
                that is at least as large, it is read instead, and given as it is. None for
                pictures as they were taken.
            pool: threads that decode a window's pictures side by side (decoding releases the GIL);
                without it the caller's own thread does, which costs less CPU in all.
            cache: keeps decoded pictures between windows, prepared as it was told to; by default
                one of `picture_cache.DEFAULT_BYTES` that keeps them as they are. Training sees
                every picture many times; `PictureCache(0)` keeps none.

        Raises:
            ValueError: if there is no camera, no picture to begin with, or `frames` < 1.
            KeyError: if an episode lacks a stream; the message lists what it has.
        """
        if not images or frames < 1:
            raise ValueError("a window needs at least one camera and one frame")
        self._episodes = list(episodes)
        self._images = dict(images)
        self._clock = next(iter(images))
        self._frames = frames
        self._actions = actions
        self._state = state
        self._size = size
        self._map = pool.map if pool else map
        self._cache = PictureCache() if cache is None else cache
        self._require_streams()
        self._ends = np.cumsum([len(e[self._clock]) for e in self._episodes], dtype=np.int64)
        if len(self) == 0:
            raise ValueError(f"none of {len(self._episodes)} episodes has a picture of "
                             f"'{self._clock}': nothing to draw windows from")

    def __len__(self) -> int:
        """How many different windows there are."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def sample(self, rng: np.random.Generator) -> Window:
        """A window at a random moment."""
        return self[int(rng.integers(len(self)))]

    def __getitem__(self, number: int) -> Window:
        """The window at the number-th picture of the first camera, over all episodes in order.

        Raises:
            IndexError: if there are not so many.
            DamagedRecording: naming the file that cannot be read.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"window {number} of {len(self)}")
        place = int(np.searchsorted(self._ends, number, side="right"))
        row = number - (int(self._ends[place - 1]) if place else 0)
        episode = self._episodes[place]
        stamps_ns = episode[self._clock].taken_ns
        waited_ns = episode[self._clock].spec.latency_ns
        wanted = np.arange(row - self._frames + 1, row + 1)             # (F,) negative: too early
        moments_ns = stamps_ns[np.maximum(wanted, 0)]
        image_ns, image_valid = {}, {}
        frames: list[FrameReader] = []
        rows_of_frames: list[int] = []
        for camera, picture in self._images.items():
            rows = wanted if camera == self._clock \
                else episode[camera].known_at(moments_ns, waited_ns)
            image_valid[camera] = (rows >= 0) & (wanted >= 0)
            rows = np.maximum(rows, 0)
            image_ns[camera] = episode[camera].taken_ns[rows]
            chosen = picture_for(episode[camera].spec.images, picture, self._size)
            frames += [episode[camera].images(chosen)] * self._frames
            rows_of_frames += rows.tolist()
        images = self._pictures(frames, rows_of_frames)
        moment_ns = int(moments_ns[-1])
        actions, action_valid = self._actions_at(episode, moment_ns)
        return Window(place, moment_ns, images, image_ns, image_valid,
                      self._state_at(episode, moment_ns), actions, action_valid)

    def _pictures(self, frames: list[FrameReader], rows: list[int]) -> dict[str, np.ndarray]:
        """Camera to (F, H, W, …), from the readers and rows of all cameras in turn."""
        if self._cache.max_bytes:
            found = list(self._map(self._cache.read, frames, rows))
            return {camera: np.stack(found[place * self._frames:(place + 1) * self._frames])
                    for place, camera in enumerate(self._images)}
        images = {camera: np.empty((self._frames, *reader.shape[1:]), reader.dtype)
                  for camera, reader in zip(self._images, frames[::self._frames], strict=True)}
        places = [picture for pictures in images.values() for picture in pictures]
        for _ in self._map(FrameReader.read_into, frames, rows, places):
            pass
        return images

    def _require_streams(self) -> None:
        """Find out now, not after an hour of training, that an episode lacks a stream."""
        wanted = list(self._images.items())
        wanted += [self._state] if self._state else []
        wanted += [(self._actions.stream, self._actions.column)] if self._actions else []
        for episode in self._episodes:
            for stream, name in wanted:
                episode[stream].require(name)

    def _state_at(self, episode: EpisodeReader, moment_ns: int) -> np.ndarray | None:
        if self._state is None:
            return None
        stream = episode[self._state[0]]
        row = int(align.latest_before(stream.taken_ns, moment_ns))
        return stream.column(self._state[1])[max(row, 0)]

    def _actions_at(
        self, episode: EpisodeReader, moment_ns: int
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self._actions is None:
            return None, None
        stream = episode[self._actions.stream]
        values, stamps_ns = stream.column(self._actions.column), stream.stamps_ns
        query_ns = moment_ns + self._actions.offsets_ns
        if values.dtype.kind == "f":
            actions = align.interpolate(stamps_ns, values, query_ns)
        else:
            actions = values[align.nearest(stamps_ns, query_ns)]
        said = np.isfinite(actions).reshape(len(actions), -1).all(axis=1)
        return actions, said & (query_ns <= stamps_ns[-1])

"""Training batches out of one or several stores, while they grow.

Brings together which episodes count (episode_pool.py), which of their moments are drawn
(moment_draw.py), and their pictures, and makes tensors of them. Pictures are decoded once, kept
small, and cut out anew for every batch.

Letters: B pairs, N = 2 B rows, V cameras, P numbers of proprioception, H steps, A of an action.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from policy.data import pictures
from policy.data.correction_weights import METHODS
from policy.data.demonstrations import DEPTH, Demonstration, find_image
from policy.data.episode_pool import EpisodePool
from policy.data.moment_draw import MomentDraw, Pair, Weigh
from policy.data.normaliser import Normaliser, fit_normaliser
from policy.data.point_cloud import metres_per_count, point_cloud, prepare_depth
from policy.data.proprioception import layout, smallest_spread
from policy.data.signals import EpisodeSignals
from policy.interfaces import PolicySpec
from recorders.picture_cache import PictureCache
from recorders.reduced_pictures import picture_for
from recorders.streams import StreamSpec

MAX_AGE_STEPS = 64
EARLY = (1, 4, 7)           # pictures after an episode's beginning
CACHE_BYTES = 4 << 30           # 100,000 pictures of 96 x 128: an hour of two cameras at 30 Hz

_Row = tuple[Demonstration, int]        # a moment of a demonstration


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What both systems learn from in one step; rows are [B older moments, B later ones].

    Attributes:
        images: (N, V, 3, height, width) u1, augmented.
        proprioception: (N, P) f4 normalised.
        actions: (N, H, A) f4 normalised.
        action_valid: (N, H) f4, 0 where a step is no example to follow.
        event: (N, 3) f4 where the tool is at the next event, normalised as a position.
        event_valid: (N,) f4.
        age_steps: (N,) f4, 0 for the older rows; for a later one, how much older its partner is.
        instruction: B texts, at the older moment.
        subtask: B texts, at the older moment: what System 2 should say.
        subtask_now: N texts, each at its row's own moment.
        cloud: (N, points, 6) f4 x y z normalised as a position and r g b in 0..1, or None.
    """

    images: torch.Tensor
    proprioception: torch.Tensor
    actions: torch.Tensor
    action_valid: torch.Tensor
    event: torch.Tensor
    event_valid: torch.Tensor
    age_steps: torch.Tensor
    instruction: list[str]
    subtask: list[str]
    subtask_now: list[str]
    cloud: torch.Tensor | None = None

    def to(self, device: torch.device | str) -> "Batch":
        """The same on a device."""
        moved = {name: value.to(device, non_blocking=True)
                 for name, value in msgspec.structs.asdict(self).items()
                 if isinstance(value, torch.Tensor)}
        return msgspec.structs.replace(self, **moved)


class TrainingSet:
    """The demonstrations of some stores, as batches. Use `TrainingSet.open`. One thread uses it.

    Attributes:
        spec: what the policy wants to see and how it answers.
        normaliser: fitted to the training episodes, or as it was given.
    """

    def __init__(self, pool: EpisodePool, spec: PolicySpec, normaliser: Normaliser | None,
                 cache_bytes: int, weigh: Weigh, balance_tasks: bool,
                 max_age_steps: int, followed: Callable[[Demonstration], Demonstration]) -> None:
        self.spec, self._followed = spec, followed
        self._pool, self._weigh, self._balance_tasks = pool, weigh, balance_tasks
        self._max_age_steps = max_age_steps
        size = spec.picture_size
        depth_bytes = cache_bytes // 8 if spec.cloud_points else 0
        self._pictures = PictureCache(cache_bytes - depth_bytes,
                                      lambda picture: pictures.prepare_padded(picture, size))
        self._depths = PictureCache(depth_bytes, lambda depth: prepare_depth(depth, size))
        self.normaliser = normaliser or self._fit()
        self._settle()

    @classmethod
    def open(
        cls, stores: Sequence[Path | str], spec: PolicySpec, *, hold_out: float = 0.05,
        seed: int = 0, labels: Sequence[str] | None = ("success",),
        normaliser: Normaliser | None = None, cache_bytes: int = CACHE_BYTES,
        weigh: Weigh = METHODS["all"], balance_tasks: bool = True,
        max_age_steps: int = MAX_AGE_STEPS,
        followed: Callable[[Demonstration], Demonstration] = lambda one: one,
    ) -> "TrainingSet":
        """Read all usable episodes of the stores; pictures wait until they are drawn.

        Args:
            stores: their folders.
            spec: what the policy wants to see and how it answers.
            hold_out: share of the episodes that is never trained on; at least one, unless 0.
            seed: decides which; an episode keeps its side while the store grows.
            labels: which episodes count as a whole, of others what a person corrected in them;
                None for all that are not in the trash.
            normaliser: of a run that goes on; fitted to the training episodes otherwise.
            cache_bytes: memory for prepared pictures.
            weigh: how often each moment is drawn; see correction_weights.py.
            balance_tasks: draw every task equally often, however many episodes it has.
            max_age_steps: how much older than System 1's frame System 2's may be.
            followed: what is left of an episode for System 1 to follow.

        Raises:
            StoreError: if there is no store, or a version of it that is not known.
            ValueError: if there are too few usable episodes, or one of them is not fit for the
                spec; the message names what is wrong and what there is.
            DamagedRecording: naming the file that cannot be read.
        """
        pool = EpisodePool(stores, spec, hold_out=hold_out, seed=seed, labels=labels)
        return cls(pool, spec, normaliser, cache_bytes, weigh, balance_tasks, max_age_steps,
                   followed)

    def follow(self) -> int:
        """Take in what happened in the stores since: new episodes, new labels, the trash.

        An episode that cannot be used is named in `problems` and left out. The normaliser stays.

        Returns:
            How many episodes came, changed or went.
        """
        touched = self._pool.follow()
        if touched:
            self._settle()
        return touched

    @property
    def problems(self) -> list[str]:
        """Episodes that came later and cannot be used, a sentence each."""
        return self._pool.problems

    @property
    def demonstrations(self) -> list[Demonstration]:
        """Those that are trained on."""
        return self._pool.training

    @property
    def held_out(self) -> list[Demonstration]:
        """Those that are not."""
        return self._pool.held_out

    @property
    def instructions(self) -> list[str]:
        """All different texts that System 2 reads, sorted."""
        return sorted({one.instructions[place] for one in self._pool.all()
                       for place in np.unique(one.segment)})

    @property
    def phrases(self) -> list[str]:
        """All different texts that System 2 should say, sorted."""
        return sorted({one.phrases[place] for one in self._pool.all()
                       for place in np.unique(one.phrase)})

    @property
    def robot(self) -> dict[str, Any]:
        """What the recordings say about their robot: name, joint_names, …"""
        return self._pool.all()[0].episode.attrs["robot"]

    @property
    def proprioception_places(self) -> dict[str, slice]:
        """Where each part of proprioception lies among the P numbers."""
        return layout(self.spec.proprioception, self._streams())

    def batch(self, rng: np.random.Generator, pairs: int) -> Batch:
        """Draw a training batch; the same chance over the same episodes gives the same.

        Args:
            rng: decides everything that is random.
            pairs: B.
        """
        return self._batch(self._draw, rng, pairs, augment=True)

    def held_out_batch(self, rng: np.random.Generator, pairs: int) -> Batch | None:
        """The same from the episodes held out, with pictures as they are; None if there are none.

        Args:
            rng: decides which moments.
            pairs: B.
        """
        return self._batch(self._draw_held_out, rng, pairs, augment=False) \
            if self._draw_held_out else None

    def beginnings(self) -> Batch:
        """The early pictures of the episodes held out, as they are: where only they can tell what
        will happen, since nothing has moved yet. Both rows of a pair are the same moment."""
        pairs = [Pair(one, at, at) for one in self._pool.held_out for at in EARLY if at < len(one)]
        return self._batch_of(pairs, np.random.default_rng(0), augment=False)

    # ---- inside ----------------------------------------------------------------------------------

    def _streams(self) -> Sequence[StreamSpec]:
        return EpisodeSignals(self._pool.all()[0].episode).streams

    def _settle(self) -> None:
        def draw(demonstrations: list[Demonstration]) -> MomentDraw:
            return MomentDraw([self._followed(one) for one in demonstrations], self.spec.step_ns,
                              max_age_steps=self._max_age_steps, weigh=self._weigh,
                              balance_tasks=self._balance_tasks)

        fresh = draw(self._pool.training)
        if not fresh:
            raise ValueError("no moment is left to learn from: every one is masked or has weight 0")
        self._draw, self._draw_held_out = fresh, draw(self._pool.held_out)

    def _fit(self) -> Normaliser:
        chosen = self._pool.training
        return fit_normaliser(
            np.concatenate([one.proprioception for one in chosen]),
            smallest_spread(self.spec.proprioception, self._streams()),
            np.concatenate([one.tool for one in chosen]),
            np.concatenate([one.actions[one.action_valid > 0] for one in chosen]),
            self.spec.action_space, self.spec.step_s)

    def _batch(self, draw: MomentDraw, rng: np.random.Generator, pairs: int, *,
               augment: bool) -> Batch:
        return self._batch_of(draw.draw(rng, pairs), rng, augment=augment)

    def _batch_of(self, drawn: Sequence[Pair], rng: np.random.Generator, *, augment: bool) -> Batch:
        rows = [(pair.demonstration, pair.older) for pair in drawn] \
            + [(pair.demonstration, pair.later) for pair in drawn]
        ages_ns = np.array([pair.demonstration.moments_ns[pair.later]
                            - pair.demonstration.moments_ns[pair.older] for pair in drawn])
        ages = np.concatenate([np.zeros(len(drawn)), ages_ns / self.spec.step_ns])
        normaliser = self.normaliser

        def numbers(name: str) -> torch.Tensor:
            return torch.from_numpy(np.stack([getattr(one, name)[at] for one, at in rows]))

        return Batch(
            images=torch.from_numpy(self._images(rows, rng, augment)),
            proprioception=normaliser.normalise_proprioception(numbers("proprioception")),
            actions=normaliser.normalise_actions(numbers("actions")),
            action_valid=numbers("action_valid"),
            event=normaliser.normalise_position(numbers("event")),
            event_valid=numbers("event_valid"),
            age_steps=torch.from_numpy(ages.astype(np.float32)),
            instruction=[one.instruction_at(at) for one, at in rows[:len(drawn)]],
            subtask=[one.subtask_at(at) for one, at in rows[:len(drawn)]],
            subtask_now=[one.subtask_at(at) for one, at in rows],
            cloud=normaliser.normalise_cloud(torch.from_numpy(
                np.stack([self._cloud(one, at, rng) for one, at in rows])))
            if self.spec.cloud_points else None)

    def _images(self, rows: list[_Row], rng: np.random.Generator, augment: bool) -> np.ndarray:
        """(N, V, 3, height, width) u1."""
        cameras = self.spec.cameras
        out = np.empty((len(rows), len(cameras), 3, *self.spec.picture_size), np.uint8)
        places = out.shape[:2]
        shifts = np.full((*places, 2), pictures.SHIFT_PX)
        lights = np.ones(places)
        if augment:
            shifts = rng.integers(0, 2 * pictures.SHIFT_PX + 1, shifts.shape)
            lights = rng.uniform(*pictures.LIGHT, places)
        shifts, lights = shifts.tolist(), lights.tolist()       # NumPy's own numbers are slow
        for row, (one, at) in enumerate(rows):
            for view, camera in enumerate(cameras):
                down_px, right_px = shifts[row][view]
                pictures.cut_out(self._padded(one, at, camera), out[row, view], down_px, right_px,
                                 lights[row][view])
        return out

    def _padded(self, one: Demonstration, at: int, camera: str) -> np.ndarray:
        stream = one.episode[camera]
        frames = stream.images(picture_for(stream.spec.images, self.spec.cameras[camera],
                                           self.spec.picture_size))
        return self._pictures.read(frames, int(one.picture_rows[camera][at]))

    def _cloud(self, one: Demonstration, at: int, rng: np.random.Generator) -> np.ndarray:
        """(points, 6) f4 of the first camera's newest depth."""
        camera = next(iter(self.spec.cameras))
        stream, row = one.episode[camera], int(one.picture_rows[camera][at])
        field = find_image([stream.spec], camera, DEPTH)
        assert field is not None        # read_demonstration asked for it
        picture = np.empty((3, *self.spec.picture_size), np.uint8)
        pictures.cut_out(self._padded(one, at, camera), picture)
        return point_cloud(
            self._depths.read(stream.images(DEPTH), row), picture.transpose(1, 2, 0),
            stream.column("world_from_camera")[row], stream.column("intrinsics")[row],
            (field.height, field.width), metres_per_count(field.unit), self.spec.cloud_points, rng)

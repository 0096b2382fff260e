"""Random training batches out of one or several stores, while they grow.

A batch holds pairs of moments of one episode under one instruction: an older one, which System 2
sees, and a later one for System 1, so that a policy learns with thoughts as stale as they will be
when both systems run (FiS-VLA, arXiv 2506.01953, section 3.2). Which episodes count, which of them
are held out, and how likely each moment is drawn is decided here; what a moment holds is worked out
in policy/demonstrations.py.

Letters: B pairs, N = 2 B rows, V cameras, P numbers of proprioception, H steps, A of an action.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import torch

from policy import pictures
from policy.demonstrations import Demonstration, read_demonstration
from policy.interfaces import PolicySpec
from policy.normaliser import Normaliser, fit_normaliser
from policy.proprioception import layout, smallest_spread
from policy.signals import EpisodeSignals
from recorders.array_layout import DamagedRecording
from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.follower import StoreFollower
from recorders.picture_cache import DEFAULT_BYTES, PictureCache

MAX_AGE_STEPS = 64
FEWEST_EPISODES = 3

# How often each moment of a demonstration is drawn, (M,) >= 0; by default as often as any other.
Weigh = Callable[[Demonstration], np.ndarray]


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What both systems learn from in one step; rows are [B older moments, B later ones].

    Attributes:
        images: (N, V, 3, H, W) u1, augmented.
        proprioception: (N, P) normalised.
        actions: (N, H, A) normalised.
        action_valid: (N, H) 0 where a step is no example to follow.
        event: (N, 3) where the tool is at the next event, normalised as a position.
        event_valid: (N,).
        age_steps: (N,) 0 for the older rows; for the later ones, how much older its partner is.
        instruction: B texts, at the older moment.
        subtask: B texts, at the older moment: what System 2 should say.
        subtask_now: N texts, each at its row's own moment.
        cloud: (N, points, 6) x y z in m and r g b in 0..1, or None.
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
    """The demonstrations of some stores, as batches. Use `TrainingSet.open`.

    Attributes:
        spec: what the policy wants.
        normaliser: fitted when it was opened, or given then.
        problems: episodes that came later and cannot be used, a sentence each.
    """

    def __init__(
        self, stores: Sequence[Path], spec: PolicySpec, *, hold_out: float, seed: int,
        labels: Sequence[str] | None, cache_bytes: int, weigh: Weigh | None, balance_tasks: bool,
    ) -> None:
        self.spec = spec
        self.problems: list[str] = []
        self._hold_out, self._seed = hold_out, seed
        self._labels, self._weigh, self._balance_tasks = labels, weigh, balance_tasks
        self._followers = [StoreFollower(store) for store in stores]
        self._stores = [Path(store) for store in stores]
        self._told: dict[tuple[int, str], tuple[EpisodeSummary, Path]] = {}
        self._read: dict[tuple[int, str], Demonstration] = {}
        self._always_held: set[tuple[int, str]] = set()
        self._cache = PictureCache(cache_bytes, lambda picture: pictures.prepare_padded(
            picture, spec.picture_size))

    @classmethod
    def open(
        cls, stores: Sequence[Path | str], spec: PolicySpec, *, hold_out: float = 0.05,
        seed: int = 0, labels: Sequence[str] | None = ("success",),
        normaliser: Normaliser | None = None, cache_bytes: int = DEFAULT_BYTES,
        weigh: Weigh | None = None, balance_tasks: bool = True,
    ) -> Self:
        """Read all usable episodes of the stores; pictures wait until they are drawn.

        Args:
            stores: their folders.
            spec: what the policy wants to see and how it answers.
            hold_out: share of the episodes that is never trained on; at least one, unless 0.
            seed: decides which; an episode keeps its place while the store grows.
            labels: which episodes count; None for all that are not in the trash.
            normaliser: of a run that goes on; fitted to the training episodes otherwise.
            cache_bytes: memory for prepared pictures.
            weigh: how often each moment is drawn.
            balance_tasks: draw every task equally often, however many episodes it has.

        Raises:
            StoreError: if there is no store, or a version of it that is not known.
            ValueError: if there are too few usable episodes, or one of them is not fit for the
                spec; the message names what is wrong and what there is.
            DamagedRecording: naming the file that cannot be read.
        """
        chosen = cls([Path(store) for store in stores], spec, hold_out=hold_out, seed=seed,
                     labels=labels, cache_bytes=cache_bytes, weigh=weigh,
                     balance_tasks=balance_tasks)
        chosen._poll()
        chosen._require_enough()
        for key in chosen._usable():
            chosen._read[key] = chosen._demonstration(key)
        chosen._settle()
        chosen.normaliser = normaliser or chosen._fit()
        return chosen

    def follow(self) -> int:
        """Take what happened in the stores since: new episodes, new labels, the trash.

        An episode that cannot be used is named in `problems` and left out.

        Returns:
            How many episodes were added, changed or removed.
        """
        changed = self._poll()
        for key in changed:
            self._read.pop(key, None)
        for key in self._usable():
            if key in changed:
                try:
                    self._read[key] = self._demonstration(key)
                except (ValueError, DamagedRecording) as error:
                    self.problems.append(str(error))
        if changed:
            self._settle()
        return len(changed)

    @property
    def demonstrations(self) -> list[Demonstration]:
        """Those that are trained on, in the order in which they were committed."""
        return self._training

    @property
    def held_out(self) -> list[Demonstration]:
        """Those that are not."""
        return self._held

    @property
    def instructions(self) -> list[str]:
        """All different texts that System 2 reads, sorted."""
        return sorted({text for one in self._read.values() for text in one.instructions})

    @property
    def phrases(self) -> list[str]:
        """All different texts that System 2 should say, sorted."""
        return sorted({one.phrases[place] for one in self._read.values()
                       for place in np.unique(one.phrase)})

    @property
    def robot(self) -> dict:
        """What the recordings say about their robot: name, joint_names, …"""
        return next(iter(self._read.values())).episode.attrs["robot"]

    @property
    def proprioception_places(self) -> dict[str, slice]:
        """Where each part of proprioception lies among the P numbers."""
        streams = EpisodeSignals(next(iter(self._read.values())).episode).streams
        return layout(self.spec.proprioception, streams)

    def origin(self) -> dict:
        """Which demonstrations these are, for a checkpoint: stores, episodes, and a digest."""
        facts = [f"{key[1]} {one.summary.label} {one.summary.instruction}"
                 for key, one in sorted(self._read.items())]
        return {"stores": [store.name for store in self._stores], "episodes": len(facts),
                "digest": hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]}

    def batch(self, rng: np.random.Generator, pairs: int) -> Batch:
        """Draw a training batch; the same `rng` over the same episodes draws the same.

        Args:
            rng: decides everything that is random.
            pairs: B.
        """
        return self._batch(self._training, self._ends, rng, pairs, augment=True)

    def held_out_batch(self, rng: np.random.Generator, pairs: int) -> Batch:
        """The same from the episodes that are held out, with pictures as they are.

        Raises:
            ValueError: if nothing is held out.
        """
        if not self._held:
            raise ValueError("no episode is held out: open the set with hold_out above 0")
        return self._batch(self._held, self._held_ends, rng, pairs, augment=False)

    # Which episodes

    def _poll(self) -> set[tuple[int, str]]:
        changed = set()
        for number, follower in enumerate(self._followers):
            for change in follower.poll():
                key = (number, change.summary.episode)
                if self._told.get(key) != (change.summary, change.path):
                    changed.add(key)
                self._told[key] = change.summary, change.path
        return changed

    def _usable(self) -> list[tuple[int, str]]:
        return [key for key, (summary, _) in self._told.items() if not summary.trashed
                and (self._labels is None or summary.label in self._labels)]

    def _require_enough(self) -> None:
        usable = len(self._usable())
        if usable >= FEWEST_EPISODES:
            return
        there = sum(not summary.trashed for summary, _ in self._told.values())
        stores = ", ".join(str(store) for store in self._stores)
        wanted = f" labelled {' or '.join(self._labels)}" if self._labels is not None else ""
        raise ValueError(f"{stores}: {usable} of {there} episodes are{wanted or ' usable'}, but a "
                         f"policy needs at least {FEWEST_EPISODES}: record or label more")

    def _demonstration(self, key: tuple[int, str]) -> Demonstration:
        summary, path = self._told[key]
        return read_demonstration(EpisodeReader(path), summary, self.spec)

    def _settle(self) -> None:
        """Sort into training and held out, and count what may be drawn."""
        chance = {key: _chance(self._seed, key[1]) for key in self._read}
        held = {key for key, drawn in chance.items() if drawn < self._hold_out}
        if self._hold_out > 0 and not held and len(self._read) > FEWEST_EPISODES - 1:
            self._always_held |= {min(chance, key=lambda key: chance[key])} \
                if not self._always_held & chance.keys() else set()
        held |= self._always_held & chance.keys()
        self._held = [one for key, one in self._read.items() if key in held]
        self._training = [one for key, one in self._read.items() if key not in held]
        self._ends = self._cumulated(self._training, self._weigh)
        self._held_ends = self._cumulated(self._held, None)

    def _cumulated(self, chosen: list[Demonstration], weigh: Weigh | None) -> np.ndarray:
        """Running sum of the weights of all moments of all the chosen, in order."""
        weights = [_usual_weight(one) * (weigh(one) if weigh else 1.0) for one in chosen]
        if self._balance_tasks:
            sums: dict[str, float] = {}
            for one, weight in zip(chosen, weights, strict=True):
                sums[one.summary.task] = sums.get(one.summary.task, 0.0) + float(weight.sum())
            weights = [weight / (sums[one.summary.task] or 1.0)
                       for one, weight in zip(chosen, weights, strict=True)]
        return np.cumsum(np.concatenate(weights or [np.zeros(0)]))

    def _fit(self) -> Normaliser:
        chosen = self._training
        streams = EpisodeSignals(chosen[0].episode).streams
        return fit_normaliser(
            np.concatenate([one.proprioception for one in chosen]),
            smallest_spread(self.spec.proprioception, streams),
            np.concatenate([one.tool for one in chosen]),
            np.concatenate([one.actions[one.action_valid > 0] for one in chosen]),
            self.spec.action_space, self.spec.step_s)

    # One batch

    def _batch(
        self, chosen: list[Demonstration], ends: np.ndarray, rng: np.random.Generator, pairs: int,
        augment: bool,
    ) -> Batch:
        drawn = np.searchsorted(ends, rng.random(pairs) * ends[-1], side="right")
        firsts = np.cumsum([0, *(len(one) for one in chosen)])
        which = np.searchsorted(firsts, drawn, side="right") - 1
        picked = [chosen[place] for place in which]
        later = drawn - firsts[which]
        older = np.array([_older(one, int(moment), rng, self.spec.step_ns)
                          for one, moment in zip(picked, later, strict=True)])
        rows = [*zip(picked, older.tolist(), strict=True), *zip(picked, later.tolist(), strict=True)]
        ages = np.array([one.moments_ns[last] - one.moments_ns[first]
                         for one, first, last in zip(picked, older, later, strict=True)])
        normaliser = self.normaliser

        def numbers(name: str) -> np.ndarray:
            return np.stack([getattr(one, name)[moment] for one, moment in rows])

        return Batch(
            images=torch.from_numpy(self._pictures(rows, rng, augment)),
            proprioception=torch.from_numpy(
                normaliser.normalise_proprioception(numbers("proprioception"))),
            actions=torch.from_numpy(normaliser.normalise_actions(numbers("actions"))),
            action_valid=torch.from_numpy(numbers("action_valid")),
            event=torch.from_numpy(normaliser.normalise_position(numbers("event"))),
            event_valid=torch.from_numpy(numbers("event_valid")),
            age_steps=torch.from_numpy(np.concatenate(
                [np.zeros(pairs), ages / self.spec.step_ns]).astype(np.float32)),
            instruction=[one.instruction_at(moment) for one, moment in rows[:pairs]],
            subtask=[one.subtask_at(moment) for one, moment in rows[:pairs]],
            subtask_now=[one.subtask_at(moment) for one, moment in rows])

    def _pictures(
        self, rows: list[tuple[Demonstration, int]], rng: np.random.Generator, augment: bool
    ) -> np.ndarray:
        """(N, V, 3, H, W) u1."""
        cameras = self.spec.cameras
        out = np.empty((len(rows), len(cameras), 3, *self.spec.picture_size), np.uint8)
        places = out.shape[:2]
        shifts = rng.integers(0, 2 * pictures.SHIFT_PX + 1, (*places, 2)).tolist() if augment else \
            np.full((*places, 2), pictures.SHIFT_PX).tolist()
        lights = rng.uniform(*pictures.LIGHT, places).tolist() if augment else \
            np.ones(places).tolist()
        for row, (one, moment) in enumerate(rows):
            for view, (camera, name) in enumerate(cameras.items()):
                padded = self._cache.read(one.episode[camera].images(name),
                                          int(one.picture_rows[camera][moment]))
                pictures.cut_out(padded, out[row, view], *shifts[row][view], lights[row][view])
        return out


def _usual_weight(one: Demonstration) -> np.ndarray:
    """(M,) 1 where there is at least one step to learn, else 0."""
    return (one.action_valid[:, 0] > 0).astype(np.float64)


def _older(one: Demonstration, moment: int, rng: np.random.Generator, step_ns: int) -> int:
    """A moment under the same instruction, any number of steps older, up to MAX_AGE_STEPS."""
    moments_ns, first = one.moments_ns, int(one.segment_begin[moment])
    most = min(MAX_AGE_STEPS, round((moments_ns[moment] - moments_ns[first]) / step_ns))
    wanted_ns = moments_ns[moment] - int(rng.integers(0, most + 1)) * step_ns
    found = int(np.searchsorted(moments_ns, wanted_ns - step_ns // 2, side="left"))
    return min(max(found, first), moment)


def _chance(seed: int, episode: str) -> float:
    """A number in 0..1 that belongs to an episode, whatever else is in the store."""
    digest = hashlib.sha256(f"{seed} {episode}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64

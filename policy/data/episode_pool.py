"""Which recorded episodes a policy learns from, and which are held out, while the stores grow.

Follows the commit logs: new episodes come in, labels and instructions change, trashed ones go.
Whether an episode is held out depends on its id and the seed alone, so none changes sides while a
store grows. Of an episode with another label, what a person corrected in it, by hand or by words in
System 2's place, still counts. Knows stores and labels; what an episode holds is worked out in
demonstrations.py, how often a moment is drawn is decided in batches.py.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from policy.data.demonstrations import Demonstration, parts_by, read_demonstration
from policy.data.whose import Whose
from policy.interfaces import PolicySpec
from recorders.array_layout import DamagedRecording
from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader
from recorders.follower import StoreFollower

FEWEST_EPISODES = 3

_Key = tuple[int, str]          # number of the store, episode


class EpisodePool:
    """The usable episodes of some stores, read.

    Attributes:
        training, held_out: in the order in which they were committed, store by store.
        problems: episodes that came later and cannot be used, a sentence each.
    """

    def __init__(
        self, stores: Sequence[Path | str], spec: PolicySpec, *, hold_out: float, seed: int,
        labels: Sequence[str] | None,
    ) -> None:
        """Read all usable episodes.

        Args:
            stores: their folders.
            spec: what the policy wants.
            hold_out: share of the episodes to hold out; at least one, unless 0.
            seed: decides which.
            labels: which episodes count as a whole, of others what was corrected in them; None for
                all that are not in the trash.

        Raises:
            StoreError: if there is no store, or a version of it that is not known.
            ValueError: if there are too few usable episodes, or one is not fit for the spec.
            DamagedRecording: naming the file that cannot be read.
        """
        self.problems: list[str] = []
        self.training: list[Demonstration] = []
        self.held_out: list[Demonstration] = []
        self._spec, self._labels = spec, labels
        self._hold_out, self._seed = hold_out, seed
        self._stores = [Path(store) for store in stores]
        self._followers = [StoreFollower(store) for store in self._stores]
        self._told: dict[_Key, tuple[EpisodeSummary, Path]] = {}
        self._read: dict[_Key, Demonstration] = {}
        self._poll()
        usable = self._usable()
        self._require_enough(len(usable))
        for key in usable:
            self._keep(key, self._demonstration(key))
        for key in self._others():
            with suppress(ValueError, DamagedRecording):    # nobody asked for these
                self._keep(key, self._demonstration(key))
        # With few episodes chance may hold out none; the one that came nearest is.
        nearest = min(usable, key=lambda key: _chance(seed, key[1]))
        self._always_out = nearest if hold_out > 0 else None
        self._settle()

    def __len__(self) -> int:
        return len(self._read)

    def all(self) -> list[Demonstration]:
        """Those trained on and those held out, in the order in which they were committed."""
        return [self._read[key] for key in self._told if key in self._read]

    def follow(self) -> int:
        """Take in what happened in the stores since.

        Returns:
            How many episodes came, changed or went.

        Raises:
            StoreError: if a store was replaced by another meanwhile.
        """
        changed = self._poll()
        usable, others = set(self._usable()), set(self._others())
        touched = 0
        for key in [key for key in self._told if key in changed]:
            before, fresh = self._read.get(key), None
            if key in usable | others:
                try:
                    fresh = self._demonstration(key)
                except (ValueError, DamagedRecording) as error:
                    if key in usable:
                        self.problems.append(str(error))
            self._keep(key, fresh)
            touched += self._read.get(key) is not before
        if touched:
            self._settle()
        return touched

    def _poll(self) -> set[_Key]:
        changed = set()
        for number, follower in enumerate(self._followers):
            for change in follower.poll():
                key = (number, change.summary.episode)
                if self._told.get(key) != (change.summary, change.path):
                    changed.add(key)
                self._told[key] = change.summary, change.path
        return changed

    def _usable(self) -> list[_Key]:
        return [key for key, (summary, _) in self._told.items() if not summary.trashed
                and (self._labels is None or summary.label in self._labels)]

    def _others(self) -> list[_Key]:
        """Those that may hold corrections, whatever became of them."""
        usable = set(self._usable())
        return [key for key, (summary, _) in self._told.items()
                if not summary.trashed and key not in usable]

    def _keep(self, key: _Key, fresh: Demonstration | None) -> None:
        if fresh is None or not (fresh.action_valid.any() or fresh.told.any()):
            self._read.pop(key, None)
        else:
            self._read[key] = fresh

    def _require_enough(self, usable: int) -> None:
        if usable >= FEWEST_EPISODES:
            return
        there = [summary.label for summary, _ in self._told.values() if not summary.trashed]
        counts = ", ".join(f"{there.count(label)} {label}" for label in sorted(set(there)))
        wanted = "" if self._labels is None else f" labelled {' or '.join(self._labels)}"
        raise ValueError(
            f"{', '.join(map(str, self._stores))}: {usable} usable episodes{wanted} (there are "
            f"{counts or 'none'}), but a policy needs at least {FEWEST_EPISODES}: record more, or "
            f"label those that are good")

    def _demonstration(self, key: _Key) -> Demonstration:
        summary, path = self._told[key]
        old = self._read.get(key)
        # The same reader again, where nothing but words changed: its pictures are in the cache.
        episode = old.episode if old and old.episode.path == path else EpisodeReader(path)
        fresh = read_demonstration(episode, summary, self._spec)
        if self._read:
            _require_alike(fresh, next(iter(self._read.values())))
        return fresh if self._labels is None or summary.label in self._labels \
            else parts_by(fresh, [Whose.CORRECTION])

    def _settle(self) -> None:
        """Sort into training and held out."""
        out = {key for key in self._read if _chance(self._seed, key[1]) < self._hold_out}
        if self._always_out is not None:
            out.add(self._always_out)
        ordered = [key for key in self._told if key in self._read]
        self.held_out = [self._read[key] for key in ordered if key in out]
        self.training = [self._read[key] for key in ordered if key not in out]


def _require_alike(one: Demonstration, other: Demonstration) -> None:
    """One policy drives one robot."""
    for what in ("name", "joint_names"):
        mine, others = (each.episode.attrs["robot"].get(what) for each in (one, other))
        if mine != others:
            raise ValueError(f"episode {one.episode.episode} was recorded with robot {what} "
                             f"{mine}, episode {other.episode.episode} with {others}: train on the "
                             f"demonstrations of one robot")
    widths = one.proprioception.shape[1], other.proprioception.shape[1]
    if widths[0] != widths[1]:
        raise ValueError(f"episode {one.episode.episode} gives {widths[0]} numbers of "
                         f"proprioception, episode {other.episode.episode} gives {widths[1]}: "
                         f"train on stores recorded alike")


def _chance(seed: int, episode: str) -> float:
    """A number in 0..1 that belongs to an episode, whatever else is in the store."""
    digest = hashlib.sha256(f"{seed} {episode}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64

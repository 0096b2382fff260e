"""What an experiment is, as data: demonstrations, trainings, evaluations, rows, and their commands.

A row of a table is one policy judged in one way. Rows may share a training, trainings may share
demonstrations; each is made once. Everything that can change a figure is part of a definition, and
a definition's digest says whether a figure on the disk is still the one that is asked for.
Knows the options of `tandem`; runs nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

HOME = Path("out/experiments")              # relative to the checkout, as all paths in commands
DATA, RUNS, EXPORTS = HOME / "data", HOME / "runs", HOME / "exports"

Kind = Literal["dual", "act", "diffusion", "mlp", "mlp-state"]
EXPORTING: tuple[Kind, ...] = ("act", "diffusion")      # learn from a LeRobot dataset


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """Demonstrations of one task.

    Attributes:
        task: see `tandem tasks`.
        seed: of the first episode's scene; episode i has seed + i.
        options: more words for `tandem record`.
        part_of: take the first episodes of that store instead of recording.
    """

    name: str
    task: str
    episodes: int
    seed: int
    options: tuple[str, ...] = ("--perturbed",)
    part_of: str = ""

    @property
    def seeds(self) -> range:
        """Of its scenes."""
        return range(self.seed, self.seed + self.episodes)

    @property
    def path(self) -> Path:
        """Where it lies once it is whole."""
        return DATA / self.name

    def command(self, to: Path, chosen: Sequence[int] | None = None) -> tuple[str, ...]:
        """The words after `tandem` that make it; `chosen` episodes of what it is part of."""
        if self.part_of:
            numbers = range(self.episodes) if chosen is None else chosen
            return ("data", "copy", str(DATA / self.part_of), str(to), *map(str, numbers), "--json")
        return ("record", "--task", self.task, "--episodes", str(self.episodes), "--seed",
                str(self.seed), "--to", str(to), "--fast", "--headless", *self.options, "--json")


class StoreWithout(Store, frozen=True, kw_only=True):
    """A part of another store: those of its first episodes in whose instruction a word is not."""

    word: str

    def listing(self) -> tuple[str, ...]:
        """The words after `tandem` that tell the instructions."""
        return ("data", "ls", str(DATA / self.part_of), "--json")

    def chosen(self, listed: Sequence[Mapping[str, Any]]) -> list[int]:
        """Numbers of its episodes among those that `listing` tells of."""
        return [number for number, episode in enumerate(listed[:self.episodes])
                if self.word not in episode["instruction"].split()]


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """How a policy is trained; with a seed, a run.

    Attributes:
        kind: ours ("dual") or a peer.
        config, settings: `--config` and `--set` of `tandem train`.
        threads: of the arithmetic.
    """

    name: str
    stores: tuple[str, ...]
    minutes: float
    kind: Kind = "dual"
    config: str = "compact"
    settings: tuple[str, ...] = ()
    threads: int = 1

    def run(self, seed: int) -> Path:
        """Folder of the run with this seed."""
        return RUNS / f"{self.name}-seed{seed}"

    def command(self, seed: int) -> tuple[str, ...]:
        """The words after `tandem` that train with this seed."""
        stores = tuple(str(DATA / name) for name in self.stores)
        common = ("--to", str(self.run(seed)), "--minutes", f"{self.minutes:g}", "--cpu-time",
                  "--seed", str(seed), "--threads", str(self.threads))
        if self.kind == "dual":
            changes = ("--set", *self.settings) if self.settings else ()
            return ("train", *stores, *common, "--config", self.config, *changes, "--json")
        exports = ("--exports", str(EXPORTS)) if self.kind in EXPORTING else ()
        return ("train-peer", self.kind, *stores, *common, *exports, "--json")


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One call of `tandem eval`.

    Attributes:
        seeds: the first one and the one after the last.
        options: more words.
    """

    task: str
    seeds: tuple[int, int]
    options: tuple[str, ...] = ()

    def command(self, run: Path) -> tuple[str, ...]:
        """The words after `tandem` that evaluate a run."""
        return ("eval", str(run), "--task", self.task, "--seeds",
                f"{self.seeds[0]}:{self.seeds[1]}", *self.options, "--no-views", "--json")


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement of speed, alone on the machine: `python tests/bench/rates.py RUN …`."""

    threads: int
    task: str

    def command(self, run: Path) -> tuple[str, ...]:
        """The words after `python`."""
        return ("tests/bench/rates.py", str(run), "--threads", str(self.threads), "--task",
                self.task, "--json")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a table.

    Attributes:
        about: what it is, for the reader of the table.
        training: name of the training whose policy is judged.
        evaluations: their trials are counted together.
        rates: what is measured instead.
        seeds: of the training; the row is repeated for each.
        blocked: why it cannot be run (yet); such a row is printed as not run.
        quick: part of the sample (`make experiments-quick`) instead of the full tables.
    """

    table: str
    name: str
    about: str
    training: str = ""
    evaluations: tuple[Evaluation, ...] = ()
    rates: Rates | None = None
    seeds: tuple[int, ...] = (0,)
    blocked: str = ""
    quick: bool = False

    @property
    def key(self) -> str:
        """TABLE/ROW, as the command line names it."""
        return f"{self.table}/{self.name}"


class Book(msgspec.Struct, frozen=True):
    """Everything that is declared, by name.

    Attributes:
        tables: name to title, in the order of printing.
    """

    tables: Mapping[str, str]
    stores: Mapping[str, Store]
    trainings: Mapping[str, Training]
    rows: tuple[Row, ...]

    def sources(self, training: Training) -> list[Store]:
        """Its stores, and the ones that those are parts of, in the order of making."""
        found: dict[str, Store] = {}
        for name in training.stores:
            store = self.stores[name]
            if store.part_of:
                found.setdefault(store.part_of, self.stores[store.part_of])
            found.setdefault(name, store)
        return list(found.values())

    def store_digest(self, store: Store) -> str:
        """Changes when the demonstrations would."""
        return digest(store, self.stores[store.part_of] if store.part_of else None)

    def training_digest(self, training: Training, seed: int) -> str:
        """Changes when the run would."""
        return digest(training, seed, [self.store_digest(self.stores[name])
                                       for name in training.stores])

    def row_digest(self, row: Row, seed: int) -> str:
        """Changes when the figure would; words about the row do not count."""
        trained = self.training_digest(self.trainings[row.training], seed)
        return digest(row.table, row.name, row.evaluations, row.rates, trained)


def digest(*parts: object) -> str:
    """Twelve hex digits of anything that msgspec can write."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:12]

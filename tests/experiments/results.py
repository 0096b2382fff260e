"""What came out of a row, on the disk: one small JSON each, whole or not there.

A file is written beside its place and moved there, so whatever is interrupted leaves the state
before. Knows what a result says about where it comes from; knows no table and runs nothing.
"""

import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from experiments.definitions import HOME, Book, Row, Store, Training

from policy.training.provenance import mark_code

ROOT = Path(__file__).resolve().parents[2]
FULL, QUICK = Path("docs/results"), HOME / "quick"
SOURCES = ("policy", "recorders", "studio")


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """Which code ran.

    Attributes:
        commit: of the checkout.
        changed: tracked files differed from that commit.
        digest: of all Python files of policy, recorders and studio: the same for the same code.
    """

    commit: str
    changed: bool
    digest: str


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran, and what else did.

    Attributes:
        load: of the last minute, before it began.
        jobs: so many jobs of one thread ran side by side, this one among them, at most.
    """

    cpu: str
    cores: int
    python: str
    torch: str
    threads: int
    load: float
    jobs: int


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """How something was made: by which command, when (UTC), with which code, where.

    Attributes:
        cores: it got so many, on average: less than its threads where it had to share them;
            None: not known.
    """

    command: str
    began: str
    ended: str
    code: Code
    machine: Machine
    cores: float | None = None


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run; lies beside its folder."""

    definition: str
    seed: int
    minutes: float
    steps: int
    episodes: int
    made: Made


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A finished store; lies beside its folder.

    Attributes:
        labels: how many episodes ended how; only successes are learned from.
    """

    definition: str
    episodes: int
    labels: dict[str, int]
    made: Made


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation of a row."""

    task: str
    seeds: str
    instruction: str
    successes: int
    n: int
    failed_seeds: list[int]
    made: Made


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A row with one training seed.

    Attributes:
        definition: digest of what it is the result of.
        training: None if nothing was trained for it.
        seconds: median, 99th percentile and maximum of the times to success.
        wilson95: of successes in n.
        figures: what else was measured, by name.
    """

    table: str
    row: str
    about: str
    definition: str
    training_seed: int
    training: Trained
    parts: list[Part]
    successes: int
    n: int
    wilson95: tuple[float, float]
    seconds: dict[str, float | None]
    figures: dict[str, float | None]
    measured: Made | None = None


def result_path(folder: Path, row: Row, seed: int) -> Path:
    """Where a row's result lies."""
    return folder / row.table / f"{row.name}-seed{seed}.json"


def read_result(folder: Path, row: Row, seed: int, definition: str) -> Result | None:
    """The row's result, or None if there is none or it is of another definition."""
    return _read(result_path(folder, row, seed), Result, definition)


def read_trained(root: Path, book: Book, training: Training, seed: int) -> Trained | None:
    """The finished run, or None if there is none of this definition."""
    run = root / training.run(seed)
    if not run.is_dir():
        return None
    return _read(beside(run), Trained, book.training_digest(training, seed))


def read_recorded(root: Path, book: Book, store: Store) -> Recorded | None:
    """The finished store, or None if there is none of this definition."""
    folder = root / store.path
    if not folder.is_dir():
        return None
    return _read(beside(folder), Recorded, book.store_digest(store))


def _read[T: (Result, Trained, Recorded)](path: Path, kind: type[T], definition: str) -> T | None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):       # none, or of an older shape
        return None
    return found if found.definition == definition else None


def write(path: Path, value: Any) -> None:
    """Put a JSON file in its place, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beginning = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beginning.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
        beginning.replace(path)
    finally:
        beginning.unlink(missing_ok=True)


def beside(folder: Path) -> Path:
    """The JSON that says how a folder was made."""
    return folder.with_name(f"{folder.name}.json")


def code_here(root: Path = ROOT) -> Code:
    """The code as it lies on the disk now."""
    found = hashlib.sha256()
    for source in SOURCES:
        for path in sorted((root / source).rglob("*.py")):
            found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    mark = mark_code()
    return Code(commit=mark.commit, changed=mark.changed, digest=found.hexdigest()[:12])


def machine_here(threads: int, jobs: int) -> Machine:
    """This machine now."""
    return Machine(cpu=_cpu(), cores=os.cpu_count() or 1, python=platform.python_version(),
                   torch=metadata.version("torch"), threads=threads,
                   load=round(os.getloadavg()[0], 2), jobs=jobs)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines
                 if line.startswith("model name")), platform.machine())

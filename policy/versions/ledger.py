"""What became of a run's checkpoints: a line of `versions.jsonl` for everything that was decided.

    runs/x/versions.jsonl       measured, promoted, refused, rolled back, in that order

A version is a checkpoint that lies on the disk; its number is its step, which counts on from run to
run. Lines are appended whole, so that the one who trains and the one who decides may both write.
Without torch: a desk and `tandem versions` read it. Knows files; knows no weights.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from policy.errors import CheckpointError
from policy.versions.gate import GateFigures
from recorders.files import write_all

LEDGER, CONFIG, STATE, CHECKPOINTS = "versions.jsonl", "config.json", "state.json", "checkpoints"
What = Literal["measured", "promoted", "refused", "rolled back"]
Standing = Literal["candidate", "promoted", "refused", "rolled back"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the ledger.

    Attributes:
        wall_ns: when, since 1970.
        version: of this run.
        figures: that were compared, where some were.
        says: objections, in one line; of a promotion, those that were overruled.
        reason: the operator's, to overrule them or to go back.
        by: who asked for it: a window, the page, the command line; empty if they did not say.
        swap_ms: how long it took until the policy drove with it.
        to_run, to_version: of "rolled back": what drives instead.
    """

    wall_ns: int
    what: What
    version: int
    figures: GateFigures | None = None
    says: str = ""
    reason: str = ""
    by: str = ""
    swap_ms: float | None = None
    to_run: str = ""
    to_version: int = 0


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a policy's weights.

    Attributes:
        run: folder.
        number: what its chunks say.
        folder: of the checkpoint.
        wall_ns: when it was written, since 1970.
        parent: run and version that this run began with; empty and 0 if it began from nothing.
        begins: these are still the parent's weights, under this run's first number.
        method: how corrections weighed.
        minutes: of training, in its own run.
        episodes: learned from; `corrected` of them with corrections of `operator_s` seconds.
        metrics: on held-out episodes, as its training measured them.
        standing: the last that was decided.
        figures: the last that were measured, against whatever drove then.
        says, reason: of the last decision.
    """

    run: str
    number: int
    folder: str
    wall_ns: int
    parent: str = ""
    parent_number: int = 0
    begins: bool = False
    method: str = "all"
    minutes: float = 0.0
    episodes: int = 0
    corrected: int = 0
    operator_s: float = 0.0
    metrics: dict[str, float] = {}
    standing: Standing = "candidate"
    figures: GateFigures | None = None
    says: str = ""
    reason: str = ""


class _State(msgspec.Struct, frozen=True):
    """Of a checkpoint's state.json, what concerns people."""

    minutes: float = 0.0
    metrics: dict[str, float] = {}
    details: dict[str, Any] = {}


_entries = msgspec.json.Decoder(Entry)


def append(run: Path, entry: Entry) -> None:
    """Add a line to a run's ledger.

    Raises:
        OSError: if it cannot be written.
    """
    file = os.open(run / LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        write_all(file, [msgspec.json.encode(entry) + b"\n"])
        os.fsync(file)
    finally:
        os.close(file)


def read_ledger(run: Path) -> list[Entry]:
    """All lines, in order; one that was cut short does not count."""
    path, found = run / LEDGER, []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            found.append(_entries.decode(line))
        except msgspec.MsgspecError:
            continue
    return found


def versions_of(run: Path) -> list[Version]:
    """The versions of a run, oldest first.

    Raises:
        CheckpointError: there is no run.
    """
    config, entries = read_config(run), read_ledger(run)
    parent = config.get("parent", {})
    found = []
    for folder in sorted((run / CHECKPOINTS).glob("*"), key=lambda one: one.name):
        if not folder.name.isdecimal() or (state := _state_of(folder)) is None:
            continue
        number = int(folder.name)
        found.append(_judged(Version(
            run=str(run), number=number, folder=str(folder),
            wall_ns=(folder / STATE).stat().st_mtime_ns, parent=parent.get("run", ""),
            parent_number=parent.get("step", 0),
            begins=number == parent.get("counts_from", parent.get("step", -1)),
            minutes=state.minutes, metrics=state.metrics,
            method=config.get("train", {}).get("corrections", "all"),
            episodes=state.details.get("episodes", config.get("episodes", 0)),
            corrected=state.details.get("corrected", 0),
            operator_s=state.details.get("operator_s", 0.0)),
            [entry for entry in entries if entry.version == number]))
    return found


def family_of(run: Path) -> list[Version]:
    """The versions of a run, of those that it began from and of those that began from it, as far as
    they lie beside it; each run's weights once.

    Raises:
        CheckpointError: there is no run.
    """
    read_config(run)
    beside = {one.name: one for one in sorted(run.absolute().parent.iterdir())
              if (one / CONFIG).is_file()}
    parents = {name: _parent_of(folder) for name, folder in beside.items()}

    def root_of(name: str) -> str:
        seen = set()
        while parents.get(name) in parents and name not in seen:
            seen.add(name)
            name = parents[name]
        return name

    ours = root_of(run.absolute().name)
    related = [folder for name, folder in beside.items() if root_of(name) == ours]
    return sorted((one for folder in related for one in versions_of(folder) if not one.begins),
                  key=lambda one: (one.number, one.wall_ns))


def latest_of(run: Path) -> Version:
    """The version that is meant by a run's folder, or by a checkpoint's.

    Raises:
        CheckpointError: there is none.
    """
    if run.name.isdecimal() and run.parent.name == CHECKPOINTS:
        found = [one for one in versions_of(run.parent.parent)
                 if Path(one.folder).name == run.name]
        if not found:
            raise CheckpointError(f"{run} is no checkpoint: it has no {STATE} that can be read")
        return found[0]
    there = versions_of(run)
    if not there:
        raise CheckpointError(f"{run} has no checkpoint yet: train it first")
    latest = run / "latest"
    named = latest.read_text(encoding="ascii", errors="replace").strip() if latest.exists() else ""
    return next((one for one in there if Path(one.folder).name == named), there[-1])


def read_config(run: Path) -> dict[str, Any]:
    """What a run says of itself.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    try:
        return msgspec.json.decode((run / CONFIG).read_bytes(), type=dict[str, Any])
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"{run} is no run: it has no {CONFIG}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{run / CONFIG} is damaged ({error})") from error


def _parent_of(run: Path) -> str:
    try:
        return read_config(run).get("parent", {}).get("run", "")
    except CheckpointError:
        return ""


def _state_of(folder: Path) -> _State | None:
    try:
        return msgspec.json.decode((folder / STATE).read_bytes(), type=_State)
    except (OSError, msgspec.MsgspecError):
        return None


def _judged(version: Version, entries: Iterable[Entry]) -> Version:
    for entry in entries:
        if entry.figures is not None:
            version = msgspec.structs.replace(version, figures=entry.figures)
        if entry.what != "measured":
            version = msgspec.structs.replace(version, standing=entry.what, says=entry.says,
                                              reason=entry.reason)
    return version

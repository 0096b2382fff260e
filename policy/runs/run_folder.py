"""A training run on the disk: its description and its newest checkpoints, each whole or not there.

    runs/x/config.json                      what the network is, and what it was trained from
    runs/x/frozen.safetensors               weights that never learn, once for all checkpoints
    runs/x/checkpoints/000120/state.json    how far it got; size and checksum of each file beside it
    runs/x/checkpoints/000120/{model,ema,optimizer}.safetensors
    runs/x/latest                           the name of the checkpoint to use
    runs/x/LOCK                             held by the one who trains

A checkpoint is written into a folder of another name, put safely on the disk, then renamed: a kill
or a full disk at any moment costs at most the one being written. No pickle. Knows files and named
tensors. Refuses to know networks.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import torch
from torch import Tensor

from policy.errors import CheckpointError, CheckpointNotSaved
from policy.runs.tensor_files import (
    DamagedTensors,
    FileMark,
    read_tensors,
    require_whole,
    write_tensors,
)
from recorders.files import PARTIAL_SUFFIX, fsync_path, means_full, write_durably
from recorders.space import WriterLock
from recorders.store_errors import StoreLocked

FORMAT, VERSION = "tandem-run", 1
KEPT = 3
CONFIG, STATE = "config.json", "state.json"

_LATEST, _LOCK, _FROZEN = "latest", "LOCK", "frozen.safetensors"


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run got."""

    step: int                                   # so many were made
    minutes: float                              # they took, all resumed parts together
    seed: int
    metrics: dict[str, float] = {}              # the newest of the held-out ones, all finite
    details: dict[str, Any] = {}                # the trainer's own: the stores as they stood, ...
    files: dict[str, FileMark] = {}             # filled in on saving


class RunFolder:
    """A run that exists. Use `create` or `open`.

    Attributes:
        path: its folder.
        config: what `create` was given, and the format's version.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path, self.config = path, config
        self._checkpoints = path / "checkpoints"

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any],
               frozen: Mapping[str, Tensor] | None = None) -> Self:
        """Begin a run.

        Args:
            path: a folder that is not there yet, or is empty.
            config: plain values; "kind" is one of policy.runs.checkpoints.KINDS.
            frozen: weights that never learn.

        Raises:
            CheckpointError: if something lies there already.
            CheckpointNotSaved: if it cannot be written.
        """
        require_free(path)
        written = {"format": FORMAT, "version": VERSION, **config}
        try:
            (path / "checkpoints").mkdir(parents=True, exist_ok=True)
            if frozen:
                mark = write_tensors(path / _FROZEN, frozen)
                written["frozen"] = msgspec.to_builtins(mark)
            write_durably(path / CONFIG, msgspec.json.format(msgspec.json.encode(written)))
        except OSError as error:
            raise _not_saved(error, path, "nothing was begun") from error
        return cls(path, written)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run.

        Raises:
            CheckpointError: if there is none, or this version cannot read it.
        """
        try:
            config = msgspec.json.decode((path / CONFIG).read_bytes(), type=dict[str, Any])
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointError(f"{path} is no run: it has no {CONFIG}; `tandem train STORE "
                                  f"--to {path}` makes one") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path / CONFIG} is damaged ({error})") from error
        if config.get("format") != FORMAT:
            raise CheckpointError(f"{path / CONFIG} does not describe a run")
        if config.get("version") != VERSION:
            raise CheckpointError(f"{path} is a run of version {config.get('version')}; this "
                                  f"studio reads version {VERSION}")
        return cls(path, config)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one may train a run.

        Raises:
            CheckpointError: if another process does.
        """
        try:
            lock = WriterLock(self.path / _LOCK)
        except StoreLocked:
            raise CheckpointError(f"{self.path} is being trained by another process: stop that "
                                  f"one first, or choose another folder") from None
        try:
            yield
        finally:
            lock.release()

    def checkpoints(self) -> list[Path]:
        """The folders of all checkpoints, oldest first; whether their files are whole is open."""
        if not self._checkpoints.is_dir():
            return []
        return sorted((f for f in self._checkpoints.iterdir() if f.name.isdecimal()), key=_step_of)

    def latest(self) -> Path:
        """The checkpoint to use: the one that `latest` names, or else the newest.

        Raises:
            CheckpointError: if there is none yet.
        """
        there = self.checkpoints()
        if not there:
            raise CheckpointError(f"{self.path} has no checkpoint yet: train it first")
        try:
            named = (self.path / _LATEST).read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            named = ""
        return next((folder for folder in there if folder.name == named), there[-1])

    def newest_whole(self) -> tuple[Path | None, list[str]]:
        """The latest checkpoint, or the newest before it that is whole; and what is wrong with
        those passed over."""
        there, problems = self.checkpoints(), []
        if there:
            there = there[:there.index(self.latest()) + 1]
        for folder in reversed(there):
            try:
                for name, mark in read_state(folder).files.items():
                    require_whole(folder / name, mark)
            except (CheckpointError, DamagedTensors) as error:
                problems.append(f"checkpoint {folder.name} cannot be used: {error}")
            else:
                return folder, problems
        return None, problems

    def save(self, state: RunState, groups: Mapping[str, Mapping[str, Tensor]],
             kept: int = KEPT) -> Path:
        """Add a checkpoint, make it the latest, and remove old ones.

        Those of later steps, from which somebody went back, are removed, too.

        Args:
            state: how far the run got; `files` is filled in here.
            groups: tensors by the stem of their file, as a rule "model", "ema", "optimizer".
            kept: so many of the newest checkpoints stay; 0 keeps all.

        Raises:
            CheckpointNotSaved: if it could not be written; what was there before is untouched.
            ValueError: if the latest checkpoint is of this very step.
        """
        final = self._checkpoints / f"{state.step:06d}"
        partial = final.with_name(final.name + PARTIAL_SUFFIX)
        if final.exists() and final == self.latest():
            raise ValueError(f"{final} is there already: make a step before saving again")
        try:
            for leftover in self._checkpoints.glob(f"*{PARTIAL_SUFFIX}"):
                shutil.rmtree(leftover)
            partial.mkdir(parents=True)
            marks = {f"{stem}.safetensors": write_tensors(partial / f"{stem}.safetensors", tensors)
                     for stem, tensors in groups.items()}
            whole = msgspec.structs.replace(state, files=marks)
            write_durably(partial / STATE, msgspec.json.format(msgspec.json.encode(whole)))
            if final.exists():          # left by a kill before it became the latest
                shutil.rmtree(final)
            partial.rename(final)
            fsync_path(self._checkpoints)
            self.point_to(final)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise _not_saved(error, final, "the checkpoints before it are untouched") from error
        self._remove_others(final, kept)
        return final

    def point_to(self, checkpoint: Path) -> None:
        """Make another checkpoint of this run the one to use."""
        write_durably(self.path / _LATEST, f"{checkpoint.name}\n".encode())

    def read_frozen(self, device: str | torch.device = "cpu") -> dict[str, Tensor]:
        """The weights that never learn.

        Raises:
            CheckpointError: if their file is damaged.
        """
        if "frozen" not in self.config:
            return {}
        mark = msgspec.convert(self.config["frozen"], FileMark)
        try:
            return read_tensors(self.path / _FROZEN, mark, device)
        except DamagedTensors as error:
            raise CheckpointError(f"{self.path} cannot be used: {error}") from error

    def _remove_others(self, newest: Path, kept: int) -> None:
        there = self.checkpoints()
        place = there.index(newest) + 1
        for folder in [*there[place:], *(there[:place][:-kept] if kept else [])]:
            shutil.rmtree(folder, ignore_errors=True)


def require_free(path: Path) -> None:
    """See that a run can begin in a folder.

    Raises:
        CheckpointError: if something lies there already.
    """
    if (path / CONFIG).exists():
        raise CheckpointError(f"{path} holds a run already; --resume goes on with it, otherwise "
                              f"choose another folder")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise CheckpointError(f"{path} is not empty and holds no run; choose another folder")


def read_state(checkpoint: Path) -> RunState:
    """How far a run was at a checkpoint.

    Raises:
        CheckpointError: if it cannot be read.
    """
    try:
        return msgspec.json.decode((checkpoint / STATE).read_bytes(), type=RunState)
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"{checkpoint} is no checkpoint: it has no {STATE}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{checkpoint / STATE} is damaged ({error})") from error


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name)


def _not_saved(error: OSError, path: Path, meanwhile: str) -> CheckpointError:
    why = "the disk is full" if means_full(error) else (error.strerror or str(error)).lower()
    return CheckpointNotSaved(f"{path} was not saved: {why}; {meanwhile}. Free some space, or "
                              f"train into another folder")

"""The steps of a long unattended job: each a `tandem` command of its own, done once.

A step's answer is kept beside what it made, so that a job that was stopped goes on where it was; a
step that was not finished is begun anew, and so is every step that was made from what it makes.
Knows commands and files; knows nothing of what they do.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from studio.commands.output import Screen, UsersMistakeError

STOPPED = 130


class Done(msgspec.Struct, frozen=True):
    """A finished step: the words after `tandem`, how long it took, and what it answered."""

    words: list[str]
    took_s: float
    answer: dict[str, Any]


class Steps:
    """Does steps in a folder.

    Args:
        folder: that everything of this job lies in.
        screen: told which step is being done.
        total: how many there will be.
    """

    def __init__(self, folder: Path, screen: Screen, total: int) -> None:
        self.folder, self._screen, self._total = folder, screen, total
        self._number = 0

    def path(self, name: str) -> Path:
        """Where a step's store or run lies."""
        return self.folder / name

    def do(self, name: str, *words: str, about: str, makes: bool = True) -> dict[str, Any]:
        """Do a step, unless it was done already by the same words and of the same things.

        Args:
            name: of the step, and of the folder that it makes.
            words: after `tandem`; `--json` is added.
            about: what it is, for the person.
            makes: whether it makes that folder; leftovers of an earlier attempt are removed.

        Returns:
            What the command answered.

        Raises:
            UsersMistakeError: the command failed; says how.
            KeyboardInterrupt: it was stopped.
        """
        self._number += 1
        answer_path = self.folder / f"{name}.json"
        if (done := _read(answer_path)) is not None and done.words == list(words):
            self._screen.say(f"[{self._number}/{self._total}] {about}: done already")
            return done.answer
        self._screen.say(f"[{self._number}/{self._total}] {about} …")
        self._forget(name)
        if makes and self.path(name).exists():
            shutil.rmtree(self.path(name))
        began = time.monotonic()
        answer = _run(words)
        done = Done(list(words), time.monotonic() - began, answer)
        draft = answer_path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(done))
        draft.replace(answer_path)
        return answer

    def _forget(self, name: str) -> None:
        """A step is done anew: neither its answer holds any more, nor those of steps that were made
        from what it makes, and so on."""
        (self.folder / f"{name}.json").unlink(missing_ok=True)
        made = str(self.path(name))
        for answer_path in self.folder.glob("*.json"):
            done = _read(answer_path)
            if done is not None and made in done.words:
                self._forget(answer_path.stem)


def _read(path: Path) -> Done | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Done)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _run(words: Sequence[str]) -> dict[str, Any]:
    """Run a command to its end; its own progress goes to our stderr."""
    ran = subprocess.run([sys.executable, "-m", "studio.cli", *words, "--json"],
                         stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if ran.returncode == STOPPED:
        raise KeyboardInterrupt
    try:
        answer = msgspec.json.decode(ran.stdout, type=dict[str, Any])
    except msgspec.DecodeError:
        answer = {"error": f"exit code {ran.returncode}"}
    if "error" in answer:
        raise UsersMistakeError(f"`tandem {words[0]}` failed: {answer['error']}")
    return answer

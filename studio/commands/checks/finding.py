"""One line of the doctor's report, and what every check is given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from recorders.clock import Clock

State = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """What was found in one area, and what to do about it.

    Attributes:
        area: a few words, the same at every run.
        state: "fail" if the studio cannot do its main job, "warn" if a part of it will be missing.
        what: a sentence with the numbers.
        fix: how to put it right; empty if nothing is wrong.
    """

    area: str
    state: State
    what: str
    fix: str = ""


@dataclass(frozen=True)
class Surroundings:
    """What checks may look at."""

    clock: Clock
    """Times the disk and the loop."""
    store_folder: Path
    """Where recordings will go; it need not exist yet."""
    root: Path = Path("/")
    """Of the file system in which the kernel lists devices; another one in tests."""

"""What an import says of itself, whatever the format."""

from collections.abc import Callable
from pathlib import Path

import msgspec

Progress = Callable[[int, int, str], None]      # episodes done, of how many, which


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came in.

    Attributes:
        path: of the new store.
        left_behind: what the data has and a store has no place for.
        lost: of a damaged dataset, what could not be recovered, in plain sentences.
    """

    path: Path
    episodes: int
    frames: int
    left_behind: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

"""One thing that can be taken back, and the commands that take it back."""

import msgspec

from studio.station.commands import Command


class Undo(msgspec.Struct, frozen=True):
    """Something that a person did.

    Attributes:
        what: what it was, as in "Took back …".
        asks: the commands that take it back.
        restores: the episode that is the last one again afterwards; empty leaves it.
    """

    what: str
    asks: tuple[Command, ...]
    restores: str = ""

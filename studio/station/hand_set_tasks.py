"""The tasks of an arm whose scene a person sets up by hand: whatever they say is one.

Stands where a simulator has its table of tasks. Knows no robot.
"""

from collections.abc import Iterator, Mapping

import msgspec

FREE = "free"               # what is done where nobody says what
PERSONS_TIME_S = 120.0      # for one episode, unless it is ended before


class HandSetTask(msgspec.Struct, frozen=True):
    """One task; nobody but a person can say whether it was done."""

    name: str
    max_duration_s: float = PERSONS_TIME_S
    phases: tuple[str, ...] = ("done",)

    @property
    def instructions(self) -> tuple[str, ...]:
        """The words themselves."""
        return (self.name,)


class HandSetTasks(Mapping[str, HandSetTask]):
    """Every task that can be said; only `FREE` is listed."""

    def __getitem__(self, name: str) -> HandSetTask:
        if not name.strip():
            raise KeyError(name)
        return HandSetTask(name)

    def __iter__(self) -> Iterator[str]:
        return iter((FREE,))

    def __len__(self) -> int:
        return 1

"""Long lists, a page at a time."""

from collections.abc import Sequence

import msgspec

PAGE_ROWS = 50


class Page(msgspec.Struct, frozen=True):
    """A part of a list.

    Attributes:
        number: from 0.
        count: of pages; 1 for an empty list.
        first, last: positions of the rows shown, the last not included.
        total: rows of the whole list.
    """

    number: int
    count: int
    first: int
    last: int
    total: int

    @property
    def words(self) -> str:
        """"51–100 of 9,871"."""
        return f"{self.first + 1:,}–{self.last:,} of {self.total:,}" if self.total else "None"


def page_of(total: int, wanted: int, rows: int = PAGE_ROWS) -> Page:
    """The page that is shown when page `wanted` of a list of `total` rows is asked for."""
    count = max(1, -(-total // rows))
    number = min(max(0, wanted), count - 1)
    return Page(number, count, number * rows, min(total, (number + 1) * rows), total)


def between(ids: Sequence[str], one: str, other: str) -> tuple[str, ...]:
    """All from one to the other, both included, in their order; what is not there alone."""
    if one not in ids or other not in ids:
        return (other,)
    low, high = sorted((ids.index(one), ids.index(other)))
    return tuple(ids[low:high + 1])

"""An action chunk as something that a hand can change: drag a point, cut the end, then commit.

A chunk is what a policy (or a recording) wants of the arm at the next steps. What was committed is
on its way and cannot be changed; what lies beyond it can, dimension by dimension. Drags are kept
here and become one edit when the mouse lets go; an edit of a chunk that is no longer the newest is
refused. Knows numbers; refuses to know a plot, and who carries an edit out.
"""

import msgspec

Values = tuple[tuple[float, ...], ...]      # (H, A): steps of absolute joint targets


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of the arm.

    Attributes:
        number: grows with every chunk; names it.
        step_s: time between two steps.
        names: of the A dimensions.
        lower, upper: (A,) what each may be.
        values: (H, A) as it was proposed.
        committed: the first so many steps are on their way.
    """

    number: int
    step_s: float
    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    values: Values
    committed: int = 0


class ChunkEdit(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a person's, sent when the mouse lets go.

    Attributes:
        chunk: number of the chunk that was on the screen.
        first: the first step that differs.
        values: (H', A) of all steps that stay, trimmed at the end.
    """

    chunk: int
    first: int
    values: Values


class Timeline(msgspec.Struct, frozen=True):
    """A chunk and what a hand has made of it.

    Attributes:
        chunk: as proposed.
        values: (H, A) as they stand now.
        dimension: which of the A is shown.
        length: steps that stay; the rest was trimmed away.
        touched: something was dragged since the last release.
    """

    chunk: Chunk
    values: Values
    dimension: int
    length: int
    touched: bool = False

    @property
    def changed(self) -> bool:
        """Whether it differs from what was proposed."""
        return self.values != self.chunk.values or self.length != len(self.chunk.values)

    def line(self) -> tuple[float, ...]:
        """(H,) of the dimension that is shown, as it stands."""
        return tuple(row[self.dimension] for row in self.values)

    def proposed(self) -> tuple[float, ...]:
        """(H,) of the dimension that is shown, as it was proposed."""
        return tuple(row[self.dimension] for row in self.chunk.values)

    def show(self, dimension: int) -> "Timeline":
        """Look at another dimension; the edits of all stay."""
        return msgspec.structs.replace(self, dimension=dimension % len(self.chunk.names))

    def drag(self, step: int, value: float) -> "Timeline":
        """Want another value at a step; a committed or trimmed step stays as it is."""
        if not self.chunk.committed <= step < self.length:
            return self
        bounded = min(max(value, self.chunk.lower[self.dimension]),
                      self.chunk.upper[self.dimension])
        row = list(self.values[step])
        if row[self.dimension] == bounded:
            return self
        row[self.dimension] = bounded
        values = (*self.values[:step], tuple(row), *self.values[step + 1:])
        return msgspec.structs.replace(self, values=values, touched=True)

    def trim(self, length: int) -> "Timeline":
        """Keep so many steps; never fewer than are committed, and at least one."""
        kept = min(max(length, self.chunk.committed, 1), len(self.chunk.values))
        if kept == self.length:
            return self
        return msgspec.structs.replace(self, length=kept, touched=True)

    def commit(self, steps: int) -> "Timeline":
        """Move the line before which nothing changes any more; it never goes back."""
        committed = min(max(steps, self.chunk.committed), self.length)
        return msgspec.structs.replace(
            self, chunk=msgspec.structs.replace(self.chunk, committed=committed))

    def revert(self) -> "Timeline":
        """Take back every edit that is not committed."""
        kept = (*self.values[:self.chunk.committed], *self.chunk.values[self.chunk.committed:])
        return msgspec.structs.replace(self, values=kept, length=len(kept), touched=False)

    def release(self) -> "tuple[Timeline, ChunkEdit | None]":
        """The mouse let go: at most one edit, None if nothing was dragged."""
        if not self.touched:
            return self, None
        first = next((step for step in range(self.length)
                      if self.values[step] != self.chunk.values[step]), self.length)
        edit = ChunkEdit(chunk=self.chunk.number, first=first, values=self.values[:self.length])
        return msgspec.structs.replace(self, touched=False), edit


def timeline_of(chunk: Chunk, dimension: int = 0) -> Timeline:
    """A chunk before anybody touched it."""
    return Timeline(chunk, chunk.values, min(dimension, len(chunk.names) - 1), len(chunk.values))


def refusal(edit: ChunkEdit, newest: Chunk) -> str:
    """Why an edit cannot be carried out; empty if it can."""
    if edit.chunk != newest.number:
        return (f"the edit is of chunk {edit.chunk}, but chunk {newest.number} is the newest: "
                "look at it, and drag again")
    if edit.first < newest.committed:
        return (f"step {edit.first} is on its way already: the first {newest.committed} steps "
                "cannot be changed")
    return ""


def cut_chunks(targets: Values, *, step_s: float, horizon: int, names: tuple[str, ...],
               lower: tuple[float, ...], upper: tuple[float, ...]) -> tuple[Chunk, ...]:
    """A recording's targets as chunks, as a policy of that horizon would have said them.

    Args:
        targets: (T, A) one row every `step_s`.
        horizon: steps of a chunk; the last may be shorter.
    """
    return tuple(Chunk(number=number, step_s=step_s, names=names, lower=lower, upper=upper,
                       values=targets[start:start + horizon])
                 for number, start in enumerate(range(0, len(targets), horizon), 1))

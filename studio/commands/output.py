"""What a command says, and where: results on stdout, everything else on stderr.

With `--json` stdout carries exactly one JSON object and nothing else, whatever a library prints.
Progress bars are drawn on stderr, and only on a terminal; elsewhere a finished step is a line.
Knows rich and JSON. Refuses to know stores, robots and tasks.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

_WIDE = 200                 # columns


class UsersMistakeError(RuntimeError):
    """Something that the user can put right; the message is one line that says how."""


@dataclass(frozen=True)
class Answer:
    """What a command found out.

    Attributes:
        payload: the JSON object of `--json`.
        ok: False when the command worked but its finding is bad news (exit code 1).
    """

    payload: Mapping[str, Any] = field(default_factory=dict)
    ok: bool = True


class Progress(Protocol):
    """A bar, or lines when nobody watches a terminal."""

    def step(self, what: str) -> None:
        """One more of the total is done; `what` says which."""
        ...

    def count(self, done: int, total: int) -> None:
        """So many of so many are done; drawn only on a terminal."""
        ...

    def now(self, what: str) -> None:
        """Say what is being done; drawn only on a terminal."""
        ...


class Screen:
    """The two streams of a command.

    Args:
        json: print results as one JSON object instead of tables.
        out, err: standard output and error; replaced in tests.
    """

    def __init__(self, *, json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.json = json
        self._out = out if out is not None else sys.stdout
        self._err = err if err is not None else sys.stderr
        self._above_bar: Callable[[str], None] | None = None
        self._answered = False

    @property
    def watched(self) -> bool:
        """Whether progress is drawn: stderr is a terminal."""
        return self._err.isatty()

    def say(self, text: str) -> None:
        """A remark for the person, on stderr."""
        if self._above_bar is not None:
            return self._above_bar(text)
        self._err.write(text + "\n")
        self._err.flush()

    def print(self, text: str) -> None:
        """A result for the person, on stdout; silent with `--json`."""
        if not self.json:
            self._out.write(text + "\n")
            self._out.flush()

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table for the person, on stdout; silent with `--json`.

        Columns whose every cell is a number are aligned to the right.
        """
        if self.json:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        drawn = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left",
                      title_style="bold", pad_edge=False)
        for position, name in enumerate(columns):
            numeric = all(isinstance(row[position], int | float) for row in rows)
            drawn.add_column(name, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            drawn.add_row(*(Text(readable(cell)) for cell in row))
        # A pipe or a file is not eighty columns wide: give it the whole line.
        width = None if self._out.isatty() else _WIDE
        canvas = Console(file=self._out, width=width)
        with canvas.capture() as capture:
            canvas.print(drawn)
        self._out.write("\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n")

    def answer(self, answer: Answer) -> None:
        """Print the payload if `--json` asks for it; what was answered first stands."""
        if self.json:
            self._write_json(answer.payload)

    def error(self, text: str) -> None:
        """One line about what went wrong."""
        line = " ".join(text.split())
        self._err.write(f"tandem: {line}\n")
        if self.json:
            self._write_json({"error": line})

    def _write_json(self, payload: Mapping[str, Any]) -> None:
        import msgspec

        if self._answered:
            return
        self._answered = True
        self._out.write(msgspec.json.encode(payload).decode() + "\n")   # NaN becomes null
        self._out.flush()

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Progress]:
        """Show that something goes on, on stderr."""
        if not self._err.isatty():
            yield _Lines(self, total)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TimeElapsedColumn(), TextColumn("{task.fields[now]}", style="dim"))
        console = Console(file=self._err)
        with RichProgress(*columns, console=console, transient=True) as bar:
            # Written by itself, a remark would tear the bar apart.
            self._above_bar = lambda text: bar.console.print(text, markup=False, highlight=False)
            try:
                yield _Bar(bar, bar.add_task(what, total=total, now=""))
            finally:
                self._above_bar = None


class _Bar:
    """Progress on a terminal."""

    def __init__(self, bar: Any, task_id: Any) -> None:
        self._bar, self._task_id = bar, task_id

    def step(self, what: str) -> None:
        self._bar.update(self._task_id, advance=1, now=what)

    def count(self, done: int, total: int) -> None:
        self._bar.update(self._task_id, completed=done, total=total)

    def now(self, what: str) -> None:
        self._bar.update(self._task_id, now=what)


class _Lines:
    """Progress in a log file."""

    def __init__(self, screen: Screen, total: int) -> None:
        self._screen, self._total, self._done = screen, total, 0

    def step(self, what: str) -> None:
        self._done += 1
        self._screen.say(f"[{self._done}/{self._total}] {what}")

    def count(self, done: int, total: int) -> None:
        """Nothing: one of thousands is no news for a log."""

    def now(self, what: str) -> None:
        """Nothing: a log keeps only what is finished."""


def readable(cell: object) -> str:
    """A cell of a table as a person wants to read it."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return "" if cell != cell else f"{cell:.3g}" if abs(cell) < 10 else f"{cell:.1f}"
    return str(cell)


def readable_bytes(count: int) -> str:
    """A size in the units of people: 1536 → "1.5 kB"."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"

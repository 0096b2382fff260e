"""The tables, printed from what lies in the results' folder; a row without a result is "not run".

Markdown, aligned, so that it reads alike on a terminal and in a document. Knows results and words;
refuses to know how they are made.
"""

from collections.abc import Sequence
from pathlib import Path

from experiments.definitions import Book, Row
from experiments.published import PUBLISHED, SOURCES
from experiments.results import Made, Result, read_result
from experiments.rows import MEANS

from policy.statistics import wilson

NOT_RUN = "not run"
HEADS = ("row", "what", "successes", "95 %", "each seed", "median s", "minutes", "cores", "steps",
         "seeds")
RATES = {                       # heading to figure
    "System 1 calls/s": "system1_per_s", "actions/s (whole chunks)": "actions_per_s",
    "p50 ms": "system1_ms_p50", "p99 ms": "system1_ms_p99", "System 2 Hz": "system2_per_s",
    "System 2 p50 ms": "system2_ms_p50", "driving: observation to command p50 ms":
    "driving_latency_ms_p50", "p99": "driving_latency_ms_p99", "misses": "deadline_misses",
    "of calls": "driving_calls", "System 2 Hz then": "driving_system2_hz", "load": "load"}


def table(book: Book, name: str, folder: Path, *, quick: bool = False) -> str:
    """One table with its footnotes.

    Args:
        book: what is declared.
        name: of the table.
        folder: of the results.
        quick: show the sample's rows instead of the full ones.
    """
    rows = [row for row in book.rows if row.table == name and row.quick == quick]
    found = {row.key: results_of(book, row, folder) for row in rows}
    lines = [f"## {book.tables[name]}{' (a sample, not a result)' if quick else ''}", ""]
    counted = [row for row in rows if row.rates is None]
    measured = [row for row in rows if row.rates is not None]
    if counted:
        lines += aligned(HEADS, [counts(row, found[row.key]) for row in counted])
    if measured:
        lines += [""] * bool(counted) + aligned(("row", "what", *RATES),
                         [speeds(row, found[row.key]) for row in measured])
    if mean := means(rows, found):
        lines += ["", *mean]
    blocked: dict[str, list[str]] = {}
    for row in rows:
        if row.blocked:
            blocked.setdefault(row.blocked, []).append(row.name)
    lines += ["", *(f"Cannot be run: {why} ({', '.join(names)})." for why, names in
                    blocked.items()), *footnotes(rows, found)]
    if name in PUBLISHED:
        lines += ["", "Not ours, on other tasks and machines:", "", *aligned(
            ("what", "figure", "whose"),
            [(each.what, each.figure, each.whose) for each in PUBLISHED[name]]),
            "", *(f"{whose}: {SOURCES[whose]}." for whose in
                  dict.fromkeys(each.whose for each in PUBLISHED[name]))]
    return "\n".join(lines)


def results_of(book: Book, row: Row, folder: Path) -> list[Result]:
    """The row's results with all training seeds for which there is one, as defined now."""
    found = (read_result(folder, row, seed, book.row_digest(row, seed)) for seed in row.seeds)
    return [result for result in found if result is not None]


def counts(row: Row, results: Sequence[Result]) -> tuple[str, ...]:
    """The cells of a row that counts successes."""
    if not results:
        return row.name, row.about, NOT_RUN, *[""] * (len(HEADS) - 3)
    successes, n = sum(r.successes for r in results), sum(r.n for r in results)
    low, high = wilson(successes, n)
    medians = [r.seconds["p50"] for r in results if r.seconds.get("p50") is not None]
    done = [str(r.training_seed) for r in results]
    left = len(row.seeds) - len(results)
    return (row.name, row.about, f"{successes}/{n}", f"{low:.3f}–{high:.3f}",
            " ".join(str(r.successes) for r in results),
            " ".join(f"{median:.1f}" for median in medians if median is not None),
            spread([r.training.minutes for r in results], ".1f"),
            spread([r.training.made.cores for r in results if r.training.made.cores], ".2f"),
            spread([r.training.steps for r in results], ".0f"),
            " ".join(done) + (f", {left} {NOT_RUN}" if left else ""))


def speeds(row: Row, results: Sequence[Result]) -> tuple[str, ...]:
    """The cells of a row that measures rates; the first result's."""
    if not results:
        return (row.name, row.about, NOT_RUN, *[""] * (len(RATES) - 1))
    figures = results[0].figures
    return (row.name, row.about, *(number(figures.get(name)) for name in RATES.values()))


def means(rows: Sequence[Row], found: dict[str, list[Result]]) -> list[str]:
    """Success averaged over rows that belong together, if all of them were run."""
    lines = []
    for what, keys in MEANS.items():
        if not {row.key for row in rows} >= set(keys):
            continue
        shares = [sum(r.successes for r in found[key]) / sum(r.n for r in found[key])
                  for key in keys if found[key]]
        lines.append(f"{what}: {sum(shares) / len(shares):.3f}." if len(shares) == len(keys)
                     else f"{what}: {NOT_RUN} ({len(shares)} of {len(keys)} rows are there).")
    return lines


def footnotes(rows: Sequence[Row], found: dict[str, list[Result]]) -> list[str]:
    """Commands, code and machine of what is shown."""
    results = [result for row in rows for result in found[row.key]]
    if not results:
        return ["No row of this table was run."]
    made = [part for result in results for part in made_of(result)]
    codes = sorted({f"{m.code.commit[:9]}{' with changes' if m.code.changed else ''} "
                    f"(sources {m.code.digest})" for m in made})
    machines = sorted({f"{m.machine.cpu}, {m.machine.cores} cores, torch {m.machine.torch}, "
                       f"{m.machine.jobs} jobs side by side" for m in made})
    lines = [f"Code: {'; '.join(codes)}.", f"Machine: {'; '.join(machines)}.",
             f"Run {min(m.began for m in made)} to {max(m.ended for m in made)} (UTC); load "
             f"before a job {spread([m.machine.load for m in made], '.1f')}. `cores` is what a "
             "training got of the machine: well below 1, its minutes were not minutes, unless its "
             "command counts them in `--cpu-time`.",
             "Intervals: Wilson over all trials of all seeds, as if trials of one policy were "
             "independent.", "", "Commands, of the first seed that was run:"]
    firsts = [(row, found[row.key][0]) for row in rows if found[row.key]]
    trained = dict.fromkeys(result.training.made.command for _, result in firsts)
    lines += [f"- `{command}`" for command in trained]
    for row, result in firsts:
        lines += [f"- {row.name}: `{made.command}`" for made in made_of(result)[1:]]
    return lines


def made_of(result: Result) -> list[Made]:
    """How its run and its trials were made."""
    measured = [result.measured] if result.measured is not None else []
    return [result.training.made, *(part.made for part in result.parts), *measured]


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns stand under each other."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    return [line(heads), line(["-" * width for width in widths]), *map(line, rows)]


def spread(values: Sequence[float], form: str) -> str:
    """One number, or the smallest and the largest; a dash without any."""
    if not values:
        return "–"
    low, high = f"{min(values):{form}}", f"{max(values):{form}}"
    return low if low == high else f"{low}–{high}"


def number(value: float | None) -> str:
    """Three digits that count, or a dash."""
    return "–" if value is None else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"

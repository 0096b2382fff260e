"""From what commands answered to a row's result. Pure arithmetic."""

from collections.abc import Sequence
from typing import Any

from experiments.definitions import Row
from experiments.results import Made, Part, Result, Trained

from policy.statistics import shares, wilson

KEPT = ("system1_calls_per_s", "actions_per_s", "system2_hz", "held", "slowed", "dry_ticks",
        "realtime_factor")
KEPT_SHARES = ("latency_ms", "system1_ms", "system2_ms", "latent_age_s")


def result_of_trials(row: Row, definition: str, trained: Trained,
                     parts: Sequence[tuple[Part, dict[str, Any]]]) -> Result:
    """All evaluations of a row counted together.

    Args:
        row: whose result it is.
        definition: its digest.
        trained: the run that was judged.
        parts: each evaluation, with what `tandem eval --json` answered.
    """
    successes, n = (sum(getattr(part, name) for part, _ in parts) for name in ("successes", "n"))
    times_s = [trial["success_s"] for _, answer in parts for trial in answer["trials"]
               if trial["success_s"] is not None]
    figures: dict[str, float | None] = {}
    for name in KEPT:
        figures[name] = _mean([answer.get(name) for _, answer in parts])
    for name in KEPT_SHARES:
        for share in ("p50", "p99"):
            figures[f"{name}_{share}"] = _mean([answer[name].get(share) for _, answer in parts
                                                if name in answer])
    return Result(
        table=row.table, row=row.name, about=row.about, definition=definition,
        training_seed=trained.seed, training=trained, parts=[part for part, _ in parts],
        successes=successes, n=n, wilson95=wilson(successes, n), figures=figures,
        seconds={name: round(value, 3) if times_s else None
                 for name, value in shares(times_s).items()})


def result_of_rates(row: Row, definition: str, trained: Trained, answer: dict[str, Any],
                    made: Made) -> Result:
    """What a measurement of speed found."""
    figures: dict[str, float | None] = {
        name: value for name, value in answer.items()
        if isinstance(value, int | float) and not isinstance(value, bool)}
    return Result(
        table=row.table, row=row.name, about=row.about, definition=definition,
        training_seed=trained.seed, training=trained, parts=[], successes=0, n=0,
        wilson95=wilson(0, 0), seconds={}, figures=figures, measured=made)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None

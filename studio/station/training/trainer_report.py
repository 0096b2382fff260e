"""What the trainer says of itself, put together from the reports of its training.

A listener of a training. Knows reports and curves; knows no link and no network.
"""

from collections.abc import Sequence

import msgspec

from policy.data.correction_weights import corrections_in
from policy.data.demonstrations import Demonstration
from policy.training.progress import Grown, HeldOut, Learned, Problem, Report, Saved
from studio.station.training.training_link import (
    CURVE_POINTS,
    HELD_OUT,
    LEARNED,
    DrawnCurve,
    TrainerState,
)


class TrainerReport:
    """Listens to a training.

    Attributes:
        state: as of now.
    """

    def __init__(self, run: str, method: str) -> None:
        self.state = TrainerState(run=run, method=method)
        self._curves: dict[str, tuple[list[float], list[float]]] = {}

    def does(self, what: str) -> None:
        """Something else than learning; empty: it learns."""
        self._change(doing=what)

    def learns_from(self, episodes: Sequence[Demonstration]) -> None:
        """These are all by now."""
        self._change(episodes=len(episodes), **corrections_in(episodes))

    def complain(self, problem: str) -> None:
        """Something that a person should see to."""
        self._change(problem=problem)

    def __call__(self, report: Report) -> None:
        """Take a report of the training."""
        self._change(step=report.step, minutes=report.minutes)
        match report:
            case Learned():
                self._change(share=report.share, left_s=max(report.left_s, 0.0),
                             samples_per_s=report.samples_per_s, losses=report.losses)
                self._draw({f"{LEARNED}{name}": value for name, value in report.losses.items()},
                           report.minutes)
            case HeldOut():
                self._change(held_out=report.metrics)
                self._draw({f"{HELD_OUT}{name}": value for name, value in report.metrics.items()},
                           report.minutes)
            case Saved():
                self._change(published=self.state.published + 1)
            case Grown():
                self._change(grown=self.state.grown + report.episodes)
            case Problem():
                self.complain(report.what)

    def _change(self, **fields: object) -> None:
        self.state = msgspec.structs.replace(self.state, **fields)

    def _draw(self, values: dict[str, float], minutes: float) -> None:
        for name, value in values.items():
            of_time, of_value = self._curves.setdefault(name, ([], []))
            of_time.append(minutes)
            of_value.append(value)
        self._change(curves=tuple(DrawnCurve(name, *thinned(*curve))
                                  for name, curve in self._curves.items()))


def thinned(minutes: list[float], values: list[float], points: int = CURVE_POINTS
            ) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """A curve of at most so many points, each the mean of what it stands for.

    Args:
        minutes, values: of equal length.
        points: at most.
    """
    per = -(-len(values) // points)     # rounded up
    if per <= 1:
        return tuple(minutes), tuple(values)

    def means(series: list[float]) -> tuple[float, ...]:
        parts = [series[start:start + per] for start in range(0, len(series), per)]
        return tuple(sum(part) / len(part) for part in parts)

    return means(minutes), means(values)

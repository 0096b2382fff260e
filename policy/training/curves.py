"""How a training went: every report as a line of a file, and the file as curves.

`metrics.jsonl` holds the reports in order, one JSON object a line; a run that goes on continues the
file from the step it goes on from. Knows the file. How curves look is drawn in curve_picture.py;
for Rerun they are written here.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from policy.training.progress import HeldOut, Learned, Report
from recorders.files import means_full, write_atomically

METRICS, PICTURE, VIEW = "metrics.jsonl", "curves.png", "curves.rrd"
APPLICATION = "tandem"

_decoder = msgspec.json.Decoder(Report)


class Curve(msgspec.Struct, frozen=True):
    """A quantity over a training.

    Attributes:
        name: "learned/flow", "held out/loss", ...
        minutes, steps, values: of equal length.
    """

    name: str
    minutes: list[float]
    steps: list[int]
    values: list[float]


class CurveLog:
    """A listener that keeps every report in a run's folder.

    Args:
        run: the run's folder.
        from_step: later reports, of a part of the run that is not gone on from, are dropped.
        complain: is told, once, if the disk is too full to write.
    """

    def __init__(self, run: Path, from_step: int, complain: Callable[[str], None]) -> None:
        self._path, self._complain, self._full = run / METRICS, complain, False
        kept = [report for report in read_reports(run) if report.step <= from_step]
        self._write(lambda: write_atomically(self._path, b"".join(map(_line, kept))))

    def __call__(self, report: Report) -> None:
        """Add a report."""
        def append() -> None:
            with self._path.open("ab") as file:
                file.write(_line(report))
        self._write(append)

    def _write(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            if not means_full(error):
                raise
            if not self._full:
                self._complain(f"{self._path} has gaps: the disk is full")
            self._full = True


def read_reports(run: Path) -> list[Report]:
    """All reports of a run, in order; a line that was cut short does not count."""
    path = run / METRICS
    reports = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            reports.append(_decoder.decode(line))
        except msgspec.DecodeError:
            continue
    return reports


def curves_of(reports: list[Report]) -> list[Curve]:
    """What was reported, quantity by quantity, in the order in which they appeared."""
    curves: dict[str, Curve] = {}

    def add(report: Learned | HeldOut, name: str, value: float) -> None:
        curve = curves.setdefault(name, Curve(name, [], [], []))
        curve.minutes.append(report.minutes)
        curve.steps.append(report.step)
        curve.values.append(value)

    for report in reports:
        if isinstance(report, Learned):
            for name, value in report.losses.items():
                add(report, f"learned/{name}", value)
            add(report, "samples per s", report.samples_per_s)
        elif isinstance(report, HeldOut):
            for name, value in report.metrics.items():
                add(report, f"held out/{name}", value)
    return list(curves.values())


def write_view(curves: list[Curve], path: Path) -> None:
    """Write curves for the Rerun viewer, over steps and over minutes.

    Raises:
        OSError: if the file cannot be written.
    """
    # Here, because Rerun takes half a second to import: who only logs need not wait.
    import rerun as rr

    recording = rr.RecordingStream(APPLICATION, recording_id=f"training {path.parent.name}")
    # Not straight into the file: Rerun says nothing of a full disk, and leaves half a file.
    written = recording.binary_stream()
    try:
        for curve in curves:
            recording.send_columns(
                curve.name.replace(" ", "_"),
                indexes=[rr.TimeColumn("step", sequence=curve.steps),
                         rr.TimeColumn("training", duration=60 * np.asarray(curve.minutes))],
                columns=rr.Scalars.columns(scalars=curve.values))
        write_atomically(path, written.read() or b"")
    finally:
        recording.disconnect()


def _line(report: Report) -> bytes:
    return msgspec.json.encode(report) + b"\n"

"""Curves of a training: every report is kept, and a picture can always be drawn."""

from io import BytesIO
from pathlib import Path

import pytest
from doubles.disk_limit import no_file_beyond
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rerun.experimental import RrdReader

from policy.training.curve_picture import HEIGHT, WIDTH, draw_curves
from policy.training.curves import METRICS, Curve, CurveLog, curves_of, read_reports, write_view
from policy.training.progress import Grown, HeldOut, Learned, Problem, Report, Saved


def learned(step: int) -> Learned:
    return Learned(step=step, minutes=step / 60, share=step / 100, losses={"loss": 1 / (step + 1)},
                   rate=1e-3, samples_per_s=300.0, left_s=10.0)


REPORTS: list[Report] = [
    learned(1), HeldOut(step=2, minutes=0.1, metrics={"loss": 0.5}),
    Saved(step=3, minutes=0.2, checkpoint="000003"), Grown(step=3, minutes=0.2, episodes=2),
    learned(4), Problem(step=5, minutes=0.3, what="the disk is full")]


def complaint(text: str) -> None:
    pytest.fail(text)


def keep(run: Path, reports: list[Report], from_step: int = 0) -> None:
    log = CurveLog(run, from_step, complaint)
    for report in reports:
        log(report)


def test_every_report_is_found_again_in_order(tmp_path):
    keep(tmp_path, REPORTS)
    assert read_reports(tmp_path) == REPORTS


@given(cut=st.integers(0, 60))
def test_a_line_that_was_cut_short_costs_only_itself(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("run")
    keep(folder, REPORTS)
    data = (folder / METRICS).read_bytes()
    (folder / METRICS).write_bytes(data[:len(data) - 1 - cut])
    assert read_reports(folder) in (REPORTS, REPORTS[:-1])


def test_who_goes_on_from_a_step_forgets_what_was_reported_after_it(tmp_path):
    keep(tmp_path, REPORTS)
    keep(tmp_path, [learned(4)], from_step=3)
    assert read_reports(tmp_path) == [*REPORTS[:4], learned(4)]
    (curve,) = (c for c in curves_of(read_reports(tmp_path)) if c.name == "learned/loss")
    assert curve.steps == [1, 4] and curve.values == [1 / 2, 1 / 5]


def test_a_full_disk_is_said_once_and_does_not_stop_the_training(tmp_path):
    said: list[str] = []
    log = CurveLog(tmp_path, 0, said.append)
    log(learned(1))
    with no_file_beyond(100):
        log(learned(2))
        log(learned(3))
    assert len(said) == 1 and "the disk is full" in said[0]


@settings(max_examples=15)
@given(groups=st.lists(st.tuples(
    st.sampled_from(["learned/", "held out/"]), st.lists(st.floats(), min_size=1, max_size=50)),
    max_size=12))
def test_a_picture_can_be_drawn_whatever_was_reported(groups):
    curves = [Curve(group + "loss", [i / 7 for i in range(len(values))], list(range(len(values))),
                    values) for group, values in groups]
    with Image.open(BytesIO(draw_curves(curves, "runs/x"))) as picture:
        assert picture.size == (WIDTH, HEIGHT)


def test_a_loss_that_falls_is_drawn_falling(tmp_path):
    falling = Curve("learned/loss", [0.0, 1.0, 2.0], [0, 1, 2], [10.0, 1.0, 0.1])
    with Image.open(BytesIO(draw_curves([falling], "run"))) as picture:
        blue = [(x, y) for x in range(WIDTH // 2) for y in range(HEIGHT)
                if _is_blue(picture.getpixel((x, y))) and x < 460]
    first, last = min(blue), max(blue)
    assert first[1] < HEIGHT / 3 and last[1] > 2 * HEIGHT / 3


def _is_blue(pixel) -> bool:
    red, green, blue = pixel[:3]
    return blue > 180 and red < 60 and green < 140


def test_a_full_disk_leaves_no_half_file_and_what_was_drawn_before(tmp_path):
    keep(tmp_path, REPORTS)
    curves = curves_of(read_reports(tmp_path))
    write_view(curves, tmp_path / "curves.rrd")
    before = (tmp_path / "curves.rrd").read_bytes()
    with no_file_beyond(2_000), pytest.raises(OSError, match="File too large"):
        write_view(curves, tmp_path / "curves.rrd")
    assert (tmp_path / "curves.rrd").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.rrd", METRICS]


def test_rerun_gets_every_point_of_every_curve(tmp_path):
    keep(tmp_path, REPORTS)
    curves = curves_of(read_reports(tmp_path))
    write_view(curves, tmp_path / "curves.rrd")
    rows: dict[str, int] = {}
    for chunk in RrdReader(str(tmp_path / "curves.rrd")).store().stream().to_chunks():
        name = str(chunk.entity_path).strip("/").replace("\\", "")
        rows[name] = rows.get(name, 0) + chunk.num_rows
    for curve in curves:
        assert rows[curve.name.replace(" ", "_")] == len(curve.values)

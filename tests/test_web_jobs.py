"""Long work that a page starts: it says how far it is, may fail in words, and can be cancelled."""

import shutil
from pathlib import Path

import pytest

from recorders.clock import SystemClock
from studio.web.jobs import Jobs

pytestmark = pytest.mark.alone

SAMPLES = Path(__file__).parent.parent / "datasets" / "samples" / "format-1"
PATIENCE_S = 120.0


@pytest.fixture
def jobs():
    with Jobs(SystemClock()) as opened:
        yield opened


@pytest.mark.slow
def test_a_job_counts_its_steps_and_leaves_its_files(jobs, tmp_path):
    store = Path(shutil.copytree(SAMPLES, tmp_path / "store"))
    job = jobs.start("Rerun files", ["data", "rrd", str(store)], steps=1)
    assert job.wait(PATIENCE_S)
    (view,) = jobs.views()
    assert view.state == "done", view
    assert view.done == view.total == len([*(store / "rrd").glob("*.rrd")]) > 0
    assert view.command.startswith("tandem data rrd ")


def test_a_job_that_fails_says_why(jobs):
    job = jobs.start("Rerun files", ["data", "rrd", "/nowhere"])
    assert job.wait(PATIENCE_S)
    (view,) = jobs.views()
    assert view.state == "failed" and "/nowhere" in view.said


def test_a_cancelled_job_ends_and_says_so(jobs):
    first = jobs.start("A long one", ["data", "check", str(SAMPLES)])
    assert jobs.cancel(first.number)
    assert first.wait(PATIENCE_S)
    assert jobs.views()[0].state == "cancelled"
    assert not jobs.cancel(first.number) and not jobs.cancel(99)


def test_leaving_ends_what_still_runs():
    with Jobs(SystemClock()) as opened:
        job = opened.start("A long one", ["data", "check", str(SAMPLES)])
    assert not job.running

"""`tandem eval`: what it says, what it leaves behind, and what it refuses."""

from pathlib import Path

import msgspec
import pytest
from doubles.random_checkpoint import write_random_run
from doubles.rule_policy import RulePolicy
from doubles.small_disk import small_disk

from policy.foreign import opening
from policy.statistics import shares, wilson
from studio.cli import EXIT_MISTAKE, EXIT_OK, main
from studio.commands.evaluate import parse_edit, parse_pace, parse_seeds, summarise
from studio.commands.output import UsersMistakeError
from studio.devices.interfaces import DeviceError
from studio.station.trying.evaluation_jobs import EvaluationJob, run_jobs
from studio.station.trying.trials import Edit, Trial, Trials

QUICK = ["--image-size", "48", "64"]


@pytest.fixture
def rule(monkeypatch) -> RulePolicy:
    """Every folder holds the rule."""
    policy = RulePolicy()
    monkeypatch.setattr(opening, "load_policy", lambda folder, device: policy)
    return policy


@pytest.mark.gl
def test_eval_counts_successes_and_says_where_the_failures_lie(rule, capsys, tmp_path):
    views = tmp_path / "failures"
    assert main(["eval", "runs/x", "--seeds", "5000:5002", "--max-s", "6.2", "--to", str(views),
                 "--json", *QUICK]) == EXIT_OK
    said = msgspec.json.decode(capsys.readouterr().out)
    failed = [trial["seed"] for trial in said["trials"] if trial["success_s"] is None]
    assert said["episodes"] == 2 and said["successes"] == 2 - len(failed)
    assert said["failed_seeds"] == failed == [5001]     # blue takes longer than the others
    assert said["wilson95"] == list(wilson(1, 2))
    assert said["system1_calls_per_s"] == pytest.approx(7.5, rel=0.05)
    assert said["system2_hz"] == pytest.approx(7.5 / 4, rel=0.1)
    assert said["latency_ms"]["p50"] == pytest.approx(32, abs=4)
    assert said["latency_ms"]["p99"] >= said["latency_ms"]["p50"]
    assert said["views"] == [str(views / "put-cube-in-bin-seed5001.rrd")]
    assert [path.name for path in views.iterdir()] == ["put-cube-in-bin-seed5001.rrd"]
    assert Path(said["views"][0]).stat().st_size > 10_000
    assert rule.seeds == [5000, 5001]


@pytest.mark.gl
def test_failures_of_a_run_lie_in_its_folder_unless_told(rule, capsys, tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints" / "000004").mkdir(parents=True)
    stale = run / "failures" / "put-cube-in-bin-seed5000.rrd"
    words = ["eval", str(run / "checkpoints" / "000004"), "--seeds", "5000:5001", *QUICK]
    assert main([*words, "--max-s", "0.3", "--no-views"]) == EXIT_OK
    assert not stale.exists() and str(run) not in capsys.readouterr().err
    assert main([*words, "--max-s", "0.3"]) == EXIT_OK
    assert stale.exists() and f"1 failures lie in {run / 'failures'}" in capsys.readouterr().err
    assert main([*words, "--max-s", "6.2"]) == EXIT_OK      # it succeeds now
    assert not list((run / "failures").iterdir())


@pytest.mark.gl
def test_a_disk_that_fills_with_failures_says_so(rule, capsys, tmp_path):
    with small_disk(tmp_path, mebibytes=1) as disk:
        assert main(["eval", "runs/x", "--seeds", "5000:5001", "--max-s", "4", "--to", str(disk),
                     "--image-size", "240", "320"]) == EXIT_MISTAKE
        said = capsys.readouterr().err
        assert "is full" in said and "keep none of them" in said
        assert not list(disk.iterdir())


@pytest.mark.gl
def test_eval_tells_a_person_the_same(rule, capsys):
    assert main(["eval", "runs/x", "--seeds", "5000:5001", "--max-s", "0.3", "--ratio", "once",
                 "--instruction", "put the {other} cube in the bin", *QUICK]) == EXIT_OK
    said = capsys.readouterr()
    assert "0 of 1" in said.out and "put the green cube in the bin" in said.out
    assert "seed 5000" in said.err
    assert main(["eval", "runs/x", "--seeds", "5000:5001", "--max-s", "0.3",
                 "--delay-ms", "0", "900", *QUICK]) == EXIT_OK
    assert "nan" not in capsys.readouterr().out     # no chunk came: there is no time to tell


@pytest.mark.parametrize(("words", "hint"), [
    (["--task", "fold-laundry"], "put-cube-in-bin"), (["--seeds", "9"], "5000:5050"),
    (["--seeds", "9:3"], "5000:5050"), (["--ratio", "4"], "1:4"), (["--ratio", "1:0"], "once"),
    (["--edit", "Soon: stop"], "10cm"), (["--edit", "soon: stop"], "reach, grasp, carry"),
    (["--workers", "0"], "at least 1"),
    (["--delay-ms", "-1", "0"], "0 or more"), (["--bumps", "2"], "0 to 1"),
    (["--delay-ms", "0", "inf"], "0 or more"), (["--max-s", "-4"], "0 or more"),
    (["--max-s", "nan"], "0 or more"), (["--steps", "-1"], "0 or more"),
    (["--image-size", "-3", "320"], "16 to 4096 px"), (["--device", "tpu"], "cpu, cuda"),
    (["--to", __file__], "names a folder"),
    (["--drift", "-1"], "speed of 0 to"), (["--task", "push-button", "--drift", "0.01"], "no cube"),
    ([], "is no run"), (["--steps", "0"], "is no run")])
def test_a_mistake_is_one_line_that_says_what_is_right(words, hint, capsys, tmp_path):
    assert main(["eval", str(tmp_path / "nothing"), *words]) == EXIT_MISTAKE
    said = capsys.readouterr().err
    assert hint in said and said.count("\n") == 1


@pytest.mark.slow
def test_a_process_that_cannot_go_on_says_why(tmp_path):
    job = EvaluationJob(policy=str(tmp_path / "nothing"),
                        trials=Trials(task="push-button", seeds=(1, 2, 3)))
    with pytest.raises(DeviceError, match="is no run"):
        run_jobs(job, 2, lambda trial: None)


@pytest.mark.slow
@pytest.mark.gl
def test_processes_end_with_whoever_asked_and_leave_nothing_half(tmp_path):
    run = write_random_run(tmp_path / "run")
    job = EvaluationJob(policy=str(run), views=str(tmp_path / "views"), trials=Trials(
        task="put-cube-in-bin", seeds=tuple(range(5000, 5080)), max_s=0.1, image_size=(48, 64)))
    done = []

    def stop(trial: Trial) -> None:
        done.append(trial)
        if len(done) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(job, 2, stop)
    assert len(done) < 40 and not list((tmp_path / "views").glob(".trials-*"))


def test_options_mean_what_they_say():
    assert parse_seeds("3:5") == range(3, 5)
    assert parse_edit("150: put it away") == Edit(text="put it away", tick=150)
    assert parse_edit("7.5cm:left: now") == Edit(text="left: now", within_m=0.075)
    assert parse_edit("carry: put it down") == Edit(text="put it down", phase="carry")
    assert parse_edit("+50: no, as before") == Edit(text="no, as before", later=50)
    assert parse_pace("1:16", 2, "soft").think_every == 16
    assert parse_pace("once", 4, "flush").think_every == "once"
    with pytest.raises(UsersMistakeError):
        parse_edit("150:")


def test_a_summary_of_failures_has_no_times_and_says_so_with_nothing():
    lost = Trial(seed=4, instruction="x", success_s=None, duration_s=2.0, system1_calls=15)
    said = summarise([lost], act_every=4)
    assert said["wilson95"][0] == 0.0 and 0.7 < said["wilson95"][1] < 0.8
    assert said["actions_per_s"] == 30 and said["failed_seeds"] == [4]
    assert msgspec.json.decode(msgspec.json.encode(said))["time_to_success_s"]["p50"] is None


@pytest.mark.parametrize(("successes", "trials", "low", "high"), [
    (0, 0, 0.0, 1.0), (95, 96, 0.943, 0.998), (0, 50, 0.0, 0.071), (50, 50, 0.929, 1.0)])
def test_wilson_intervals_are_those_of_the_books(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-3)
    assert shares([1.0, 2.0, 9.0])["p50"] == 2.0

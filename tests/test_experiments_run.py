"""What is run of the experiments, side by side, and what is left when it is cut short."""

import os
import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from doubles.experiment_commands import Commands, run, small_book
from experiments import tables
from experiments.definitions import Evaluation, StoreWithout
from experiments.jobs import Job, Schedule
from experiments.launching import CommandFailed, Launcher, Ran, Stopped, last_line
from experiments.results import read_recorded, read_result, read_trained, result_path

from policy.statistics import wilson

pytestmark = pytest.mark.alone


def test_what_rows_share_is_made_once_and_what_is_there_is_not_made_again(tmp_path):
    commands, book = Commands(tmp_path), small_book()
    assert run(book, tmp_path, commands).failed == {}
    assert sorted(words[0] for words in commands.asked) == \
        ["eval", "eval", "record", "tests/bench/rates.py", "train"]
    result = read_result(tmp_path / "results", book.rows[0], 0, book.row_digest(book.rows[0], 0))
    assert result is not None and (result.successes, result.n) == (9, 10)
    assert result.wilson95 == wilson(9, 10) and result.parts[0].failed_seeds == [1000]
    assert result.training.steps == 700 and result.seconds["p50"] == 4.0
    assert result.training.made.command.startswith("tandem train out/experiments/data/store --to ")
    assert result.parts[0].made.code.digest and result.parts[0].made.machine.cpu
    assert str(tmp_path) not in result_path(tmp_path / "results", book.rows[0], 0).read_text()
    commands.asked.clear()
    assert run(book, tmp_path, commands).done == [] and commands.asked == []


def test_episodes_with_a_word_are_left_out_of_a_part(tmp_path):
    class Listing(Commands):
        def tandem(self, name: str, words: Sequence[str]) -> Ran:
            if tuple(words[:2]) != ("data", "ls"):
                return super().tandem(name, words)
            self.asked.append(tuple(words))
            return Ran({"episodes": [{"instruction": f"put the {colour} cube in the bin"}
                                     for colour in ("red", "green", "blue", "green", "red")]}, 0.1)

    book, commands = small_book(), Listing(tmp_path)
    book.stores["part"] = StoreWithout(     # type: ignore[index]
        name="part", task="push-button", episodes=4, seed=2000, part_of="store", word="green")
    book.trainings["run"] = msgspec.structs.replace(        # type: ignore[index]
        book.trainings["run"], stores=("part",))
    assert run(book, tmp_path, commands).failed == {}
    copied = next(words for words in commands.asked if words[:2] == ("data", "copy"))
    assert copied[4:-1] == ("0", "2")
    recorded = read_recorded(tmp_path, book, book.stores["part"])
    assert recorded is not None and recorded.episodes == 2


def test_a_row_is_done_again_when_its_definition_changed(tmp_path):
    commands = Commands(tmp_path)
    run(small_book(), tmp_path, commands)
    commands.asked.clear()
    run(small_book(about="other words"), tmp_path, commands)
    assert commands.asked == []
    moved = (Evaluation(task="push-button", seeds=(1100, 1110)),)
    assert run(small_book(evaluations=moved), tmp_path, commands).done == ["one/row-seed0"]
    commands.asked.clear()
    longer = small_book()
    longer.trainings["run"] = msgspec.structs.replace(      # type: ignore[index]
        longer.trainings["run"], minutes=2.0)
    run(longer, tmp_path, commands)
    assert sorted(words[0] for words in commands.asked) == \
        ["eval", "eval", "tests/bench/rates.py", "train"]


def test_again_trains_and_judges_anew_and_records_nothing(tmp_path):
    commands = Commands(tmp_path)
    run(small_book(), tmp_path, commands)
    commands.asked.clear()
    run(small_book(), tmp_path, commands, again=True)
    assert "record" not in {words[0] for words in commands.asked} and len(commands.asked) == 4


def test_a_blocked_row_is_not_run(tmp_path):
    commands, book = Commands(tmp_path), small_book(blocked="nobody can")
    assert "one/row-seed0" not in run(book, tmp_path, commands).done
    shown = tables.table(book, "one", tmp_path / "results")
    assert "Cannot be run: nobody can (row)." in shown and shown.count("not run") == 1


def test_demonstrations_that_somebody_else_put_there_are_not_thrown_away(tmp_path):
    commands, book = Commands(tmp_path), small_book()
    theirs = tmp_path / book.stores["store"].path / "episode"
    theirs.mkdir(parents=True)
    schedule = run(book, tmp_path, commands)
    assert "move it away" in schedule.failed["record/store"] and theirs.exists()
    assert schedule.done == [] and commands.asked == []


def test_what_fails_takes_along_what_needs_it_and_leaves_no_result(tmp_path):
    commands, book = Commands(tmp_path), small_book()
    commands.fails = "train"
    schedule = run(book, tmp_path, commands)
    assert schedule.done == ["record/store"]
    assert schedule.failed["train/run-seed0"] == "no such luck"
    assert "train/run-seed0 failed" in schedule.failed["one/row-seed0"]
    assert not (tmp_path / "results").exists()
    commands.fails = ""
    assert run(book, tmp_path, commands).failed == {}


def test_an_interrupted_job_leaves_nothing_that_counts(tmp_path):
    book = small_book()

    class Interrupted(Commands):
        def tandem(self, name: str, words: Sequence[str]) -> Ran:
            super().tandem(name, words)
            raise KeyboardInterrupt

    for _ in ("record", "train", "eval"):
        commands = Interrupted(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            run(book, tmp_path, commands)
        assert ("stop",) in commands.asked
        assert not list(tmp_path.rglob("*.json")) and not list(tmp_path.rglob(".*.json*"))
        assert read_recorded(tmp_path, book, book.stores["store"]) is None
        assert read_trained(tmp_path, book, book.trainings["run"], 0) is None
    assert run(book, tmp_path, Commands(tmp_path)).failed == {}


def test_a_measurement_of_speed_waits_until_it_is_alone():
    def job(name: str, **fields: Any) -> Job:
        return Job(name=name, work=lambda: None, **fields)

    schedule = Schedule([job("speed", alone=True), job("one"), job("two"),
                         job("after", needs=frozenset(["two"]))])
    one, two = schedule.next(), schedule.next()
    assert one and two and (one.name, two.name) == ("one", "two") and schedule.next() is None
    schedule.end(one)
    assert schedule.next() is None
    schedule.end(two)
    after = schedule.next()
    assert after and after.name == "after" and schedule.next() is None
    schedule.end(after)
    speed = schedule.next()
    assert speed and speed.name == "speed" and schedule.next() is None


def test_jobs_of_one_lock_do_not_run_side_by_side():
    schedule = Schedule([Job(name=name, lock="exports", work=lambda: None) for name in "ab"])
    first = schedule.next()
    assert first and schedule.next() is None
    schedule.end(first)
    assert schedule.next() is not None


# --------------------------------------------------------------------------------------- processes


def test_a_process_answers_with_its_object_and_its_last_line_is_shown(tmp_path):
    launcher = Launcher(tmp_path, tmp_path / "logs")
    ran = launcher.python("a/job", ["-c", "import sys; print('{\"n\": 3}'); sum(range(10**6));"
                                    "print('half way', file=sys.stderr)"])
    assert ran.answer == {"n": 3} and ran.cpu_s > 0
    assert last_line(launcher.log("a/job")) == "half way"


@pytest.mark.parametrize(("code", "why"), [
    ("import sys; sys.exit('it broke')", "it broke"),
    ("print('{\"error\": \"no such store\"}'); raise SystemExit(2)", "no such store"),
    ("print('nothing')", "no JSON")])
def test_a_process_that_does_not_do_says_why(tmp_path, code, why):
    with pytest.raises(CommandFailed, match=why):
        Launcher(tmp_path, tmp_path / "logs").python("job", ["-c", code])


def test_stopping_ends_a_process_that_runs(tmp_path):
    launcher, caught = Launcher(tmp_path, tmp_path / "logs"), list[Exception]()
    began = tmp_path / "began"

    def work() -> None:
        try:
            launcher.python("job", ["-c", f"import signal; open({str(began)!r}, 'w').close();"
                                    "signal.pause()"])
        except Exception as error:
            caught.append(error)

    os.mkfifo(began)
    thread = threading.Thread(target=work)
    thread.start()
    began.open().close()            # waits until the process has opened the other end
    launcher.stop()
    thread.join()
    assert isinstance(caught[0], Stopped)
    with pytest.raises(Stopped):
        launcher.python("another", ["-c", "print('{}')"])

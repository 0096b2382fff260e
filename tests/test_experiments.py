"""The experiments' rows, what is run of them, and what is printed."""

import importlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tyro
from experiments import data, rows, tables
from experiments.definitions import Book, Evaluation, Rates, Row, Store, Training
from experiments.jobs import Job, Schedule, Workshop, run_all
from experiments.launching import CommandFailed, Launcher, Ran, Stopped, last_line
from experiments.results import read_recorded, read_result, read_trained, result_path
from experiments.rows import BOOK
from experiments.run import select

from policy.configs import changed, recipe_of
from policy.statistics import wilson
from studio.cli import COMMANDS
from studio.commands.evaluate import parse_edit, parse_pace, parse_seeds
from studio.station.robots import tasks_of


def parsed(words: Sequence[str]) -> Any:
    """What the real command line makes of words; fails on an unknown option."""
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS)
    entry = COMMANDS[name]
    config = getattr(importlib.import_module(entry.module), entry.config)
    return tyro.cli(config, args=list(words[len(name.split()):]),
                    config=(tyro.conf.FlagCreatePairsOff,))


# ---------------------------------------------------------------------------------- definitions


@pytest.mark.parametrize("store", BOOK.stores.values(), ids=lambda store: store.name)
def test_every_store_is_made_by_a_command_that_exists(store):
    command = parsed(store.command(Path("out/x")))
    if not store.part_of:
        assert command.seed == store.seed and command.episodes == store.episodes
        assert command.task in tasks_of("sim") and command.headless and command.fast


@pytest.mark.parametrize("training", BOOK.trainings.values(), ids=lambda training: training.name)
def test_every_training_is_a_command_and_settings_that_exist(training):
    command = parsed(training.command(3))
    assert command.seed == 3 and command.minutes == training.minutes and command.json
    assert [path.name for path in command.stores] == list(training.stores)
    if training.kind == "dual":
        assert command.set == training.settings
        changed(recipe_of(command.config), command.set)
    else:
        assert not training.settings


def test_every_evaluation_is_a_command_that_exists():
    for row in BOOK.rows:
        for evaluation in row.evaluations:
            command = parsed(evaluation.command(Path("runs/x")))
            assert command.task in tasks_of("sim") and command.json
            seeds = parse_seeds(command.seeds)
            assert (seeds.start, seeds.stop) == evaluation.seeds
            parse_pace(command.ratio, command.act_every, command.edit_mode)
            assert all(parse_edit(edit) for edit in command.edit)


def test_rows_have_names_of_their_own_and_what_they_name_exists():
    keys = [row.key for row in BOOK.rows]
    assert len(set(keys)) == len(keys)
    for row in BOOK.rows:
        assert row.table in BOOK.tables and row.training in BOOK.trainings
        assert bool(row.evaluations) != bool(row.rates), row.key
    for training in BOOK.trainings.values():
        assert all(name in BOOK.stores for name in training.stores)
        assert any(row.training == training.name for row in BOOK.rows), training.name
    for table in BOOK.tables:
        assert sum(row.table == table and row.quick for row in BOOK.rows) == 1


def test_scenes_of_trials_are_never_scenes_of_demonstrations():
    judged = {seed for row in BOOK.rows for each in row.evaluations for seed in range(*each.seeds)}
    assert judged <= set(rows.EVALUATION_SEEDS)
    shown = {seed for store in BOOK.stores.values() for seed in store.seeds}
    assert shown <= set(data.SEEDS) and not shown & judged


def test_stores_of_one_task_share_no_scene_unless_one_is_part_of_the_other():
    whole = [store for store in BOOK.stores.values()
             if not store.part_of and not store.name.startswith("quick-")]
    for one in whole:
        for other in whole:
            if one.name < other.name and one.task == other.task:
                assert not set(one.seeds) & set(other.seeds), (one.name, other.name)


def test_main_rows_have_three_training_seeds_and_the_reported_scenes():
    main = [row for row in BOOK.rows if row.table == "competence" and len(row.seeds) > 1]
    assert {row.name for row in main} >= {*data.FIVE, *(f"shared-{name}" for name in data.FIVE)}
    assert all(len(row.seeds) >= 3 for row in main)
    assert all(each.seeds == rows.MAIN for row in main for each in row.evaluations)


# ------------------------------------------------------------------------------ what is missing


class Commands:
    """Answers as the studio's commands do, at once; a policy succeeds in all scenes but one."""

    def __init__(self, root: Path) -> None:
        self.root, self.asked = root, list[tuple[str, ...]]()
        self.fails = ""

    def tandem(self, name: str, words: Sequence[str]) -> Ran:
        self.asked.append(tuple(words))
        if self.fails and self.fails in name:
            raise CommandFailed("no such luck")
        command = parsed(words)
        if words[0] == "eval":
            seeds = parse_seeds(command.seeds)
            return Ran({"seeds": command.seeds, "instruction": command.instruction,
                    "successes": len(seeds) - 1, "episodes": len(seeds),
                    "failed_seeds": [seeds.start], "system2_hz": 1.9,
                    "latency_ms": {"p50": 30.0, "p99": 40.0},
                    "trials": [{"success_s": None if seed == seeds.start else 4.0}
                               for seed in seeds]}, 3.0)
        (self.root / command.to).mkdir(parents=True)
        if words[0] == "record":
            return Ran({"labels": {"success": command.episodes}}, 3.0)
        return Ran({"minutes": command.minutes, "step": 700, "episodes": 38}, 3.0)

    def python(self, name: str, words: Sequence[str]) -> Ran:
        self.asked.append(tuple(words))
        return Ran({"system1_per_s": 123.0, "deadline_misses": 0, "said": "no number"}, 3.0)

    def stop(self) -> None:
        self.asked.append(("stop",))


def small_book(**changes: Any) -> Book:
    """Two rows of one run, and rates."""
    row = Row(table="one", name="row", about="a row", training="run", evaluations=(
        Evaluation(task="push-button", seeds=(1000, 1010)),))
    return Book(
        {"one": "One"},
        {"store": Store(name="store", task="push-button", episodes=4, seed=2000)},
        {"run": Training(name="run", stores=("store",), minutes=1.0)},
        (msgspec.structs.replace(row, **changes), msgspec.structs.replace(row, name="other"),
         Row(table="one", name="speed", about="fast", training="run",
             rates=Rates(threads=1, task="push-button"))))


def run(book: Book, root: Path, commands: Commands, **options: Any) -> Schedule:
    workshop = Workshop(book, commands, root, Path("results"), 1)     # type: ignore[arg-type]
    return run_all(workshop.missing(book.rows, **options), 2, commands,    # type: ignore[arg-type]
                   lambda schedule: None)


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


# ------------------------------------------------------------------------------------ processes


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


# --------------------------------------------------------------------------------------- tables


def test_a_table_shows_what_was_run_and_says_what_was_not(tmp_path):
    book, commands = small_book(seeds=(0, 1, 2)), Commands(tmp_path)
    folder = tmp_path / "results"
    empty = tables.table(book, "one", folder)
    assert empty.count("not run") == 3 and "No row of this table was run" in empty
    run(book, tmp_path, commands)
    result_path(folder, book.rows[0], 2).unlink()
    result_path(folder, book.rows[1], 0).unlink()
    shown = tables.table(book, "one", folder)
    low, high = wilson(18, 20)
    row = next(line for line in shown.splitlines() if line.startswith("| row "))
    line = next(line for line in shown.splitlines() if "a row" in line and "18/20" in line)
    assert "95 %" in row and f"{low:.3f}–{high:.3f}" in line and "9 9" in line
    assert "0 1, 1 not run" in line
    assert next(line for line in shown.splitlines() if line.startswith("| other")).count("not run")
    assert "123" in shown and "`tandem train" in shown and "`tandem eval" in shown


def test_published_figures_stand_beside_ours_and_are_marked_as_theirs(tmp_path):
    shown = tables.table(BOOK, "asynchrony", tmp_path)
    ours, theirs = shown.split("Not ours")
    assert "FiS-VLA" in theirs and "FiS-VLA" not in ours
    assert "Frequency-averaged success: not run" in ours


def test_the_mean_over_ratios_needs_all_of_them(tmp_path):
    commands = Commands(tmp_path)
    static = tuple(row for row in BOOK.rows if row.name.startswith("static-"))
    book = Book(BOOK.tables, BOOK.stores, BOOK.trainings, static)
    run(book, tmp_path, commands)
    assert f"over 7 ratios: {95 / 96:.3f}" in tables.table(book, "asynchrony", tmp_path / "results")


def test_rows_are_chosen_by_table_or_name_and_a_mistake_lists_what_there_is():
    chosen = select(BOOK.rows, ["rates", "competence/bin"], quick=False)
    assert [row.key for row in chosen] == ["competence/bin", "rates/threads-1", "rates/threads-2"]
    with pytest.raises(ValueError, match="competence/button"):
        select(BOOK.rows, ["competence/butto"], quick=False)
    with pytest.raises(ValueError, match="asynchrony"):
        select(BOOK.rows, ["asynchron"], quick=False)
    assert all(row.quick for row in select(BOOK.rows, [], quick=True))

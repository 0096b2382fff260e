"""The experiments' rows as they are declared, and the tables that are printed."""

from pathlib import Path

import pytest
from doubles.experiment_commands import Commands, parsed, run, small_book
from experiments import data, rows, tables
from experiments.definitions import Book
from experiments.results import result_path
from experiments.rows import BOOK
from experiments.run import select

from policy.statistics import wilson
from policy.training.configs import changed, recipe_of
from studio.commands.evaluate import parse_edit, parse_pace, parse_seeds
from studio.station.robots import tasks_of


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
    for evaluation in {each for row in BOOK.rows for each in row.evaluations}:
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


def test_averages_are_of_rows_that_exist():
    keys = {row.key for row in BOOK.rows}
    assert all(key in keys for members in rows.MEANS.values() for key in members)


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


# ------------------------------------------------------------------------------------------ tables


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
    assert "Frequency-averaged success, static: not run (0 of 7 rows are there)" in ours


def test_the_mean_over_ratios_needs_all_of_them(tmp_path):
    commands = Commands(tmp_path)
    static = tuple(row for row in BOOK.rows if row.name.startswith("static-"))
    book = Book(BOOK.tables, BOOK.stores, BOOK.trainings, static)
    run(book, tmp_path, commands)
    n = len(range(*rows.ASYNCHRONY))
    assert f"averaged success, static: {1 - 1 / n:.3f}" in tables.table(
        book, "asynchrony", tmp_path / "results")


def test_rows_are_chosen_by_table_or_name_and_a_mistake_lists_what_there_is():
    chosen = [row.key for row in select(BOOK.rows, ["rates", "competence/bin"], quick=False)]
    assert chosen[0] == "competence/bin"
    assert chosen[1:] == [row.key for row in BOOK.rows if row.table == "rates" and not row.quick]
    with pytest.raises(ValueError, match="competence/button"):
        select(BOOK.rows, ["competence/butto"], quick=False)
    with pytest.raises(ValueError, match="asynchrony"):
        select(BOOK.rows, ["asynchron"], quick=False)
    assert all(row.quick for row in select(BOOK.rows, [], quick=True))

"""`tandem loop`: its steps are done once, in order, and a mistake is one line."""

import io

import msgspec
import pytest

from recorders.store import DemoStore
from studio.commands.loop import COLUMNS, Loop, row_of
from studio.commands.loop_count import counted, lasted_s
from studio.commands.loop_steps import Steps
from studio.commands.output import Screen, UsersMistakeError


def steps_in(folder, total=2) -> tuple[Steps, io.StringIO]:
    said = io.StringIO()
    return Steps(folder, Screen(json=False, out=io.StringIO(), err=said), total), said


def test_a_step_is_done_once_and_its_answer_is_kept(tmp_path):
    steps, said = steps_in(tmp_path)
    tasks = steps.do("tasks", "tasks", about="listing")["tasks"]
    assert "put-cube-in-bin" in {task["name"] for task in tasks}
    again, _ = steps_in(tmp_path)
    (tmp_path / "tasks").mkdir()                        # as if it had made something
    assert again.do("tasks", "tasks", about="listing")["tasks"] == tasks
    assert (tmp_path / "tasks").exists() and "listing …" in said.getvalue()


def test_other_words_do_the_step_again_and_leftovers_are_removed(tmp_path):
    steps, _ = steps_in(tmp_path)
    steps.do("one", "version", about="asking")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "half").write_text("half done")
    steps.do("one", "tasks", about="asking")
    assert not (tmp_path / "one").exists()
    kept = msgspec.json.decode((tmp_path / "one.json").read_bytes())
    assert kept["words"] == ["tasks"] and "tasks" in kept["answer"]


def test_what_was_made_from_a_step_is_made_again_with_it(tmp_path):
    def done_anew(store_words: tuple[str, ...]) -> list[str]:
        steps, said = steps_in(tmp_path, 4)
        steps.do("store", *store_words, about="recording", makes=False)
        steps.do("apart", "version", about="another", makes=False)
        for name, made_from in (("list", "store"), ("again", "list")):
            if not steps.path(made_from).exists():
                DemoStore.open(steps.path(made_from), write=True, create=True).close()
            steps.do(name, "data", "ls", str(steps.path(made_from)), about=name, makes=False)
        return [line for line in said.getvalue().splitlines() if line.endswith("…")]

    assert len(done_anew(("version",))) == 4 and done_anew(("version",)) == []
    assert done_anew(("tasks",)) == ["[1/4] recording …", "[3/4] list …", "[4/4] again …"]


def test_a_step_that_fails_says_why_and_is_not_kept(tmp_path):
    steps, _ = steps_in(tmp_path)
    with pytest.raises(UsersMistakeError, match=r"`tandem eval` failed: .*nowhere"):
        steps.do("eval", "eval", str(tmp_path / "nowhere"), about="trying", makes=False)
    assert not (tmp_path / "eval.json").exists()


@pytest.mark.parametrize(("options", "says"), [
    ({"evaluate": "5000:5048"}, "1000 to 1999"), ({"evaluate": "1990:2010"}, "1000 to 1999"),
    ({"rounds": 0}, "at least 1"), ({"seed": 5}, "0 to 4"), ({"rollouts": 150}, "200 rollouts"),
    ({"methods": ("dagger",)}, "none, all, hg-dagger"), ({"minutes": -1.0}, "more than 0"),
    ({"tune_minutes": float("nan")}, "more than 0"), ({"rewind_s": -2.0}, "0 or more"),
    ({"workers": 0}, "--workers"), ({"corrections": "none"}, "valid are all"),
    ({"beside": ("juggle",)}, "'juggle'.*push-button")])
def test_scenes_are_kept_apart(tmp_path, options, says):
    with pytest.raises(UsersMistakeError, match=says):
        Loop(to=tmp_path / "loop", **options).run(steps_in(tmp_path)[0]._screen)
    assert not (tmp_path / "loop").exists()


def test_a_store_of_demonstrations_counts_as_a_persons_time(tmp_path):
    with DemoStore.open(tmp_path / "store", write=True, create=True):
        pass
    assert counted(tmp_path / "store") == {"policy": 0, "nobody": 0, "person": 0, "lost": 0}
    assert lasted_s(tmp_path / "store") == 0.0


def test_a_stage_fills_the_table():
    stage = {"stage": "round-1", "version": 54, "successes": 3, "episodes": 4,
             "wilson95": [0.3, 0.9], "operator_s": 10.66, "interventions": 8,
             "interventions_per_min": 13.47, "beside": {"push-button": [2, 4]},
             "ticks": {"policy": 5, "person": 2, "nobody": 1, "lost": 0}}
    assert len(row_of(stage)) == len(COLUMNS) + 1 and row_of(stage)[-1] == "2/4"
    assert row_of(stage)[2:7] == ("3/4", "0.300–0.900", 10.7, 8, "13.5")

"""Versions of a policy: what the gate lets through, what is written down, who may replace whom."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from doubles.toy_demonstrations import make_store
from hypothesis import given
from hypothesis import strategies as st

from policy.data.batches import TrainingSet
from policy.data.recorded_observations import newest_observations
from policy.errors import CheckpointError
from policy.runs.checkpoints import load_policy, read_group
from policy.runs.run_folder import RunFolder, RunState, read_state
from policy.training.configs import changed, recipe_of
from policy.training.dual_training import DualTraining
from policy.training.schedule import Budget
from policy.versions import action_change, ledger
from policy.versions.gate import GateBounds, GateFigures, objections_to, refusal
from policy.versions.ledger import Entry, What, family_of, latest_of, versions_of
from policy.versions.measuring import Measuring, damage
from policy.versions.misfit import misfit, robot_misfit
from recorders.clock import SystemClock

SOUND = GateFigures(against=7, measure="action error", episodes=3, held_out=0.2,
                    held_out_before=0.2, position_m=0.01, rotation_rad=0.1, gripper_flips=0.0,
                    moments=40)
BOUNDS = GateBounds()


@pytest.mark.parametrize(("says", "wrong"), [
    ({"robot": "sim", "joint_names": ["a", "b"]}, ""), ({}, ""),
    ({"robot": "sim", "joint_names": ["b", "a"]}, "its joints are b, a, but sim has a, b"),
    ({"robot": "so101", "joint_names": ["a", "b"]}, "trained on so101, but this is sim")])
def test_a_run_of_another_robot_is_known_before_it_drives(says, wrong):
    assert (wrong in robot_misfit(says, "sim", ("a", "b"))) and \
        bool(robot_misfit(says, "sim", ("a", "b"))) == bool(wrong)


# ---- the gate ------------------------------------------------------------------------------------

@pytest.mark.parametrize(("change", "rule", "says"), [
    ({"held_out": 0.23}, "held out", "version 7's 0.2"),
    ({"held_out": None}, "held out", "could not be measured"),
    ({"position_m": 0.051}, "actions", "0.051 m, where 0.05 is allowed"),
    ({"rotation_rad": 0.4}, "actions", "turns the tool elsewhere"),
    ({"gripper_flips": 0.2}, "actions", "of the steps"),
    ({"position_m": None}, "actions", "could not be compared"),
    ({"scenes": 20, "successes": 15, "successes_before": 16}, "trials", "15 of 20"),
    ({"misfit": "another robot"}, "misfit", "another robot"),
    ({"damage": "no number"}, "damage", "no number"),
], ids=str)
def test_each_thing_that_speaks_against_a_version_is_said(change, rule, says):
    assert objections_to(SOUND, BOUNDS) == ()
    objection, = objections_to(msgspec.structs.replace(SOUND, **change), BOUNDS)
    assert objection.rule == rule and says in objection.says
    assert says in refusal((objection,), "")
    assert bool(refusal((objection,), "I saw it work")) == (rule in ("misfit", "damage"))
    assert refusal((objection,), "  ") != ""               # spaces are no reason


figures = st.builds(
    GateFigures, damage=st.sampled_from(["", "broken"]), misfit=st.sampled_from(["", "other"]),
    held_out=st.none() | st.floats(0, 10), held_out_before=st.none() | st.floats(0, 10),
    position_m=st.none() | st.floats(0, 1), rotation_rad=st.none() | st.floats(0, 3),
    gripper_flips=st.none() | st.floats(0, 1), scenes=st.integers(0, 20),
    successes=st.integers(0, 20), successes_before=st.integers(0, 20))


@given(figures)
def test_a_person_overrules_what_is_worse_and_never_what_cannot_drive(measured):
    objections = objections_to(measured, BOUNDS)
    cannot = bool(measured.damage or measured.misfit)
    assert bool(refusal(objections, "a reason")) == cannot
    assert bool(refusal(objections, "")) == bool(objections)


def test_runs_that_see_answer_and_count_alike_fit():
    described = {"spec": {"cameras": {"front": "rgb"}, "action_space": "tool", "steps": 16},
                 "normaliser": {"action_scale": [1.0]}}
    one = {"kind": "dual", "robot": "sim", "joint_names": ["a", "b"], "dual": described}
    assert misfit(one, one) == ""
    for change, says in (
            ({"robot": "so101"}, "of another robot: so101, where sim drives"),
            ({"joint_names": ["a"]}, "another joints: a, where a, b drives"),
            ({"kind": "act", "act": described}, "another kind"),
            ({"dual": described | {"spec": described["spec"] | {"action_space": "joints"}}},
             "another action space: joints, where tool drives"),
            ({"dual": described | {"spec": described["spec"] | {"cameras": {"top": "rgb"}}}},
             "another cameras: top/rgb, where front/rgb drives"),
            ({"dual": described | {"normaliser": {"action_scale": [2.0]}}}, "normaliser")):
        assert says in misfit(one | change, one)


# ---- the ledger ----------------------------------------------------------------------------------

def plain_run(path: Path, *steps: int, **config: object) -> Path:
    run = RunFolder.create(path, {"kind": "dual", "episodes": 4, **config})
    for step in steps:
        run.save(RunState(step=step, minutes=step / 60, seed=0, metrics={"error": 0.1}), {}, 0)
    return path


def test_a_version_stands_as_the_last_decision_left_it(tmp_path):
    run = plain_run(tmp_path / "run", 3, 5, 8)
    decided: list[tuple[What, int]] = [("measured", 5), ("promoted", 5), ("measured", 8),
                                       ("refused", 8), ("rolled back", 5)]
    for what, number in decided:
        ledger.append(run, Entry(wall_ns=1, what=what, version=number, says=f"{what} {number}",
                                 figures=SOUND if what == "measured" else None))
    found = {one.number: one for one in versions_of(run)}
    assert {number: one.standing for number, one in found.items()} == {
        3: "candidate", 5: "rolled back", 8: "refused"}
    assert found[8].figures == SOUND and found[8].says == "refused 8" and found[3].figures is None
    assert found[5].minutes == 5 / 60 and found[5].metrics == {"error": 0.1}
    assert latest_of(run).number == 8 and latest_of(run / "checkpoints" / "000005").number == 5


def test_a_line_that_was_cut_short_hides_no_other(tmp_path):
    run = plain_run(tmp_path / "run", 3)
    ledger.append(run, Entry(wall_ns=1, what="promoted", version=3))
    with (run / ledger.LEDGER).open("ab") as file:
        file.write(b'{"wall_ns": 2, "wha\n')
    ledger.append(run, Entry(wall_ns=3, what="rolled back", version=3))
    assert [entry.what for entry in ledger.read_ledger(run)] == ["promoted", "rolled back"]


def test_a_family_is_all_that_began_from_the_same_run(tmp_path):
    plain_run(tmp_path / "first", 10)
    plain_run(tmp_path / "second", 10, 12, parent={"run": "first", "step": 10})
    plain_run(tmp_path / "third", 13, 15, parent={"run": "second", "step": 12, "counts_from": 13})
    plain_run(tmp_path / "stranger", 11)
    for name in ("first", "second", "third"):
        assert [(Path(one.run).name, one.number, one.parent_number)
                for one in family_of(tmp_path / name)] == [
            ("first", 10, 0), ("second", 12, 10), ("third", 15, 12)]
    assert [one.number for one in family_of(tmp_path / "stranger")] == [11]


def test_what_is_no_run_has_no_versions(tmp_path):
    with pytest.raises(CheckpointError, match="is no run"):
        versions_of(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        latest_of(plain_run(tmp_path / "run"))


# ---- measuring -----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    return make_store(tmp_path_factory.mktemp("toys") / "toys")


@pytest.fixture(scope="module")
def parent(tmp_path_factory, toys) -> Path:
    """A run that has learned a little."""
    recipe = changed(recipe_of("compact"), ["train.pairs=2", "spec.picture_size=[64,96]",
                                            "spec.cloud_points=0"])
    run = tmp_path_factory.mktemp("runs") / "parent"
    training = DualTraining.begin(run, [toys], recipe, name="compact", seed=0,
                                  budget=Budget(steps=2))
    training.trainer(SystemClock()).train()
    return run


@pytest.fixture(scope="module")
def child(parent, toys, tmp_path_factory) -> DualTraining:
    """What goes on from it, two steps further; every version stays, and counts on from 40."""
    training = DualTraining.go_on(
        tmp_path_factory.mktemp("runs") / "child", [toys], parent, seed=0, budget=Budget(steps=2),
        count_from=40)
    training.trainer(SystemClock(), publish_every_s=1e-9).train()
    return training


@pytest.fixture
def measuring(child) -> Measuring:
    return Measuring(lambda question: question(child.lessons), 0, SystemClock())


def test_a_version_is_measured_beside_the_one_that_drives(parent, child, measuring):
    assert [one.number for one in versions_of(child.run.path)] == [40, 41, 42]
    found = measuring.figures(child.run.path, parent)
    assert found.against == 2 and found.moments > 2 and found.episodes == 1
    assert found.measure == "action error" and found.held_out != found.held_out_before
    assert found.position_m and found.rotation_rad and found.gripper_flips is not None


def test_the_same_weights_act_alike_whatever_they_draw_at_random(parent, child):
    again = load_policy(child.run.path / "checkpoints" / "000040")
    before = load_policy(parent)
    seen = newest_observations(child.lessons.demonstrations, before.spec, seconds=0.5,
                               period_s=0.2)
    assert action_change.action_change(before, again, seen) == pytest.approx((0, 0, 0))


def spoiled(parent: Path, folder: Path, value: float) -> Path:
    """A run like the parent, one of whose weights is no number."""
    before = RunFolder.open(parent)
    config = {name: of for name, of in before.config.items()
              if name not in ("format", "version", "frozen")}
    run = RunFolder.create(folder, config, before.read_frozen())
    weights = read_group(before.latest(), "model")
    next(iter(weights.values())).view(-1)[0] = value
    run.save(read_state(before.latest()), {"model": weights})
    return folder


def test_weights_that_are_no_numbers_are_known_before_they_drive(parent, measuring, tmp_path):
    run = spoiled(parent, tmp_path / "spoiled", float("nan"))
    assert "no number" in damage(RunFolder.open(run).latest())
    found = measuring.figures(run, parent)
    assert "no number" in found.damage and found.moments == 0
    assert refusal(objections_to(found, BOUNDS), "I insist")


def test_a_damaged_checkpoint_and_another_robots_are_known(parent, measuring, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(parent, broken)
    file = next(broken.glob("checkpoints/*/model.safetensors"))
    file.write_bytes(file.read_bytes()[:-5])
    assert "bytes" in measuring.figures(broken, parent).damage
    assert "no run" in measuring.figures(tmp_path / "nowhere", parent).damage
    other = tmp_path / "other"
    shutil.copytree(parent, other)
    (other / "config.json").write_text(
        (other / "config.json").read_text().replace('"robot": "toy"', '"robot": "giant"'))
    assert "another robot: giant, where toy drives" in measuring.figures(other, parent).misfit


def test_the_newest_seconds_are_seen_as_they_were_shown(child):
    lessons: TrainingSet = child.lessons
    seen = newest_observations(lessons.demonstrations, lessons.spec, seconds=2.0, period_s=0.2)
    newest = lessons.demonstrations[-1]
    assert len(seen) == 8 + 3                           # of the last episode, and of the one before
    assert seen[-1].stamp_ns == newest.moments_ns[-1]
    assert np.array_equal(seen[-1].proprioception, newest.proprioception[-1])
    assert seen[-1].instruction == newest.instruction_at(len(newest) - 1)
    assert seen[-1].images["front"].shape == (64, 96, 3)


def test_two_chunks_differ_by_metres_radians_and_gripper():
    one = np.tile([0.4, 0.0, 0.2, 1.0, 0.0, 0.0, 0.0, 1.0], (4, 1))
    other = one.copy()
    other[2, 0] += 0.03
    other[1, 3:7] = [np.cos(0.2), np.sin(0.2), 0.0, 0.0]
    other[3, 7] = 0.0
    apart = action_change.between(one, other, "tool")
    assert apart == pytest.approx((0.03, 0.4, 0.25))
    assert action_change.between(one, -other * [-1, -1, -1, 1, 1, 1, 1, -1], "tool") == \
        pytest.approx((0.03, 0.4, 0.25))                # a quaternion and its negative are one



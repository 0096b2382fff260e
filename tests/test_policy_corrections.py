"""Whose doing a moment is, and what each method of learning from corrections makes of it."""

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from doubles import moving_tool
from doubles.moving_tool import SPEC, START_NS, Story
from doubles.toy_demonstrations import make_store
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.data.batches import TrainingSet
from policy.data.correction_weights import METHODS, SIRIUS, followed, weigher
from policy.data.demonstrations import Demonstration, parts_by, read_demonstration
from policy.data.whose import BEFORE_NS, Whose
from policy.runs.checkpoints import load_policy, read_weights
from policy.runs.run_folder import RunFolder, read_state
from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from studio import cli

FEEL = msgspec.structs.replace(SPEC, proprioception=("tool", "gripper"))
ROLLOUT = ((0.0, "ARMED"), (0.2, "AUTO"), (1.2, "HUMAN"), (1.8, "HANDBACK"), (2.0, "AUTO"))
SMALL = ("--set", "train.pairs=2", "spec.picture_size=[64,96]")


@pytest.fixture
def read(tmp_path):
    """Records stories and works them out."""
    number = iter(range(1000))

    def make(*stories: Story) -> list[Demonstration]:
        with moving_tool.open_store(tmp_path / f"store{next(number)}") as store:
            said = [moving_tool.record(store, story) for story in stories]
            return [read_demonstration(EpisodeReader(store.episode_path(one.episode)), one, FEEL)
                    for one in said]

    return make


def at(one: Demonstration, *moments_s: float) -> list[Whose]:
    """Whose the moments just after these seconds are."""
    since_s = (one.moments_ns - START_NS) / NS_PER_S
    return [Whose(one.whose[np.searchsorted(since_s, moment_s)]) for moment_s in moments_s]


def test_every_moment_of_a_rollout_is_somebodys(read):
    one, = read(Story(modes=ROLLOUT))
    assert at(one, 0.05, 0.3, 1.1, 1.3, 1.9, 2.2) == [
        Whose.NOBODY, Whose.POLICY, Whose.BEFORE, Whose.CORRECTION, Whose.NOBODY, Whose.POLICY]
    assert at(one, 1.2 - BEFORE_NS / NS_PER_S - 0.05) == [Whose.POLICY]


def test_an_episode_without_a_policy_is_a_demonstration_from_end_to_end(read):
    one, = read(Story(modes=((0.0, "ARMED"), (0.5, "HUMAN"), (2.0, "HOLD"))))
    assert set(one.whose) == {Whose.DEMONSTRATION}


def test_a_chunk_ends_where_somebody_else_begins(read):
    one, = read(Story(modes=ROLLOUT))
    since_s = (one.moments_ns - START_NS) / NS_PER_S
    ends_s = since_s[:, None] + FEEL.step_s * np.arange(1, FEEL.steps + 1)
    for change_s in (1.2, 1.8, 2.0):
        crosses = (since_s[:, None] < change_s - 0.02) & (ends_s > change_s + 0.02)
        assert crosses.any() and not one.action_valid[crosses].any()
    assert one.action_valid[np.searchsorted(since_s, 0.6)].all()


TAKEN_BACK = Story(modes=((0.0, "AUTO"), (1.2, "ARMED"), (1.5, "HUMAN"), (2.0, "AUTO")),
                   went_back=((1.2, 0.6),))


def test_what_a_policy_did_and_somebody_took_back_is_no_example(read):
    one, = read(TAKEN_BACK)
    assert at(one, 0.3, 0.7, 1.1, 1.3, 1.6, 2.2) == [
        Whose.POLICY, Whose.UNDONE, Whose.UNDONE, Whose.NOBODY, Whose.CORRECTION, Whose.POLICY]
    for method in METHODS:
        weights, = weigher(method)([one])
        assert not weights[one.whose == Whose.UNDONE].any()
    since_s = (one.moments_ns - START_NS) / NS_PER_S
    ends_s = since_s[:, None] + FEEL.step_s * np.arange(1, FEEL.steps + 1)
    into_it = (since_s[:, None] < 0.58) & (ends_s > 0.62)
    assert into_it.any() and not one.action_valid[into_it].any()


def test_what_a_person_did_and_took_back_stays_theirs_but_leads_nowhere(read):
    one, = read(Story(went_back=((1.2, 0.6),), modes=((0.0, "HUMAN"), (2.0, "REWIND"),
                                                      (2.4, "HUMAN"))))
    assert at(one, 0.7, 2.1, 2.5) == [Whose.DEMONSTRATION, Whose.NOBODY, Whose.DEMONSTRATION]
    since_s = (one.moments_ns - START_NS) / NS_PER_S
    ends_s = since_s[:, None] + FEEL.step_s * np.arange(1, FEEL.steps + 1)
    across = (since_s[:, None] < 1.18) & (ends_s > 1.22)
    assert across.any() and not one.action_valid[across].any()
    after = since_s > 1.25
    assert since_s[one.segment_begin[after]].min() >= 1.19      # no old latent is offered there
    assert not one.event_valid[(since_s > 1.01 + 0.3) & (since_s < 1.19)].any()


def test_of_a_failed_rollout_only_what_was_corrected_is_learned(tmp_path):
    with moving_tool.open_store(tmp_path / "store") as store:
        for number in range(3):
            moving_tool.record(store, Story(token=f"{number:08x}"))
        for number, modes in ((3, ROLLOUT), (4, ((0.0, "AUTO"),)), (5, ((0.0, "HUMAN"),))):
            moving_tool.record(store, Story(token=f"{number:08x}", label="failure", modes=modes))
    lessons = TrainingSet.open([tmp_path / "store"], FEEL, hold_out=0)
    assert len(lessons.demonstrations) == 4
    failed = lessons.demonstrations[-1]
    assert failed.summary.label == "failure"
    followed = failed.action_valid.any(axis=1)
    assert followed.any() and set(failed.whose[followed]) == {Whose.CORRECTION}


def test_each_method_weighs_as_its_paper_says(read):
    episodes = read(Story(), Story(token="00000001", modes=ROLLOUT))
    demo, rollout = episodes

    def weights(method: str) -> dict[Whose, float]:
        _, found = weigher(method)(episodes)
        return {Whose(whose): float(found[rollout.whose == whose][0])
                for whose in np.unique(rollout.whose)}

    assert weights("all") == {Whose.NOBODY: 0, Whose.POLICY: 1, Whose.BEFORE: 1,
                              Whose.CORRECTION: 1}
    for by_people in ("hg-dagger", "rac"):
        assert weights(by_people) == {Whose.NOBODY: 0, Whose.POLICY: 0, Whose.BEFORE: 0,
                                      Whose.CORRECTION: 1}
    assert weights("sirius") == {whose: SIRIUS[whose] for whose in weights("sirius")}
    assert weigher("sirius")(episodes)[0][0] == SIRIUS[Whose.DEMONSTRATION]
    ours = len(demo) + int(np.isin(rollout.whose, (Whose.POLICY, Whose.BEFORE)).sum())
    balanced = weigher("iwr")(episodes)[1]
    assert balanced[rollout.whose == Whose.CORRECTION].sum() == pytest.approx(ours)
    with pytest.raises(ValueError, match="valid are all, hg-dagger, iwr, hindsight, sirius, yay"):
        weigher("dagger")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.sampled_from(sorted(METHODS)))
def test_weights_are_finite_and_nobodys_moments_have_none(whose, method):
    class Episode:
        def __init__(self) -> None:
            self.whose = np.array(whose, np.uint8)
            self.told = np.arange(len(whose)) % 2 == 0

        def __len__(self) -> int:
            return len(whose)

    found, = METHODS[method]([Episode()])              # type: ignore[list-item]
    assert np.isfinite(found).all() and (found >= 0).all()
    assert not found[np.array(whose) == Whose.NOBODY].any()


# ---- what a person said in System 2's place ------------------------------------------------------

TOLD = Story(token="00000001", modes=((0.0, "AUTO"),),
             told=((1.5, "open it"), (2.0, ""), (2.5, "go home")))


def test_what_a_person_said_is_what_system_2_should_say_until_it_was_over(read):
    one, = read(TOLD)
    since_s = (one.moments_ns - START_NS) / NS_PER_S
    told = (since_s >= 1.5) & (since_s < 2.0) | (since_s >= 2.5)
    assert np.array_equal(one.told, told)
    says = [one.subtask_at(np.searchsorted(since_s, at_s)) for at_s in (0.5, 1.4, 1.6, 2.1, 2.6)]
    assert says == ["reach it", "carry it", "open it", "carry it", "go home"]
    assert not read(Story())[0].told.any()


def test_yay_learns_from_words_alone_and_as_much_as_from_demonstrations(read):
    demo, rollout = read(Story(), TOLD)
    by_demo, by_words = weigher("yay")([demo, rollout])
    assert (by_demo == 1).all() and not by_words[~rollout.told].any()
    assert by_words.sum() == pytest.approx(len(demo))
    corrected, = weigher("yay")(read(Story(modes=ROLLOUT)))
    assert not corrected.any()


def told_lessons(tmp_path: Path, label: str, method: str) -> TrainingSet:
    with moving_tool.open_store(tmp_path / "store") as store:
        for number in range(3):
            moving_tool.record(store, Story(token=f"{number:08x}"))
        moving_tool.record(store, msgspec.structs.replace(TOLD, token="00000009", label=label))
    return TrainingSet.open([tmp_path / "store"], FEEL, hold_out=0, weigh=weigher(method),
                            followed=followed(method))


@pytest.mark.parametrize("label", ["success", "failure"])
def test_system_1_learns_nothing_where_a_person_said_what_to_do(tmp_path, label):
    batch = told_lessons(tmp_path, label, "yay").batch(np.random.default_rng(0), 64)
    told = [row for row, words in enumerate(batch.subtask) if words in ("open it", "go home")]
    shown = [row for row in range(64) if row not in told]
    assert 16 < len(told) < 48
    assert not batch.action_valid[told].any() and not batch.event_valid[told].any()
    assert batch.action_valid[shown].any(dim=1).all()
    later = [64 + row for row in told]
    assert not batch.action_valid[later].any() and not batch.age_steps[later].any()
    assert {batch.subtask_now[row] for row in later} == {"open it", "go home"}


def test_other_methods_take_what_it_did_then_as_an_example_for_those_words(tmp_path):
    batch = told_lessons(tmp_path, "success", "all").batch(np.random.default_rng(0), 64)
    told = [row for row, words in enumerate(batch.subtask) if words == "open it"]
    assert told and batch.action_valid[told].any()


def test_corrected_parts_leave_the_recording_as_it_is(read):
    one, = read(Story(modes=ROLLOUT))
    part = parts_by(one, [Whose.CORRECTION])
    assert part.action_valid.sum() < one.action_valid.sum()
    assert not part.event_valid[one.whose != Whose.CORRECTION].any()


# ---- going on from another run -------------------------------------------------------------------


@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    return make_store(tmp_path_factory.mktemp("toys") / "toys")


def train(capsys, *words: object) -> tuple[int, dict, str]:
    code = cli.main(["train", *(str(word) for word in words), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if code == 0 else {}, err


def test_a_run_goes_on_from_another_which_stays_as_it_is(capsys, tmp_path, toys):
    parent, child = tmp_path / "parent", tmp_path / "child"
    assert train(capsys, toys, "--to", parent, "--steps", 4, *SMALL)[0] == 0
    before = {path: path.read_bytes() for path in parent.rglob("*.safetensors")}
    code, answer, _ = train(capsys, toys, "--to", child, "--from", parent, "--steps", 3,
                            "--corrections", "iwr")
    assert code == 0 and answer["step"] == 7                # versions count on
    assert {path: path.read_bytes() for path in parent.rglob("*.safetensors")} == before
    config = RunFolder.open(child).config
    assert config["parent"] == {"run": "parent", "step": 4}
    assert config["train"]["corrections"] == "iwr"
    first, *_ = RunFolder.open(child).checkpoints()
    assert read_state(first).step == 4
    for name, weight in read_weights(RunFolder.open(parent).latest()).items():
        assert np.array_equal(weight, read_weights(first)[name])
    assert load_policy(child).weights_version == 7
    code, answer, _ = train(capsys, toys, "--to", child, "--resume", "--steps", 5)
    assert code == 0 and answer["step"] == 9                # its own five


def test_a_run_that_never_had_its_parents_weights_is_not_resumed_from_chance(
        capsys, tmp_path, toys):
    parent, child = tmp_path / "parent", tmp_path / "child"
    assert train(capsys, toys, "--to", parent, "--steps", 2, *SMALL)[0] == 0
    assert train(capsys, toys, "--to", child, "--from", parent, "--steps", 1)[0] == 0
    shutil.rmtree(child / "checkpoints")                # as a kill before the first one leaves it
    (child / "latest").unlink()
    code, _, err = train(capsys, toys, "--to", child, "--resume", "--steps", 3)
    assert code == 2 and "begin again with --from" in err


@pytest.mark.parametrize(("words", "says"), [
    (("--from", "{parent}", *SMALL), "leave out --set and --resume"),
    (("--from", "nowhere"), "is no run"),
    (("--corrections", "dagger", *SMALL), "valid are all, hg-dagger, iwr, hindsight, sirius, yay"),
])
def test_a_mistake_about_going_on_is_one_line(capsys, tmp_path, toys, words, says):
    parent = tmp_path / "parent"
    assert train(capsys, toys, "--to", parent, "--steps", 1, *SMALL)[0] == 0
    words = [word.format(parent=parent) for word in words]
    code, _, err = train(capsys, toys, "--to", tmp_path / "child", "--steps", 1, *words)
    assert code == 2 and says in err.splitlines()[-1] and not (tmp_path / "child").exists()

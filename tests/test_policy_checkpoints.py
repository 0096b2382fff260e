"""Checkpoints: whole or not there, whatever happens while they are written."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from doubles.disk_limit import no_file_beyond
from doubles.random_checkpoint import write_random_run
from doubles.small_learner import SmallLearner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from policy.errors import CheckpointError, CheckpointNotSaved
from policy.runs import checkpoints
from policy.runs.checkpoints import load_policy, load_weights, read_group, read_weights, weights_of
from policy.runs.run_folder import RunFolder, RunState, read_state
from policy.runs.tensor_files import DamagedTensors, read_tensors, write_tensors
from policy.training import provenance
from policy.training.provenance import mark_code, mark_store
from recorders.store import DemoStore

ROOT = Path(__file__).resolve().parent.parent
FILES = ("model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json")


def tensors(step: int) -> dict[str, torch.Tensor]:
    return {"weight": torch.full((5, 3), float(step)), "bias": torch.arange(4) + step}


def save(run: RunFolder, step: int, kept: int = 3) -> Path:
    groups = {stem: tensors(step) for stem in ("model", "ema", "optimizer")}
    return run.save(RunState(step=step, minutes=step / 60, seed=0), groups, kept)


@pytest.fixture
def run(tmp_path) -> RunFolder:
    """A run with checkpoints 10 and 20."""
    made = RunFolder.create(tmp_path / "run", {"kind": "small"})
    save(made, 10)
    save(made, 20)
    return made


def holds(checkpoint: Path) -> int:
    """The step whose weights a checkpoint really holds."""
    weights, state = read_weights(checkpoint), read_state(checkpoint)
    assert torch.equal(weights["weight"], tensors(state.step)["weight"])
    return state.step


# -------------------------------------------------------------------------------- whole or not


class Killed(BaseException):
    """Where a SIGKILL would have struck: nothing may handle it."""


@contextmanager
def killed_at(call: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process dies before its n-th change to the disk."""
    left = [call]

    def deadly(change: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return change(*args, **options)
        return wrapped

    with monkeypatch.context() as patch:
        for name in ("open", "writev", "fsync", "rename", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, deadly(getattr(os, name)))
        yield


def test_a_kill_at_any_moment_of_saving_leaves_a_whole_checkpoint(run, tmp_path, monkeypatch):
    seen: set[int] = set()
    for call in range(200):
        folder = Path(shutil.copytree(run.path, tmp_path / f"killed{call}"))
        hurt = RunFolder.open(folder)
        try:
            with killed_at(call, monkeypatch):
                save(hurt, 30, kept=2)
        except Killed:
            after = RunFolder.open(folder)
            seen.add(holds(after.latest()))
            whole, _ = after.newest_whole()
            assert whole is not None and holds(whole) == holds(after.latest())
            assert holds(save(after, 40, kept=2)) == 40      # and the run goes on
            assert len(after.checkpoints()) == 2
            assert {p.name for p in after.path.iterdir()} == {
                "config.json", "latest", "checkpoints"} | {
                p.name for p in after.path.glob("*.partial")}
        else:
            break
    else:
        pytest.fail("saving never came to its end")
    assert seen == {20, 30} and call > 20


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_one_clear_error_and_the_one_before_is_found(run, name, share):
    folder = Path(shutil.copytree(run.path, run.path.parent / "cut", dirs_exist_ok=True))
    cut = RunFolder.open(folder)
    path = cut.latest() / name
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(CheckpointError, match=f"000020.*{name}") as error:
        for stem in ("model", "ema", "optimizer"):
            read_group(cut.latest(), stem)
    assert "\n" not in str(error.value)
    whole, problems = cut.newest_whole()
    assert whole is not None and holds(whole) == 10
    assert len(problems) == 1 and "000020" in problems[0] and name in problems[0]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES[:3]), place=st.floats(0, 1, exclude_max=True),
       bit=st.integers(0, 7))
def test_a_flipped_bit_in_weights_is_noticed(run, name, place, bit):
    folder = Path(shutil.copytree(run.path, run.path.parent / "flipped", dirs_exist_ok=True))
    flipped = RunFolder.open(folder)
    path = flipped.latest() / name
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=f"{name} was changed .*; beside it lie 000010"):
        read_group(flipped.latest(), path.stem)


def test_when_no_checkpoint_is_whole_each_one_is_named(run):
    for checkpoint in run.checkpoints():
        (checkpoint / "ema.safetensors").unlink()
    whole, problems = run.newest_whole()
    assert whole is None
    assert [p[:17] for p in problems] == ["checkpoint 000020", "checkpoint 000010"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(0, 700))
def test_a_full_disk_keeps_what_was_there_and_leaves_nothing_half_done(run, limit):
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    with no_file_beyond(limit):
        try:
            added = save(run, 30)
        except CheckpointNotSaved as error:
            assert "the disk is full" in str(error) and "untouched" in str(error)
            added = None
    if added is None:
        assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == before
        assert holds(run.latest()) == 20
    else:
        assert holds(run.latest()) == 30
        run.point_to(run.checkpoints()[1])      # as it was, for the next example
        shutil.rmtree(added)


@pytest.mark.parametrize("word", ["", "000099\n", "nonsense", "\x00\xff"])
def test_the_newest_checkpoint_is_used_when_nothing_names_one(run, word):
    (run.path / "latest").write_text(word, encoding="latin-1")
    assert holds(run.latest()) == 20
    (run.path / "latest").unlink()
    assert holds(run.latest()) == 20


def test_who_went_back_to_an_older_checkpoint_goes_on_from_there(run):
    save(run, 30)
    run.point_to(run.checkpoints()[0])
    whole, problems = run.newest_whole()
    assert whole is not None and holds(whole) == 10 and not problems
    save(run, 15)
    assert [f.name for f in run.checkpoints()] == ["000010", "000015"]
    assert holds(run.latest()) == 15


def test_the_newest_three_stay_or_all_if_one_wants(tmp_path):
    for kept, left in ((3, [6, 7, 8]), (1, [8]), (0, list(range(1, 9)))):
        made = RunFolder.create(tmp_path / str(kept), {})
        for step in range(1, 9):
            save(made, step, kept)
        assert [holds(folder) for folder in made.checkpoints()] == left


def test_saving_the_same_step_twice_is_refused(run):
    with pytest.raises(ValueError, match="make a step"):
        save(run, 20)
    assert holds(run.latest()) == 20


# ------------------------------------------------------------------------------------- folders


def test_a_folder_that_holds_something_is_not_taken(run, tmp_path):
    with pytest.raises(CheckpointError, match="holds a run already; --resume"):
        RunFolder.create(run.path, {})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(CheckpointError, match="not empty"):
        RunFolder.create(tmp_path / "full", {})
    with pytest.raises(CheckpointError, match="not empty"):
        RunFolder.create(tmp_path / "full" / "letter.txt", {})


@pytest.mark.parametrize(("text", "says"), [
    (None, "is no run"), ("{", "damaged"), ("[]", "damaged"), ('{"format": "cake"}', "describe"),
    ('{"format": "tandem-run", "version": 9}', "version 9; this studio reads version 1"),
])
def test_a_folder_that_is_no_run_is_named(tmp_path, text, says):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=says) as error:
        load_policy(tmp_path)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(("more", "says"), [
    ({}, "damaged .it has no 'dual'"), ({"dual": {"spec": 3}}, "damaged .Expected `object`"),
])
def test_a_description_that_lost_a_part_is_named(tmp_path, more, says):
    save(RunFolder.create(tmp_path / "run", {"kind": "dual", **more}), 10)
    with pytest.raises(CheckpointError, match=says):
        load_policy(tmp_path / "run")


@pytest.mark.parametrize(("place", "value", "says"), [
    ("config.shared", -1, "dual.shared=-1: it must be 0 or more"),
    ("spec.step_s", 0, "spec.step_s=0: it must be more than 0"),
    ("spec.proprioception", ["smell"], "unknown part of proprioception 'smell': valid are tool"),
    ("normaliser.position_mean", [1.0], "means and scales do not go together"),
    ("normaliser.action_scale", [0.0, 1.0], "scale is not a number above 0"),
    ("config.backbone", "cake", "no backbone is called 'cake': choose one of compact"),
    ("config.backbone_options", {"width": "wide"}, "no policy can be made of"),
])
def test_a_description_that_no_policy_can_have_is_named(tmp_path, place, value, says):
    run = write_random_run(tmp_path / "run")
    told = msgspec.json.decode((run / "config.json").read_bytes())
    part, _, name = place.partition(".")
    told["dual"][part][name] = value
    (run / "config.json").write_bytes(msgspec.json.encode(told))
    with pytest.raises(CheckpointError, match=says) as error:
        load_policy(run)
    assert "config.json" in str(error.value) and "\n" not in str(error.value)


def test_a_mistake_of_the_program_is_not_called_damage(run, monkeypatch):
    class Forgetful:
        @classmethod
        def from_checkpoint(cls, checkpoint, config, device):
            return {}["what was not there"]

    monkeypatch.setitem(checkpoints.KINDS, "small", "somewhere:Forgetful")
    monkeypatch.setitem(sys.modules, "somewhere", SimpleNamespace(Forgetful=Forgetful))
    with pytest.raises(KeyError):
        load_policy(run.path)


def test_only_one_may_train_a_run(run):
    with run.locked(), pytest.raises(CheckpointError, match="by another process"), \
            RunFolder.open(run.path).locked():
        pass
    with run.locked():
        pass


def test_a_run_without_checkpoints_says_so(tmp_path):
    RunFolder.create(tmp_path / "run", {"kind": "dual"})
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        load_policy(tmp_path / "run")


# ------------------------------------------------------------------------------------- policies


def test_a_kind_says_which_class_makes_the_policy(run, monkeypatch):
    with pytest.raises(CheckpointError, match="unknown kind 'small'; known are dual"):
        load_policy(run.path)
    monkeypatch.setitem(checkpoints.KINDS, "small", "doubles.small_learner:SmallPolicy")
    for folder in (run.path, str(run.path), run.latest()):
        policy: Any = load_policy(folder)
        assert policy.checkpoint == run.latest() and policy.config["kind"] == "small"
    policy = load_policy(run.checkpoints()[0])
    assert policy.checkpoint.name == "000010"


def test_weights_that_do_not_fit_the_network_are_named():
    model, other = SmallLearner(), SmallLearner(width=9)
    with pytest.raises(CheckpointError, match=r"runs/x does not fit .* trunk\.0\.weight is"):
        load_weights(model, weights_of(other), "runs/x")
    short = {name: w for name, w in weights_of(model).items() if name != "tail.bias"}
    with pytest.raises(CheckpointError, match=r"lacks tail\.bias"):
        load_weights(model, short, "runs/x")
    with pytest.raises(CheckpointError, match="the unknown nose"):
        load_weights(model, weights_of(model) | {"nose": torch.zeros(1)}, "runs/x")


def test_tied_weights_are_kept_once_and_come_back_tied(tmp_path):
    class Tied(SmallLearner):
        def __init__(self) -> None:
            super().__init__()
            self.again = self.tail

    made = RunFolder.create(tmp_path / "run", {})
    model, other = Tied(), Tied()
    assert not any(name.startswith("again") for name in weights_of(model))
    folder = made.save(RunState(step=1, minutes=0.0, seed=0), {"model": weights_of(model)})
    load_weights(other, read_weights(folder), folder)
    assert torch.equal(other.again.weight, model.tail.weight)


# ---------------------------------------------------------------------------------- tensor files


DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
          torch.int16, torch.int8, torch.uint8, torch.bool)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
    .filter(lambda name: name != "__metadata__"),
    st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=3)), max_size=5))
def test_the_library_reads_what_we_write_and_nothing_is_lost(tmp_path, contents):
    given_tensors = {name: (100 * torch.randn(shape)).to(dtype)
                     for name, (dtype, shape) in contents.items()}
    mark = write_tensors(tmp_path / "t.safetensors", given_tensors)
    for read in (load_file(tmp_path / "t.safetensors"),
                 read_tensors(tmp_path / "t.safetensors", mark)):
        assert read.keys() == given_tensors.keys()
        for name, tensor in given_tensors.items():
            assert read[name].dtype == tensor.dtype and torch.equal(read[name], tensor)


def test_a_transposed_tensor_is_written_as_it_is_seen(tmp_path):
    seen = torch.arange(6).reshape(2, 3).T
    mark = write_tensors(tmp_path / "t.safetensors", {"t": seen})
    assert torch.equal(read_tensors(tmp_path / "t.safetensors", mark)["t"], seen)


def test_a_missing_file_is_named(tmp_path):
    mark = write_tensors(tmp_path / "t.safetensors", tensors(1))
    (tmp_path / "t.safetensors").unlink()
    with pytest.raises(DamagedTensors, match=r"t\.safetensors is missing"):
        read_tensors(tmp_path / "t.safetensors", mark)


# ------------------------------------------------------------------------------------ provenance


def test_a_stores_mark_changes_with_its_log_and_ignores_a_line_being_written(tmp_path):
    with DemoStore.open(tmp_path / "mine", write=True, create=True):
        pass
    empty = mark_store(tmp_path / "mine")
    assert (empty.name, empty.facts) == ("mine", 0)
    log = tmp_path / "mine" / "commits.jsonl"
    log.write_bytes(b'{"op":"x"}\n{"op"')
    one = mark_store(tmp_path / "mine")
    assert one.facts == 1 and one.digest != empty.digest
    log.write_bytes(b'{"op":"x"}\n{"op":"y"')
    assert mark_store(tmp_path / "mine") == one


def test_the_codes_mark_names_its_version():
    mark = mark_code()
    assert mark.version and (len(mark.commit) in (0, 40))


def test_the_codes_mark_asks_the_checkout_that_it_runs_from(monkeypatch):
    asked = set()
    monkeypatch.setattr(provenance, "_git", lambda root, *words: asked.add(root) or "")
    mark_code()
    assert asked == ({ROOT} if (ROOT / ".git").exists() else set())

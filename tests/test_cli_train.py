"""`tandem train` on a store of toy demonstrations: the whole way from episodes to a policy."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from doubles.disk_limit import no_file_beyond
from doubles.toy_demonstrations import make_store
from PIL import Image

from policy.runs.checkpoints import load_policy
from policy.runs.run_folder import RunFolder, read_state
from policy.training.configs import changed, recipe_of
from policy.training.curves import curves_of, read_reports
from policy.training.dual_training import DualTraining
from policy.training.schedule import Budget
from recorders.clock import SystemClock
from studio import cli

SMALL = ("--set", "train.pairs=2", "spec.picture_size=[64,96]", "train.tell_every_s=0.01",
         "train.held_out_every_s=0.01")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return make_store(tmp_path_factory.mktemp("toys") / "toys")


@pytest.fixture
def tandem(capsys, store):
    """Runs `tandem train` on the toys with `--json`; returns its exit code and its object."""
    threads = torch.get_num_threads()

    def run(*words: object) -> tuple[int, dict[str, Any]]:
        code = cli.main(["train", str(store), *(str(word) for word in words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    yield run
    torch.set_num_threads(threads)


def weights_in(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in RunFolder.open(run).latest().iterdir()
            if path.suffix == ".safetensors"}


def test_without_depth_it_learns_from_pictures_alone_unless_a_cloud_was_asked_for(
        store, tmp_path, capsys):
    words = ["train", str(store), "--steps", "1", *SMALL]
    assert cli.main([*words, "--to", str(tmp_path / "run")]) == 0
    assert "no depth of 'front': it learns from pictures alone" in capsys.readouterr().err
    assert RunFolder.open(tmp_path / "run").config["dual"]["spec"]["cloud_points"] == 0
    insisting = [*words, "spec.cloud_points=64", "--to", str(tmp_path / "other")]
    assert cli.main(insisting) == 2
    assert "front/depth" in capsys.readouterr().err and not (tmp_path / "other").exists()


def test_train_leaves_a_policy_with_all_that_says_where_it_comes_from(tandem, tmp_path, store):
    code, answer = tandem("--to", tmp_path / "run", "--steps", 4, *SMALL)
    assert code == 0 and answer["step"] == 4 and answer["episodes"] == 5
    assert all(np.isfinite(value) for value in answer["held_out"].values())
    config = RunFolder.open(tmp_path / "run").config
    assert (config["kind"], config["name"], config["seed"]) == ("dual", "compact", 0)
    assert config["robot"] == "toy" and config["joint_names"] == ["joint1", "joint2", "gripper"]
    assert config["cameras"] == {"front": "rgb", "wrist": "rgb"}
    assert config["stores"][0]["name"] == store.name and config["stores"][0]["facts"] == 6
    assert config["code"]["version"]
    assert str(store.parent) not in (tmp_path / "run" / "config.json").read_text()
    policy = load_policy(tmp_path / "run")
    assert policy.spec.picture_size == (64, 96) and policy.weights_version == 4


def test_train_leaves_curves_as_lines_as_a_picture_and_for_rerun(tandem, tmp_path):
    tandem("--to", tmp_path / "run", "--steps", 4, *SMALL)
    curves = {curve.name: curve for curve in curves_of(read_reports(tmp_path / "run"))}
    assert {"learned/flow", "learned/speech", "held out/action error"} <= curves.keys()
    assert curves["learned/loss"].steps[-1] == 4
    with Image.open(tmp_path / "run" / "curves.png") as picture:
        assert picture.size == (1200, 480)
    assert (tmp_path / "run" / "curves.rrd").stat().st_size > 1000


def test_a_seed_and_a_number_of_steps_decide_the_weights_also_of_a_resumed_run(tandem, tmp_path):
    for name, words in (("one", ()), ("two", ()), ("other", ("--seed", 1))):
        assert tandem("--to", tmp_path / name, "--steps", 4, *words, *SMALL)[0] == 0
    assert weights_in(tmp_path / "one") == weights_in(tmp_path / "two")
    assert weights_in(tmp_path / "one") != weights_in(tmp_path / "other")
    code, answer = tandem("--to", tmp_path / "one", "--resume", "--steps", 6)
    assert code == 0 and answer["step"] == 6
    steps = [report.step for report in read_reports(tmp_path / "one")]
    assert steps == sorted(steps) and steps[-1] == 6


def test_minutes_may_be_counted_as_work(tandem, tmp_path):
    before_s = time.process_time()
    code, answer = tandem("--to", tmp_path / "run", "--minutes", 0.02, "--cpu-time", *SMALL)
    assert code == 0 and answer["step"] > 0
    assert 0.02 <= answer["minutes"] <= (time.process_time() - before_s) / 60


def test_ctrl_c_leaves_a_usable_checkpoint_and_resume_goes_on(tandem, tmp_path, store):
    words = [sys.executable, "-m", "studio.cli", "train", str(store), "--to",
             str(tmp_path / "run"), "--minutes", "30", *SMALL]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as training:
        assert training.stderr is not None
        said = []
        for line in training.stderr:
            said.append(line)
            if "min, step" in line:             # it has learned something
                break
        training.send_signal(signal.SIGINT)
        said += training.stderr.readlines()
    assert training.returncode == 130, said
    assert "can be used, and --resume goes on from it" in said[-2]
    assert said[-1] == "tandem: stopped\n"
    checkpoint = RunFolder.open(tmp_path / "run").latest()
    step = read_state(checkpoint).step
    assert load_policy(tmp_path / "run").weights_version == step > 0
    code, answer = tandem("--to", tmp_path / "run", "--resume", "--steps", step + 1)
    assert code == 0 and answer["step"] == step + 1


def test_episodes_that_are_recorded_meanwhile_are_learned_from(tmp_path):
    store, said, grown = make_store(tmp_path / "grows", 4), list[str](), False
    words = [sys.executable, "-m", "studio.cli", "train", str(store), "--to",
             str(tmp_path / "run"), "--minutes", "30", "--follow", *SMALL]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as training:
        assert training.stderr is not None
        for line in training.stderr:
            said.append(line)
            if "min, step" in line and not grown:
                grown = bool(make_store(store, 3, first=4))
            if "episodes came" in line:
                break
        training.send_signal(signal.SIGINT)
        training.communicate()
    assert training.returncode == 130, said
    before = int(re.findall(r"(\d+) episodes to learn from", "".join(said))[0])
    come = sum(int(number) for number in re.findall(r"(\d+) episodes came", "".join(said)))
    learned = read_state(RunFolder.open(tmp_path / "run").latest()).details["episodes"]
    assert 0 < come <= 3 and before < learned <= before + come      # some are held out


def test_a_disk_that_fills_up_ends_in_one_line_and_keeps_the_checkpoint_before(tandem, tmp_path):
    tandem("--to", tmp_path / "run", "--steps", 2, *SMALL)
    before = weights_in(tmp_path / "run")
    with no_file_beyond(200_000):
        code, answer = tandem("--to", tmp_path / "run", "--resume", "--steps", 3)
    assert code == 2 and "the disk is full" in answer["error"] and "untouched" in answer["error"]
    assert weights_in(tmp_path / "run") == before


def test_a_store_that_goes_away_costs_nothing_that_was_learned(store, tmp_path):
    there = shutil.copytree(store, tmp_path / "there")
    recipe = changed(recipe_of("compact"), [*SMALL[1:], "spec.cloud_points=0"])
    training = DualTraining.begin(tmp_path / "run", [there], recipe, name="compact", seed=0,
                                  budget=Budget(steps=9))

    def stop() -> bool:
        if trainer.step < 2:
            return False
        shutil.rmtree(there, ignore_errors=True)        # asked again, it is gone already
        return True

    trainer = training.trainer(SystemClock(), stop=stop)
    assert trainer.train().stopped
    kept = read_state(RunFolder.open(tmp_path / "run").latest())
    assert kept.step == 2 and kept.details["stores"][0]["facts"] == 6


def test_resume_passes_over_a_checkpoint_that_was_cut_short(tandem, tmp_path):
    tandem("--to", tmp_path / "run", "--steps", 2, *SMALL)
    tandem("--to", tmp_path / "run", "--resume", "--steps", 3)
    with (RunFolder.open(tmp_path / "run").latest() / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    code, answer = tandem("--to", tmp_path / "run", "--resume", "--steps", 4)
    assert code == 0 and answer["step"] == 4
    for checkpoint in RunFolder.open(tmp_path / "run").checkpoints()[:1]:
        (checkpoint / "ema.safetensors").unlink()
    assert load_policy(tmp_path / "run").weights_version == 4


@pytest.mark.parametrize(("words", "says"), [
    (("--config", "huge"), "unknown config 'huge': valid are compact, compact-pretrained"),
    (("--set", "dual.latens=3"), "there is no 'latens'; there is backbone"),
    (("--set", "dual.latents=many"), "Expected `int`"),
    (("--set", "dual.latents"), "gives no value"),
    (("--set", "dual.flow_draws=0"), "dual.flow_draws=0: it must be 1 or more"),
    (("--set", "train.optimizer.rate=-1"), "train.optimizer.rate=-1: it must be more than 0"),
    (("--set", "spec.proprioception=[]"), "must feel something"),
    (("--set", 'spec.cameras={"front": "depth"}'), "depth is no colour picture"),
    (("--set", 'dual.backbone_options={"width": "wide"}'), "invalid combination of arguments"),
    (("--set", 'dual.backbone_options={"legs": 3}'), "has no option legs: it has width"),
    (("--set", 'spec.cameras={"top": "rgb"}'), "pictures of top/rgb, but .* has only front"),
    (("--steps", 3, "--minutes", 1), "exclude each other"),
    (("--minutes", 0), "must be more than 0"), (("--minutes", "inf"), "must be more than 0"),
    (("--seed", -1), "--seed must be 0 or more"),
    (("--device", "tpu"), "valid are cpu, cuda"),
    (("--resume",), "is no run"),
])
def test_a_mistake_is_one_line_that_names_what_is_valid(tandem, tmp_path, words, says):
    code, answer = tandem("--to", tmp_path / "run", *words)
    assert code == 2
    assert len(answer["error"].splitlines()) == 1
    assert re.search(says, answer["error"]), answer["error"]
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_too_few_episodes_and_a_folder_that_is_no_store_are_one_line(capsys, tmp_path):
    few = make_store(tmp_path / "few", episodes=2)
    for place, says in ((few, "2 "), (tmp_path / "none", str(tmp_path / "none"))):
        assert cli.main(["train", str(place), "--to", str(tmp_path / "run")]) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("tandem: ") and says in line
    assert not (tmp_path / "run").exists()


def test_a_store_that_is_given_twice_is_refused(store, tandem, tmp_path):
    code, answer = tandem(store.parent / "." / store.name, "--to", tmp_path / "run")
    assert code == 2 and answer["error"] == f"{store.resolve()} is given twice"


def test_a_trashed_episode_is_neither_learned_from_nor_looked_for(capsys, tmp_path):
    grown = make_store(tmp_path / "grown", episodes=4)
    for left in (3, 2):
        assert cli.main(["data", "trash", str(grown), "0"]) == 0
        code = cli.main(["train", str(grown), "--to", str(tmp_path / f"{left}"), "--steps", "1",
                         *SMALL])
        said = capsys.readouterr().err
        assert (code == 0 and "2 episodes to learn from, 1 held out" in said) if left == 3 \
            else (code == 2 and "2 usable episodes" in said), said


def test_a_run_that_had_its_budget_says_how_to_give_it_more(tandem, tmp_path):
    tandem("--to", tmp_path / "run", "--steps", 2, *SMALL)
    code, answer = tandem("--to", tmp_path / "run", "--resume")
    assert code == 2 and "has had its 2 steps" in answer["error"]


@pytest.mark.parametrize("other", [("--seed", 5), ("--seed", 0), ("--config", "smollm2")])
def test_a_run_is_not_resumed_as_another(tandem, tmp_path, other):
    tandem("--to", tmp_path / "run", "--steps", 2, "--seed", 3, *SMALL)
    code, answer = tandem("--to", tmp_path / "run", "--resume", "--steps", 4, *other)
    assert code == 2 and f"leave out {other[0]} {other[1]}" in answer["error"]
    assert tandem("--to", tmp_path / "run", "--resume", "--steps", 3, "--seed", 3)[0] == 0


def test_a_run_that_goes_on_with_another_store_says_so(store, tmp_path, capsys):
    other = shutil.copytree(store, tmp_path / "other")
    for place, *words in ((store, "--steps", "2", *SMALL), (other, "--resume", "--steps", "3")):
        assert cli.main(["train", str(place), "--to", str(tmp_path / "run"), *words]) == 0
        said = capsys.readouterr().err
    assert f"begun with {store.name}: it goes on with other\n" in said


def test_a_run_is_a_folder_of_plain_files_that_anybody_can_read(tandem, tmp_path):
    tandem("--to", tmp_path / "run", "--steps", 2, *SMALL)
    for path in (tmp_path / "run").rglob("*.json"):
        msgspec.json.decode(path.read_bytes())
    kinds = {path.suffix for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert kinds == {".json", ".jsonl", ".png", ".rrd", ".safetensors", ""}


def test_the_lines_that_the_documents_show_run_as_printed(tandem, store, tmp_path, monkeypatch,
                                                          capsys):
    code, _ = tandem("--to", tmp_path / "runs" / "bin", "--steps", "2", *SMALL)
    assert code == 0
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "bin").symlink_to(store)
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs" / "policy.md").read_text()
    exec(page.partition("```python\n")[2].partition("```")[0], {})
    assert capsys.readouterr().out.strip().endswith(", 8)")

"""The training loop on a small real network: exact, interruptible, and honest about trouble."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from doubles.disk_limit import no_file_beyond
from doubles.small_learner import SmallLearner, SumLessons
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.errors import CheckpointError, TrainingError
from policy.runs.checkpoints import read_group, read_weights, weights_of
from policy.runs.run_folder import RunFolder, read_state
from policy.training.ema import MeanWeights, decay_at
from policy.training.learner import frozen_names
from policy.training.loop import Ending, Trainer
from policy.training.optimizer import AdamWConfig, NamedAdamW
from policy.training.progress import Grown, HeldOut, Learned, Problem, Report, Saved
from policy.training.schedule import Budget, multiplier_of, rate_share
from policy.training.train_config import TrainConfig
from recorders.clock import NS_PER_S, CpuClock, ManualClock

STEP_NS = NS_PER_S // 10        # how long a step takes under the manual clock


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Bench:
    """A run in a folder, and what it says."""

    def __init__(self, path: Path, *, seed: int = 0, lessons: SumLessons | None = None,
                 create: bool = True, **config: Any) -> None:
        torch.manual_seed(seed)
        self.clock = ManualClock()
        self.model = SmallLearner(on_step=lambda: self.clock.advance(STEP_NS))
        self.lessons = lessons or SumLessons()
        self.reports: list[Report] = []
        self.config = TrainConfig(pairs=4, held_out_batches=1, **config)
        self.seed = seed
        frozen = {n: w for n, w in weights_of(self.model).items() if n in frozen_names(self.model)}
        self.run = RunFolder.create(path, {"kind": "small"}, frozen) if create else \
            RunFolder.open(path)

    def trainer(self, stop=lambda: False, first_step: int = 0, **budget: Any) -> Trainer:
        return Trainer(self.model, self.lessons, self.run, self.config, budget=Budget(**budget),
                       seed=self.seed, clock=self.clock, listeners=(self.reports.append,),
                       stop=stop, first_step=first_step)

    def train(self, **budget: Any) -> Path:
        """Train to the end; returns the checkpoint that this leaves."""
        return checkpoint_of(self.trainer(**budget).train())

    def said(self, kind: type) -> list:
        return [report for report in self.reports if isinstance(report, kind)]


def checkpoint_of(ending: Ending) -> Path:
    assert ending.checkpoint is not None
    return ending.checkpoint


def files_of(checkpoint: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in checkpoint.iterdir() if p.suffix == ".safetensors"}


def test_learning_lowers_the_loss_also_of_what_is_held_out(tmp_path):
    bench = Bench(tmp_path / "run", held_out_every_s=1.0)
    ending = bench.trainer(steps=400).train()
    losses = [report.losses["loss"] for report in bench.said(Learned)]
    held_out = [report.metrics["loss"] for report in bench.said(HeldOut)]
    assert losses[-1] < losses[0] / 2 and held_out[-1] < held_out[0] / 2
    assert (ending.step, ending.stopped) == (400, False)
    assert ending.metrics == bench.said(HeldOut)[-1].metrics


def test_the_same_seed_gives_the_same_weights_however_often_one_measures_and_saves(tmp_path):
    calm = Bench(tmp_path / "calm", held_out_every_s=0.0, save_every_s=0.0)
    busy = Bench(tmp_path / "busy", held_out_every_s=0.3, save_every_s=0.2, tell_every_s=0.1)
    other = Bench(tmp_path / "other", seed=1)
    ends = [bench.train(steps=25) for bench in (calm, busy, other)]
    calm_files, busy_files, other_files = map(files_of, ends)
    assert busy_files == calm_files
    assert other_files["model.safetensors"] != calm_files["model.safetensors"]


@settings(max_examples=8)
@given(first=st.integers(1, 29))
def test_a_run_that_was_interrupted_goes_on_exactly_as_it_would_have(tmp_path_factory, first):
    folder = tmp_path_factory.mktemp("runs")
    whole = Bench(folder / "whole").train(steps=30)
    part = Bench(folder / "part")
    trainer = part.trainer(stop=lambda: trainer.step == first, steps=30)
    assert trainer.train().stopped
    rest = Bench(folder / "part", seed=0, create=False)
    with torch.no_grad():       # what the network was before must not matter
        for weights in rest.model.parameters():
            weights.add_(1.0)
    again = rest.trainer(steps=30)
    again.resume(rest.run.latest())
    assert again.step == first
    assert files_of(checkpoint_of(again.train())) == files_of(whole)


def test_a_stop_leaves_a_checkpoint_of_the_last_step_and_takes_none_further(tmp_path):
    bench = Bench(tmp_path / "run")
    trainer = bench.trainer(stop=lambda: trainer.step == 7, minutes=10)
    ending = trainer.train()
    assert ending.stopped and ending.step == 7
    checkpoint = checkpoint_of(ending)
    assert read_state(checkpoint).step == 7
    assert read_weights(checkpoint).keys() == weights_of(SmallLearner()).keys()


def test_a_stop_before_the_first_step_leaves_nothing(tmp_path):
    bench = Bench(tmp_path / "run")
    assert bench.trainer(stop=lambda: True, minutes=1).train().checkpoint is None
    assert bench.run.checkpoints() == []


def test_the_weights_that_a_run_begins_with_are_kept_and_are_no_news(tmp_path):
    parent = Bench(tmp_path / "parent").train(steps=5)
    bench = Bench(tmp_path / "run")
    trainer = bench.trainer(stop=lambda: trainer.step > 7, first_step=7, minutes=1)
    trainer.go_on_from(parent)
    assert checkpoint_of(trainer.train()).name == "000008"
    assert [folder.name for folder in bench.run.checkpoints()] == ["000007", "000008"]
    assert [report.step for report in bench.said(Saved)] == [8]


def test_minutes_are_kept_to_and_counted_over_all_parts_of_a_run(tmp_path):
    bench = Bench(tmp_path / "run")
    ending = bench.trainer(stop=lambda: bench.clock.now_ns() > 40 * NS_PER_S, minutes=1).train()
    assert ending.minutes == pytest.approx(40.1 / 60)
    rest = Bench(tmp_path / "run", create=False)
    trainer = rest.trainer(minutes=1)
    trainer.resume(rest.run.latest())
    ending = trainer.train()
    assert ending.minutes == pytest.approx(1.0, abs=0.1 / 60)
    assert rest.clock.now_ns() == pytest.approx(20 * NS_PER_S, abs=STEP_NS)
    assert rest.said(Learned)[0].share > 0.6 and rest.said(Learned)[-1].left_s == 0.0


def test_checkpoints_are_made_as_often_as_wanted_and_the_newest_three_stay(tmp_path):
    bench = Bench(tmp_path / "run", save_every_s=1.0)
    bench.train(steps=100)
    assert len(bench.said(Saved)) > 5
    assert [f.name for f in bench.run.checkpoints()] == [
        Path(report.checkpoint).name for report in bench.said(Saved)[-3:]]
    everything = Bench(tmp_path / "all", save_every_s=1.0, kept=0)
    everything.train(steps=100)
    assert len(everything.run.checkpoints()) == len(everything.said(Saved))


def test_a_loss_that_is_no_number_ends_the_training_and_names_step_and_checkpoint(tmp_path):
    lessons = SumLessons(held_out=False)
    lessons.spoil_at = 21
    bench = Bench(tmp_path / "run", lessons=lessons, save_every_s=0.5)
    with pytest.raises(TrainingError, match=r"step 20 the near and square became .* checkpoint"):
        bench.train(steps=100)
    for weights in read_weights(bench.run.latest(), mean=False).values():
        assert torch.isfinite(weights).all()
    assert read_state(bench.run.latest()).step <= 20


def test_bad_data_is_told_as_the_lessons_tell_it_and_what_was_learned_is_kept(tmp_path):
    class BadLessons(SumLessons):
        def batch(self, rng, pairs):
            if self.asked == 6:
                raise ValueError("episode 7: row 3 of tick/sent is NaN")
            return super().batch(rng, pairs)

    bench = Bench(tmp_path / "run", lessons=BadLessons())
    with pytest.raises(ValueError, match="episode 7: row 3"):
        bench.train(steps=20)
    assert read_state(bench.run.latest()).step == 6


def test_an_episode_that_cannot_be_taken_in_is_told_once(tmp_path):
    lessons = SumLessons()
    lessons.problems.append("episode 7 has no wrist camera")
    bench = Bench(tmp_path / "run", lessons=lessons, follow_every_s=0.5)
    bench.train(steps=30)
    assert [report.what for report in bench.said(Problem)] == ["episode 7 has no wrist camera"]


def test_tail_only_leaves_the_rest_at_its_mean_to_the_bit(tmp_path):
    whole = Bench(tmp_path / "whole")
    start = whole.train(steps=20)
    means = read_weights(start)
    tuned = Bench(tmp_path / "whole", create=False, tail_only=True)
    trainer = tuned.trainer(steps=40)
    trainer.resume(start)
    end = checkpoint_of(trainer.train())
    after, served = read_weights(end, mean=False), read_weights(end)
    for name, weights in after.items():
        if name.startswith("trunk"):
            assert torch.equal(weights, means[name]) and torch.equal(served[name], means[name])
    assert not torch.equal(after["tail.weight"], means["tail.weight"])


def test_tail_only_names_a_parameter_that_does_not_exist(tmp_path):
    bench = Bench(tmp_path / "run", tail_only=True)
    bench.model.tail_parameters = lambda: {"tial.weight"}
    with pytest.raises(ValueError, match=r"tial\.weight"):
        bench.trainer(steps=1)


def test_weights_that_never_learn_are_kept_once_and_come_back(tmp_path):
    bench = Bench(tmp_path / "run")
    with torch.no_grad():
        bench.model.scale.fill_(3.0)
    other = RunFolder.create(tmp_path / "other", {}, {"scale": bench.model.scale.detach()})
    bench.run = other
    checkpoint = bench.train(steps=3)
    assert "scale" not in read_group(checkpoint, "model")
    assert torch.equal(read_weights(checkpoint)["scale"], torch.full((2,), 3.0))


def test_new_episodes_are_taken_in_between_steps_and_told(tmp_path):
    bench = Bench(tmp_path / "run", lessons=SumLessons(grows_by=2), follow_every_s=1.0)
    bench.trainer(steps=50).train()
    assert [report.episodes for report in bench.said(Grown)][:2] == [2, 2]


def test_a_full_disk_in_between_is_told_and_training_goes_on(tmp_path):
    bench = Bench(tmp_path / "run", save_every_s=1.0)
    trainer = bench.trainer(stop=lambda: trainer.step == 20, steps=100)
    first = checkpoint_of(trainer.train())
    kept = files_of(first)
    with no_file_beyond(64):
        rest = Bench(tmp_path / "run", create=False, save_every_s=1.0)
        again = rest.trainer(steps=60)
        again.resume(first)
        with pytest.raises(CheckpointError, match="the disk is full; the checkpoints before it"):
            again.train()
    assert again.step == 60 and "the disk is full" in rest.said(Problem)[0].what
    assert rest.run.latest() == first and files_of(first) == kept


# ------------------------------------------------------------------------------------ parts


@given(share=st.floats(0, 1), warm_up=st.floats(0.001, 0.5), final=st.floats(0.001, 0.5))
def test_the_rate_stays_between_its_end_and_its_highest(share, warm_up, final):
    assert final <= rate_share(share, warm_up, final) * (1 + 1e-12)
    assert rate_share(share, warm_up, final) <= 1


def test_the_rate_rises_then_falls_as_a_cosine_to_three_percent():
    rising = [rate_share(s / 1000) for s in range(20)]
    falling = [rate_share(s / 1000) for s in range(20, 1001)]
    assert rising == sorted(rising) and falling == sorted(falling, reverse=True)
    assert falling[0] == pytest.approx(1.0) and falling[-1] == pytest.approx(0.03)
    assert falling[len(falling) // 2] == pytest.approx((1 + 0.03) / 2)


def test_the_longest_prefix_says_how_quickly_a_parameter_learns():
    multipliers = {"trunk.": 0.1, "trunk.2.": 0.5}
    assert [multiplier_of(n, multipliers) for n in ("trunk.0.bias", "trunk.2.bias", "tail.bias")
            ] == [0.1, 0.5, 1.0]


def test_parts_learn_at_their_own_rate():
    model = SmallLearner()
    before = {name: w.clone() for name, w in weights_of(model).items()}
    adamw = NamedAdamW(model, AdamWConfig(rate=0.01, rate_multipliers={"trunk.": 0.1},
                                          weight_decay=0.0))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    adamw.step(0.5)
    moved = {name: (w - before[name]).abs() for name, w in weights_of(model).items()}
    assert torch.allclose(moved["tail.weight"], torch.tensor(0.01 * 0.5), rtol=1e-3)
    assert torch.allclose(moved["trunk.0.weight"], torch.tensor(0.01 * 0.5 * 0.1), rtol=1e-3)


def test_a_multiplier_that_means_nothing_names_what_there_is():
    with pytest.raises(ValueError, match=r"'trnuk\.'; they begin with scale, tail, trunk"):
        NamedAdamW(SmallLearner(), AdamWConfig(rate_multipliers={"trnuk.": 0.1}))


@given(steps=st.integers(1, 40))
def test_the_mean_is_what_its_formula_says_and_swapping_it_in_changes_nothing(steps):
    torch.manual_seed(steps)
    model = SmallLearner(width=3)
    mean = MeanWeights(model)
    expected = model.tail.bias.detach().clone()
    for step in range(steps):
        with torch.no_grad():
            model.tail.bias.add_(torch.randn(2))
        mean.update(step)
        expected += (1 - decay_at(step)) * (model.tail.bias.detach() - expected)
    newest = model.tail.bias.detach().clone()
    with mean.in_place():
        assert torch.allclose(model.tail.bias, expected, atol=1e-5)
    assert torch.equal(model.tail.bias, newest)
    assert torch.allclose(mean.weights["tail.bias"], expected, atol=1e-5)


def test_a_budget_of_steps_tells_how_long_the_rest_takes():
    assert Budget(steps=10).left_s(0.0, 4, 0.5) == pytest.approx(3.0)
    assert Budget(minutes=2.0).left_s(0.5, 4, math.nan) == pytest.approx(90.0)
    assert Budget(minutes=2.0).share(5.0, 1) == 1.0


def test_a_budget_of_work_is_used_up_by_work_alone():
    clock, shared_out = CpuClock(), CpuClock(cores=2)
    before_ns = clock.now_ns()
    subprocess.run([sys.executable, "-c", "sum(range(30_000_000))"], check=True)
    waited_ns = clock.now_ns() - before_ns
    sum(range(30_000_000))
    worked_ns = clock.now_ns() - before_ns - waited_ns
    assert waited_ns < worked_ns / 2
    assert shared_out.now_ns() == pytest.approx(clock.now_ns() / 2, rel=0.01)
    with pytest.raises(RuntimeError):
        clock.wait_until(before_ns)

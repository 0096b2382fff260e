"""The training loop: take a batch, learn from it, look around, until the budget is used up.

Generic over the network: whatever has `loss(batch)`. All chance of step k comes from (seed, k)
alone, so a run that was interrupted goes on exactly as it would have, and neither measuring nor
saving changes what is learned: on a CPU the same seed and number of steps give the same weights,
bit by bit. Knows networks, batches, time and the run's folder. Refuses to know stores, robots and
screens: it reports to listeners.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from policy.data.batch_ahead import BatchAhead, Lessons
from policy.errors import CheckpointNotSaved, TrainingError
from policy.runs.checkpoints import load_weights, read_group, read_weights, weights_of
from policy.runs.run_folder import RunFolder, RunState, read_state
from policy.training.chance import chance_of
from policy.training.ema import MeanWeights
from policy.training.learner import frozen_names, names_at_rest
from policy.training.optimizer import NamedAdamW
from policy.training.progress import Grown, HeldOut, Learned, Listener, Problem, Saved
from policy.training.schedule import Budget, rate_share
from policy.training.train_config import TrainConfig
from policy.training.turn import Turn
from recorders.clock import NS_PER_S, Clock


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a training ended.

    Attributes:
        stopped: somebody stopped it before its budget was used up.
        checkpoint: the newest one, or None if no step was made.
    """

    step: int
    minutes: float
    stopped: bool
    checkpoint: Path | None
    metrics: dict[str, float]


class Trainer:
    """Trains one network into one run's folder.

    Args:
        model: a `Learner`, on the device where it shall learn.
        lessons: where batches come from.
        run: where checkpoints go.
        budget: when it is over, all resumed parts of the run together.
        clock: for the budget, and for when to report and to save.
        listeners: are told everything, in order, between two steps.
        stop: asked between two steps; True ends the training with a checkpoint.
        details: what else a checkpoint shall say about the moment it was made.
        first_step: of this run; more than 0 if it goes on from another's weights.

    Raises:
        ValueError: if the config does not fit the network.
    """

    def __init__(
        self, model: nn.Module, lessons: Lessons, run: RunFolder, config: TrainConfig, *,
        budget: Budget, seed: int, clock: Clock, listeners: Sequence[Listener] = (),
        stop: Callable[[], bool] = lambda: False,
        details: Callable[[], Mapping[str, Any]] = dict, first_step: int = 0,
    ) -> None:
        self.step, self._minutes_before, self._first_step = 0, 0.0, first_step
        self._model, self._lessons, self._run, self._config = model, lessons, run, config
        self._budget, self._seed, self._clock = budget, seed, clock
        self._listeners, self._stop, self._details = list(listeners), stop, details
        self._device = next(model.parameters()).device
        self._frozen = frozen_names(model)
        self._mean = MeanWeights(model, config.longest_mean)
        self._resting = names_at_rest(model) - self._frozen if config.tail_only else set()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name not in self._frozen | self._resting)
        self._adamw = NamedAdamW(model, config.optimizer)
        self._metrics: dict[str, float] = {}
        self._saved: Path | None = None
        self._sums: dict[str, Tensor] = {}
        self._problems_told = 0

    def resume(self, checkpoint: Path) -> None:
        """Go on from a checkpoint of the same network.

        Raises:
            CheckpointError: if it is damaged or does not fit.
        """
        state = read_state(checkpoint)
        load_weights(self._model, read_weights(checkpoint, mean=False), checkpoint)
        self._mean.load(read_group(checkpoint, "ema"))
        self._adamw.load(read_group(checkpoint, "optimizer"))
        self.step, self._minutes_before = state.step, state.minutes
        self._metrics, self._saved = dict(state.metrics), checkpoint

    def go_on_from(self, checkpoint: Path) -> None:
        """Begin where another run of the same network stood; the budget is a new one.

        Steps count on from `first_step`, which is that run's or more.

        Raises:
            CheckpointError: if it is damaged or does not fit.
        """
        self.resume(checkpoint)
        self.step = max(self.step, self._first_step)
        self._minutes_before, self._saved = 0.0, None

    def ask[T](self, question: Callable[[Any], T]) -> T:
        """Ask the lessons something, between two steps of `train`."""
        return self._ahead.ask(question)

    def listen(self, listener: Listener) -> None:
        """Tell one more how it goes."""
        self._listeners.append(listener)

    @property
    def share_used(self) -> float:
        """Of the budget, before this part of the run."""
        return self._budget.share(self._minutes_before, self.step - self._first_step)

    def train(self) -> Ending:
        """Learn until the budget is used up or somebody stops it.

        Raises:
            TrainingError: if the loss is no longer a number; the last checkpoint stays.
            CheckpointNotSaved: if the end could not be saved; the checkpoints before it stay.
            ValueError, RuntimeError, OSError: as the lessons raise them for bad data or a store
                that went away; what was learned until then is saved.
        """
        self._started_ns = self._told_ns = self._clock.now_ns()
        self._told_step, stopped = self.step, False
        if self._saved is None:
            self._save()            # whatever happens, it is as good as what it goes on from
        self._rest_at_mean()
        self._model.train()
        turns = self._turns()
        with BatchAhead(self._lessons, self._seed, self._config.pairs) as self._ahead:
            try:
                while self._share < 1.0:
                    if stopped := self._stop():
                        break
                    self._learn()
                    for turn in turns:
                        turn.take(self._clock.now_ns())
            except TrainingError:       # the newest weights may be what is wrong
                raise
            except (ValueError, RuntimeError, OSError):     # the lessons are wrong, not the weights
                self._save()
                raise
            self._tell_learned()
            if self.step and not stopped:
                self._measure()
        self._save(last=True)
        return Ending(step=self.step, minutes=self._minutes, stopped=stopped,
                      checkpoint=self._saved, metrics=self._metrics)

    # ------------------------------------------------------------------------------ learning

    def _learn(self) -> None:
        batch = self._ahead.take(self.step).to(self._device)
        torch.manual_seed(chance_of(self._seed, self.step))
        with self._arithmetic():
            loss, parts = self._model.loss(batch)       # type: ignore[operator]
        loss.backward()
        norm = self._adamw.step(rate_share(self._share, self._config.warm_up,
                                           self._config.final_rate))
        if not torch.isfinite(norm):
            self._give_up(loss, parts)
        self._mean.update(self.step)
        self.step += 1
        for name, value in {"loss": loss.detach(), **parts}.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.float()

    def _give_up(self, loss: Tensor, parts: Mapping[str, Tensor]) -> None:
        bad = [name for name, part in parts.items() if not torch.isfinite(part)]
        if torch.isfinite(loss):
            bad = ["gradient"]
        kept = f"checkpoint {self._saved.name} stays" if self._saved else "nothing was saved yet"
        raise TrainingError(
            f"in step {self.step} the {' and '.join(bad) or 'loss'} became infinite or NaN; "
            f"{kept}. Try a lower learning rate, or look for wild values in the demonstrations")

    def _arithmetic(self) -> torch.autocast:
        wanted = self._config.precision
        low = wanted == "bfloat16" or (wanted == "auto" and self._device.type == "cuda")
        return torch.autocast(self._device.type, torch.bfloat16, enabled=low)

    @torch.no_grad()
    def _rest_at_mean(self) -> None:
        """What does not learn must be what will drive: the mean, not the newest weights."""
        for name, parameter in self._model.named_parameters():
            if name in self._resting:
                parameter.copy_(self._mean.weights[name])

    # ------------------------------------------------------------------------ looking around

    def _turns(self) -> list[Turn]:
        config, now = self._config, self._clock.now_ns()
        wanted = ((config.tell_every_s, self._tell_learned),
                  (config.held_out_every_s, self._measure),
                  (config.follow_every_s, self._follow),
                  (config.save_every_s, self._save))
        return [Turn(period_s, now, what) for period_s, what in wanted if period_s > 0]

    def _tell_learned(self) -> None:
        now, steps = self._clock.now_ns(), self.step - self._told_step
        if not steps:
            return
        seconds = (now - self._told_ns) / NS_PER_S
        rate = self._config.optimizer.rate * rate_share(
            self._share, self._config.warm_up, self._config.final_rate)
        self._tell(Learned(
            step=self.step, minutes=self._minutes, share=self._share, rate=rate,
            losses={name: float(total) / steps for name, total in self._sums.items()},
            samples_per_s=2 * self._config.pairs * steps / seconds if seconds else 0.0,
            left_s=self._budget.left_s(self._minutes, self.step - self._first_step,
                                        seconds / steps)))
        self._sums.clear()
        self._told_ns, self._told_step = now, self.step

    @torch.no_grad()
    def _measure(self) -> None:
        """The mean weights on held-out batches, which are the same every time."""
        measure = getattr(self._model, "measure", self._loss_parts)
        sums: dict[str, float] = {}
        self._model.eval()
        with self._mean.in_place():
            for number in range(self._config.held_out_batches):
                batch = self._ahead.held_out(number)
                if batch is None or self._stop():
                    break
                torch.manual_seed(chance_of(self._seed, number))
                with self._arithmetic():
                    for name, value in measure(batch.to(self._device)).items():
                        sums.setdefault(name, 0.0)
                        sums[name] += float(value) / self._config.held_out_batches
            else:
                self._metrics = {n: v for n, v in sums.items() if np.isfinite(v)}
                self._tell(HeldOut(step=self.step, minutes=self._minutes, metrics=self._metrics))
        self._model.train()

    def _loss_parts(self, batch: Any) -> dict[str, Tensor]:
        loss, parts = self._model.loss(batch)           # type: ignore[operator]
        return {"loss": loss, **parts}

    def _follow(self) -> None:
        if added := self._ahead.follow():
            self._tell(Grown(step=self.step, minutes=self._minutes, episodes=added))
        problems: list[str] = getattr(self._lessons, "problems", [])
        for what in problems[self._problems_told:]:
            self._tell(Problem(step=self.step, minutes=self._minutes, what=what))
        self._problems_told = len(problems)

    def _save(self, *, last: bool = False) -> None:
        if not self.step or (self._saved and read_state(self._saved).step == self.step):
            return
        state = RunState(step=self.step, minutes=self._minutes, seed=self._seed,
                         metrics=self._metrics, details=dict(self._details()))
        weights = weights_of(self._model)
        groups = {"model": {n: w for n, w in weights.items() if n not in self._frozen},
                  "ema": self._mean.weights, "optimizer": self._adamw.state()}
        try:
            self._saved = self._run.save(state, groups, self._config.kept)
        except CheckpointNotSaved as error:
            if last:
                raise
            self._tell(Problem(step=self.step, minutes=self._minutes, what=str(error)))
        else:
            if self.step > self._first_step:    # before that, they are the parent's weights still
                self._tell(Saved(step=self.step, minutes=self._minutes,
                                 checkpoint=str(self._saved)))

    def _tell(self, report: Any) -> None:
        for listener in self._listeners:
            listener(report)

    @property
    def _minutes(self) -> float:
        return self._minutes_before + (self._clock.now_ns() - self._started_ns) / NS_PER_S / 60

    @property
    def _share(self) -> float:
        return self._budget.share(self._minutes, self.step - self._first_step)

"""Training a LeRobot policy by LeRobot's own recipe, for a budget of minutes or steps.

Its loss, its optimizer preset, its schedule and its gradient clipping; no running mean of weights,
because LeRobot keeps none by default. What it reports and saves has the same form as our own
training. Knows batches, time and the run's folder. Refuses to know stores and screens.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from policy.errors import TrainingError
from policy.peers.lerobot_build import Peer, PeerDescription, settle_frozen_norms
from policy.peers.lerobot_frames import PeerLessons
from policy.runs.checkpoints import weights_of
from policy.runs.run_folder import RunFolder, RunState
from policy.training.chance import chance_of
from policy.training.loop import Ending
from policy.training.progress import HeldOut, Learned, Listener, Report, Saved
from policy.training.schedule import Budget
from recorders.clock import NS_PER_S, Clock

TELL_EVERY_S, LOOK_EVERY_S, SAVE_EVERY_S = 1.0, 60.0, 120.0
HELD_OUT_BATCHES = 4
SETTLING_ROWS = 32
_HELD_OUT = 1 << 32         # no run has so many steps: held-out batches have their own chance
_GRAIN = 10_000             # a schedule wants a number of steps: so finely is the budget divided


class PeerTrainer:
    """Trains one peer into one run's folder.

    Args:
        peer: with fresh weights, or ImageNet's.
        lessons: batches.
        run: where checkpoints go.
        budget: when it is over.
        listeners: are told everything, in order, between two steps.
        stop: asked between two steps; True ends the training with a checkpoint.
    """

    def __init__(
        self, peer: Peer, description: PeerDescription, lessons: PeerLessons, run: RunFolder, *,
        budget: Budget, seed: int, clock: Clock, listeners: tuple[Listener, ...] = (),
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._peer, self._rows, self._lessons = peer, description.settings.rows, lessons
        self._run, self._budget, self._seed, self._clock = run, budget, seed, clock
        self._listeners, self._stop = listeners, stop
        self.step, self._metrics, self._losses = 0, {}, []
        config = peer.network.config
        preset = config.get_optimizer_preset()
        self._longest_gradient = preset.grad_clip_norm
        self._optimizer: Any = preset.build(peer.network.get_optim_params())
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._share_of_rate = _schedule(config, self._optimizer)
        if description.kind == "act" and not description.imagenet:
            self._settle()

    def train(self) -> Ending:
        """Learn until the budget is used up or somebody stops it.

        Raises:
            TrainingError: if the loss is no longer a number; the last checkpoint stays.
            CheckpointNotSaved: if there is no room.
        """
        self._started_ns = self._clock.now_ns()
        told_s = looked_s = saved_s = 0.0
        stopped = False
        while self._share < 1.0 and not (stopped := self._stop()):
            self._learn()
            now_s = 60 * self._minutes
            if now_s - told_s >= TELL_EVERY_S:
                self._tell_learned(now_s - told_s)
                told_s = now_s
            if now_s - looked_s >= LOOK_EVERY_S:
                self._look()
                looked_s = 60 * self._minutes
            if now_s - saved_s >= SAVE_EVERY_S:
                self._save()
                saved_s = 60 * self._minutes
        if self.step and not stopped:
            self._look()
        checkpoint = self._save() if self.step else None
        return Ending(step=self.step, minutes=self._minutes, stopped=stopped,
                      checkpoint=checkpoint, metrics=self._metrics)

    def _learn(self) -> None:
        share = self._share_of_rate(self._share)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        batch = self._lessons.batch(np.random.default_rng((self._seed, self.step)), self._rows)
        torch.manual_seed(chance_of(self._seed, self.step))
        self._peer.network.train()
        loss, _ = self._peer.network.forward(self._peer.before(batch))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._peer.network.parameters(),
                                              self._longest_gradient)
        if not torch.isfinite(norm):
            raise TrainingError(f"in step {self.step} the loss became infinite or NaN: try a "
                                f"lower learning rate, or look for wild values in the store")
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        self._losses.append(loss.item())

    @torch.no_grad()
    def _settle(self) -> None:
        rng = np.random.default_rng(self._seed)
        batch = self._peer.before(self._lessons.batch(rng, SETTLING_ROWS))
        self._peer.network.eval()
        settle_frozen_norms(self._peer.network,
                            lambda: self._peer.network.predict_action_chunk(batch))

    @torch.no_grad()
    def _look(self) -> None:
        """How far the chunks of held-out episodes are from what was done, in joints' units."""
        network, errors, weights = self._peer.network, 0.0, 0.0
        network.eval()
        for number in range(HELD_OUT_BATCHES):
            rng = np.random.default_rng((self._seed, _HELD_OUT + number))
            batch = self._lessons.held_out_batch(rng, self._rows)
            if batch is None:
                return
            wanted, valid = batch["action"], ~batch["action_is_pad"]
            torch.manual_seed(number)
            observed = {k: v for k, v in batch.items() if not k.startswith("action")}
            chunk = self._peer.after(network.predict_action_chunk(self._peer.before(observed)))
            steps = chunk.shape[1]
            error = (chunk - wanted[:, :steps]).abs().mean(-1) * valid[:, :steps]
            errors, weights = errors + float(error.sum()), weights + float(valid[:, :steps].sum())
        self._metrics = {"chunk_error": errors / max(weights, 1.0)}
        self._tell(HeldOut(step=self.step, minutes=self._minutes, metrics=self._metrics))

    def _tell_learned(self, since_s: float) -> None:
        steps = len(self._losses)
        self._tell(Learned(
            step=self.step, minutes=self._minutes, share=self._share,
            losses={"loss": float(np.mean(self._losses))},
            rate=self._optimizer.param_groups[0]["lr"],
            samples_per_s=steps * self._rows / since_s,
            left_s=self._budget.left_s(self._minutes, self.step, since_s / steps)))
        self._losses.clear()

    def _save(self) -> Path:
        state = RunState(step=self.step, minutes=self._minutes, seed=self._seed,
                         metrics=self._metrics)
        checkpoint = self._run.save(state, {"model": weights_of(self._peer.network)})
        self._tell(Saved(step=self.step, minutes=self._minutes, checkpoint=str(checkpoint)))
        return checkpoint

    def _tell(self, report: Report) -> None:
        for listener in self._listeners:
            listener(report)

    @property
    def _minutes(self) -> float:
        return (self._clock.now_ns() - self._started_ns) / NS_PER_S / 60

    @property
    def _share(self) -> float:
        return self._budget.share(self._minutes, self.step)


def _schedule(config: Any, optimizer: torch.optim.Optimizer) -> Callable[[float], float]:
    """LeRobot's schedule of the rate, as a function of how much of the budget is used."""
    preset = config.get_scheduler_preset()
    if preset is None:
        return lambda share: 1.0
    # Its 500 steps of warming up are a twentieth of the shortest run that it is meant for.
    preset.num_warmup_steps = _GRAIN // 20
    schedule = preset.build(optimizer, _GRAIN).lr_lambdas[0]
    return lambda share: schedule(round(share * _GRAIN))

"""Measures what the gate decides by: a version beside the one that drives, on what was recorded.

Both are loaded anew, shown the same held-out batches and the same last seconds of the stores, and
thrown away. Knows runs, lessons and policies; decides nothing (gate.py), and tries nothing in a
simulator: that needs a robot.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from policy.data.batches import Batch, TrainingSet
from policy.data.recorded_observations import newest_observations
from policy.errors import CheckpointError
from policy.interfaces import Observation, Policy, PolicySpec
from policy.network.building import DualDescription
from policy.runs.checkpoints import find_checkpoint, load_policy, read_weights, run_of
from policy.runs.run_folder import RunFolder
from policy.training.chance import chance_of
from policy.versions.action_change import action_change, finite
from policy.versions.gate import GateFigures
from policy.versions.misfit import misfit
from recorders.clock import NS_PER_S, Clock

SECONDS = 20.0              # of recording that both act on …
PERIOD_S = 0.5              # … an observation every so often
BATCHES, PAIRS = 3, 16      # held out
_HELD_OUT = 1 << 32         # as in batch_ahead.py: no step of a training draws with it


Ask = Callable[[Callable[[TrainingSet], Any]], Any]


class Measuring:
    """Compares versions on some lessons.

    Args:
        ask: puts a question to the lessons of the policy that drives (its spec, its normaliser,
            its split), in the thread that they belong to; None where there are none to measure on.
        seed: of the split; held-out batches are the same for the same seed.
        clock: says what it took.
        turn: called now and then meanwhile.
    """

    def __init__(self, ask: Ask | None, seed: int, clock: Clock,
                 turn: Callable[[], None] = lambda: None) -> None:
        self._ask, self._seed, self._clock, self._turn = ask, seed, clock, turn

    def figures(self, version: Path, driving: Path) -> GateFigures:
        """Measure a version.

        Args:
            version: its run or checkpoint.
            driving: what it is compared with; must be whole.

        Raises:
            CheckpointError: what drives cannot be read.
        """
        began_ns = self._clock.now_ns()
        checkpoint = find_checkpoint(driving)
        figures = GateFigures(against_run=str(run_of(checkpoint).path),
                              against=int(checkpoint.name))
        figures = self._compared(figures, version, checkpoint)
        return msgspec.structs.replace(
            figures, took_s=(self._clock.now_ns() - began_ns) / NS_PER_S)

    def _compared(self, figures: GateFigures, version: Path, driving: Path) -> GateFigures:
        try:
            candidate = find_checkpoint(version)
            if wrong := misfit(run_of(candidate).config, run_of(driving).config):
                return msgspec.structs.replace(figures, misfit=wrong)
            if wrong := damage(candidate):
                return msgspec.structs.replace(figures, damage=wrong)
            after = load_policy(candidate)
        except CheckpointError as error:
            return msgspec.structs.replace(figures, damage=str(error))
        if self._ask is None:
            return figures
        before = load_policy(driving)
        figures = self._held_out(figures, before, after, self._ask)
        return self._acted(figures, before, after, self._ask)

    def _held_out(self, figures: GateFigures, before: Policy, after: Policy, ask: Ask
                  ) -> GateFigures:
        batches = [ask(partial(_held_out_batch, self._seed, number)) for number in range(BATCHES)]
        if any(batch is None for batch in batches):
            return figures
        errors = [held_out_error(policy, batches, self._seed, self._turn)
                  for policy in (before, after)]
        if not errors[0] or not errors[1]:
            return figures
        measure = next(iter(errors[0]))
        return msgspec.structs.replace(
            figures, measure=measure, episodes=ask(lambda lessons: len(lessons.held_out)),
            held_out_before=errors[0][measure], held_out=errors[1].get(measure))

    def _acted(self, figures: GateFigures, before: Policy, after: Policy, ask: Ask) -> GateFigures:
        seen = ask(partial(_newest, before.spec))
        if not seen:
            return figures
        if not finite(after.act(seen[-1], after.think(seen[-1]))):
            return msgspec.structs.replace(figures, damage="it acts in numbers that are not finite")
        change = action_change(before, after, seen, self._turn)
        return msgspec.structs.replace(
            figures, moments=len(seen), position_m=change.position,
            rotation_rad=change.rotation_rad, gripper_flips=change.gripper_flips)


def damage(checkpoint: Path) -> str:
    """Why a checkpoint's weights cannot be used; empty if they can.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    for name, tensor in read_weights(checkpoint).items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return f"its weights hold what is no number, first in {name}"
    return ""


@torch.no_grad()
def held_out_error(policy: Any, batches: Sequence[Batch], seed: int,
                   turn: Callable[[], None] = lambda: None) -> dict[str, float]:
    """The measures of a dual-system policy on held-out batches; of others nothing is measured.

    Args:
        policy: of `load_policy`.
        batches: at least one.
        seed: of what is drawn at random.
        turn: called after each.
    """
    model = getattr(policy, "model", None)
    if not hasattr(model, "measure"):
        return {}
    sums: dict[str, float] = {}
    for number, batch in enumerate(batches):
        torch.manual_seed(chance_of(seed, number))
        for name, value in model.measure(batch).items():    # type: ignore[union-attr]
            sums[name] = sums.get(name, 0.0) + float(value) / len(batches)
        turn()
    return {name: value for name, value in sums.items() if np.isfinite(value)}


def lessons_of(run: Path, stores: Sequence[Path]) -> TrainingSet:
    """What a dual-system run's versions can be measured on: its spec, normaliser and split.

    Raises:
        CheckpointError: it is no such run.
        ValueError, StoreError, DamagedRecording: as `TrainingSet.open` says.
    """
    config = RunFolder.open(run).config
    if config.get("kind") != "dual":
        raise CheckpointError(f"{run} holds a policy of the kind {config.get('kind')!r}: only "
                              f"those of the kind 'dual' have versions that can be measured")
    described = msgspec.convert(config["dual"], DualDescription)
    return TrainingSet.open(stores, described.spec, seed=config.get("seed", 0),
                            normaliser=described.normaliser,
                            max_age_steps=described.config.max_age_steps)


def _held_out_batch(seed: int, number: int, lessons: TrainingSet) -> Batch | None:
    rng = np.random.default_rng((seed, _HELD_OUT + number))
    return lessons.held_out_batch(rng, PAIRS)


def _newest(spec: PolicySpec, lessons: TrainingSet) -> list[Observation]:
    episodes = sorted((*lessons.demonstrations, *lessons.held_out),
                      key=lambda one: one.summary.episode)      # ids begin with their time
    return newest_observations(episodes, spec, seconds=SECONDS, period_s=PERIOD_S)

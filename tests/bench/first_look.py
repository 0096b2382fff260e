"""Whether a policy learns to look: its error on the first pictures of unseen episodes.

Along a demonstration the hand itself points at the target; at an episode's beginning only the
picture does. This trains a whole dual-system policy and tells, now and then, how far its gaze and
its target are from where the tool went in episodes that were held out. It needs a minute or two, so
it is the place to try out an eye or a recipe.

Run it with `python tests/bench/first_look.py STORE… [--seconds 100] [--set spec.cloud_points=0 …]`;
it prints quartiles in cm and writes out/bench/first_look.json.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from policy.data.batches import Batch, TrainingSet
from policy.network.building import build
from policy.network.dual_system import DualSystem
from policy.training.configs import changed, recipe_of
from policy.training.dual_training import describe
from policy.training.optimizer import NamedAdamW
from policy.training.schedule import rate_share

PAIRS, HOLD_OUT = 32, 0.1
OUT = Path("out/bench/first_look.json")


@dataclass(frozen=True)
class Probe:
    """What to train, and for how long."""

    stores: Annotated[tuple[Path, ...], tyro.conf.Positional]
    seconds: float = 100.0
    """CPU time of training, without the reading of batches' pictures for the first time."""
    every: float = 20.0
    """Seconds between two looks."""
    config: str = "compact"
    set: tuple[str, ...] = ()
    """Other numbers than the config's, as `tandem train` takes them."""
    seed: int = 0


def main(probe: Probe) -> None:
    """Train, and print the errors."""
    torch.set_num_threads(1)
    torch.manual_seed(probe.seed)
    recipe = changed(recipe_of(probe.config), probe.set)
    lessons = TrainingSet.open(probe.stores, recipe.spec, hold_out=HOLD_OUT, seed=probe.seed)
    beginnings = lessons.beginnings()
    model = build(describe(recipe, lessons))
    optimiser = NamedAdamW(model, recipe.train.optimizer)
    rng, spent_s, step, found = np.random.default_rng(probe.seed), 0.0, 0, []
    print(f"{len(lessons.demonstrations)} episodes to learn from, {len(lessons.held_out)} unseen; "
          f"cm, quartiles of gaze | target")
    while spent_s < probe.seconds:
        began_s = time.process_time()
        batch = lessons.batch(rng, PAIRS)
        loss, _ = model.loss(batch)
        loss.backward()
        optimiser.step(rate_share(min(spent_s / probe.seconds, 1.0)))
        before_s, step = spent_s, step + 1
        spent_s += time.process_time() - began_s
        if before_s // probe.every < spent_s // probe.every:
            gaze, target = _errors_cm(model, beginnings, lessons)
            found.append({"s": spent_s, "step": step, "gaze_cm": gaze, "target_cm": target})
            print(f"{spent_s:.0f} s, step {step}: {_listed(gaze)} | {_listed(target)}", flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"set": probe.set, "seed": probe.seed, "looks": found}))


@torch.no_grad()
def _errors_cm(model: DualSystem, batch: Batch, lessons: TrainingSet
               ) -> tuple[list[float], list[float]]:
    model.eval()
    code = model.code(batch.subtask)
    nothing = torch.zeros(len(batch.images), max(model.config.latents, 1), model.body.width)
    context = model.look(nothing, torch.cat([code, code]), batch.age_steps,
                         batch.images.float() / 255, batch.proprioception, batch.cloud)
    model.train()
    scale_cm = 100 * np.array(lessons.normaliser.position_scale)
    aside = [np.linalg.norm(((guess - batch.event).numpy() * scale_cm)[:, :2], axis=1)
             for guess in (context.gaze, context.target)]
    return tuple(np.percentile(one, [25, 50, 75]).tolist() for one in aside)    # type: ignore


def _listed(values: list[float]) -> str:
    return " / ".join(f"{value:.1f}" for value in values)


if __name__ == "__main__":
    main(tyro.cli(Probe))

"""The numbers of a training; part of every run's config, changed with `tandem train --set train.…`.

Knows no network and no loop; what the optimiser is told stands in optimizer.py.
"""

from typing import Literal

import msgspec

from policy.runs.run_folder import KEPT
from policy.training.ema import LONGEST_DECAY
from policy.training.optimizer import AdamWConfig
from policy.training.schedule import FINAL_SHARE, WARM_UP_SHARE


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a network is trained; part of a run's config."""

    pairs: int = 32
    """Pairs of frames in a batch: twice as many samples for System 1."""
    optimizer: AdamWConfig = AdamWConfig()
    warm_up: float = WARM_UP_SHARE
    """Share of the budget in which the rate rises."""
    final_rate: float = FINAL_SHARE
    """The rate at the end, as a share of the highest."""
    longest_mean: float = LONGEST_DECAY
    """Weight of the past in the mean of the weights, once many steps were made."""
    tail_only: bool = False
    """Train only what the network's `tail_parameters()` names; the rest stays at its mean."""
    corrections: str = "all"
    """How a policy's own doing and a person's corrections weigh: see correction_weights.py."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the arithmetic in `loss`; auto: bfloat16 on a GPU. Weights are float32 in any case."""
    tell_every_s: float = 0.5
    held_out_every_s: float = 20.0
    held_out_batches: int = 2
    save_every_s: float = 60.0
    follow_every_s: float = 0.0
    """How often new episodes are looked for; 0: never."""
    kept: int = KEPT
    """So many of the newest checkpoints stay; 0: all."""

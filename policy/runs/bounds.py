"""The numbers that a policy and its training can have: what is refused before anything is built.

    if wrong := impossible({"spec": …, "dual": …, "train": …}): …

Asked of a recipe that somebody changed, and of a checkpoint's description, which somebody may have
changed as well. Knows names and bounds; refuses to know what the numbers mean (PolicySpec,
DualConfig, TrainConfig say it). Of what type a number is, its declaration says.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from policy.data.proprioception import PARTS

_ABOVE_0 = (sys.float_info.min, math.inf, "more than 0")
_FROM_0 = (0, math.inf, "0 or more")
_FROM_1 = (1, math.inf, "1 or more")
_SHARE = (0, 1, "from 0 to 1")

_BOUNDS = {
    "spec.step_s": _ABOVE_0, "spec.steps": _FROM_1, "spec.cloud_points": _FROM_0,
    "dual.shared": _FROM_0, "dual.latents": _FROM_0, "dual.code_width": _FROM_1,
    "dual.code_words": _FROM_1, "dual.action_tokens": _FROM_1, "dual.flow_steps": _FROM_0,
    "dual.flow_draws": _FROM_1, "dual.flow_power": _ABOVE_0, "dual.held_share": _SHARE,
    "dual.latent_dropout": _SHARE, "dual.word_dropout": _SHARE, "dual.max_age_steps": _FROM_0,
    "dual.direct_weight": _FROM_0, "dual.target_weight": _FROM_0, "dual.speech_weight": _FROM_0,
    "dual.event_weight": _FROM_0,
    "train.pairs": _FROM_1, "train.warm_up": _SHARE, "train.final_rate": _SHARE,
    "train.longest_mean": _SHARE, "train.held_out_batches": _FROM_0, "train.kept": _FROM_0,
    "train.optimizer.rate": _ABOVE_0, "train.optimizer.weight_decay": _FROM_0,
    "train.optimizer.longest_gradient": _ABOVE_0,
}


def impossible(told: Mapping[str, Any]) -> str:
    """What no policy can have, in a few words; empty if there is nothing.

    Args:
        told: parts of a recipe as plain values; a part that is missing is not asked about.
    """
    for place, (least, most, words) in _BOUNDS.items():
        value = _at(told, place)
        if isinstance(value, int | float) and not (least <= value <= most and math.isfinite(value)):
            return f"{place}={value}: it must be {words}"
    parts = _at(told, "spec.proprioception")
    if parts in ([], ()):
        return "spec.proprioception=[]: a policy must feel something of the arm, as its tool"
    if isinstance(parts, Sequence) and (unknown := [part for part in parts if part not in PARTS]):
        return f"unknown part of proprioception {unknown[0]!r}: valid are {', '.join(PARTS)}"
    cameras = _at(told, "spec.cameras")
    if isinstance(cameras, Mapping) and "depth" in cameras.values():
        return "spec.cameras: depth is no colour picture; spec.cloud_points says whether it is used"
    return ""


def _at(told: Any, place: str) -> Any:
    for part in place.split("."):
        told = told.get(part) if isinstance(told, Mapping) else None
    return told

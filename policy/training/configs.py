"""Ready-made policies by name: what they see, what they are, how they are trained.

    recipe = changed(recipe_of("compact"), ["dual.latents=8", "spec.cloud_points=256"])

Knows numbers and names. Refuses to know stores and files; the numbers' meaning stands where they
are declared (PolicySpec, DualConfig, TrainConfig).
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from policy.errors import RecipeError
from policy.interfaces import PolicySpec
from policy.network.config import DualConfig
from policy.runs.bounds import impossible
from policy.training.optimizer import AdamWConfig
from policy.training.train_config import TrainConfig

FRONT_AND_WRIST = {"front": "rgb", "wrist": "rgb"}


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A policy and its training, before any demonstration was seen."""

    spec: PolicySpec
    dual: DualConfig = DualConfig()
    train: TrainConfig = TrainConfig()


# What learns to look must be quicker than what could guess instead.
QUICK = {"target.": 5.0}


def _spec() -> PolicySpec:
    """Nothing that tells where the arm is moving to: a policy that can feel that learns to go on,
    and does not learn to look."""
    return PolicySpec(cameras=FRONT_AND_WRIST, proprioception=("tool", "gripper", "touch"),
                      cloud_points=512)


def _train(slow: dict[str, float], rate: float = AdamWConfig().rate) -> TrainConfig:
    return TrainConfig(optimizer=AdamWConfig(rate=rate, rate_multipliers=QUICK | slow))


def _compact() -> Recipe:
    """From scratch; learns in minutes on a CPU."""
    return Recipe(spec=_spec(), train=_train({}))


def _pretrained(backbone: str, rate: float) -> Callable[[], Recipe]:
    """Over weights that know something already: they move at a tenth of the rate."""
    def recipe() -> Recipe:
        return Recipe(spec=_spec(), dual=DualConfig(backbone=backbone),
                      train=_train({"backbone.": 0.1}, rate))
    return recipe


def _smollm2() -> Recipe:
    """A language model's first 8 of 30 blocks, which a processor can adapt in minutes: its adapters
    and picture stem begin at nothing and move at the full rate, in small batches. With all blocks,
    32 pairs and a tenth of the rate, 25 minutes were 101 steps, in which it learnt no word."""
    return Recipe(spec=_spec(), dual=DualConfig(backbone="smollm2", backbone_options={"blocks": 8}),
                  train=msgspec.structs.replace(_train({}), pairs=12))


RECIPES: dict[str, Callable[[], Recipe]] = {
    "compact": _compact,
    "compact-pretrained": lambda: Recipe(
        spec=_spec(), dual=DualConfig(backbone="compact-pretrained"), train=_train({})),
    "smollm2": _smollm2,
    "smolvlm2": _pretrained("smolvlm2", 1e-3),
    "paligemma": _pretrained("paligemma", 5e-4),
    "llama": _pretrained("llama", 5e-4),
}


def recipe_of(name: str) -> Recipe:
    """A ready-made recipe.

    Raises:
        RecipeError: if there is none of this name; names those that there are.
    """
    if name not in RECIPES:
        raise RecipeError(f"unknown config {name!r}: valid are {', '.join(RECIPES)}")
    return RECIPES[name]()


def changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """A recipe with some numbers changed.

    Args:
        recipe: what holds otherwise.
        changes: "part.name=value", e.g. "dual.latents=8", "train.optimizer.rate=1e-3"; a value is
            JSON, or else a plain word.

    Raises:
        RecipeError: for a name that does not exist, a value that does not fit, or a number that no
            policy can have.
    """
    plain = msgspec.to_builtins(recipe)
    for change in changes:
        place, is_change, value = change.partition("=")
        *path, name = place.split(".")
        inner: Any = plain
        for part in path:
            inner = _within(inner, part, change)
        _within(inner, name, change)
        if not is_change:
            raise RecipeError(f"{change!r} gives no value; write {place}=VALUE")
        inner[name] = _value(value)
    try:
        made = msgspec.convert(plain, Recipe)
    except msgspec.ValidationError as error:
        raise RecipeError(f"{' '.join(changes)}: {error}") from None
    if wrong := impossible(plain):
        raise RecipeError(wrong)
    return made


def _within(inner: Any, name: str, change: str) -> Any:
    if not isinstance(inner, dict) or name not in inner:
        there = ", ".join(inner) if isinstance(inner, dict) else "nothing"
        raise RecipeError(f"{change!r}: there is no {name!r}; there is {there}")
    return inner[name]


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text

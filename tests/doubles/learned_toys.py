"""A network that has learned for two steps from the toy's demonstrations, and can be trained on.

It acts in tool space and feels what the simulated arm tells as well: with that one's names it may
drive it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from doubles.toy_demonstrations import ROBOT, make_store

from policy.training.configs import changed, recipe_of
from policy.training.dual_training import DualTraining
from policy.training.schedule import Budget
from recorders.clock import SystemClock

SIMULATED = {"name": "tandem_sim",
             "joint_names": [*(f"joint{number}" for number in range(1, 8)), "gripper"]}


def learned_toys(folder: Path, robot: Mapping[str, Any] = ROBOT) -> tuple[Path, Path]:
    """A run, and the store that it learned from, beside its folder; of a robot of that name."""
    store = make_store(folder / "toys", robot=robot)
    recipe = changed(recipe_of("compact"), ["train.pairs=2", "spec.picture_size=[64,96]"])
    recipe = msgspec.structs.replace(
        recipe, spec=msgspec.structs.replace(recipe.spec, cloud_points=0),
        dual=msgspec.structs.replace(recipe.dual, backbone_options={"width": 32, "heads": 2}))
    training = DualTraining.begin(folder / "runs" / "x", [store], recipe, name="compact", seed=0,
                                  budget=Budget(steps=2))
    training.trainer(SystemClock()).train()
    return folder / "runs" / "x", store

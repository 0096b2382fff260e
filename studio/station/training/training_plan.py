"""What a training at a desk begins with, and where it goes; which scenes a version is tried in.

Pure decisions about folders and numbers, so that the same request gives the same training. Knows
runs' descriptions and the desk's configuration; starts nothing.
"""

import math
import re
from pathlib import Path
from typing import Any

import msgspec

from policy.data.correction_weights import METHODS
from policy.errors import CheckpointError
from policy.versions import ledger
from policy.versions.ledger import Version
from recorders.store_description import require_store
from recorders.store_errors import StoreError
from recorders.store_folders import StoreFolders
from studio.station.desk.processes import DeskConfig
from studio.station.training.training_link import Promote, StartTraining

KEPT_FOR_PROOF = (range(1000, 2000), range(7000, 1 << 62))  # scenes that results are reported on
MOST_SCENES = 200
_TUNED = re.compile(r"^(?P<root>.+)-tuned-\d+$")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A training that can be started.

    Attributes:
        run: folder to train into.
        parent: checkpoint to go on from.
        stores: to learn from.
        count_from: no version of the family has a higher number.
        missing: what the operator should know of demonstrations that were not found.
    """

    run: str
    parent: str
    stores: tuple[str, ...]
    method: str
    minutes: float
    publish_every_s: float
    memory_mb: int
    count_from: int
    missing: str = ""


def plan_training(request: StartTraining, desk: DeskConfig, driving: Version) -> Plan:
    """What to do about a request.

    Raises:
        CheckpointError: it makes no sense, or the policy cannot be trained on; says why.
    """
    config = ledger.read_config(Path(driving.run))
    if config.get("kind") != "dual":
        raise CheckpointError(f"{driving.run} holds a policy of the kind {config.get('kind')!r}: "
                              "only those of the kind 'dual' are trained on at the desk")
    if request.method not in METHODS:
        raise CheckpointError(f"there is no method {request.method!r} of learning from "
                              f"corrections: valid are {', '.join(METHODS)}")
    for name, value in (("minutes", request.minutes), ("publish_every_s", request.publish_every_s)):
        if not 0 < value < math.inf:
            raise CheckpointError(f"{name} must be more than 0, not {value:g}")
    if request.memory_mb < 0:
        raise CheckpointError(f"memory_mb must be 0 or more, not {request.memory_mb}")
    named = [_store(store) for store in request.stores if store]
    given = [*named, *([str(Path(desk.store).expanduser().absolute())] if desk.store else [])]
    found, missing = _named_stores(config, given)
    stores = tuple(dict.fromkeys([*found, *given]))
    if not stores:
        raise CheckpointError("there is nothing to learn from: open a store first")
    return Plan(
        run=str(free_folder(Path(driving.run))), parent=driving.folder, stores=stores,
        method=request.method, minutes=request.minutes, publish_every_s=request.publish_every_s,
        memory_mb=request.memory_mb, missing=missing,
        count_from=max(one.number for one in ledger.family_of(Path(driving.run))))


def _store(named: str) -> str:
    folder = Path(named).expanduser().absolute()
    try:
        require_store(StoreFolders(folder))
    except StoreError as wrong:
        raise CheckpointError(str(wrong)) from None
    return str(folder)


def free_folder(run: Path) -> Path:
    """Where the next training from a run goes: `x-tuned-1`, `x-tuned-2`, … beside it."""
    tuned = _TUNED.match(run.name)
    root = tuned["root"] if tuned else run.name
    number = 1
    while (folder := run.with_name(f"{root}-tuned-{number}")).exists():
        number += 1
    return folder


def trials_for(request: Promote, desk: DeskConfig, task: str) -> dict[str, Any] | None:
    """The simulated scenes to try a version in, as plain values; None for none.

    Raises:
        CheckpointError: there is no simulator, or the scenes are kept for something else.
    """
    if not request.scenes:
        return None
    if desk.robot != "sim" and not desk.robot.startswith("gym:"):
        raise CheckpointError(f"{desk.robot} has no simulator to try a version in: leave out the "
                              "scenes")
    if not 0 < request.scenes <= MOST_SCENES:
        raise CheckpointError(f"a version can be tried in 1 to {MOST_SCENES} scenes, not "
                              f"{request.scenes}")
    seeds = range(request.first_seed, request.first_seed + request.scenes)
    if any(seeds.start < kept.stop and kept.start < seeds.stop for kept in KEPT_FOR_PROOF) \
            or seeds.start < 0:
        raise CheckpointError("scenes 1000 to 1999 and from 7000 on are kept for reporting: "
                              "choose others, as 5000")
    return {"task": task or desk.task, "robot": desk.robot, "seeds": list(seeds)}


def _named_stores(config: dict[str, Any], given: list[str]) -> tuple[list[str], str]:
    """The stores that a run was trained from, beside those that are given; and what is missing."""
    names = [mark["name"] for mark in config.get("stores", [])]
    known = {Path(store).name for store in given}
    beside = {folder.name: str(folder) for store in given for folder in Path(store).parent.iterdir()
              if folder.is_dir() and folder.name in names}
    missing = [name for name in names if name not in known and name not in beside]
    says = "" if not missing else (
        f"the demonstrations that the policy was trained from ({', '.join(missing)}) do not lie "
        "beside the store: name their folder, or it learns from the store alone")
    return [beside[name] for name in names if name in beside], says

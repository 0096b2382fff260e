"""The gate's process: role "gate" of worker.py.

Measures one version beside the one that drives, on the stores and, if asked for, in simulated
scenes; writes the figures into the version's ledger, says them, and waits to be ended. Used where
no trainer has measured that pair. Knows how figures come about; decides nothing (policy/versions).
"""

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch

from policy.interfaces import Policy
from policy.runs.checkpoints import load_policy
from policy.versions import ledger
from policy.versions.gate import GateFigures
from policy.versions.measuring import Measuring, lessons_of
from recorders.array_layout import DamagedRecording
from recorders.clock import Clock
from recorders.store_errors import StoreError
from studio.station.processes.priority import lower_priority
from studio.station.processes.worker import Life
from studio.station.trying.trials import Trial, Trials

WAIT_S = 0.05


class GateConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate is told."""

    version: str
    """Checkpoint that wants to drive."""
    driving: str
    """Checkpoint that drives."""
    stores: tuple[str, ...] = ()
    trials: Trials | None = None
    """Simulated scenes to try both in."""


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: measure, say the figures as JSON when ready, wait for the end.

    Raises:
        CheckpointError: what drives cannot be read, or is of a kind that cannot be measured.
    """
    told = msgspec.json.decode(config, type=GateConfig)
    lower_priority()
    torch.set_num_threads(1)
    version, driving = ledger.latest_of(Path(told.version)), ledger.latest_of(Path(told.driving))
    figures = _measured(told, version, driving, life)
    if told.trials is not None and not figures.damage and not figures.misfit:
        figures = tried(figures, load_policy(driving.folder), load_policy(version.folder),
                        told.trials, life.clock, life.beat)
    ledger.append(Path(version.run), ledger.Entry(
        wall_ns=life.clock.wall_ns(), what="measured", version=version.number, figures=figures))
    life.ready(msgspec.json.encode(figures).decode())
    while not life.wait_for_stop(WAIT_S):
        life.beat()


def _measured(told: GateConfig, version: ledger.Version, driving: ledger.Version, life: Life
              ) -> GateFigures:
    seed = ledger.read_config(Path(driving.run)).get("seed", 0)
    ask = None
    try:
        lessons = lessons_of(Path(driving.run), [Path(store) for store in told.stores])
        ask = lambda question: question(lessons)                        # noqa: E731
    except (ValueError, StoreError, DamagedRecording) as nothing:
        print(f"nothing to measure a version on: {nothing}", file=sys.stderr, flush=True)
    return Measuring(ask, seed, life.clock, life.beat).figures(
        Path(version.folder), Path(driving.folder))


def tried(figures: GateFigures, before: Policy, after: Policy, trials: Trials, clock: Clock,
          turn: Callable[[], None]) -> GateFigures:
    """The same with both versions' successes in simulated scenes.

    Raises:
        DeviceError: the scenes cannot be shown here.
    """
    # Here, because it brings MuJoCo: what is not tried need not wait.
    from studio.station.trying.evaluation import ProvingGround

    successes = []
    for policy in (before, after):
        with ProvingGround(trials, policy, clock) as ground:
            won: list[bool] = []

            def count(trial: Trial, won: list[bool] = won) -> None:
                won.append(trial.success_s is not None)
                turn()

            ground.run(count)
        successes.append(sum(won))
    return msgspec.structs.replace(figures, scenes=len(trials.seeds),
                                   successes_before=successes[0], successes=successes[1])

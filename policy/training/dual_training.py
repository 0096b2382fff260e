"""A dual-system policy from its demonstrations to a run that can be trained, stopped and resumed.

Brings together what others know: the recipe, the demonstrations, the network, the run's folder and
the trainer. Knows no screen and no options.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import msgspec
import torch

from policy.data.batches import TrainingSet
from policy.data.correction_weights import WORDS_ALONE, corrections_in, followed, weigher
from policy.data.normaliser import Normaliser
from policy.errors import CheckpointError, TrainingError
from policy.interfaces import PolicySpec
from policy.network.building import DualDescription, build
from policy.runs.checkpoints import find_checkpoint, run_of, weights_of
from policy.runs.latencies import LATENCY, cameras_latencies
from policy.runs.run_folder import RunFolder, read_state, require_free
from policy.training.chance import chance_of
from policy.training.configs import Recipe
from policy.training.learner import frozen_names
from policy.training.loop import Trainer
from policy.training.progress import Listener
from policy.training.provenance import mark_code, mark_store
from policy.training.schedule import Budget
from policy.training.train_config import TrainConfig
from policy.words import split
from recorders.clock import Clock
from recorders.store_errors import StoreError

MOST_SUBTASKS = 64                  # that a checkpoint lists: more is no list to choose from
FINE_TUNING_RATE = 0.5              # of the parent's: its weights are good already
_FIRST_WEIGHTS = (1 << 32) - 1      # the chance that the first weights are drawn from; no step's


class DualTraining:
    """A dual-system policy that is being trained. Use `begin`, `resume` or `go_on`.

    Attributes:
        run: its folder.
        lessons: its demonstrations.
        seed: of all chance.
        budget: how long it may take.
        first_step: that the run begins with: 0, or where it goes on from another's weights.
        passed_over: what was wrong with checkpoints that could not be resumed from.
    """

    def __init__(self, run: RunFolder, lessons: TrainingSet, stores: Sequence[Path], seed: int,
                 budget: Budget, device: str) -> None:
        self.run, self.lessons, self.seed, self.budget = run, lessons, seed, budget
        parent = run.config.get("parent", {})
        self.first_step: int = parent.get("counts_from", parent.get("step", 0))
        self.passed_over: list[str] = []
        self._stores = stores
        self._description = msgspec.convert(run.config["dual"], DualDescription)
        self._config = msgspec.convert(run.config["train"], TrainConfig)
        self._model = _first(self._description, seed).to(device)
        self._resumed: Path | None = None
        self._parent: Path | None = None
        self._marks = [mark_store(store) for store in stores]

    @classmethod
    def begin(cls, folder: Path, stores: Sequence[Path], recipe: Recipe, *, name: str,
              seed: int, budget: Budget, device: str = "cpu") -> Self:
        """Read the demonstrations and begin a run.

        Args:
            folder: of the run; a new one.
            stores: the demonstrations.
            recipe: what to train.
            name: of the recipe, for people.
            seed: of all chance.
            budget: how long the run may take.
            device: where to train.

        Raises:
            CheckpointError: if the folder holds something already.
            TrainingError: if the demonstrations or the recipe do not do.
            StoreError, DamagedRecording: as the stores' readers say.
        """
        require_free(folder)
        lessons = _lessons(stores, recipe.spec, seed, recipe.dual.max_age_steps,
                           recipe.train.corrections)
        description = describe(recipe, lessons)
        model = _first(description, seed)
        weights, frozen = weights_of(model), frozen_names(model)
        config = _config(name, description, recipe.train, seed, budget, lessons, stores)
        run = RunFolder.create(folder, config, {name: weights[name] for name in frozen})
        return cls(run, lessons, stores, seed, budget, device)

    @classmethod
    def go_on(cls, folder: Path, stores: Sequence[Path], parent: Path, *, seed: int,
              budget: Budget, corrections: str = "all", rate_share: float = FINE_TUNING_RATE,
              device: str = "cpu", count_from: int = 0) -> Self:
        """Begin a run with another's weights, statistics and vocabulary; that one stays as it is.

        Args:
            folder: of the run; a new one.
            stores: what to learn from now, as a rule the old demonstrations and the corrections.
            parent: a run, or one of its checkpoints.
            seed: of all chance.
            budget: of this run alone.
            corrections: a name of correction_weights.METHODS.
            rate_share: of the parent's learning rate.
            device: where to train.
            count_from: versions count on from here, if that is more than the parent's: a number
                that another child of it has had is not given twice.

        Raises:
            CheckpointError: if the folder holds something already, or the parent is none of a
                dual-system policy, or damaged.
            TrainingError: if the demonstrations do not do.
            StoreError, DamagedRecording: as the stores' readers say.
        """
        require_free(folder)
        checkpoint = find_checkpoint(parent)
        before = run_of(checkpoint)
        _require_dual(before)
        description = msgspec.convert(before.config["dual"], DualDescription)
        train = msgspec.convert(before.config["train"], TrainConfig)
        train = msgspec.structs.replace(
            train, corrections=corrections, optimizer=msgspec.structs.replace(
                train.optimizer, rate=train.optimizer.rate * rate_share))
        if corrections == WORDS_ALONE and train.tail_only:
            raise TrainingError(f"{parent} trains System 1 only, and {corrections!r} is for System "
                                f"2: choose another method")
        lessons = _lessons(stores, description.spec, seed, description.config.max_age_steps,
                           corrections, description.normaliser)
        config = _config(before.config["name"], description, train, seed, budget, lessons, stores)
        step = read_state(checkpoint).step
        config["parent"] = {"run": before.path.resolve().name, "step": step,
                            **({"counts_from": count_from} if count_from > step else {})}
        run = RunFolder.create(folder, config, before.read_frozen())
        training = cls(run, lessons, stores, seed, budget, device)
        training._parent = checkpoint
        return training

    @classmethod
    def resume(cls, folder: Path, stores: Sequence[Path], *, budget: Budget | None = None,
               device: str = "cpu") -> Self:
        """Go on with a run from its latest checkpoint that is whole, or from its beginning.

        Args:
            folder: of the run.
            stores: the demonstrations; the run's statistics and vocabulary stay as they are.
            budget: of the whole run; the one it had if None.
            device: where to train.

        Raises:
            CheckpointError: if it is no run of a dual-system policy, or none of its checkpoints is
                whole.
            TrainingError: if the demonstrations do not do.
            StoreError, DamagedRecording: as the stores' readers say.
        """
        run = RunFolder.open(folder)
        _require_dual(run)
        description = msgspec.convert(run.config["dual"], DualDescription)
        seed = run.config["seed"]
        lessons = _lessons(stores, description.spec, seed, description.config.max_age_steps,
                           msgspec.convert(run.config["train"], TrainConfig).corrections,
                           description.normaliser)
        training = cls(run, lessons, stores, seed,
                       budget or msgspec.convert(run.config["budget"], Budget), device)
        training._resumed, training.passed_over = run.newest_whole()
        if training._resumed is None and "parent" in run.config:
            raise CheckpointError(f"{folder} was stopped before it had the weights of its parent: "
                                  f"remove it, and begin again with --from")
        if training._resumed is None and training.passed_over:
            raise CheckpointError(f"no checkpoint of {folder} is whole: "
                                  f"{'; '.join(training.passed_over)}")
        return training

    def trainer(self, clock: Clock, listeners: Sequence[Listener] = (),
                stop: Callable[[], bool] = lambda: False, *, follow_every_s: float = 0.0,
                publish_every_s: float = 0.0) -> Trainer:
        """What does the work.

        Args:
            clock: for the budget.
            listeners: are told how it goes.
            stop: asked between two steps.
            follow_every_s: how often new episodes are looked for; 0: never.
            publish_every_s: if above 0, a checkpoint is saved so often, and every one stays.
        """
        config = msgspec.structs.replace(self._config, follow_every_s=follow_every_s)
        if publish_every_s > 0:
            config = msgspec.structs.replace(config, save_every_s=publish_every_s, kept=0)
        trainer = Trainer(self._model, self.lessons, self.run, config, budget=self.budget,
                          seed=self.seed, clock=clock, listeners=tuple(listeners), stop=stop,
                          details=self._details,
                          first_step=self.first_step)
        if self._resumed is not None:
            trainer.resume(self._resumed)
        elif self._parent is not None:
            trainer.go_on_from(self._parent)
        return trainer

    def _details(self) -> dict[str, Any]:
        """What changes while a run follows growing stores."""
        with suppress(StoreError, OSError):     # one that went away stays as it was known last
            self._marks = [mark_store(store) for store in self._stores]
        return {"stores": msgspec.to_builtins(self._marks),
                "episodes": len(self.lessons.demonstrations),
                **corrections_in(self.lessons.demonstrations)}


def _config(name: str, description: DualDescription, train: TrainConfig, seed: int,
            budget: Budget, lessons: TrainingSet, stores: Sequence[Path]) -> dict[str, Any]:
    """What a run says about itself."""
    return {
        "kind": "dual", "name": name, "dual": msgspec.to_builtins(description),
        "train": msgspec.to_builtins(train), "seed": seed, "budget": msgspec.to_builtins(budget),
        "robot": lessons.robot.get("name", ""),
        "joint_names": list(lessons.robot.get("joint_names", ())),
        "cameras": description.spec.cameras,
        LATENCY: cameras_latencies(stores, description.spec.cameras),
        "stores": [msgspec.to_builtins(mark_store(store)) for store in stores],
        "episodes": len(lessons.demonstrations), "held_out": len(lessons.held_out),
        "code": msgspec.to_builtins(mark_code()),
    }


def _require_dual(run: RunFolder) -> None:
    if (kind := run.config.get("kind")) != "dual":
        raise CheckpointError(f"{run.path} holds a policy of the kind {kind!r}; this trains those "
                              f"of the kind 'dual'")


def describe(recipe: Recipe, lessons: TrainingSet) -> DualDescription:
    """The policy that a recipe and some demonstrations ask for."""
    phrases, instructions = lessons.phrases, lessons.instructions
    places = lessons.proprioception_places.values()
    return DualDescription(
        spec=recipe.spec, config=recipe.dual, normaliser=lessons.normaliser,
        words=_words([*instructions, *phrases]),
        phrase_words=_words(instructions if recipe.dual.code == "instruction" else phrases),
        proprioception=max(place.stop for place in places),
        action=lessons.demonstrations[0].actions.shape[-1],
        subtasks=() if recipe.dual.code == "instruction" else tuple(phrases[:MOST_SUBTASKS]))


def _words(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({word for text in texts for word in split(text)}))


def _first(description: DualDescription, seed: int) -> Any:
    """The network as it is before its first step: the same for the same seed."""
    torch.manual_seed(chance_of(seed, _FIRST_WEIGHTS))
    try:
        return build(description)
    except (ValueError, TypeError) as error:    # what the recipe says that no network can have
        raise TrainingError(str(error).splitlines()[0]) from error


def _lessons(stores: Sequence[Path], spec: PolicySpec, seed: int, max_age_steps: int,
             corrections: str, normaliser: Normaliser | None = None) -> TrainingSet:
    try:
        return TrainingSet.open(stores, spec, seed=seed, normaliser=normaliser,
                                weigh=weigher(corrections), max_age_steps=max_age_steps,
                                followed=followed(corrections))
    except ValueError as error:     # its word for demonstrations that do not do
        raise TrainingError(str(error)) from error

"""The trainer's process: role "trainer" of worker.py.

Trains on from the version that drives, into a run of its own, while everything else goes on: it
follows the stores as they grow, publishes checkpoints as versions, measures each beside the version
that drives, and says how it goes. It lets everybody else run first. It may be killed at any moment:
the checkpoints before stay, and another trainer goes on from them. Knows a training and a link;
refuses to know who promotes what it publishes.
"""

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch

from policy.errors import TrainingError
from policy.runs.run_folder import RunFolder
from policy.training.curves import CurveLog
from policy.training.dual_training import DualTraining
from policy.training.loop import Trainer
from policy.training.progress import Report, Saved
from policy.training.schedule import Budget
from policy.versions import ledger
from policy.versions.measuring import Ask, Measuring
from recorders.clock import NS_PER_S
from studio.station.processes.bus import Endpoints, LatestPublisher, open_context
from studio.station.processes.priority import lower_priority
from studio.station.processes.wire import pack
from studio.station.processes.worker import Life
from studio.station.training.trainer_report import TrainerReport
from studio.station.training.training_link import TRAINING, TrainerState

FOLLOW_S = 2.0              # between two looks for new episodes
MEASURED_SHARE = 0.25       # of the time, at most, goes into measuring; the gate does what is left
TELL_NS = NS_PER_S // 4
OUT_OF_MEMORY = ("the trainer ran out of memory: the versions before stay and the arm is not "
                 "concerned; close something else, or give the trainer more")
# By Python, NumPy, torch, OpenCV and oneDNN; the last says no more than that.
_SAID_OF_MEMORY = ("allocate memory", "bad_alloc", "insufficient memory", "start new thread",
                   "could not create a primitive")


class TrainerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the trainer is told."""

    links: Endpoints
    run: str
    """Folder to train into."""
    parent: str
    """Run or checkpoint to go on from: what drives."""
    stores: tuple[str, ...]
    """What to learn from, as it grows."""
    method: str = "hg-dagger"
    minutes: float = 3.0
    publish_every_s: float = 30.0
    memory_mb: int = 0
    """How much memory it may take beyond what it begins with; 0: no limit."""
    count_from: int = 0
    """Versions count on from here, if that is more than the parent's."""
    resume: bool = False
    """Go on with the run, if one of its checkpoints is whole; begin it anew otherwise."""


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: train until the budget is used up or the supervisor wants an end.

    Raises:
        CheckpointError: the parent or the run cannot be used, or a version could not be saved.
        TrainingError: the demonstrations do not do, learning failed, or memory ran out.
        StoreError: as the stores' readers say.
    """
    told = msgspec.json.decode(config, type=TrainerConfig)
    lower_priority()
    torch.set_num_threads(1)
    with open_context() as context:
        link = LatestPublisher(context, told.links.training)
        if told.memory_mb:
            limit_memory(told.memory_mb)
        teller = _Teller(told, life, lambda state: link.publish(TRAINING, [pack(state)]))
        try:
            _train(told, life, teller)
        except Exception as error:
            if not means_no_memory(error):
                raise
            raise TrainingError(OUT_OF_MEMORY) from error
        finally:
            link.close()


def begin(told: TrainerConfig) -> DualTraining:
    """The training that is asked for, with its lessons read.

    Raises:
        CheckpointError, TrainingError, StoreError: as `DualTraining` says.
    """
    folder, stores = Path(told.run), [Path(store) for store in told.stores]
    budget = Budget(minutes=told.minutes)
    if told.resume and (folder / ledger.CONFIG).exists():
        if RunFolder.open(folder).newest_whole()[0] is not None:
            return DualTraining.resume(folder, stores, budget=budget)
        shutil.rmtree(folder)       # it was killed before its first version was whole
    parent = ledger.latest_of(Path(told.parent))
    seed = ledger.read_config(Path(parent.run)).get("seed", 0)      # its held-out episodes stay so
    return DualTraining.go_on(folder, stores, Path(parent.folder), seed=seed, budget=budget,
                              corrections=told.method, count_from=told.count_from)


def _train(told: TrainerConfig, life: Life, teller: "_Teller") -> None:
    teller.does("reading the demonstrations")
    training = begin(told)
    teller.report.learns_from(training.lessons.demonstrations)
    life.ready()
    with training.run.locked():
        publisher = _Publisher(told, life, teller, training)
        trainer = training.trainer(
            life.clock, [teller.report, publisher], publisher.between_steps,
            follow_every_s=FOLLOW_S, publish_every_s=told.publish_every_s)
        trainer.listen(CurveLog(training.run.path, trainer.step, teller.report.complain))
        publisher.trainer = trainer
        teller.does("")
        ending = trainer.train()
        if not ending.stopped:
            publisher.measure(lambda question: question(training.lessons))
    teller.does("")


class _Teller:
    """Says how it goes, some times a second and whenever something else is done."""

    def __init__(self, told: TrainerConfig, life: Life, say: Callable[[TrainerState], None]
                 ) -> None:
        self.report = TrainerReport(told.run, told.method)
        self._life, self._say, self._said_ns = life, say, 0

    def does(self, what: str) -> None:
        self.report.does(what)
        self._said_ns = 0
        self.turn()

    def turn(self) -> None:
        self._life.beat()
        now_ns = self._life.clock.now_ns()
        if now_ns - self._said_ns >= TELL_NS:
            self._said_ns = now_ns
            self._say(self.report.state)


class _Publisher:
    """Measures every version that was saved beside the one that drives; a listener.

    Attributes:
        trainer: which saves them.
    """

    def __init__(self, told: TrainerConfig, life: Life, teller: _Teller, training: DualTraining
                 ) -> None:
        self.trainer: Trainer | None = None
        self._told, self._life, self._teller, self._training = told, life, teller, training
        self._fresh: Path | None = None
        self._not_before_ns = 0

    def __call__(self, report: Report) -> None:
        """Take note of a version, and of what came to be learned from."""
        if isinstance(report, Saved):
            self._fresh = Path(report.checkpoint)
        self._teller.report.learns_from(self._training.lessons.demonstrations)

    def between_steps(self) -> bool:
        """Say how it goes, measure what is new; whether to end."""
        self._teller.turn()
        may = not self._life.stopping and self._life.clock.now_ns() >= self._not_before_ns
        if self.trainer is not None and may:
            self.measure(self.trainer.ask)
        return self._life.stopping

    def measure(self, ask: Ask) -> None:
        """The newest version, if there is one."""
        version, self._fresh = self._fresh, None
        if version is None:
            return
        self._teller.does(f"measuring version {int(version.name)}")
        measuring = Measuring(ask, self._training.seed, self._life.clock, self._teller.turn)
        figures = measuring.figures(version, Path(driving(self._told)))
        ledger.append(self._training.run.path, ledger.Entry(
            wall_ns=self._life.clock.wall_ns(), what="measured", version=int(version.name),
            figures=figures))
        self._not_before_ns = self._life.clock.now_ns() + round(
            figures.took_s * NS_PER_S * (1 / MEASURED_SHARE - 1))
        self._teller.does("")


def driving(told: TrainerConfig) -> str:
    """Folder of the version that drives by now: the parent, or what was promoted since."""
    folder = told.parent
    for entry in ledger.read_ledger(Path(told.run)):
        if entry.what == "promoted":
            folder = str(Path(told.run) / ledger.CHECKPOINTS / f"{entry.version:06d}")
        elif entry.what == "rolled back" and entry.to_run:
            folder = str(Path(entry.to_run) / ledger.CHECKPOINTS / f"{entry.to_version:06d}")
    return folder


def limit_memory(more_mb: int) -> None:
    """Let this process take only so much more address space than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + (more_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def means_no_memory(error: BaseException | None) -> bool:
    """Whether memory ran out, here or while something else was being handled."""
    while error is not None:
        words = str(error).lower()
        if isinstance(error, MemoryError) or any(said in words for said in _SAID_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False

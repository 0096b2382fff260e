"""`tandem train`: a policy out of demonstrations, while one watches.

Knows options, words and Ctrl-C. What is trained and how is policy/training/dual_training.py.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from studio.commands.bounds import require_training
from studio.commands.output import Answer, Progress, Screen, UsersMistakeError

if TYPE_CHECKING:
    from policy.training.dual_training import DualTraining
    from policy.training.loop import Ending
    from policy.training.progress import Report
    from policy.training.schedule import Budget

_MINUTES, _CONFIG = 10.0, "compact"
_FOLLOW_EVERY_S = 5.0
_PARTS = {"flow": "System 1", "speech": "System 2"}     # the losses shown, and whose they are


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a policy from demonstrations.

    The newest three checkpoints stay in the run's folder, beside curves.png, curves.rrd and
    metrics.jsonl. Ctrl-C ends after the step that is being made, with a checkpoint that can be
    used and gone on from.
    """

    stores: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of the stores to learn from."""
    to: Path
    """Folder of the run; it is made if it does not exist."""
    minutes: float | None = None
    """How long to train, all resumed parts together; 10 if neither this nor --steps is given."""
    steps: int | None = None
    """Train so many steps instead: with the same seed on a CPU, the same weights."""
    config: str | None = None
    """What to train: compact (if not given), compact-pretrained, smollm2, smolvlm2, paligemma,
    llama. A resumed run keeps its own."""
    set: tuple[str, ...] = ()
    """Other numbers than the config's, e.g. `--set dual.latents=8 train.optimizer.rate=1e-3`."""
    start: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Begin with the weights of another run or checkpoint, which stays as it is: to learn from
    corrections of it, give the old stores and the new."""
    corrections: str = "all"
    """How the policy's own doing and people's corrections weigh in recorded rollouts: all,
    hg-dagger, iwr, hindsight (hg-dagger, and the eye learns from what the policy did), sirius, rac;
    yay: what people said in System 2's place, for it alone."""
    resume: bool = False
    """Go on with the run in that folder, from its latest checkpoint. With the --steps or --minutes
    that it was begun with it goes on as if it had never stopped; with more it is not what so many
    from the start would have given: the learning rate falls towards the end that was asked for."""
    follow: bool = False
    """Learn from new episodes, too, while they are recorded into the stores."""
    seed: int | None = None
    """Of all chance; 0 if not given. A resumed run keeps its own."""
    threads: int = 1
    """Cores for arithmetic; one more is used now and then to read pictures."""
    cpu_time: bool = False
    """Count --minutes as work done (CPU time over --threads), not by the clock on the wall: the
    same training on a busy machine as on a quiet one."""
    device: str = "cpu"
    """Where to train: cpu, or cuda for a GPU."""
    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Train, and say how it went."""
        self._require_sense()
        # Here, because torch takes seconds to import: --help and a mistyped option need not wait.
        import torch

        from policy.data.batches import TrainingSet
        from policy.training.curves import CurveLog
        from recorders.clock import CpuClock, SystemClock

        torch.set_num_threads(self.threads)
        screen.say("reading the demonstrations …")
        training = self._training(screen)
        for problem in training.passed_over:
            screen.say(problem)
        lessons: TrainingSet = training.lessons
        screen.say(f"{len(lessons.demonstrations)} episodes to learn from, {len(lessons.held_out)} "
                   f"held out; {training.budget} of {self._what(training)}")
        with training.run.locked(), stop_on_ctrl_c() as stopping, \
                screen.progress("training", 100) as progress:
            narrator = Narrator(screen, progress)
            clock = CpuClock(self.threads) if self.cpu_time else SystemClock()
            trainer = training.trainer(clock, [narrator.on_report], stopping,
                                       follow_every_s=_FOLLOW_EVERY_S if self.follow else 0.0)
            self._require_left(training, trainer.share_used)
            trainer.listen(CurveLog(training.run.path, trainer.step, screen.say))
            try:
                ending = trainer.train()
            finally:
                pictures = _draw(training.run.path, screen)
        if ending.stopped:
            return self._stopped(screen, ending)
        return self._done(screen, training, ending, pictures)

    def _require_sense(self) -> None:
        """Refuse what cannot be done before anything heavy is imported."""
        if not self.stores:
            raise UsersMistakeError("which demonstrations? `tandem train STORE … --to RUN`")
        places = [store.resolve() for store in self.stores]
        if twice := next((one for one in places if places.count(one) > 1), None):
            raise UsersMistakeError(f"{twice} is given twice")
        require_training(self.minutes, self.steps, self.threads, self.seed or 0, self.device)
        if self.start is not None and (self.set or self.resume):
            raise UsersMistakeError("--from keeps the other run's config, and begins a run: leave "
                                    "out --set and --resume")
        if self.resume and self.corrections != "all":
            raise UsersMistakeError("a resumed run keeps its way with corrections: leave out "
                                    "--corrections")
        if self.resume and self.set:
            raise UsersMistakeError("a resumed run keeps its config: leave out --set, or train "
                                    "into another folder")

    def _training(self, screen: Screen) -> "DualTraining":
        import msgspec

        from policy.data.senses import within_reach
        from policy.training.configs import changed, recipe_of
        from policy.training.dual_training import DualTraining

        budget = self._budget()
        if self.resume:
            training = DualTraining.resume(self.to, self.stores, budget=budget, device=self.device)
            self._require_same(training.run.config)
            began = [store["name"] for store in training.run.config["stores"]]
            if began != (now := [store.resolve().name for store in self.stores]):
                screen.say(f"{self.to} was begun with {', '.join(began)}: it goes on with "
                           f"{', '.join(now)}")
            return training
        if self.start is not None:
            return DualTraining.go_on(self.to, self.stores, self.start, seed=self.seed or 0,
                                      budget=budget or _default_budget(), device=self.device,
                                      corrections=self.corrections)
        name = self.config or _CONFIG
        recipe = recipe_of(name)
        spec, missing = within_reach(recipe.spec, self.stores)
        for sense in missing:
            screen.say(sense)
        # What was asked for by name is insisted upon.
        recipe = changed(msgspec.structs.replace(recipe, spec=spec), self.set)
        if self.corrections != "all":
            recipe = changed(recipe, [f"train.corrections={self.corrections}"])
        return DualTraining.begin(self.to, self.stores, recipe, seed=self.seed or 0, name=name,
                                  budget=budget or _default_budget(), device=self.device)

    def _require_same(self, kept: dict[str, Any]) -> None:
        """Refuse what a resumed run would pass over."""
        for option, asked, its in (("--config", self.config, kept["name"]),
                                   ("--seed", self.seed, kept["seed"])):
            if asked not in (None, its):
                raise UsersMistakeError(f"{self.to} was begun with {option} {its}, and a resumed "
                                        f"run keeps it: leave out {option} {asked}, or train into "
                                        f"another folder")

    def _budget(self) -> "Budget | None":
        from policy.training.schedule import Budget

        if self.minutes is None and self.steps is None:
            return None
        return Budget(minutes=self.minutes, steps=self.steps)

    def _what(self, training: "DualTraining") -> str:
        cores = f"{self.threads} core{'s' if self.threads > 1 else ''}"
        return f"{training.run.config['name']} on {cores if self.device == 'cpu' else self.device}"

    def _require_left(self, training: "DualTraining", share_used: float) -> None:
        if share_used >= 1.0:
            steps, minutes = training.budget.steps, training.budget.minutes
            more = f"--steps {2 * steps}" if steps else f"--minutes {2 * (minutes or 1):g}"
            raise UsersMistakeError(f"{self.to} has had its {training.budget}: give it more, for "
                                    f"example `{more}`")

    def _stopped(self, screen: Screen, ending: "Ending") -> Answer:
        if ending.checkpoint is None:
            screen.say("stopped before the first step: nothing was kept")
        else:
            screen.say(f"stopped after {ending.minutes:.1f} minutes; {ending.checkpoint} can be "
                       f"used, and --resume goes on from it")
        raise KeyboardInterrupt

    def _done(self, screen: Screen, training: "DualTraining", ending: "Ending",
              pictures: list[str]) -> Answer:
        screen.print(f"trained {ending.step} steps in {ending.minutes:.1f} minutes: "
                     f"{ending.checkpoint}")
        if ending.metrics:
            screen.print("held out: " + ", ".join(f"{name} {value:.4g}"
                                                  for name, value in ending.metrics.items()))
        curves = f"curves: {', '.join(pictures)}; " if pictures else ""
        screen.say(f"{curves}`tandem eval {self.to}` drives with it")
        return Answer({"run": str(self.to), "checkpoint": str(ending.checkpoint),
                       "step": ending.step, "minutes": ending.minutes,
                       "held_out": ending.metrics,
                       "episodes": len(training.lessons.demonstrations)})


class Narrator:
    """Tells what a training does: a line that changes on a terminal, lines elsewhere."""

    def __init__(self, screen: Screen, progress: Progress) -> None:
        self._screen, self._progress = screen, progress
        self._held_out, self._newest = "", ""

    def on_report(self, report: "Report") -> None:
        """A report of the trainer."""
        from policy.training.progress import Grown, HeldOut, Learned, Problem

        match report:
            case Learned():
                self._newest = learned_line(report)
                self._progress.count(int(100 * report.share), 100)
                self._progress.now(" · ".join(filter(None, (self._newest, self._held_out))))
            case HeldOut():
                name, value = next(iter(report.metrics.items()), ("", float("nan")))
                self._held_out = f"held out {name} {value:.3f}" if name else ""
                if not self._screen.watched:
                    self._screen.say(f"{report.minutes:5.1f} min, step {report.step}: "
                                     f"{self._newest} · {self._held_out}")
            case Grown():
                self._screen.say(f"{report.episodes} episodes came or changed")
            case Problem():
                self._screen.say(report.what)


def learned_line(report: Any) -> str:
    """Losses of both systems, speed, time left."""
    shown = {_PARTS[name]: value for name, value in report.losses.items() if name in _PARTS}
    shown = shown or {"loss": report.losses["loss"]}
    left = f"{int(report.left_s) // 60}:{int(report.left_s) % 60:02d} left"
    return " · ".join([*(f"{name} {value:.3f}" for name, value in shown.items()),
                       f"{report.samples_per_s:.0f} samples/s", left])


@contextmanager
def stop_on_ctrl_c() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C, or SIGTERM, asks to stop; a second one does not wait."""
    asked: list[int] = []

    def ask(number: int, _frame: object) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:          # not the main thread: whoever embeds us stops us otherwise
        yield lambda: False
        return
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _default_budget() -> "Budget":
    from policy.training.schedule import Budget

    return Budget(minutes=_MINUTES)


def _draw(run: Path, screen: Screen) -> list[str]:
    """The curves as a picture and for Rerun; returns the files that were written."""
    from policy.training.curve_picture import draw_curves
    from policy.training.curves import PICTURE, VIEW, curves_of, read_reports, write_view
    from recorders.files import means_full, write_atomically

    curves = curves_of(read_reports(run))
    try:
        write_atomically(run / PICTURE, draw_curves(curves, run.name))
        write_view(curves, run / VIEW)
    except OSError as error:
        if not means_full(error):
            raise
        screen.say(f"no curves were drawn: the disk is full; {run / 'metrics.jsonl'} has them")
        return []
    return [str(run / PICTURE), str(run / VIEW)]

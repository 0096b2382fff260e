"""`tandem loop`: the whole loop, unattended: demonstrate, train, drive, correct, train again.

The scripted operator demonstrates, a policy is trained, it drives while a simulated person watches
and steps in, it learns from that, and again; every version is tried on the same held-out scenes.
Every step is another command's; this one knows their order and their sum.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.commands.bounds import require_at_least_one, require_finite
from studio.commands.evaluate import parse_seeds
from studio.commands.loop_steps import Steps
from studio.commands.output import Answer, Screen, UsersMistakeError

COLUMNS = ("stage", "version", "succeeded", "95 %", "operator s", "stepped in", "per minute",
           "ticks: policy", "person", "nobody", "lost")
DEMONSTRATIONS, ROLLOUTS = 2000, 3000       # first seeds of their scenes
APART = 1000                                # seeds are set apart so far for each purpose


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Demonstrate, train, drive together, correct and train again, on the simulated arm.

    Nobody need be there; Ctrl-C stops, and the same command goes on. Takes about 20 minutes on two
    cores. The scenes of --evaluate are never trained on.
    """

    to: Path = Path("out/loop")
    """Folder of everything that is made; a loop that was stopped goes on there."""
    task: str = "put-cube-in-bin"
    """What to learn; `tandem tasks` lists the tasks."""
    demonstrations: int = 25
    """How many demonstrations to begin with."""
    minutes: float = 3.0
    """How long the first training may take, of CPU time."""
    rounds: int = 2
    """How often to drive, correct and learn."""
    rollouts: int = 60
    """How many rollouts in a round."""
    tune_minutes: float = 2.0
    """How long each further training may take, of CPU time."""
    corrections: str = "hg-dagger"
    """How corrections weigh: all, hg-dagger, iwr, hindsight, sirius, rac."""
    rewind_s: float = 0.0
    """The person first goes back so far, to correct from where it went wrong (with rac)."""
    evaluate: str = "1000:1048"
    """Scenes on which each version is tried: the first seed and the one after the last."""
    beside: tuple[str, ...] = ()
    """Other tasks that the policy learns at first, and that nobody corrects: what it forgets."""
    control: bool = False
    """Also spend the same operator time on ordinary demonstrations, and train as long."""
    methods: tuple[str, ...] = ()
    """Also learn in these other ways from the same rollouts, as long; "none" has the first
    demonstrations alone."""
    seed: int = 0
    """Of all chance; scenes differ with it, too."""
    workers: int = 2
    """Processes that share an evaluation."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Do what is left of the loop, and print the table."""
        self._require_sense()
        self.to.mkdir(parents=True, exist_ok=True)
        versions = 1 + self.rounds + self.control + len(self.methods)
        tasks = 1 + len(self.beside)
        steps = Steps(self.to, screen, tasks + versions * (1 + tasks) + self.rounds + self.control)
        stages = [self._base(steps)]
        stages += self._rounds(steps)
        if self.control:
            stages.append(self._control(steps, stages[-1]["operator_s"]))
        stages += [self._otherwise(steps, method) for method in self.methods]
        screen.table("", (*COLUMNS, *self.beside), [row_of(stage) for stage in stages])
        screen.say(f"everything lies in {self.to}; the newest policy is "
                   f"{steps.path(f'round-{self.rounds}')}")
        return Answer({"task": self.task, "seed": self.seed, "corrections": self.corrections,
                       "evaluated_on": self.evaluate, "stages": stages})

    def _require_sense(self) -> None:
        from policy.data.correction_weights import METHODS
        from studio.sim.tasks import TASKS

        for name, words, valid in (("--methods", self.methods, ("none", *METHODS)),
                                   ("--corrections", (self.corrections,), (*METHODS,)),
                                   ("--task or --beside", (self.task, *self.beside), (*TASKS,))):
            if wrong := [word for word in words if word not in valid]:
                raise UsersMistakeError(f"{name} {wrong[0]!r}: valid are {', '.join(valid)}")
        seeds = parse_seeds(self.evaluate)
        if not (seeds.start >= 1000 and seeds.stop <= 2000):
            raise UsersMistakeError("--evaluate takes scenes from 1000 to 1999: others are driven "
                                    "or trained on")
        if min(self.rounds, self.rollouts, self.demonstrations) < 1 or not 0 <= self.seed < 5:
            raise UsersMistakeError("--rounds, --rollouts and --demonstrations are at least 1, and "
                                    "--seed is 0 to 4")
        require_at_least_one([("--workers", self.workers)])
        require_finite("--minutes", self.minutes, more_than=0)
        require_finite("--tune-minutes", self.tune_minutes, more_than=0)
        require_finite("--rewind-s", self.rewind_s)
        if self.to.exists() and not self.to.is_dir():
            raise UsersMistakeError(f"{self.to} is a file: --to names a folder")
        each = APART // 5
        if self.rounds * self.rollouts > each or self.demonstrations > each // 2:
            raise UsersMistakeError(f"there are scenes for {each} rollouts and {each // 2} "
                                    f"demonstrations with one --seed")

    # ---- steps -----------------------------------------------------------------------------------

    @property
    def _first_stores(self) -> list[str]:
        return ["demonstrations", *(f"demonstrations-{task}" for task in self.beside)]

    @property
    def _all_minutes(self) -> float:
        return self.rounds * self.tune_minutes

    def _base(self, steps: Steps) -> dict[str, Any]:
        for store, task in zip(self._first_stores, (self.task, *self.beside), strict=True):
            self._record(steps, store, task, self.demonstrations, 0)
        return self._version(steps, "base", self._first_stores, "", self.minutes)

    def _rounds(self, steps: Steps) -> list[dict[str, Any]]:
        from studio.commands.loop_count import counted

        stages, policy, stores, operator_s = [], "base", self._first_stores, 0.0
        back = ("--rewind-s", f"{self.rewind_s:g}") if self.rewind_s else ()
        for number in range(1, self.rounds + 1):
            name, store = f"round-{number}", f"rollouts-{number}"
            first = ROLLOUTS + self.seed * (APART // 5) + (number - 1) * self.rollouts
            drove = steps.do(
                store, "rollout", "--policy", str(steps.path(policy)), "--task", self.task,
                "--episodes", str(self.rollouts), "--seed", str(first), "--fast", "--teleop",
                "overseer", *back, "--delay-ms", "20", "10", "--record", str(steps.path(store)),
                about=f"{self.rollouts} rollouts of {policy}, watched by a simulated person")
            stores, operator_s = [*stores, store], operator_s + drove["operator_s"]
            stage = self._version(steps, name, stores, policy, self.tune_minutes, self.corrections)
            driven_min = sum(trial["duration_s"] for trial in drove["trials"]) / 60
            stages.append(stage | {
                "operator_s": operator_s, "interventions": drove["interventions"],
                "interventions_per_min": drove["interventions"] / driven_min,
                "ticks": counted(steps.path(store))})
            policy = name
        return stages

    def _control(self, steps: Steps, operator_s: float) -> dict[str, Any]:
        """The operator's time of all rounds spent on ordinary demonstrations."""
        from studio.commands.loop_count import lasted_s

        one_s = lasted_s(steps.path("demonstrations")) / self.demonstrations
        more = max(1, math.ceil(operator_s / one_s))
        self._record(steps, "demonstrations-more", self.task, more, self.demonstrations)
        stage = self._version(steps, "more demonstrations",
                              [*self._first_stores, "demonstrations-more"], "base",
                              self._all_minutes, "all")
        return stage | {"operator_s": lasted_s(steps.path("demonstrations-more"))}

    def _otherwise(self, steps: Steps, method: str) -> dict[str, Any]:
        """The same rollouts by another method, all at once; or none of them."""
        rollouts = [f"rollouts-{number}" for number in range(1, self.rounds + 1)]
        stores = self._first_stores + (rollouts if method != "none" else [])
        return self._version(steps, method, stores, "base", self._all_minutes,
                             method if method != "none" else "all")

    def _record(self, steps: Steps, store: str, task: str, episodes: int, past: int) -> None:
        first = DEMONSTRATIONS + self.seed * (APART // 5) + past
        steps.do(store, "record", "--task", task, "--episodes", str(episodes), "--seed", str(first),
                 "--to", str(steps.path(store)), "--fast", "--headless", "--perturbed",
                 about=f"{episodes} demonstrations of {task}")

    def _version(self, steps: Steps, name: str, stores: list[str], start: str, minutes: float,
                 corrections: str = "") -> dict[str, Any]:
        """Train a version, and see how often it succeeds."""
        folder = name.replace(" ", "-")
        begin = ("--from", str(steps.path(start)), "--corrections", corrections) if start else ()
        trained = steps.do(
            folder, "train", *(str(steps.path(store)) for store in stores), "--to",
            str(steps.path(folder)), *begin, "--minutes", f"{minutes:g}", "--cpu-time", "--seed",
            str(self.seed), about=f"{minutes:g} minutes of training: {name}")
        tried, *others = (self._try(steps, folder, task) for task in (self.task, *self.beside))
        return {"stage": name, "version": trained["step"], "successes": tried["successes"],
                "episodes": tried["episodes"], "wilson95": tried["wilson95"],
                "failed_seeds": tried["failed_seeds"],
                "beside": {task: [one["successes"], one["episodes"]]
                           for task, one in zip(self.beside, others, strict=True)},
                "operator_s": 0.0, "interventions": 0, "interventions_per_min": None, "ticks": {}}

    def _try(self, steps: Steps, folder: str, task: str) -> dict[str, Any]:
        name = f"{folder}-eval" if task == self.task else f"{folder}-eval-{task}"
        return steps.do(name, "eval", str(steps.path(folder)), "--task", task, "--seeds",
                        self.evaluate, "--delay-ms", "20", "10", "--workers", str(self.workers),
                        about=f"trying {folder}: {task}", makes=False)


def row_of(stage: dict[str, Any]) -> tuple[object, ...]:
    """A stage as a line of the table."""
    low, high = stage["wilson95"]
    rate, ticks = stage["interventions_per_min"], stage["ticks"]
    return (stage["stage"], stage["version"], f"{stage['successes']}/{stage['episodes']}",
            f"{low:.3f}–{high:.3f}", round(stage["operator_s"], 1),
            stage["interventions"] if rate is not None else "",
            "" if rate is None else f"{rate:.1f}",
            *(ticks.get(name, "") for name in ("policy", "person", "nobody", "lost")),
            *(f"{successes}/{episodes}" for successes, episodes in stage["beside"].values()))

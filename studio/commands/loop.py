"""`tandem loop`: the whole loop, unattended: demonstrate, train, drive, correct, train again.

The scripted operator demonstrates, a policy is trained, it drives while a simulated person watches
and steps in, it learns from that, and again; every version is tried on the same held-out scenes.
Every step is another command's; this one knows their order and their sum.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    corrections: str = "iwr"
    """How corrections weigh: all, hg-dagger, iwr, sirius, rac."""
    evaluate: str = "1000:1048"
    """Scenes on which each version is tried: the first seed and the one after the last."""
    control: bool = False
    """Also spend the same operator time on ordinary demonstrations, and train as long."""
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
        trained = 1 + self.rounds * (2 if self.control else 1)
        steps = Steps(self.to, screen, 1 + trained * 2 + self.rounds * (2 if self.control else 1))
        demos = steps.do("demonstrations", *self._record(steps.path("demonstrations"),
                                                         self.demonstrations, 0),
                         about=f"{self.demonstrations} demonstrations")
        base = self._train(steps, "base", ["demonstrations"], "", self.minutes)
        stages = [self._stage(steps, "base", base, demos, {})]
        stages += self._rounds(steps)
        if self.control:
            stages += self._controls(steps, demos, stages[1:])
        screen.table("", COLUMNS, [row_of(stage) for stage in stages])
        screen.say(f"everything lies in {self.to}; the newest policy is "
                   f"{steps.path(f'round-{self.rounds}')}")
        return Answer({"task": self.task, "seed": self.seed, "corrections": self.corrections,
                       "evaluated_on": self.evaluate, "stages": stages})

    def _require_sense(self) -> None:
        seeds = parse_seeds(self.evaluate)
        if not (seeds.start >= 1000 and seeds.stop <= 2000):
            raise UsersMistakeError("--evaluate takes scenes from 1000 to 1999: others are driven "
                                    "or trained on")
        if min(self.rounds, self.rollouts, self.demonstrations) < 1 or not 0 <= self.seed < 5:
            raise UsersMistakeError("--rounds, --rollouts and --demonstrations are at least 1, and "
                                    "--seed is 0 to 4")
        each = APART // 5
        if self.rounds * self.rollouts > each or self.demonstrations > each // 2:
            raise UsersMistakeError(f"there are scenes for {each} rollouts and {each // 2} "
                                    f"demonstrations with one --seed")

    # ---- steps -----------------------------------------------------------------------------------

    def _rounds(self, steps: Steps) -> list[dict[str, Any]]:
        from studio.commands.loop_count import counted

        stages, policy, stores, operator_s = [], "base", ["demonstrations"], 0.0
        for number in range(1, self.rounds + 1):
            name, store = f"round-{number}", f"rollouts-{number}"
            first = ROLLOUTS + self.seed * (APART // 5) + (number - 1) * self.rollouts
            drove = steps.do(
                store, "rollout", "--policy", str(steps.path(policy)), "--task", self.task,
                "--episodes", str(self.rollouts), "--seed", str(first), "--fast", "--teleop",
                "overseer", "--delay-ms", "20", "10", "--record", str(steps.path(store)),
                about=f"{self.rollouts} rollouts of {policy}, watched by a simulated person")
            stores.append(store)
            answer = self._train(steps, name, stores, policy, self.tune_minutes)
            operator_s += drove["operator_s"]
            policy = name
            stages.append(self._stage(steps, name, answer, drove, counted(steps.path(store)))
                          | {"operator_s": operator_s})
        return stages

    def _controls(self, steps: Steps, demos: dict[str, Any],
                  rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The operator's time of each round spent on ordinary demonstrations."""
        from studio.commands.loop_count import lasted_s

        stages, policy, stores = [], "base", ["demonstrations"]
        one_s = lasted_s(steps.path("demonstrations")) / self.demonstrations
        spent_s, recorded = 0.0, 0
        for number, beside in enumerate(rounds, 1):
            name, store = f"control-{number}", f"demonstrations-{number}"
            more = max(1, math.ceil((beside["operator_s"] - spent_s) / one_s))
            made = steps.do(store, *self._record(steps.path(store), more,
                                                 self.demonstrations + recorded),
                            about=f"{more} more demonstrations instead")
            recorded, spent_s = recorded + more, spent_s + lasted_s(steps.path(store))
            stores.append(store)
            answer = self._train(steps, name, stores, policy, self.tune_minutes, "all")
            policy = name
            stages.append(self._stage(steps, name, answer, made, {}) | {"operator_s": spent_s})
        return stages

    def _record(self, to: Path, episodes: int, past: int) -> tuple[str, ...]:
        first = DEMONSTRATIONS + self.seed * (APART // 5) + past
        return ("record", "--task", self.task, "--episodes", str(episodes), "--seed", str(first),
                "--to", str(to), "--fast", "--headless", "--perturbed")

    def _train(self, steps: Steps, name: str, stores: list[str], start: str, minutes: float,
               corrections: str = "") -> dict[str, Any]:
        begin = ("--from", str(steps.path(start)), "--corrections",
                 corrections or self.corrections) if start else ()
        return steps.do(name, "train", *(str(steps.path(store)) for store in stores), "--to",
                        str(steps.path(name)), *begin, "--minutes", f"{minutes:g}", "--cpu-time",
                        "--seed", str(self.seed),
                        about=f"{minutes:g} minutes of training: {name}")

    def _stage(self, steps: Steps, name: str, trained: dict[str, Any], before: dict[str, Any],
               ticks: dict[str, int]) -> dict[str, Any]:
        """A version: how it was made, and how often it succeeds."""
        tried = steps.do(f"{name}-eval", "eval", str(steps.path(name)), "--task", self.task,
                         "--seeds", self.evaluate, "--delay-ms", "20", "10", "--workers",
                         str(self.workers), about=f"trying {name}", makes=False)
        driven_min = sum(trial["duration_s"] for trial in before.get("trials", ())) / 60
        return {"stage": name, "version": trained["step"], "successes": tried["successes"],
                "episodes": tried["episodes"], "wilson95": tried["wilson95"],
                "failed_seeds": tried["failed_seeds"], "operator_s": 0.0,
                "interventions": before.get("interventions", 0),
                "interventions_per_min": before.get("interventions", 0) / driven_min
                if driven_min else None, "ticks": ticks}


def row_of(stage: dict[str, Any]) -> tuple[object, ...]:
    """A stage as a line of the table."""
    low, high = stage["wilson95"]
    rate, ticks = stage["interventions_per_min"], stage["ticks"]
    return (stage["stage"], stage["version"], f"{stage['successes']}/{stage['episodes']}",
            f"{low:.3f}–{high:.3f}", round(stage["operator_s"], 1),
            stage["interventions"] if rate is not None else "",
            "" if rate is None else f"{rate:.1f}",
            *(ticks.get(name, "") for name in ("policy", "person", "nobody", "lost")))

"""`tandem rollout`: a policy drives, live, beside a person who may take over.

Knows options, words and how an episode is summed up; the session itself is run by the station.
"""

import getpass
import math
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policy.statistics import wilson
from studio.commands.bounds import require_finite, require_image_size, require_seed
from studio.commands.device_fields import DeviceOptions
from studio.commands.evaluate import parse_delays
from studio.commands.output import Answer, Screen, UsersMistakeError
from studio.commands.rollout_task import Driven, task_and_words
from studio.commands.session_report import longest_s, require_session, store_to_fill
from studio.commands.session_run import run_and_tell
from studio.station.robots import (
    NOBODY,
    OVERSEER,
    SCRIPTS,
    is_simulated,
    operator_names,
    require_robot,
    script_for,
)

if TYPE_CHECKING:
    from studio.station.messages import Spread
    from studio.station.session import Outcome

_PERSONS_TIME_S = 300.0     # for one episode with somebody at the controls
_HALF = 0.5                 # a person's share of what both drive


@dataclass(frozen=True, kw_only=True)
class Rollout(DeviceOptions, Driven):
    """Let a policy drive in real time, shown live in Rerun.

    Moving the device takes over at once, letting go of it hands back; P lets the policy drive again
    after a hold. An episode ends at success, when its time is up, or by a key (they are shown).
    """

    episodes: int = 1
    """How many episodes to drive."""
    seed: int = 0
    """Episode i is set up with seed + i."""
    teleop: str = NOBODY
    """Who may take over: spacemouse, gamepad, keyboard, leader:<LeRobot type>, none; scripted
    (expert for gym:…) takes over at once, and the policy only watches; overseer, on sim, is a
    simulated person who steps in when the policy gets nowhere."""
    shared: bool = False
    """Who steps in drives together with the policy, each with half a say in every axis, instead of
    alone. At a desk's consoles it is set axis by axis."""
    rewind_s: float = 0.0
    """How far back --teleop overseer goes before it corrects; 0: it begins where the arm is."""
    record: Path | None = None
    """Folder of a store that keeps the episodes; it is made if it does not exist."""
    fast: bool = False
    """Run the simulator under a virtual clock, as fast as this machine can; for --teleop none or
    overseer."""
    delay_ms: tuple[float, float] = (0.0, 0.0)
    """With --fast: how long System 2 and System 1 are made to take."""
    headless: bool = False
    """Show no live view."""
    max_s: float = 0.0
    """Longest episode in s; 0: as long as the task allows."""
    image_size: tuple[int, int] = (240, 320)
    """Height and width of the simulated cameras' pictures, before the policy's own scaling."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Drive, and print how it went."""
        teleop = self.teleoperator
        options = self.robot_options()
        require_robot(self.robot, options)
        self._require_person()
        self._require_numbers()
        task, words = task_and_words(self.task, self.robot)
        if teleop in (NOBODY, OVERSEER):
            require_session(robot=self.robot, teleop=script_for(self.robot), task=task,
                            fast=self.fast, episodes=self.episodes)
            self._require_simulated_arm()
        elif teleop not in operator_names() and not teleop.startswith("leader:"):
            raise UsersMistakeError(f"unknown teleop {self.teleop!r}: valid are "
                                    f"{', '.join([NOBODY, OVERSEER, *operator_names()])}")
        else:
            require_session(robot=self.robot, teleop=teleop, task=task, fast=self.fast,
                            episodes=self.episodes)
        choice = self.choice(self.policy)
        # Here, because the station brings MuJoCo: --help and a mistyped option need not wait.
        from studio.station.launch import SessionRequest
        from studio.station.session import Outcome, SessionPlan

        attended = teleop not in (NOBODY, *SCRIPTS)
        request = SessionRequest(
            plan=SessionPlan(
                tasks=(task,) * self.episodes, seed=self.seed, attended=attended, policy=True,
                instruction=words, practice=self.record is None,
                max_duration_s=self.max_s or (
                    _PERSONS_TIME_S if attended and teleop != OVERSEER
                    else longest_s([task], self.robot)),
                operator=self._operator(attended),
                human_share=_HALF if self.shared else 1.0),
            robot=self.robot, robot_options=options, teleop=teleop, store=str(self.record or ""),
            fast=self.fast, live=not (self.headless or self.fast), image_size=self.image_size,
            policy=choice, teleop_options=self.teleop_options()
            | ({"rewind_s": self.rewind_s} if self.rewind_s else {}),
            delays=parse_delays(*self.delay_ms))
        outcomes: list[Outcome] = []
        with store_to_fill(screen, self.record) if self.record else nullcontext():
            problem = run_and_tell(screen, request, f"{words or task}", outcomes)
        summary = summarise(outcomes, self.act_every)
        _print(screen, summary)
        if problem:
            screen.say(f"the session ended early: {problem}")
        return Answer({"policy": self.policy, "task": task, "instruction": words,
                       "problem": problem, **summary},
                      ok=not problem and len(outcomes) == self.episodes)

    def _operator(self, attended: bool) -> str:
        if self.teleop == OVERSEER:
            return f"policy, {OVERSEER}"
        return getpass.getuser() if attended else "policy"

    def _require_person(self) -> None:
        if not is_simulated(self.robot) and self.teleop in (NOBODY, *SCRIPTS, OVERSEER):
            raise UsersMistakeError(f"{self.robot} is a real robot: nobody leaves it alone with a "
                                    "policy; choose who may take over with --teleop")

    def _require_numbers(self) -> None:
        require_seed(self.seed)
        require_finite("--max-s", self.max_s)
        require_finite("--rewind-s", self.rewind_s)
        require_image_size(self.image_size)

    def _require_simulated_arm(self) -> None:
        if self.teleop == OVERSEER and self.robot != "sim":
            raise UsersMistakeError(f"--teleop {OVERSEER} knows the simulated arm only: leave out "
                                    f"--robot {self.robot}")
        if self.shared and self.teleop == NOBODY:
            raise UsersMistakeError("--shared is for somebody who steps in: choose who with "
                                    "--teleop")
        if self.rewind_s and self.teleop != OVERSEER:
            raise UsersMistakeError(f"--rewind-s is for --teleop {OVERSEER}: others go back by "
                                    "themselves")
        if self.delay_ms != (0.0, 0.0) and not self.fast:
            raise UsersMistakeError("--delay-ms is for --fast: in real time the systems take what "
                                    "they take")


def summarise(outcomes: "list[Outcome]", act_every: int) -> dict[str, Any]:
    """What the episodes say together, as `--json` shows it; times are of the machine.

    Args:
        outcomes: in order.
        act_every: steps of a chunk that are played before the next one.
    """
    driven = [(o, o.policy) for o in outcomes if o.policy is not None]
    seconds = math.fsum(o.duration_s for o, _ in driven) or math.nan
    calls = sum(p.system1_calls for _, p in driven)
    successes = sum(o.detector == "success" for o in outcomes)
    return {
        "successes": successes, "episodes": len(outcomes),
        "wilson95": list(wilson(successes, len(outcomes))),
        "failed_seeds": [o.seed for o in outcomes if o.detector != "success"],
        "system1_calls_per_s": calls / seconds, "actions_per_s": act_every * calls / seconds,
        "system2_hz": sum(p.system2_runs for _, p in driven) / seconds,
        "latency_ms": worst([p.latency_ms for _, p in driven]),
        "system1_ms": worst([p.act_ms for _, p in driven]),
        "system2_ms": worst([p.think_ms for _, p in driven]),
        "answer_ms": worst([p.answer_ms for _, p in driven]),
        "latent_age_ms": worst([p.age_ms for _, p in driven]),
        "deadline_ms": max((p.deadline_ms for _, p in driven), default=math.nan),
        **{name: sum(getattr(p, name) for _, p in driven) for name in (
            "deadline_misses", "system1_calls", "system2_runs", "held", "slowed", "spoiled",
            "refused", "dry_ticks")},
        "interventions": sum(o.interventions for o in outcomes),
        "operator_s": math.fsum(o.operator_s for o in outcomes),
        "weights_version": max((p.weights_version for _, p in driven), default=0),
        "trials": [{"seed": o.seed, "detector": o.detector, "duration_s": o.duration_s,
                    "why": o.why, "episode": o.episode,
                    "interventions": o.interventions, "operator_s": o.operator_s,
                    "subtask": o.policy.subtask if o.policy else "",
                    "understood": o.policy is None or o.policy.understood} for o in outcomes],
    }


def worst(spreads: "list[Spread]") -> dict[str, float]:
    """Of every episode's median, 99th percentile and maximum the largest; NaN without any."""
    return {name: max((value for s in spreads if not math.isnan(value := getattr(s, name))),
                      default=math.nan) for name in ("p50", "p99", "max")}


def _print(screen: Screen, summary: dict[str, Any]) -> None:
    low, high = summary["wilson95"]
    screen.table("", ("", ""), [
        ("succeeded", f"{summary['successes']} of {summary['episodes']}, 95 % interval "
                      f"{low:.3f} – {high:.3f}"),
        ("failed seeds", " ".join(map(str, summary["failed_seeds"])) or "none"),
        ("stepped in", f"{summary['interventions']} times, {summary['operator_s']:.1f} s"),
        ("System 1", f"{summary['system1_calls_per_s']:.1f} calls/s, "
                     f"{summary['actions_per_s']:.0f} actions/s; {_ms(summary['system1_ms'])} a "
                     f"call"),
        ("System 2", f"{summary['system2_hz']:.2f} Hz; {_ms(summary['system2_ms'])} a run"),
        ("said at last", ", ".join(
            repr(t["subtask"]) if t["understood"] else "that it does not understand"
            for t in summary["trials"]) or "nothing"),
        ("observation to command", _ms(summary["latency_ms"])),
        ("picture to chunk", f"{_ms(summary['answer_ms'])}; {summary['deadline_misses']} of "
                             f"{summary['system1_calls']} later than "
                             f"{summary['deadline_ms']:.0f} ms"),
        ("age of the latent", _ms(summary["latent_age_ms"])),
        ("arm held", f"{summary['dry_ticks']} ticks after a chunk ran dry; {summary['held']} turns "
                     f"for want of a latent; {summary['spoiled']} spoiled chunks")])


def _ms(shown: dict[str, float]) -> str:
    if math.isnan(shown["p50"]):
        return "–"
    return (f"median {shown['p50']:.3g} ms, p99 {shown['p99']:.3g} ms, at most "
            f"{shown['max']:.3g} ms")

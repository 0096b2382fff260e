"""Whether help is asked for before a rollout fails, and how often it is asked for in vain.

Tries a run with calibrated alerts (`tandem alerts RUN STORE…`) under the virtual clock on scenes
that neither its training nor its calibration saw: as they are, with the asked cube moved far away
as the hand comes, with the front camera covered, and with the gripper stuck. Alerts change nothing
here: nobody answers them. A failure counts as found in time if the first alert came at least so
long before the trial was over; an alert in a success counts as false, mishap or not. F1 is printed
for several such lead times, beside the false alarms in undisturbed successes with their interval.

Run it with `python tests/bench/alerts.py RUN [--task put-cube-in-bin] [--workers 2]`; it writes
out/bench/alerts.json, or where --to says.
"""

import json
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from policy.driving.two_speeds import Delays
from policy.monitoring.calibration import Calibration
from policy.statistics import wilson
from policy.training.provenance import mark_code
from studio.sim.mishaps import Mishaps
from studio.station.trying.evaluation_jobs import EvaluationJob, run_jobs
from studio.station.trying.trials import Trial, Trials

LEADS_S = (0.5, 1.0, 2.0, 4.0)
MOVED = {"bump_chance": 1.0, "bump_m": (0.08, 0.14)}


@dataclass(frozen=True)
class Bench:
    """What to try."""

    run: Annotated[Path, tyro.conf.Positional]
    task: str = "put-cube-in-bin"
    undisturbed: int = 96
    """Scenes from 1700 on."""
    disturbed: int = 24
    """Scenes for each mishap, from 1800, 1840 and 1880 on."""
    delay_ms: tuple[float, float] = (20.0, 10.0)
    """How long System 2 and System 1 are made to take."""
    workers: int = 1
    to: Path = Path("out/bench/alerts.json")


def main(bench: Bench) -> int:
    """Try, print and write."""
    calibration = Calibration.load(bench.run)
    if calibration is None:
        print(f"{bench.run} has no calibrated alerts: record rollouts with `tandem rollout --fast "
              f"--record STORE`, then `tandem alerts {bench.run} STORE`", file=sys.stderr)
        return 2
    if not (0 < bench.undisturbed <= 100 and 0 < bench.disturbed <= 40):
        print("at most 100 undisturbed and 40 disturbed scenes are set apart", file=sys.stderr)
        return 2
    tried = {name: try_scenes(bench, first, count, **what) for name, first, count, what in (
        ("undisturbed", 1700, bench.undisturbed, {}),
        ("cube moved", 1800, bench.disturbed, {"disturbance": MOVED}),
        ("camera covered", 1840, bench.disturbed, {"mishaps": Mishaps(cover_chance=1.0)}),
        ("gripper stuck", 1880, bench.disturbed, {"mishaps": Mishaps(stick_chance=1.0)}))}
    words = ["RUN" if word == str(bench.run) else word for word in sys.argv]
    result = {"command": " ".join(["python", *words]), "machine": platform.machine(),
              "run": bench.run.name, "version": calibration.weights_version,
              "code": mark_code().commit, "calibrated_on": calibration.band.successes,
              "alpha": calibration.band.alpha, **judged(tried)}
    bench.to.parent.mkdir(parents=True, exist_ok=True)
    bench.to.write_text(json.dumps(result, indent=1) + "\n")
    show(result)
    return 0


def try_scenes(bench: Bench, first: int, count: int, **what: object) -> list[Trial]:
    """The trials of some scenes."""
    trials = Trials(task=bench.task, seeds=tuple(range(first, first + count)),
                    delays=Delays(think_s=bench.delay_ms[0] / 1e3, act_s=bench.delay_ms[1] / 1e3),
                    **what)                                     # type: ignore[arg-type]
    done: list[Trial] = []

    def on_trial(trial: Trial) -> None:
        done.append(trial)
        print(f"\r{first}: {len(done)} of {count}", end="", file=sys.stderr, flush=True)

    run_jobs(EvaluationJob(policy=str(bench.run), trials=trials), bench.workers, on_trial)
    print(file=sys.stderr)
    return sorted(done, key=lambda trial: trial.seed)


def judged(tried: dict[str, list[Trial]]) -> dict[str, object]:
    """Figures by kind of scene, and F1 over all of them."""
    everything = [trial for trials in tried.values() for trial in trials]
    plain = [trial for trial in tried["undisturbed"] if trial.success_s is not None]
    false = sum(bool(trial.alerts) for trial in plain)
    return {
        "scenes": {name: of_kind(trials) for name, trials in tried.items()},
        "false_alarms": {"successes": len(plain), "alerted": false,
                         "wilson95": list(wilson(false, len(plain)))},
        "f1": {f"{lead:g}": f1(everything, lead) for lead in LEADS_S},
    }


def of_kind(trials: list[Trial]) -> dict[str, object]:
    """Of one kind of scene."""
    failed = [trial for trial in trials if trial.success_s is None]
    leads = [trial.duration_s - trial.alerts[0][0] for trial in failed if trial.alerts]
    signals = [trial.alerts[0][1] for trial in trials if trial.alerts]
    return {"trials": len(trials), "failed": len(failed), "found": len(leads),
            "median_lead_s": float(np.median(leads)) if leads else None,
            "alerted_successes": sum(bool(t.alerts) for t in trials if t.success_s is not None),
            "first_signals": {name: signals.count(name) for name in sorted(set(signals))},
            "failed_seeds_without_alert": [t.seed for t in failed if not t.alerts]}


def f1(trials: list[Trial], lead_s: float) -> dict[str, float]:
    """Precision, recall and F1 for alerts at least so long before the end."""
    failed = [trial for trial in trials if trial.success_s is None]
    found = sum(bool(t.alerts) and t.duration_s - t.alerts[0][0] >= lead_s for t in failed)
    false = sum(bool(t.alerts) for t in trials if t.success_s is not None)
    precision, recall = found / max(found + false, 1), found / max(len(failed), 1)
    return {"precision": precision, "recall": recall,
            "f1": 2 * precision * recall / max(precision + recall, 1e-9)}


def show(result: dict) -> None:
    """The tables."""
    table = Table("scenes", "trials", "failed", "found", "median lead", "alerts in successes",
                  "first signal")
    for name, of in result["scenes"].items():
        lead = of["median_lead_s"]
        table.add_row(name, *(str(of[key]) for key in ("trials", "failed", "found")),
                      "–" if lead is None else f"{lead:.1f} s", str(of["alerted_successes"]),
                      ", ".join(f"{signal} {n}" for signal, n in of["first_signals"].items()))
    console = Console()
    console.print(table)
    false = result["false_alarms"]
    console.print(f"false alarms in undisturbed successes: {false['alerted']} of "
                  f"{false['successes']}, 95 % interval {false['wilson95'][0]:.3f} – "
                  f"{false['wilson95'][1]:.3f}")
    console.print(*(f"F1 at a lead of {lead} s: {one['f1']:.2f} (precision {one['precision']:.2f}, "
                    f"recall {one['recall']:.2f})" for lead, one in result["f1"].items()), sep="\n")


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Bench)))

"""Whether corrections help, and more than the same operator time spent on demonstrations.

Runs `tandem loop` once for each training seed (what was done is not done again), each with scenes
of its own for demonstrations and rollouts and the same held-out scenes for every version, and adds
the seeds up: successes with Wilson interval, operator's seconds, interventions per minute. Versions
were tried on the same scenes by policies of the same seed, so two of them are also compared pair
by pair: how often one succeeded where the other failed, and the exact two-sided sign test of that.

Run it with `python tests/bench/corrections.py --seeds 0 1 2`; about 45 minutes of one core for each
seed. It writes out/bench/corrections.json, or where --to says; the loops lie in --folder.
"""

import json
import math
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from policy.statistics import wilson
from policy.training.provenance import mark_code


@dataclass(frozen=True)
class Bench:
    """What to run."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the trainings, 0 to 4."""
    words: str = ("--control --rounds 2 --rollouts 80 --tune-minutes 3 --evaluate 1000:1100 "
                  "--workers 1")
    """Further words for `tandem loop`, as --words="--rounds 1 --methods none iwr"."""
    folder: Path = Path("out/corrections")
    """Where the loops lie."""
    to: Path = Path("out/bench/corrections.json")


def main(bench: Bench) -> int:
    """Run, add up, print and write."""
    loops = [run_loop(bench, seed) for seed in bench.seeds]
    if not all(loops):
        return 2
    result = {"command": shlex.join(["python", *sys.argv]), "machine": platform.machine(),
              "code": mark_code().commit, "loop": bench.words.split(), "seeds": list(bench.seeds),
              **added_up(loops)}
    bench.to.parent.mkdir(parents=True, exist_ok=True)
    bench.to.write_text(json.dumps(result, indent=1) + "\n")
    show(result)
    return 0


def run_loop(bench: Bench, seed: int) -> dict[str, Any]:
    """A loop's answer; empty if it failed, which it has said itself."""
    command = [sys.executable, "-m", "studio.cli", "loop", "--seed", str(seed), "--to",
               str(bench.folder / f"seed{seed}"), *bench.words.split(), "--json"]
    ran = subprocess.run(command, stdout=subprocess.PIPE)
    return json.loads(ran.stdout) if ran.returncode == 0 else {}


def added_up(loops: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All seeds together, stage by stage, and how the last round compares with the others."""
    names = [stage["stage"] for stage in loops[0]["stages"]]
    stages = {name: [next(one for one in loop["stages"] if one["stage"] == name)
                     for loop in loops] for name in names}
    final = [name for name in names if name.startswith("round-")][-1]
    return {"evaluated_on": loops[0]["evaluated_on"], "corrections": loops[0]["corrections"],
            "stages": {name: of_stage(each) for name, each in stages.items()},
            "compared": {f"{final} and {name}": paired(stages[final], stages[name])
                         for name in names if name != final}}


def of_stage(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One version of every seed."""
    successes, episodes = (sum(one[key] for one in each) for key in ("successes", "episodes"))
    rates = [one["interventions_per_min"] for one in each]
    return {"successes": successes, "episodes": episodes,
            "wilson95": list(wilson(successes, episodes)),
            "each_seed": [one["successes"] for one in each],
            "operator_s": [round(one["operator_s"], 1) for one in each],
            "interventions": [one["interventions"] for one in each],
            "interventions_per_min": None if None in rates else [round(r, 2) for r in rates],
            "lost_ticks": sum(one["ticks"].get("lost", 0) for one in each),
            "beside": {task: [sum(one["beside"][task][k] for one in each) for k in (0, 1)]
                       for task in each[0]["beside"]},
            "failed_seeds": [one["failed_seeds"] for one in each]}


def paired(ours: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Scenes in which one version succeeded and the other failed."""
    won = sum(len(set(b["failed_seeds"]) - set(a["failed_seeds"]))
              for a, b in zip(ours, others, strict=True))
    lost = sum(len(set(a["failed_seeds"]) - set(b["failed_seeds"]))
               for a, b in zip(ours, others, strict=True))
    return {"won": won, "lost": lost, "p": sign_test(won, lost)}


def sign_test(won: int, lost: int) -> float:
    """Two-sided and exact: how likely so uneven a split is if neither is better."""
    n, fewer = won + lost, min(won, lost)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2 ** n)


def show(result: dict[str, Any]) -> None:
    """The tables."""
    table = Table("version", "succeeded", "95 %", "each seed", "operator s", "interventions/min",
                  *next(iter(result["stages"].values()))["beside"])
    for name, of in result["stages"].items():
        rates, (low, high) = of["interventions_per_min"], of["wilson95"]
        table.add_row(name, f"{of['successes']}/{of['episodes']}", f"{low:.3f}–{high:.3f}",
                      " ".join(map(str, of["each_seed"])),
                      " ".join(map(str, of["operator_s"])) if any(of["operator_s"]) else "",
                      " ".join(map(str, rates)) if rates else "",
                      *(f"{successes}/{tried}" for successes, tried in of["beside"].values()))
    console = Console()
    console.print(table)
    for pair, of in result["compared"].items():
        console.print(f"{pair}: better in {of['won']} scenes, worse in {of['lost']}; "
                      f"sign test p = {of['p']:.2g}")


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Bench)))

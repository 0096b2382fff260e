"""How fast a trained policy's two systems are here: each alone, and both while an arm is driven.

Alone: every call on observations of one scene of the simulator, one after the other, after some
that do not count. Driving: `tandem rollout` in real time, simulator, station and the policy's
process on this machine, System 2 in slices before every call of System 1. Quiet machine wanted: the
load is printed.

    python tests/bench/rates.py runs/x --threads 1 --task put-cube-in-bin [--json]
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import msgspec
import torch

from policy.interfaces import Chunk, Held, Latent, Observation, Policy
from policy.runs.checkpoints import load_policy
from policy.statistics import shares
from recorders.clock import SystemClock
from studio.station.trying.evaluation import ProvingGround
from studio.station.trying.trials import Trials

SCENE = 1700                # of the observations; the scenes that are driven follow
WATCHED_S = 4.0             # of robot time, from which observations are kept
WARM_UPS = 20
RATIO = "1:1"               # as often as System 2 can ever be asked


class Keeping:
    """A policy that keeps what it is shown."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.spec, self.weights_version = policy.spec, policy.weights_version
        self.observations: list[Observation] = []

    def reset(self, seed: int = 0) -> None:
        """As the policy does."""
        self._policy.reset(seed)

    def think(self, observation: Observation) -> Latent:
        """As the policy does, but whatever it understood: speed is asked for, not sense."""
        return msgspec.structs.replace(self._policy.think(observation), understood=True)

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        """As the policy does, and keep the observation."""
        self.observations.append(observation)
        return self._policy.act(observation, latent, held)


def observed(policy: Policy, task: str) -> list[Observation]:
    """What the policy sees in a few seconds of a trial."""
    keeping = Keeping(policy)
    trials = Trials(task=task, seeds=(SCENE,), max_s=WATCHED_S)
    with ProvingGround(trials, keeping, SystemClock()) as ground:
        ground.trial(SCENE)
    if not keeping.observations:
        raise SystemExit("System 1 was never called")
    return keeping.observations


def timed(call: Callable[[int], object], times: int) -> list[float]:
    """Milliseconds of each of so many calls, each told its number."""
    took_ms = []
    for number in range(WARM_UPS + times):
        begun = time.perf_counter_ns()
        call(number)
        if number >= WARM_UPS:
            took_ms.append((time.perf_counter_ns() - begun) / 1e6)
    return took_ms


def alone(run: str, task: str, times: int) -> dict[str, float]:
    """Each system by itself, in this process."""
    policy = load_policy(run)
    seen = observed(policy, task)
    latent = policy.think(seen[0])
    found: dict[str, float] = {}
    for name, call in (
            ("system1", lambda number: policy.act(seen[number % len(seen)], latent)),
            ("system2", lambda number: policy.think(seen[number % len(seen)]))):
        took_ms = timed(call, times)
        spread = shares(took_ms)
        found |= {f"{name}_ms_p50": spread["p50"], f"{name}_ms_p99": spread["p99"],
                  f"{name}_per_s": 1000 * len(took_ms) / sum(took_ms)}
    return found | {"actions_per_s": policy.spec.steps * found["system1_per_s"],
                    "chunk_steps": policy.spec.steps}


def driving(run: str, task: str, threads: int, episodes: int) -> dict[str, float]:
    """Both systems while an arm is driven in real time."""
    done = subprocess.run(
        [sys.executable, "-m", "studio.cli", "rollout", "--policy", run, "--task", task,
         "--episodes", str(episodes), "--seed", str(SCENE + 1), "--ratio", RATIO, "--threads",
         str(threads), "--headless", "--json"],
        stdout=subprocess.PIPE, check=False, text=True)
    answer: dict[str, Any] = json.loads(done.stdout or "{}")
    if "deadline_misses" not in answer:
        raise SystemExit(f"tandem rollout did not end well: {answer.get('error', done.returncode)}")
    return {"driving_calls_per_s": answer["system1_calls_per_s"],
            "driving_system2_hz": answer["system2_hz"],
            "driving_calls": answer["system1_calls"],
            "deadline_ms": answer["deadline_ms"], "deadline_misses": answer["deadline_misses"],
            **{f"driving_{name}_{share}": answer[name][share] for share in ("p50", "p99")
               for name in ("latency_ms", "answer_ms", "system1_ms", "system2_ms")}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder of a run or a checkpoint")
    parser.add_argument("--task", default="put-cube-in-bin")
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--times", type=int, default=300, help="calls of each system alone")
    parser.add_argument("--episodes", type=int, default=3, help="driven in real time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    load = os.getloadavg()[0]
    found = {"threads": chosen.threads, "load": load, "times": chosen.times,
             **alone(chosen.run, chosen.task, chosen.times),
             **driving(chosen.run, chosen.task, chosen.threads, chosen.episodes)}
    if chosen.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value:.4g}")


if __name__ == "__main__":
    main()

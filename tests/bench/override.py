"""What becomes of a plan that a person bends, and how smoothly chunks are joined.

A trained policy tries the same scenes in the simulator under the virtual clock, its calls being
made to take the time given. In the first table it drives alone, its chunks joined in each of the
four ways. In the second a simulated person, who asks for nothing sensible, drags a point of the
plan sideways or up every second: 14 steps ahead, by up to 4 cm, by the command that consoles send.
The policy is told and plans the rest around it, or is not told and the player bends its chunks
alone. The error is that of the tool at the fixed moment, as commanded and as measured: it counts
what the limiter and the arm make of it. Smoothness is that of the joints as they were commanded,
without the gripper: the arm's limits bound it, whoever plans.

Run it as `python tests/bench/override.py RUN [--seeds 5000:5008] [--json]`. Writes
out/bench/override.json. Seeds 1700 to 1731 are for figures that are printed.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")   # before NumPy

import msgspec
import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from policy.driving.two_speeds import Delays
from policy.interfaces import Chunk, Held, Latent, Observation, Policy
from policy.runs.checkpoints import load_policy
from policy.statistics import wilson
from recorders.clock import NS_PER_S, SystemClock
from studio.station.chunks.joining import Join
from studio.station.chunks.override_commands import FixChunk, FixedStep
from studio.station.chunks.shown_plan import Override
from studio.station.loop.control_loop import TickRecord
from studio.station.messages import Mode
from studio.station.station import Station
from studio.station.trying.evaluation import ProvingGround
from studio.station.trying.trials import Trial, Trials

OUT = Path("out/bench/override.json")
JOINS: tuple[Join, ...] = ("guided", "latest", "ensemble", "weighted-average")
EVERY_NS, AHEAD, FARTHEST_M = NS_PER_S, 14, 0.04
LOWEST_M = 0.09             # below it a cube is being grasped: there nothing is dragged
AXES = 3


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a training run."""
    seeds: str = "5000:5008"
    """First seed and the one after the last."""
    task: str = "put-cube-in-bin"
    """What to try."""
    delay_ms: tuple[float, float] = (40.0, 40.0)
    """How long System 2 and System 1 are made to take."""
    json: bool = False
    """Print one JSON object instead of the tables."""


class NotTold:
    """A policy that hears nothing of what is decided already."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.spec, self.weights_version = policy.spec, policy.weights_version

    def reset(self, seed: int = 0) -> None:
        """A new episode."""
        self._policy.reset(seed)

    def think(self, observation: Observation) -> Latent:
        """System 2."""
        return self._policy.think(observation)

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        """System 1."""
        return self._policy.act(observation, latent)


class Watcher:
    """Writes down what the joints are told; drags points, if it is to.

    Attributes:
        errors_m: (commanded, measured) at every fixed moment that was reached in AUTO.
        refused: drags that came too late.
        ended: drags whose plan a guard ended before their moment: the arm touched something.
    """

    def __init__(self, station: Station, *, drags: bool) -> None:
        self._station, self._drags = station, drags
        self._rng = np.random.default_rng(0)
        self._next_ns = 0
        self._wanted: tuple[int, int, float] | None = None      # moment, axis, value
        self._spans: list[list[np.ndarray]] = [[]]
        self.errors_m: list[tuple[float, float]] = []
        self.refused = self.ended = 0

    def begin(self, seed: int) -> None:
        """Another scene."""
        self._rng, self._next_ns, self._wanted = np.random.default_rng(seed), 0, None
        self._spans.append([])

    def on_tick(self, tick: TickRecord) -> None:
        """As a subscriber of the loop."""
        row = tick.row[0]
        if row["mode"] != Mode.AUTO:
            self._spans.append([])
            self._wanted = None
            return
        self._spans[-1].append(row["sent"][:-1].copy())
        if self._wanted is not None and tick.stamp_ns < self._wanted[0] \
                and not row["override"] & Override.FIXED:
            self._wanted, self.ended = None, self.ended + 1
        if self._wanted is not None and tick.stamp_ns >= self._wanted[0]:
            _, axis, value = self._wanted
            self._wanted = None
            measured = tick.latest["arm"]["tool_pose"][axis]
            self.errors_m.append((abs(float(row["sent_tool"][axis]) - value),
                                  abs(float(measured) - value)))
        if self._drags and tick.stamp_ns >= self._next_ns and row["sent_tool"][2] > LOWEST_M:
            self._drag(tick.stamp_ns)

    def motion(self) -> tuple[float, float]:
        """Root mean square acceleration (rad/s²) and jerk (rad/s³) of the joints."""
        spans = [np.array(span) for span in self._spans if len(span) > 4]
        dt_s = 1 / self._station.loop.spec.rate_hz
        return (_rms([np.diff(span, 2, axis=0) / dt_s**2 for span in spans]),
                _rms([np.diff(span, 3, axis=0) / dt_s**3 for span in spans]))

    def _drag(self, now_ns: int) -> None:
        player = self._station.loop.player
        if player is None or (plan := player.shown()) is None or plan.step > 4:
            return
        self._next_ns = now_ns + EVERY_NS
        axis = int(self._rng.integers(AXES))
        value = plan.targets[AHEAD][axis] + float(self._rng.uniform(-FARTHEST_M, FARTHEST_M))
        values: list[float | None] = [None] * len(plan.targets[AHEAD])
        values[axis] = value
        reply = self._station.handle(FixChunk(plan.chunk_id, (FixedStep(AHEAD, tuple(values)),)))
        if not reply.accepted:
            self.refused += 1
            return
        left = next(one.step for one in self._shown_fixed() if one.values[axis] == value)
        steps = player.overriding.known[plan.chunk_id]
        self._wanted = steps.at(left), axis, value

    def _shown_fixed(self) -> Sequence[FixedStep]:
        player = self._station.loop.player
        shown = None if player is None else player.shown()
        return () if shown is None else shown.fixed


def measure(options: Options, policy: Policy, *, join: Join, drags: bool) -> dict[str, Any]:
    """One row of a table."""
    first, last = map(int, options.seeds.split(":"))
    think_ms, act_ms = options.delay_ms
    trials = Trials(task=options.task, seeds=tuple(range(first, last)), join=join,
                    delays=Delays(think_s=think_ms / 1000, act_s=act_ms / 1000))
    done: list[Trial] = []
    with ProvingGround(trials, policy, SystemClock()) as ground:
        watcher = Watcher(ground.station, drags=drags)
        ground.station.loop.subscribers.append(watcher)
        for seed in trials.seeds:
            watcher.begin(seed)
            done.append(ground.trial(seed))
    successes = [trial.success_s for trial in done if trial.success_s is not None]
    acceleration, jerk = watcher.motion()
    errors_mm = 1000 * np.array(watcher.errors_m).reshape(-1, 2)
    return {
        "join": join, "drags": drags, "successes": len(successes), "episodes": len(done),
        "wilson95": wilson(len(successes), len(done)),
        "seconds": float(np.median(successes)) if successes else None,
        "acceleration_rms": acceleration, "jerk_rms": jerk,
        "dry_ticks": sum(trial.dry_ticks for trial in done),
        "fixed": len(errors_mm), "refused": watcher.refused, "ended": watcher.ended,
        "commanded_mm": _shares(errors_mm[:, 0]), "measured_mm": _shares(errors_mm[:, 1])}


def main(options: Options) -> None:
    """Both tables, or one JSON object."""
    torch.set_num_threads(1)
    policy = load_policy(options.run)
    rows = [{"name": join, **measure(options, policy, join=join, drags=False)} for join in JOINS]
    rows += [
        {"name": "dragged, the policy is told",
         **measure(options, policy, join="guided", drags=True)},
        {"name": "dragged, the player alone",
         **measure(options, NotTold(policy), join="latest", drags=True)}]
    told = {"run": options.run.name, "task": options.task, "seeds": options.seeds,
            "delay_ms": options.delay_ms, "load": os.getloadavg()[0], "rows": rows}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(told)))
    if options.json:
        print(msgspec.json.encode(told).decode())
        return
    table = Table("", "succeeded", "median s", "acceleration rad/s²", "jerk rad/s³", "dry ticks",
                  "fixed", "ended by a guard", "commanded mm p50 / p99", "measured mm p50 / p99")
    for row in rows:
        low, high = row["wilson95"]
        table.add_row(
            row["name"], f"{row['successes']}/{row['episodes']} ({low:.2f} – {high:.2f})",
            "–" if row["seconds"] is None else f"{row['seconds']:.1f}",
            f"{row['acceleration_rms']:.3f}", f"{row['jerk_rms']:.1f}", str(row["dry_ticks"]),
            str(row["fixed"]), str(row["ended"]),
            *(" / ".join(f"{row[name][share]:.1f}" for share in ("p50", "p99"))
              if row["fixed"] else "" for name in ("commanded_mm", "measured_mm")))
    Console(width=160).print(table)


def _rms(parts: list[np.ndarray]) -> float:
    return float(np.sqrt(np.mean(np.concatenate(parts) ** 2))) if parts else 0.0


def _shares(values: np.ndarray) -> dict[str, float | None]:
    if not len(values):
        return {"p50": None, "p99": None, "max": None}
    return dict(zip(("p50", "p99", "max"), np.percentile(values, [50, 99, 100]).tolist(),
                    strict=True))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

"""What a change of versions costs while the simulated arm moves: late ticks, gaps between answers.

A real desk drives a policy in one scene after the other; every few seconds the policy's process is
asked for other weights (loaded from the disk), or for those before (in memory), in turns, and then
the same without. Lateness is what the control loop wrote into its ticks; a gap is the time between
two answers of System 1; a dry tick found no chunk to play. A trainer that multiplies matrices
without a pause, at the trainer's own priority, may run beside it.

    python tests/bench/swap.py RUN [OTHER] [--task put-cube-in-bin] [--beside-trainer]

RUN and OTHER are runs or checkpoints that drive that task; without OTHER, RUN is loaded again. It
prints a table and writes out/bench/swap.json.
"""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
import tyro
import zmq
from rich.console import Console
from rich.table import Table

from policy.versions.ledger import Version, latest_of
from recorders.clock import NS_PER_S, SystemClock
from studio.station.commands import (
    Arm,
    Command,
    DiscardEpisode,
    Reply,
    ResetScene,
    StartEpisode,
    StartPolicy,
)
from studio.station.desk.client import DeskClient
from studio.station.desk.desk import Desk
from studio.station.desk.processes import DeskConfig
from studio.station.messages import Mode, PolicyHealth
from studio.station.processes.bus import LatestSubscriber
from studio.station.processes.endpoints import Endpoints, open_context, private_endpoints
from studio.station.processes.priority import PATIENT
from studio.station.serving.policy_asking import PolicyAsking
from studio.station.serving.policy_link import CHUNK, SwapBack, SwapWeights, decode_answer

OUT = Path("out/bench/swap.json")
PERIOD_S = 3.0              # between two requests
SCENE_S, FIRST_SEED = 12.0, 5400     # of driving
PATIENCE_S = 60.0
TRAINER = (f"import os, numpy as np\nos.nice({PATIENT})\na = np.random.rand(256, 256)\n"
           "while True:\n    a = (a @ a) % 1.0\n")


class Measured(msgspec.Struct, kw_only=True):
    """One case.

    Attributes:
        late_ms: of every tick driven by the policy.
        gap_ms: between two answers within a scene.
        load_ms, back_ms: from a request to the policy's answer: loaded, and from memory.
        first_ms: from the policy's answer to the first chunk of the other weights.
        dry_ticks: found no chunk to play, after the first one of a scene.
    """

    late_ms: list[float]
    gap_ms: list[float]
    load_ms: list[float] = []
    back_ms: list[float] = []
    first_ms: list[float] = []
    dry_ticks: int = 0


class Seat:
    """A desk that is turned here, and somebody at it."""

    def __init__(self, desk: Desk, context: zmq.Context, links: Endpoints) -> None:
        self.desk, self.clock = desk, SystemClock()
        self.client = DeskClient(context, links, self.clock)
        self.asking = PolicyAsking(context, links)
        self._answers = LatestSubscriber(context, links.chunks, CHUNK, capacity=1000)
        self._last = Reply(False)
        self.late_ms: list[float] = []
        self.answered: list[tuple[int, int]] = []       # when, and by which version

    def turn(self) -> None:
        """Let the desk do its work, and take what is said."""
        self.desk.step(5)
        for batch in self.client.look():
            if batch.stream == "tick":
                driven = batch.rows[batch.rows["mode"] == Mode.AUTO]
                self.late_ms += (driven["lateness_ns"] / 1e6).tolist()
        for frames in self._answers.drain():
            self.answered.append((self.clock.now_ns(),
                                  decode_answer(frames).chunk.weights_version))

    def until(self, reached: Callable[[], bool]) -> None:
        """Turn until a condition holds."""
        end_ns = self.clock.now_ns() + round(PATIENCE_S * NS_PER_S)
        while not reached():
            if self.clock.now_ns() > end_ns:
                raise SystemExit(f"waited in vain: {self._last}; {self.client.snapshot}")
            self.turn()

    def do(self, command: Command) -> None:
        """Ask until it is accepted."""
        def accepted() -> bool:
            self._last = self.client.ask(command)
            return self._last.accepted

        self.until(accepted)

    @property
    def policy(self) -> PolicyHealth:
        """As the station sees it."""
        assert self.client.snapshot is not None
        return self.client.snapshot.policy or PolicyHealth()

    def begin(self, task: str, seed: int) -> None:
        """Set a scene up, and let the policy drive until it plays chunks."""
        self.do(ResetScene(task, seed))
        self.do(Arm())
        self.do(StartEpisode(task, practice=True, seed=seed))
        self.do(StartPolicy())
        self.until(lambda: self.policy.taken >= 2 and self.client.snapshot is not None
                   and self.client.snapshot.seed == seed)

    def close(self) -> None:
        """Let go of the links."""
        for link in (self.client, self.asking, self._answers):
            link.close()


@contextmanager
def at_desk(run: Path, task: str, image_size: tuple[int, int]) -> Iterator[Seat]:
    """A desk on which a policy can drive."""
    config = DeskConfig(task=task, live=False, stays=True, policy=latest_of(run).folder,
                        robot_options={"image_size": image_size})
    with private_endpoints() as links, open_context() as context:
        desk = Desk(config, links, context, SystemClock(),
                    lambda line: print(line, file=sys.stderr))
        seat = Seat(desk, context, links)
        try:
            seat.until(lambda: bool(seat.client.state and not seat.client.state.busy
                                    and not seat.client.state.policy.loading))
            seat.until(seat.client.learn_robot)
            yield seat
        finally:
            seat.close()
            desk.close()


@contextmanager
def trainer(wanted: bool) -> Iterator[None]:
    """A process that never waits, at the trainer's priority."""
    process = subprocess.Popen([sys.executable, "-c", TRAINER]) if wanted else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def drive(seat: Seat, task: str, seconds: float, versions: tuple[Version, Version], *,
          swaps: bool) -> Measured:
    """Drive scene after scene; with swaps, ask for other weights again and again."""
    found = Measured(late_ms=[], gap_ms=[])
    driving, other = versions
    for seed in range(FIRST_SEED, FIRST_SEED + math.ceil(seconds / SCENE_S)):
        seat.begin(task, seed)
        seat.late_ms, seat.answered = [], []
        dry, begun_ns = seat.policy.dry_ticks, seat.clock.now_ns()
        due_ns, back = begun_ns + round(PERIOD_S / 2 * NS_PER_S), False
        asked_ns, coming = 0, None
        ends_ns = begun_ns + round(SCENE_S * NS_PER_S)
        while seat.clock.now_ns() < ends_ns or coming is not None:
            seat.turn()
            if coming is not None and coming.done():
                now_ns, reply = seat.clock.now_ns(), coming.result()
                if not reply.accepted:
                    raise SystemExit(f"no swap: {reply.reason}")
                (found.back_ms if back else found.load_ms).append((now_ns - asked_ns) / 1e6)
                coming, back, driving, other = None, not back, other, driving
            elif swaps and coming is None and due_ns <= seat.clock.now_ns() < ends_ns:
                asked_ns, due_ns = seat.clock.now_ns(), due_ns + round(PERIOD_S * NS_PER_S)
                coming = seat.asking.ask(SwapBack(other.number) if back
                                         else SwapWeights(other.folder))
        found.late_ms += seat.late_ms
        found.gap_ms += [(b - a) / 1e6 for (a, _), (b, _) in pairwise(seat.answered)]
        found.first_ms += [(b - a) / 1e6 for (a, one), (b, two) in pairwise(seat.answered)
                           if one != two]
        found.dry_ticks += seat.policy.dry_ticks - dry
        seat.do(DiscardEpisode())
    return found


def row(name: str, found: Measured) -> list[str]:
    """A line of the table: medians, 99th percentiles and maxima."""
    return [name, f"{len(found.late_ms)}", _spread(found.late_ms), _spread(found.gap_ms),
            str(found.dry_ticks), str(sum(late > 10.0 for late in found.late_ms)),
            _spread(found.load_ms), _spread(found.back_ms), _spread(found.first_ms)]


def _spread(values: list[float]) -> str:
    if not values:
        return "–"
    return " / ".join(f"{np.percentile(values, q):.2f}" for q in (50, 99, 100))


def main(run: tyro.conf.Positional[Path], other: tyro.conf.Positional[Path | None] = None,
         task: str = "put-cube-in-bin", seconds: float = 36.0, beside_trainer: bool = False,
         image_size: tuple[int, int] = (240, 320)) -> None:
    """Measure with and without swaps, print a table, write the JSON.

    Args:
        run: a run or checkpoint that drives the task.
        other: what is swapped to; the same if not given.
        task: of the simulated arm.
        seconds: of driving, per case.
        beside_trainer: let a busy process at the trainer's priority run meanwhile.
        image_size: height and width of the simulated cameras' pictures.
    """
    versions = latest_of(run), latest_of(other or run)
    load, measured = os.getloadavg(), {}
    with trainer(beside_trainer), at_desk(run, task, image_size) as seat:
        for name, swaps in (("without swaps", False), ("with swaps", True)):
            measured[name] = drive(seat, task, seconds, versions, swaps=swaps)
    table = Table("", "ticks", "late, ms", "between answers, ms", "dry ticks", "late by a period",
                  "load, ms", "back, ms", "to the next version's chunk, ms",
                  title=f"A swap every {PERIOD_S:g} s while the arm moves; p50 / p99 / max; "
                        f"{os.cpu_count()} cores, load {load[0]:.1f}"
                        + (", beside a trainer" if beside_trainer else ""))
    for name, found in measured.items():
        table.add_row(*row(name, found))
    Console(width=170).print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(
        {"runs": measured, "load_average": load, "cores": os.cpu_count(),
         "beside_trainer": beside_trainer})))
    print(f"written to {OUT}")


if __name__ == "__main__":
    tyro.cli(main)

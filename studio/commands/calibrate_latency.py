"""`tandem calibrate latency`: how late the cameras are, and the arm after its commands.

In the simulator the arm is moved here; of a real one a recorded episode is looked at in which a
person moved it. Knows options and words; how lags are found is `recorders.latency`'s.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from recorders.clock import NS_PER_S, ManualClock, SystemClock
from recorders.files import write_atomically
from recorders.store import DemoStore
from recorders.store_errors import StoreError
from studio.commands.output import Answer, Progress, Screen, UsersMistakeError
from studio.devices.latency import COMMAND, LONGEST_MS

if TYPE_CHECKING:
    from recorders.latency import Lag, NoLag
    from studio.station.trying.latency_trial import Watched

_MS = 1000.0
_SHORTEST_S = 7.0           # a shorter motion holds too few swings
_SPREAD_MS = 10.0           # wider, and a median says little


@dataclass(frozen=True, kw_only=True)
class CalibrateLatency:
    """Measure how late each camera's stamps are against the joint readings.

    Without a store: the simulated arm moves, its cameras watch. With a store: the newest episode,
    in which somebody moved the arm to and fro on one line, unevenly, for at least 15 seconds, with
    nothing else moving before the cameras.
    """

    store: Annotated[Path | None, tyro.conf.Positional] = None
    """Folder of a store with such an episode, of any robot."""
    episode: str = ""
    """Its id, or the beginning of it; empty is the newest."""
    delay_ms: float = 35.0
    """How late the simulated cameras stamp their pictures: what is to be found."""
    runs: int = 3
    """How often the simulated arm is moved, each time in another pattern."""
    seconds: float = 8.0
    """How long each time."""
    seed: int = 0
    """Of the first pattern."""
    save: Path | None = None
    """File to keep the latencies in, for --latency and for `latency: FILE` in a station file."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Measure, print, and keep what is certain enough."""
        from studio.station.trying.latency_trial import measured

        self._require()
        lags: dict[str, list[Lag | NoLag]] = {}
        with screen.progress("measuring", self._pieces()) as progress:
            for watched in self._watched(progress):
                for name, lag in measured(watched).items():
                    lags.setdefault(name, []).append(lag)
                progress.step("measured")
        found = {name: _summary(several) for name, several in lags.items()}
        screen.table("", ("device", "late by", "spread", "runs", "explained", "remark"),
                     [_row(name, one) for name, one in found.items()])
        certain = {name: one for name, one in found.items() if one["certain"]}
        if self.save is not None and certain:
            write_atomically(self.save, _file(certain, self._source()).encode())
            screen.say(f"saved; use it with --latency {self.save}, or say `latency: "
                       f"{self.save.name}` in a station file beside it")
        return Answer({"source": self._source(), "latency": found,
                       "saved": str(self.save) if self.save and certain else ""},
                      ok=len(certain) == len(found))

    def _require(self) -> None:
        if not 0 <= self.delay_ms <= LONGEST_MS:
            raise UsersMistakeError(f"--delay-ms is from 0 to {LONGEST_MS:g}, not "
                                    f"{self.delay_ms:g}")
        if self.runs < 1 or not _SHORTEST_S <= self.seconds <= 120:
            raise UsersMistakeError(f"at least one run of {_SHORTEST_S:g} to 120 seconds is "
                                    f"needed, not {self.runs} of {self.seconds:g}")
        if self.episode and self.store is None:
            raise UsersMistakeError("--episode needs the store that it is in")
        if self.save is not None and not self.save.absolute().parent.is_dir():
            raise UsersMistakeError(f"there is no folder {self.save.absolute().parent} for --save")

    def _pieces(self) -> int:
        from studio.station.trying.latency_trial import PIECES

        return self.runs if self.store is None else PIECES

    def _source(self) -> str:
        return "the simulated arm" if self.store is None else f"{self.store.absolute().name}"

    def _watched(self, progress: Progress) -> "Iterator[Watched]":
        return self._simulated(progress) if self.store is None else self._recorded(self.store)

    def _simulated(self, progress: Progress) -> "Iterator[Watched]":
        from studio.station.robots import open_robot
        from studio.station.trying.latency_trial import watch_simulated

        machine = SystemClock()
        clock = ManualClock(machine.now_ns(), machine.wall_ns())
        robot = open_robot("sim", clock, image_size=(96, 128), depth=False,
                           camera_delay_ms=self.delay_ms)
        robot.connect()
        try:
            for run in range(self.runs):
                begun_ns = clock.now_ns()

                def tell(run: int = run, begun_ns: int = begun_ns) -> None:
                    done_s = (clock.now_ns() - begun_ns) / NS_PER_S
                    progress.now(f"run {run + 1}, {done_s:.0f} s of {self.seconds:g}")

                yield watch_simulated(robot, clock, self.seconds, self.seed + run, tell)
        finally:
            robot.disconnect()

    def _recorded(self, folder: Path) -> "Iterator[Watched]":
        from recorders.episode_reader import EpisodeReader
        from studio.station.trying.latency_trial import watch_episode

        with DemoStore.open(folder) as store:
            here = [one.episode for one in store.episodes()]
            if not here:
                raise UsersMistakeError(f"{folder} holds no episodes: record one in which the arm "
                                        "moves to and fro")
            episode = EpisodeReader(store.episode_path(self.episode or here[-1]))
        try:
            yield from watch_episode(episode)
        except KeyError as error:
            raise StoreError(str(error.args[0])) from error


def _summary(several: "Sequence[Lag | NoLag]") -> dict[str, Any]:
    """What is known of a device from several runs."""
    from recorders.latency import Lag

    lags = [one for one in several if isinstance(one, Lag)]
    why = next((str(one) for one in several if not isinstance(one, Lag)), "")
    if not lags:
        return {"latency_ms": None, "spread_ms": None, "runs": 0, "explained": None,
                "certain": False, "remark": why}
    late_ms = [one.lag_s * _MS for one in lags]
    spread_ms = max(late_ms) - min(late_ms)
    middle_ms = median(late_ms)
    remark = why or (f"the runs differ by more than {_SPREAD_MS:g} ms: move faster, or longer"
                     if spread_ms > _SPREAD_MS else "")
    if middle_ms < -_SPREAD_MS / 2 or middle_ms > LONGEST_MS:
        remark = remark or "this is no latency: the two streams' stamps do not belong together"
    return {"latency_ms": round(middle_ms, 2), "spread_ms": round(spread_ms, 2),
            "runs": len(lags), "explained": round(min(one.explained for one in lags), 3),
            "certain": not remark, "remark": remark}


def _row(name: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    known = one["latency_ms"] is not None
    return ("commands" if name == COMMAND else f"camera {name}",
            f"{one['latency_ms']:.1f} ms" if known else "?",
            f"{one['spread_ms']:.1f} ms" if known else "", one["runs"],
            f"{one['explained']:.0%}" if known else "", one["remark"])


def _file(certain: Mapping[str, Mapping[str, Any]], source: str) -> str:
    """YAML that `--latency` reads; what it was made from stands in remarks."""
    lines = ["# How late devices are, in ms, as `tandem calibrate latency` measured it on "
             f"{source}.", "# Cameras: from the moment shown to the stamp, against the joint "
             "readings. command: from a command", "# to the motion (noted, not taken off)."]
    lines += [f"{name}: {max(0.0, one['latency_ms']):.2f}    # {one['runs']} runs, spread "
              f"{math.ceil(10 * one['spread_ms']) / 10:.1f} ms, {one['explained']:.0%} explained"
              for name, one in certain.items()]
    return "\n".join(lines) + "\n"

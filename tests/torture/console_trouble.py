"""Stop and kill the console of a running desk in mid-recording, and look what it cost.

    python tests/torture/console_trouble.py [SECONDS]

The real desk with the simulated arm, its cameras and its recorder, and its desktop console (under
a display; elsewhere a console without a window). One episode is recorded for SECONDS (10) with the
console running and for SECONDS with it stopped (SIGSTOP), another while it is killed (SIGKILL)
again and again. Prints the ticks' lateness and the pictures that a busy machine did not draw in
both spans, and what is missing. Ends with 1 if a row or a message is missing, or if the arm did not
stay armed.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).parent.parent))

from doubles.seat import Seat, seated, window_worker

from recorders.clock import NS_PER_S
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.console.probe import display_problem
from studio.station.commands import Arm, EndEpisode, StartEpisode
from studio.station.desk import work as desk_work
from studio.station.messages import Mode

SECONDS = 10.0
KILLS = 4                   # a fifth within a minute would not be restarted
BETWEEN_S = 1.0
TASK = "put-cube-in-bin"


def recorded_with_a_stopped_console(seat: Seat, seconds: float) -> tuple[str, float]:
    """Record; returns the episode, and when the console was stopped in s from its beginning."""
    episode = _begin(seat)
    seat.until(lambda: seat.snapshot.episode_s > seconds)
    console = seat.pid("console")
    os.kill(console, signal.SIGSTOP)
    stopped_s = seat.snapshot.episode_s
    try:
        seat.until(lambda: seat.snapshot.episode_s > stopped_s + seconds)
    finally:
        os.kill(console, signal.SIGCONT)
    _end(seat, episode)
    return episode, stopped_s


def recorded_with_killed_consoles(seat: Seat) -> str:
    """Record; returns the episode."""
    episode = _begin(seat)
    for count in range(1, KILLS + 1):
        since_s = seat.snapshot.episode_s
        seat.until(lambda since_s=since_s: seat.snapshot.episode_s > since_s + BETWEEN_S)
        os.kill(seat.pid("console"), signal.SIGKILL)
        seat.until(lambda count=count: _served_again(seat, count))
    _end(seat, episode)
    return episode


def _begin(seat: Seat) -> str:
    seat.do(Arm())
    return seat.do(StartEpisode(TASK))


def _end(seat: Seat, episode: str) -> None:
    seat.do(EndEpisode(label="success"))
    seat.until(lambda: seat.snapshot.recorder.last_episode == episode)


def _served_again(seat: Seat, count: int) -> bool:
    return any(state.name == "console" and state.restarts == count and state.ready
               for state in seat.desk._supervisor.states())


def findings(store: DemoStore, episode: str) -> list[str]:
    """What an episode misses, in sentences."""
    reader = EpisodeReader(store.episode_path(episode))
    said = [f"{gaps} rows of {name} are missing" for name in ("tick", "arm", "contact")
            if (gaps := int(np.sum(np.diff(reader[name]["seq"]) - 1)))]
    events = reader.attrs["events"]
    said += [f"{event['count']} messages were lost" for event in events
             if event["kind"] == "lost-messages"]
    said += [f"the arm left {event['before']} for {event['after']}: {event['why']}"
             for event in events if event["kind"] == "mode"]
    if np.any(reader["tick"]["mode"][:] != Mode.ARMED):
        said.append("the arm did not stay armed")
    return said


def costs(reader: EpisodeReader, first_s: float, last_s: float) -> tuple[str, ...]:
    """Of a span: lateness (median, 99th percentile, maximum), ticks, pictures that are missing."""
    begin_ns = reader["tick"]["t_mono_ns"][0]

    def inside(stream: str, column: str) -> np.ndarray:
        at_s = (reader[stream]["t_mono_ns"][:] - begin_ns) / NS_PER_S
        return reader[stream][column][:][(at_s >= first_s) & (at_s < last_s)]

    late_ms = inside("tick", "lateness_ns") / 1e6
    missing = sum(int(np.sum(np.diff(inside(camera, "seq")) - 1)) for camera in ("front", "wrist"))
    return (*(f"{value:.2f}" for value in np.percentile(late_ms, [50, 99, 100])),
            str(len(late_ms)), str(missing))


def main() -> int:
    """Run both; returns the exit code."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    no_window, screen = display_problem(), Console()
    with tempfile.TemporaryDirectory() as folder:
        if no_window:
            desk_work.console_worker = lambda links: window_worker(links, Path(folder))
        with seated(task=TASK, store=f"{folder}/store", console=True, robot_options={}) as seat:
            seat.ready()
            seat.until(lambda: bool(seat.state.consoles))
            stopped, stopped_s = recorded_with_a_stopped_console(seat, seconds)
            killed = recorded_with_killed_consoles(seat)
        with DemoStore.open(f"{folder}/store") as store:
            reader = EpisodeReader(store.episode_path(stopped))
            missing = [*findings(store, stopped), *findings(store, killed), *store.check()]
            table = Table("console" if not no_window else "console without a window",
                          "late p50 ms", "p99", "max", "ticks", "pictures missing")
            for name, span in (("runs", (0.5, stopped_s)),
                               ("is stopped", (stopped_s, stopped_s + seconds))):
                table.add_row(name, *costs(reader, *span))
    screen.print(table)
    screen.print(f"{KILLS} kills while recording; "
                 + ("nothing is missing" if not missing else "; ".join(map(str, missing))))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

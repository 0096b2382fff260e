"""What an idle desktop console costs under software rendering: drawn always, and when it changes.

    .venv/bin/python tests/bench/console.py [--seconds 20]

Both sides run one after the other on one desk with the simulated arm and two live cameras, on a
screen of Xvfb's. Prints processor time per second and per frame of the console's process, frames
per second, and how late the control loop was meanwhile.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec
import psutil

sys.path.append(str(Path(__file__).resolve().parents[1]))

from doubles.desktop import Desktop, open_desktop, running_desk, virtual_screen

from recorders.clock import NS_PER_S, SystemClock
from studio.station.processes.bus import Endpoints


class Cost(msgspec.Struct, frozen=True):
    """Of one side."""

    cpu_ms_per_s: float
    frames_per_s: float
    lateness_p99_ms: float
    camera_hz: float

    @property
    def cpu_ms_per_frame(self) -> float:
        """Processor time of one frame, everything else of the process included."""
        return self.cpu_ms_per_s / self.frames_per_s


def measure(folder: Path, links: Endpoints, size: tuple[int, int], seconds: float,
            limited: bool) -> Cost:
    """Open a console, leave it alone, and look at what it costs."""
    folder.mkdir()
    clock = SystemClock()
    with (virtual_screen(folder, size) as screen,
          open_desktop(folder, links, screen, size, limit_redraws=limited) as desktop):
        (pid,) = [state.pid for state in desktop._supervisor.states()]
        process = psutil.Process(pid)
        until(desktop, clock.now_ns() + 5 * NS_PER_S)       # it finds its layout, reads the store
        frames, used_s, began_ns = desktop.frames, cpu_s(process), clock.now_ns()
        until(desktop, began_ns + round(seconds * NS_PER_S))
        passed_s = (clock.now_ns() - began_ns) / NS_PER_S
        snapshot = desktop.snapshot()
        camera = next(s for s in snapshot.streams if s.name == "front")
        return Cost(1000 * (cpu_s(process) - used_s) / passed_s,
                    (desktop.frames - frames) / passed_s, snapshot.lateness_p99_ms, camera.rate_hz)


def until(desktop: Desktop, deadline_ns: int) -> None:
    """Look on for a while."""
    desktop.until(lambda: SystemClock().now_ns() >= deadline_ns)


def cpu_s(process: psutil.Process) -> float:
    """Processor time that a process and its threads used."""
    times = process.cpu_times()
    return times.user + times.system


def main() -> None:
    """Run both sides and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", type=int, nargs=2, default=(1600, 930))
    told = parser.parse_args()
    print(f"idle console, {told.size[0]}×{told.size[1]}, {told.seconds:g} s a side, "
          f"{psutil.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}")
    print("redraws          CPU ms/s   CPU ms/frame   frames/s   tick late p99 ms   front Hz")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_desk(folder, folder / "store") as links:
            for limited, words in ((False, "always"), (True, "what changed")):
                cost = measure(folder / words, links, tuple(told.size), told.seconds, limited)
                print(f"{words:15}{cost.cpu_ms_per_s:10.0f}{cost.cpu_ms_per_frame:15.0f}"
                      f"{cost.frames_per_s:11.1f}{cost.lateness_p99_ms:19.2f}"
                      f"{cost.camera_hz:11.1f}")


if __name__ == "__main__":
    main()

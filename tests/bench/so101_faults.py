"""An SO-101 that breaks while a leader drives it at 100 Hz: our station beside lerobot-teleoperate.

Both sides drive LeRobot's own so101_follower from LeRobot's own so101_leader over real pyserial
and the Feetech SDK, on emulated servos that move (`doubles/servo_arm.py`) in processes of their
own; one after the other, each fault from a fresh start. Lateness is each side's own word: ours
counts ticks more than a period behind their deadline, LeRobot prints how long each turn of its loop
took, and turns of more than two periods count. Emulated: no USB latency, no gravity, no load.
"""

import contextlib
import json
import os
import platform
import queue
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import psutil
import tyro
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))     # the doubles, as pytest finds them

from doubles.feetech_bus import write_calibration  # noqa: E402
from doubles.servo_arm import RAD  # noqa: E402
from doubles.servo_arm_process import ServoArmProcess  # noqa: E402

Side = Literal["ours", "LeRobot"]
PERIOD_MS = 10.0
SWAY_STEPS, SWAY_S = 400.0, 3.0         # the hand: 0.61 rad to and fro, at most 1.3 rad/s
WATCH_S = 2.5
START_S = 300.0                         # importing LeRobot, thrice, on a busy machine
JUMP_STEPS = 683                        # 60 degrees
OUT = ROOT / "out/bench/so101_faults.json"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one fault did to one side.

    Attributes:
        turns_late: of the loop, from the fault on while it ran, at most `WATCH_S`.
        longest_ms: the longest turn (LeRobot), or the worst lateness (ours).
        noticed_s: until the side said that something is wrong, or ended; NaN: it never did.
        travelled_rad: how far the swaying joint went on after the fault.
        torque: whether that joint still holds.
        said: its words, or how it ended.
    """

    side: Side
    fault: str
    turns_late: int
    longest_ms: float
    noticed_s: float
    travelled_rad: float
    torque: bool
    said: str


class Driving:
    """One side at work, between a leader and a follower."""

    def __init__(self, side: Side, folder: Path) -> None:
        self.side = side
        for name in ("follower", "leader"):
            write_calibration(folder, name)
        self.follower = ServoArmProcess(folder / "follower_port")
        self.leader = ServoArmProcess(folder / "leader_port")
        self.lines: queue.Queue[tuple[float, str]] = queue.Queue()
        self.process = subprocess.Popen(
            self._command(folder), cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1",
                              "XDG_RUNTIME_DIR": str(folder)})
        threading.Thread(target=self._listen, name="listener", daemon=True).start()

    def _command(self, folder: Path) -> list[str]:
        told = {name: {"port": str(folder / f"{name}_port"), "id": name,
                       "calibration_dir": str(folder)} for name in ("follower", "leader")}
        if self.side == "ours":
            return [sys.executable, str(ROOT / "tests/bench/so101_side.py"),
                    json.dumps(told["follower"]), json.dumps(told["leader"])]
        return [sys.executable, "-m", "lerobot.scripts.lerobot_teleoperate", "--fps=100",
                *(f"--{device}.{name}={value}" for device, of in (
                    ("robot", {"type": "so101_follower"} | told["follower"]),
                    ("teleop", {"type": "so101_leader"} | told["leader"]))
                  for name, value in of.items())]

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), line))

    @property
    def ended(self) -> bool:
        """Whether the side's process is gone."""
        return self.process.poll() is not None

    def start(self) -> None:
        """Sway the leader and wait until the follower follows."""
        self.leader.call("sway", 1, SWAY_STEPS, SWAY_S)
        middle = self.follower.call("position", 1)
        self._until(lambda: abs(self.follower.call("position", 1) - middle) > SWAY_STEPS / 2)
        time.sleep(SWAY_S)

    def _until(self, so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not so():
            if self.ended or time.monotonic() > deadline:
                heard = "".join(line for _, line in self.heard())
                raise RuntimeError(f"{self.side} does not drive: {heard[-2000:]}")
            time.sleep(0.05)

    def heard(self) -> list[tuple[float, str]]:
        """Lines with their arrival in s."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self.lines.get_nowait())
        return found

    def station(self) -> psutil.Process:
        """Our station's process, or LeRobot's only one."""
        mine = psutil.Process(self.process.pid)
        return next((child for child in mine.children(recursive=True)
                     if child.cmdline()[-2:] == ["station", "station"]), mine)

    def close(self) -> None:
        """End everything."""
        if not self.ended:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.follower.close()
        self.leader.close()


def jump_and_kill(driving: Driving, whom: Callable[[], psutil.Process]) -> None:
    """The leader is 60 degrees ahead, and a tenth of a second later nobody drives any more."""
    driving.leader.call("rest")
    time.sleep(1.0)
    victim = whom()
    at = driving.leader.call("position", 1)
    driving.leader.call("place", {"1": round(at + JUMP_STEPS if at < 2000 else at - JUMP_STEPS)})
    time.sleep(0.1)
    victim.kill()


FAULTS: dict[str, Callable[[Driving], object]] = {
    "none": lambda d: None,
    "noise (20 packets)": lambda d: d.follower.call("set", "noise", 20),
    "a dead servo": lambda d: d.follower.call("set", "silent", [3]),
    "a servo that turns no more": lambda d: d.follower.call("set", "stuck", [1]),
    "a silent bus": lambda d: d.follower.call("set", "silent", [1, 2, 3, 4, 5, 6]),
    "the port is gone": lambda d: d.follower.call("unplug"),
    "killed, 60° behind": lambda d: jump_and_kill(d, d.station),
    "all killed, 60° behind": lambda d: jump_and_kill(d, lambda: psutil.Process(d.process.pid)),
}


def measure(side: Side, fault: str) -> Run:
    """One run from a fresh start."""
    with tempfile.TemporaryDirectory() as folder:
        driving = Driving(side, Path(folder))
        try:
            driving.start()
            before = driving.heard()
            FAULTS[fault](driving)
            since, at = time.monotonic(), driving.follower.call("position", 1)
            ended_s, farthest = float("nan"), 0.0
            while (passed := time.monotonic() - since) < WATCH_S:
                farthest = max(farthest, abs(driving.follower.call("position", 1) - at))
                if driving.ended and ended_s != ended_s:
                    ended_s = passed
                time.sleep(0.01)
            torque = driving.follower.call("torque", 1)
            judged = ours if side == "ours" else lerobots
            late, longest, noticed, said = judged(before, driving.heard(), since)
            return Run(side=side, fault=fault, turns_late=late, longest_ms=longest,
                       noticed_s=ended_s if noticed != noticed else noticed, said=said,
                       travelled_rad=farthest / RAD, torque=torque)
        finally:
            driving.close()


def ours(before: list[tuple[float, str]], after: list[tuple[float, str]], since: float
         ) -> tuple[int, float, float, str]:
    """Late ticks, the worst lateness, when and what the station said."""
    def told(lines: list[tuple[float, str]]) -> list[dict[str, Any]]:
        return [json.loads(line) for _, line in lines if line.startswith('{"at_ns"')]

    then = told(after)
    if not then:
        return 0, 0.0, float("nan"), "killed"
    first = (told(before) or then[:1])[-1]
    wrong = next((s for s in then if s["mode"] in ("FAULT", "HOLD", "STOP")), None)
    noticed = wrong["at_ns"] / 1e9 - since if wrong else float("nan")
    return (then[-1]["late"] - first["late"], max(s["worst_ms"] for s in then), noticed,
            f"{wrong['mode']}: {wrong['reason']}" if wrong else "")


def lerobots(before: list[tuple[float, str]], after: list[tuple[float, str]], since: float
             ) -> tuple[int, float, float, str]:
    """Turns of more than two periods, the longest one, when and how it ended."""
    turns = [float(found[1]) for _, line in after
             if (found := re.search(r"Teleop loop time: ([\d.]+)ms", line))]
    errors = [(at, line.strip()) for at, line in after if re.match(r"\w*(Error|error)\b", line)]
    noticed = errors[-1][0] - since if errors else float("nan")
    return (sum(turn > 2 * PERIOD_MS for turn in turns), max(turns, default=0.0), noticed,
            errors[-1][1] if errors else "")


def main(repeats: int = 1, faults: tuple[str, ...] = tuple(FAULTS)) -> None:
    """Measure both sides and print a table.

    Args:
        repeats: of every fault and side, in turn.
        faults: which.
    """
    console, runs = Console(width=160), []
    for _ in range(repeats):
        for fault in faults:
            for side in ("ours", "LeRobot"):
                runs.append(measure(side, fault))
                console.print(f"[dim]{msgspec.json.encode(runs[-1]).decode()}")
    table = Table("fault", "side", "late turns", "longest ms", "noticed after s",
                  "travelled rad", "torque", "said", title="SO-101 at 100 Hz, medians")
    for fault in faults:
        for side in ("ours", "LeRobot"):
            of = [run for run in runs if (run.fault, run.side) == (fault, side)]
            table.add_row(
                fault, side, *(f"{statistics.median(getattr(run, name) for run in of):{shape}}"
                               for name, shape in (("turns_late", ".0f"), ("longest_ms", ".0f"),
                                                   ("noticed_s", ".2f"), ("travelled_rad", ".3f"))),
                "on" if all(run.torque for run in of) else "off", of[-1].said[:70])
    console.print(table)
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    console.print(f"{machine}; {repeats} runs each; faults begin while the joint sways by 0.61 rad")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.encode({"machine": machine, "runs": runs}))


if __name__ == "__main__":
    tyro.cli(main)

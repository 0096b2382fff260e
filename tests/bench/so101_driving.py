"""One side of the SO-101 fault benchmark at work: its process, its two arms, and what it said.

Ours is `so101_side.py`, LeRobot's is lerobot-teleoperate; each drives LeRobot's own so101_follower
from LeRobot's own so101_leader over real pyserial and the Feetech SDK. The servos are emulated, in
processes of their own. Knows how each side says that it is late or that something is wrong.
"""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil
from doubles.feetech_bus import write_calibration
from doubles.servo_arm_process import ServoArmProcess

ROOT = Path(__file__).resolve().parents[2]
Side = Literal["ours", "LeRobot"]
PERIOD_MS = 10.0
SWAY_STEPS, SWAY_S = 400.0, 3.0         # the hand: 0.61 rad to and fro, at most 1.3 rad/s
SETTLE_S = 1.5                          # that a side drives before anything breaks
START_S, END_S = 90.0, 20.0             # importing LeRobot, thrice, on a busy machine; ending


class Said(NamedTuple):
    """What a side said of itself after a fault.

    Attributes:
        turns_late: of its loop.
        longest_ms: the longest turn (LeRobot), or the worst lateness (ours).
        noticed_s: until it said that something is wrong; None: it did not.
        words: its own.
    """

    turns_late: int
    longest_ms: float
    noticed_s: float | None
    words: str


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
        """Sway the leader and wait until the follower follows.

        Raises:
            RuntimeError: it does not, with what the side said last.
        """
        middle = self.follower.call("position", 1)
        self.leader.call("sway", 1, SWAY_STEPS, SWAY_S)
        self._until(lambda: abs(self.follower.call("position", 1) - middle) > SWAY_STEPS / 2)
        time.sleep(SETTLE_S)

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

    def said(self, before: list[tuple[float, str]], since_s: float) -> Said:
        """What the side said of itself since a fault.

        Args:
            before: its lines until then.
            since_s: when that was.
        """
        judged = _ours if self.side == "ours" else _lerobots
        return judged(before, self.heard(), since_s)

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
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.follower.close()
        self.leader.close()


def _ours(before: list[tuple[float, str]], after: list[tuple[float, str]], since_s: float) -> Said:
    def told(lines: list[tuple[float, str]]) -> list[dict[str, Any]]:
        return [json.loads(line) for _, line in lines if line.startswith('{"at_ns"')]

    then = told(after)
    if not then:
        return Said(0, 0.0, None, "killed")
    first = (told(before) or then[:1])[-1]
    wrong = next((s for s in then if s["mode"] in ("FAULT", "HOLD", "STOP")), None)
    return Said(then[-1]["late"] - first["late"], max(s["worst_ms"] for s in then),
                wrong["at_ns"] / 1e9 - since_s if wrong else None,
                f"{wrong['mode']}: {wrong['reason']}" if wrong else "")


def _lerobots(_before: list[tuple[float, str]], after: list[tuple[float, str]], since_s: float
              ) -> Said:
    turns = [float(found[1]) for _, line in after
             if (found := re.search(r"Teleop loop time: ([\d.]+)ms", line))]
    errors = [(at, line.strip()) for at, line in after
              if re.match(r"[\w.]*(Error|Exception|error)\b", line)]
    others = [line.strip() for _, line in after if line.strip() and "loop time" not in line]
    return Said(sum(turn > 2 * PERIOD_MS for turn in turns), max(turns, default=0.0),
                errors[-1][0] - since_s if errors else None,
                errors[-1][1] if errors else (others or [""])[-1])

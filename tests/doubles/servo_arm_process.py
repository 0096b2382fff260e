"""An arm's servos in a process of their own, so that they outlive whoever drives them.

Told line by line what happens to them: JSON lists ["method", arguments…] of `ServoArm`, or a name
alone for what is to be told; answers are JSON values. A hand that sways servos is one of them.
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from doubles.servo_arm import ServoArm

ARRIVES_S = 2.0


class SwayedArm(ServoArm):
    """An arm that a hand may move to and fro, as a leader is."""

    def __init__(self, port: Path) -> None:
        super().__init__(port)
        self._still = threading.Event()

    def sway(self, servo: int, steps: float, period_s: float) -> None:
        """Turn a servo to and fro until `rest`."""
        self._still.clear()
        middle, since = self.position(servo), time.monotonic()

        def move() -> None:
            while not self._still.wait(0.005):
                phase = (time.monotonic() - since) / period_s
                self.place({servo: round(middle + steps * math.sin(2 * math.pi * phase))})

        threading.Thread(target=move, name="hand", daemon=True).start()

    def rest(self) -> None:
        """Let go of it."""
        self._still.set()

    def place(self, positions: dict[Any, int]) -> None:
        """Turn servos by hand; JSON names them in letters."""
        super().place({int(number): at for number, at in positions.items()})

    def set(self, name: str, value: Any) -> None:
        """Its speed, or a fault: silent, stuck (lists of servos) or noise (a number)."""
        setattr(self, name, set(value) if isinstance(value, list) else value)


class ServoArmProcess:
    """The other side: starts it, and says what is to happen."""

    def __init__(self, port: Path) -> None:
        self.port = port
        self._process = subprocess.Popen(
            [sys.executable, "-m", "doubles.servo_arm_process", str(port)], text=True,
            cwd=Path(__file__).resolve().parent.parent, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self.call("plug")

    def call(self, method: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([method, *arguments]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def until(self, so: Callable[[Any], bool], method: str, *arguments: Any) -> Any:
        """Ask until it is so: what was written to the port may not have arrived there yet."""
        late = time.monotonic() + ARRIVES_S
        while not so(value := self.call(method, *arguments)):
            if time.monotonic() > late:
                raise AssertionError(f"{method} stayed {value} for {ARRIVES_S} s")
            time.sleep(0.002)
        return value

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def main() -> None:
    with contextlib.suppress(PermissionError):      # real servos do not wait for a busy machine
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    arm = SwayedArm(Path(sys.argv[1]))
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        found = getattr(arm, method)
        value = found(*arguments) if callable(found) else found
        print(json.dumps(sorted(value) if isinstance(value, set) else value), flush=True)
    arm.rest()
    arm.unplug()


if __name__ == "__main__":
    main()

"""The simulated arm, without pictures, that leaves a trace of its speed in a file.

What an arm did after everybody who could have told was killed is read from there.
"""

from pathlib import Path
from typing import Any

import numpy as np

from recorders.clock import Clock
from recorders.streams import Batch
from studio.sim.robot import SimRobot


class TracedArm(SimRobot):
    """Writes a line "stamp_ns rad/s" for every row of the stream `arm` that is read."""

    def __init__(self, clock: Clock, trace: str, **options: Any) -> None:
        super().__init__(clock, render=False, **options)
        self._trace = Path(trace).open("a", buffering=1)    # noqa: SIM115 - as long as the process

    def poll(self) -> list[Batch]:
        """As the simulated arm's, and trace it."""
        batches = super().poll()
        for batch in batches:
            if batch.stream == "arm":
                for row in batch.rows:
                    speed = np.max(np.abs(row["velocity"][:-1]))
                    self._trace.write(f"{row['t_mono_ns']} {speed:.6f}\n")
        return batches


def read_trace(path: Path) -> np.ndarray:
    """(N, 2): stamps in ns, speed of the fastest joint in rad/s; a torn last line is left out."""
    text = path.read_text()
    lines = text[:text.rfind("\n") + 1].split()
    return np.array(lines, dtype=float).reshape(-1, 2)

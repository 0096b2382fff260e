"""The simulated arm, whose front camera delivers nothing while a file lies in its folder.

As with a cable that was pulled: what it would have shown is lost, and its count goes on.
"""

from pathlib import Path
from typing import Any

from recorders.clock import Clock
from recorders.streams import Batch
from studio.sim.robot import SimRobot


class UnpluggedCamera(SimRobot):
    """Says nothing of `front` while `folder`/unplugged is there."""

    def __init__(self, clock: Clock, folder: str, **options: Any) -> None:
        super().__init__(clock, image_size=(96, 128), **options)
        self._pulled = Path(folder) / "unplugged"

    def poll(self) -> list[Batch]:
        """As the simulated arm's, without what is not plugged in."""
        batches = super().poll()
        if not self._pulled.exists():
            return batches
        return [batch for batch in batches if batch.stream != "front"]

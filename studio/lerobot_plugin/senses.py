"""What the simulated arm feels besides its joints, in the shapes that LeRobot's programs carry.

LeRobot's observations are joints and colour pictures; a policy of the type tandem may feel touch
and forces, and see depth. Knows the simulator's streams; knows no policy.
"""

from collections.abc import Iterable

import numpy as np

from policy.data.live_signals import LiveSignals
from policy.data.proprioception import FORCE_SPAN_NS
from policy.data.signals import latest, mean_over
from policy.foreign.lerobot_export import all_senses
from recorders.images import decode
from recorders.streams import Batch, StreamSpec

CAMERA = "front"            # whose depth is shown, and where it stands
SENSES = all_senses(CAMERA)
DEPTH = f"{CAMERA}_depth"


class SimSenses:
    """The newest of what was felt.

    Args:
        streams: of the robot.
    """

    def __init__(self, streams: tuple[StreamSpec, ...]) -> None:
        self._signals = LiveSignals(streams)
        self._depth: np.ndarray | None = None
        camera = next(spec for spec in streams if spec.name == CAMERA)
        self._field = next((field for field in camera.images if field.name == "depth"), None)

    def clear(self) -> None:
        """Another scene."""
        self._signals.clear()
        self._depth = None

    def take(self, batches: Iterable[Batch]) -> None:
        """Take what the robot brought."""
        batches = tuple(batches)
        self._signals.take(batches)
        newest = [batch.images[-1] for batch in batches if batch.stream == CAMERA and batch.images]
        if newest and self._field is not None:
            field = self._field
            self._depth = decode(newest[-1]["depth"], field.encoding, (field.height, field.width))

    def numbers(self, now_ns: int) -> dict[str, np.ndarray]:
        """"touch" (2,) N; "wrench" (6,) N and N m, over 50 ms; where the camera stands (11,)."""
        now = np.array([now_ns])
        stands = [latest(self._signals, CAMERA, column, now)[0]
                  for column in ("world_from_camera", "intrinsics")]
        felt = (latest(self._signals, "contact", "touch", now)[0],
                mean_over(self._signals, "contact", "wrench", now, FORCE_SPAN_NS)[0],
                np.concatenate(stands))
        return {name: value.astype(np.float32)
                for name, value in zip(SENSES, felt, strict=True)}

    def depth(self) -> np.ndarray:
        """(H, W) u2 mm."""
        assert self._depth is not None      # the first picture is waited for at the reset
        return self._depth

"""Which Rerun entity shows which column: the map between recorded streams and the viewer.

Everything is derived from the stream's own declaration, so that a robot nobody here has seen is
shown as well: numbers become plots, codes become lanes of coloured states, pictures become cameras
with their pose, the rest is left out. The logger and the blueprint both read this map.

Knows the column names of FORMAT.md and no Rerun calls.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np

from recorders.streams import Column, ImageField, StreamSpec

CAMERAS = "world/cameras"
LOG = "log"
EPISODE = "episode"
NO_BITS = "none"

MAX_SERIES = 16             # a vector longer than this is no plot that anybody reads
CAMERA_POSE, CAMERA_INTRINSICS = "world_from_camera", "intrinsics"

# The columns of the control loop's record whose place is not "<stream>/<column>".
_TICK_ENTITIES: Mapping[str, str] = MappingProxyType({
    "proposed_human": "commands/human",
    "proposed_policy": "commands/policy",
    "blended": "commands/blended",
    "sent": "commands/sent",
    "sent_velocity": "commands/sent_velocity",
    "tool_target": "commands/tool_target",
    "human_raw": "human/raw",
    "human_twist": "human/twist",
    "human_gripper": "human/gripper",
    "human_corrective": "human/corrective",
    "lateness_ns": "station/lateness_ms",
    "speed_scale": "station/speed_scale",
})
# Of the rest of a tick, what no picture explains: stamps and counters stay in the store.
_TICK_HIDDEN = frozenset({"epoch", "observation_ns", "observation_seq", "human_ns",
                          "human_buttons", "human_enabled"})

# Okabe and Ito's palette, without its black: distinguishable for colour-blind eyes on dark ground.
PALETTE: tuple[tuple[int, int, int], ...] = (
    (86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66),
    (213, 94, 0), (204, 121, 167), (0, 114, 178), (230, 230, 230),
)

# The same colour for the same driver wherever it appears; other states take the palette in turn.
_STATE_COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType({
    "HUMAN": (230, 159, 0), "POLICY": (0, 158, 115), "AUTO": (0, 158, 115),
    "SHARED": (204, 121, 167), "BLEND": (204, 121, 167), "HANDBACK": (240, 228, 66),
    "SCRIPT": (86, 180, 233), "STOP": (213, 60, 40), "FAULT": (213, 60, 40),
    "SAFETY": (213, 60, 40), "HOLD": (120, 128, 140), "ARMED": (150, 158, 170),
    "IDLE": (80, 86, 96), "NOBODY": (80, 86, 96), NO_BITS: (60, 64, 72),
})


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """A column drawn as one line per element."""

    entity: str
    stream: str
    column: str
    unit: str
    series: tuple[str, ...]
    scale: float = 1.0          # from the recorded unit to the drawn one

    @property
    def colours(self) -> list[tuple[int, int, int]]:
        """One per series; element i has the same colour in every plot."""
        return [PALETTE[i % len(PALETTE)] for i in range(len(self.series))]


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """A column of codes drawn as a band of states."""

    entity: str
    stream: str
    column: str
    values: tuple[str, ...]     # what a code, or a bit of a set, means
    elements: tuple[str, ...]   # names of the last axis; empty for a scalar
    bits: bool                  # whether a code is a set of bits

    @property
    def states(self) -> dict[str, tuple[int, int, int]]:
        """The plain states and their colours; mixtures of them get a colour from the viewer."""
        values = (*self.values, NO_BITS) if self.bits else self.values
        return {value: _STATE_COLOURS.get(value, PALETTE[i % len(PALETTE)])
                for i, value in enumerate(values)}

    def describe(self, codes: Any) -> str:
        """Codes in words: "HUMAN", "POLICY (gripper: HUMAN)", or for bits "JOINT_LIMIT WORKSPACE".

        Args:
            codes: an integer, or one per element of the lane.
        """
        if self.bits:
            held = [value for bit, value in enumerate(self.values) if int(codes) >> bit & 1]
            return " ".join(held) or NO_BITS
        if not self.elements:
            return self._word(int(codes))
        words = [self._word(int(code)) for code in codes]
        most = max(words, key=words.count)
        others = [f"{element}: {word}" for element, word in zip(self.elements, words, strict=True)
                  if word != most]
        return f"{most} ({', '.join(others)})" if others else most

    def _word(self, code: int) -> str:
        return self.values[code] if code < len(self.values) else f"code {code}"


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of pictures."""

    entity: str                 # of the camera; a picture stands below it
    stream: str
    image: ImageField
    posed: bool                 # whether its rows say where the camera is
    intrinsic: bool             # whether its rows say how it projects

    @property
    def picture_entity(self) -> str:
        """Where the picture itself is logged."""
        return f"{self.entity}/{self.image.name}"


def plots(streams: Sequence[StreamSpec]) -> list[Plot]:
    """Everything that is drawn as lines, in the streams' order."""
    return [Plot(entity=_entity(spec, column), stream=spec.name, column=column.name,
                 unit="ms" if column.name == "lateness_ns" else column.unit,
                 series=_series(column), scale=1e-6 if column.name == "lateness_ns" else 1.0)
            for spec in streams if spec.rate_hz > 0 and not spec.images
            for column in spec.columns if _is_plot(spec, column)]


def lanes(streams: Sequence[StreamSpec]) -> list[Lane]:
    """Everything that is drawn as states: columns whose codes have names."""
    return [Lane(entity=f"state/{column.name}", stream=spec.name, column=column.name,
                 values=column.values, elements=column.names if column.shape else (),
                 bits=column.name == "guards")
            for spec in streams if spec.rate_hz > 0
            for column in spec.columns if column.values]


def cameras(streams: Sequence[StreamSpec]) -> list[Camera]:
    """Every picture of every camera; its reduced copy would show the same again."""
    found = []
    for spec in streams:
        names = {column.name for column in spec.columns}
        found += [Camera(entity=f"{CAMERAS}/{spec.name}", stream=spec.name, image=image,
                         posed=CAMERA_POSE in names, intrinsic=CAMERA_INTRINSICS in names)
                  for image in spec.original_images]
    return found


def _entity(spec: StreamSpec, column: Column) -> str:
    if spec.name == "tick":
        return _TICK_ENTITIES.get(column.name, f"station/{column.name}")
    return f"{'joints' if spec.name == 'arm' else spec.name}/{column.name}"


def _series(column: Column) -> tuple[str, ...]:
    if not column.shape:
        return (column.name,)
    if len(column.names) == column.shape[-1]:
        return column.names
    return tuple(f"{column.name}[{i}]" for i in range(column.shape[-1]))


def _is_plot(spec: StreamSpec, column: Column) -> bool:
    if column.values or (spec.name == "tick" and column.name in _TICK_HIDDEN):
        return False
    numeric = np.dtype(column.dtype).kind in "iufb"
    return numeric and len(column.shape) <= 1 and column.shape < (MAX_SERIES + 1,)

"""From the ticks' batches to what a policy is shown.

Keeps the newest pictures as they came, encoded, and the last half second of numbers; when a new
picture of the policy's first camera has arrived, it decodes what the policy wants to see and hands
over an observation of that picture's moment. Works beside the control loop (a subscriber, under a
virtual clock) and in another process (`take`, from batches off the bus): decoding belongs there in
real time. Knows streams and a policy's spec; knows no policy and no robot.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from policy.data.commands import base_at, command_columns
from policy.data.live_signals import LiveSignals
from policy.data.pictures import prepare_picture
from policy.data.point_cloud import metres_per_count, point_cloud, prepare_depth
from policy.data.proprioception import proprioception, require_parts
from policy.data.signals import latest, require_columns
from policy.interfaces import Observation, PolicySpec
from recorders.images import decode
from recorders.reduced_pictures import picture_for
from recorders.streams import Batch, ImageField, StreamSpec
from studio.devices.interfaces import DeviceError
from studio.station.loop.control_loop import TickRecord
from studio.station.messages import Assignment

KEPT_PICTURES = 4           # per camera: cameras do not speak in the same moment
DEPTH = "depth"             # beside the first camera's colours, for the cloud


class Shown(msgspec.Struct, frozen=True):
    """An observation, and what it belongs to.

    Attributes:
        epoch: of the ownership just before the observation's stamp.
        scene: of the assignment; a new one means that the policy is to be reset with `seed`.
        rewinds: of the assignment; another one means that it is to look anew.
    """

    observation: Observation
    epoch: int
    scene: int
    seed: int
    rewinds: int = 0


class PolicyFeed:
    """Makes observations.

    Args:
        spec: what the policy wants to see.
        streams: all that a tick brings, `tick` itself among them.
        deliver: told every observation, in order.

    Raises:
        DeviceError: the robot has no such camera or picture; says which ones it has.
        ValueError: the spec names an unknown part of proprioception.
        MissingSignal: the robot lacks a column for one.
    """

    def __init__(self, spec: PolicySpec, streams: Sequence[StreamSpec],
                 deliver: Callable[[Shown], None]) -> None:
        self._spec, self._streams, self._deliver = spec, tuple(streams), deliver
        require_parts(spec.proprioception, self._streams, "this robot")
        require_columns([("tick", "epoch"), *command_columns(spec.action_space)], self._streams,
                        "this robot")
        self._fields = {camera: _picture_of(self._streams, camera, picture, spec.picture_size)
                        for camera, picture in spec.cameras.items()}
        self._first = next(iter(spec.cameras))
        self._moments = {one.name: (one.moment_column, one.latency_ns) for one in streams}
        self._signals = LiveSignals(self._streams)
        self._scene, self._since_ns = (-1, 0), 0        # the scene, and how often one went back
        self._depth = _picture_of(self._streams, self._first, DEPTH) if spec.cloud_points else None
        self._begin(0, 0)

    @property
    def pictures(self) -> dict[str, tuple[str, ...]]:
        """Camera to the pictures that are looked at: the reduced copy where it is large enough."""
        seen = {camera: (field.name,) for camera, field in self._fields.items()}
        return seen | ({self._first: (*seen[self._first], DEPTH)} if self._depth else {})

    def on_tick(self, tick: TickRecord) -> None:
        """Take a tick's batches, as a subscriber of the control loop."""
        self.take(tick.batches, tick.assignment)

    def take(self, batches: Sequence[Batch], assignment: Assignment) -> None:
        """Take note of what arrived; deliver an observation if there is a new picture to see.

        Args:
            batches: of one or more ticks, in order.
            assignment: that of the last tick.
        """
        if (scene := (assignment.scene, assignment.rewinds)) != self._scene:
            self._scene = scene
            self._begin(max((int(batch.rows["t_mono_ns"][0]) for batch in batches
                             if batch.stream == "tick" and len(batch.rows)), default=0),
                        assignment.seed)
        self._signals.take(batches)
        fresh = False
        for batch in batches:
            if batch.stream in self._pictures:
                fresh |= self._keep(batch) and batch.stream == self._first
        if fresh and all(self._pictures.values()):
            self._show(assignment)

    # ---- inside ----------------------------------------------------------------------------------

    def _begin(self, since_ns: int, seed: int) -> None:
        """Another scene: what was seen before `since_ns` is not of it."""
        self._since_ns = since_ns
        self._signals.clear()
        self._rng = np.random.default_rng(seed)         # which points of the cloud are kept
        self._pictures: dict[str, deque[_Picture]] = {
            camera: deque(maxlen=KEPT_PICTURES) for camera in self._spec.cameras}

    def _keep(self, batch: Batch) -> bool:
        kept = False
        for row, images in zip(batch.rows, batch.images, strict=True):
            column, latency_ns = self._moments[batch.stream]
            if (stamp_ns := int(row[column]) - latency_ns) >= self._since_ns:
                self._pictures[batch.stream].append(_Picture(stamp_ns, row, images))
                kept = True
        return kept

    def _show(self, assignment: Assignment) -> None:
        newest = self._pictures[self._first][-1]
        moment_ns, moments_ns = newest.stamp_ns, np.array([newest.stamp_ns])
        images = {camera: self._seen(camera, moment_ns) for camera in self._spec.cameras}
        observation = Observation(
            stamp_ns=moment_ns, images=images,
            proprioception=proprioception(self._spec.proprioception, self._signals, moments_ns)[0],
            base=base_at(self._signals, moments_ns, self._spec.action_space)[0],
            instruction=assignment.instruction, instruction_id=assignment.instruction_id,
            subtask=assignment.subtask,
            cloud=None if self._depth is None else self._cloud(newest, images[self._first]))
        # What is seen in the moment of a change is not newer than it: hence the nanosecond.
        epoch = int(latest(self._signals, "tick", "epoch", moments_ns - 1)[0])
        self._deliver(Shown(observation, epoch, assignment.scene, assignment.seed,
                            assignment.rewinds))

    def _seen(self, camera: str, moment_ns: int) -> np.ndarray:
        """The newest picture of the moment, or the oldest kept if all are newer."""
        kept, field = self._pictures[camera], self._fields[camera]
        at = next((one for one in reversed(kept) if one.stamp_ns <= moment_ns), kept[0])
        picture = decode(at.images[field.name], field.encoding,
                         (field.height, field.width, 3))
        return prepare_picture(picture, self._spec.picture_size)

    def _cloud(self, newest: "_Picture", colours: np.ndarray) -> np.ndarray:
        """(points, 6) of what the first camera sees above the table."""
        assert self._depth is not None
        field = self._depth
        full_size = (field.height, field.width)
        depth = decode(newest.images[DEPTH], field.encoding, full_size)
        return point_cloud(
            prepare_depth(depth, self._spec.picture_size), colours,
            newest.row["world_from_camera"], newest.row["intrinsics"], full_size,
            metres_per_count(field.unit), self._spec.cloud_points, self._rng)


class _Picture(msgspec.Struct, frozen=True):
    """A row of a camera's stream with its pictures, as they came."""

    stamp_ns: int
    row: np.void
    images: Mapping[str, bytes | memoryview]


def _picture_of(streams: Sequence[StreamSpec], camera: str, picture: str,
                size: tuple[int, int] | None = None) -> ImageField:
    for spec in streams:
        fields = {field.name: field for field in spec.images}
        if spec.name == camera and picture in fields:
            return fields[picture_for(spec.images, picture, size)]
    there = ", ".join(f"{spec.name}/{field.name}" for spec in streams for field in spec.images)
    raise DeviceError(f"the policy wants to see {camera}/{picture}, but this robot has only "
                      f"{there or 'no cameras'}: choose a policy trained with its cameras")

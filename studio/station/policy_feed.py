"""From the ticks' batches to what a policy is shown.

Keeps the newest pictures as they came, encoded, and the last half second of numbers; when a new
picture of the policy's first camera has arrived, it decodes what the policy wants to see and hands
over an observation of that picture's moment. Works beside the control loop (a subscriber, under a
virtual clock) and in another process (`take`, from batches off the bus): decoding belongs there in
real time. Knows streams and a policy's spec; knows no policy and no robot.
"""

from collections import deque
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from policy.commands import base_at, command_columns
from policy.interfaces import Observation, PolicySpec
from policy.live_signals import LiveSignals
from policy.pictures import prepare_picture
from policy.proprioception import proprioception, require_parts
from policy.signals import latest, require_columns
from recorders.images import decode
from recorders.streams import Batch, ImageField, StreamSpec
from studio.devices.interfaces import DeviceError
from studio.station.control_loop import TickRecord
from studio.station.messages import Assignment

KEPT_PICTURES = 4           # per camera: cameras do not speak in the same moment


class Shown(msgspec.Struct, frozen=True):
    """An observation, and what it belongs to.

    Attributes:
        epoch: of the ownership at the observation's stamp.
        scene: of the assignment; a new one means that the policy is to be reset with `seed`.
    """

    observation: Observation
    epoch: int
    scene: int
    seed: int


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
        self._fields = {camera: _picture_of(self._streams, camera, picture)
                        for camera, picture in spec.cameras.items()}
        self._first = next(iter(spec.cameras))
        self._signals = LiveSignals(self._streams)
        self._scene, self._since_ns = -1, 0
        self._begin(0)

    def on_tick(self, tick: TickRecord) -> None:
        """Take a tick's batches, as a subscriber of the control loop."""
        self.take(tick.batches, tick.assignment)

    def take(self, batches: Sequence[Batch], assignment: Assignment) -> None:
        """Take note of what arrived; deliver an observation if there is a new picture to see.

        Args:
            batches: of one or more ticks, in order.
            assignment: that of the last tick.
        """
        if assignment.scene != self._scene:
            self._scene = assignment.scene
            self._begin(max((int(batch.rows["t_mono_ns"][0]) for batch in batches
                             if batch.stream == "tick" and len(batch.rows)), default=0))
        fresh = False
        for batch in batches:
            self._signals.take(batch)
            if batch.stream in self._pictures:
                fresh |= self._keep(batch) and batch.stream == self._first
        if fresh and all(self._pictures.values()):
            self._show(assignment)

    # ---- inside ----------------------------------------------------------------------------------

    def _begin(self, since_ns: int) -> None:
        """Another scene: what was seen before `since_ns` is not of it."""
        self._since_ns = since_ns
        self._signals.clear()
        self._pictures: dict[str, deque[tuple[int, bytes | memoryview]]] = {
            camera: deque(maxlen=KEPT_PICTURES) for camera in self._spec.cameras}

    def _keep(self, batch: Batch) -> bool:
        picture, kept = self._spec.cameras[batch.stream], False
        for row, images in zip(batch.rows, batch.images, strict=True):
            if (stamp_ns := int(row["t_mono_ns"])) >= self._since_ns:
                self._pictures[batch.stream].append((stamp_ns, images[picture]))
                kept = True
        return kept

    def _show(self, assignment: Assignment) -> None:
        moment_ns = self._pictures[self._first][-1][0]
        moments_ns = np.array([moment_ns])
        observation = Observation(
            stamp_ns=moment_ns,
            images={camera: self._seen(camera, moment_ns) for camera in self._spec.cameras},
            proprioception=proprioception(self._spec.proprioception, self._signals, moments_ns)[0],
            base=base_at(self._signals, moments_ns, self._spec.action_space)[0],
            instruction=assignment.instruction, instruction_id=assignment.instruction_id)
        epoch = int(latest(self._signals, "tick", "epoch", moments_ns)[0])
        self._deliver(Shown(observation, epoch, assignment.scene, assignment.seed))

    def _seen(self, camera: str, moment_ns: int) -> np.ndarray:
        """The newest picture of the moment, or the oldest kept if all are newer."""
        kept, field = self._pictures[camera], self._fields[camera]
        encoded = next((data for stamp_ns, data in reversed(kept) if stamp_ns <= moment_ns),
                       kept[0][1])
        picture = decode(encoded, field.encoding, (field.height, field.width, 3))
        return prepare_picture(picture, self._spec.picture_size)


def _picture_of(streams: Sequence[StreamSpec], camera: str, picture: str) -> ImageField:
    for spec in streams:
        for field in spec.images:
            if (spec.name, field.name) == (camera, picture):
                return field
    there = ", ".join(f"{spec.name}/{field.name}" for spec in streams for field in spec.images)
    raise DeviceError(f"the policy wants to see {camera}/{picture}, but this robot has only "
                      f"{there or 'no cameras'}: choose a policy trained with its cameras")

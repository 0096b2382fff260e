"""An arm that moves while its cameras watch: what the latencies of its devices are measured on.

The simulated arm is moved here; a real one by a person, whose recorded episode serves as well.
Stamps are taken as they came: what is measured is the whole latency, whatever was told before.
Knows robots, streams and episodes; how a lag is found is `recorders.latency`'s.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode_reader import EpisodeReader
from recorders.images import decode
from recorders.latency import Lag, NoLag, lag_of, picture_features, shrunk
from recorders.reduced_pictures import picture_for
from recorders.streams import Batch, ImageField, StreamSpec
from studio.devices.interfaces import RobotDriver
from studio.devices.latency import COMMAND

PIECES = 3                  # that an episode is cut into, so that the spread is seen
_TICK_NS = NS_PER_S // 100
_RAMP_S = 1.0               # the pattern begins and ends gently
# Of the first joint: three sines, so that no period of the whole lies within a minute.
_HZ = np.array([0.37, 0.83, 1.31])
_AMPLITUDE_RAD = np.array([0.12, 0.06, 0.03])
_PICTURE = "rgb"


class Watched(msgspec.Struct, frozen=True):
    """What was told of a motion.

    Attributes:
        cameras: camera to (N,) stamps and (N, h, w) grey pictures.
        arm: (M,) stamps and (M, D) positions; the gripper is the last.
        sent: (K,) stamps and (K, D) commands.
    """

    cameras: dict[str, tuple[np.ndarray, np.ndarray]]
    arm: tuple[np.ndarray, np.ndarray]
    sent: tuple[np.ndarray, np.ndarray]


def measured(watched: Watched) -> dict[str, Lag | NoLag]:
    """Each camera's latency against the joint readings, and the arm's against its commands."""
    found: dict[str, Lag | NoLag] = {}
    (arm_ns, position), (sent_ns, sent) = watched.arm, watched.sent
    for camera, (stamps_ns, pictures) in watched.cameras.items():
        found[camera] = _lag(lambda ns=stamps_ns, seen=pictures: lag_of(
            ns, picture_features(seen), arm_ns, position[:, :-1]))
    found[COMMAND] = _lag(lambda: lag_of(arm_ns, position[:, :-1], sent_ns, sent[:, :-1], degree=1))
    return found


def pattern(home: np.ndarray, time_s: float, duration_s: float, seed: int) -> np.ndarray:
    """(D,) where the arm shall be: its base to and fro around its home, never the same twice.

    Args:
        home: (D,).
        time_s: since the beginning.
        duration_s: of the whole.
        seed: of the sines' phases.
    """
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, _HZ.shape)
    gently = float(np.clip(min(time_s, duration_s - time_s) / _RAMP_S, 0.0, 1.0))
    target = np.array(home, float)
    wave = np.sin(2 * np.pi * _HZ * time_s + phases) @ _AMPLITUDE_RAD
    target[0] += gently ** 2 * (3 - 2 * gently) * wave
    return target


def watch_simulated(robot: RobotDriver, clock: ManualClock, duration_s: float, seed: int,
                    tell: Callable[[], None] = lambda: None) -> Watched:
    """Move a connected simulated arm in the pattern, under its virtual clock.

    Args:
        robot: stays connected.
        clock: the robot's.
        duration_s: of the motion.
        seed: of the pattern.
        tell: called once a tick.
    """
    home, begun_ns = np.array(robot.info.home), clock.now_ns()
    batches: list[Batch] = []
    sent_ns, sent = [], []
    for tick in range(round(duration_s * NS_PER_S / _TICK_NS)):
        target = pattern(home, tick * _TICK_NS / NS_PER_S, duration_s, seed)
        robot.send(target)
        sent_ns.append(clock.now_ns())
        sent.append(target)
        clock.wait_until(begun_ns + (tick + 1) * _TICK_NS)
        batches += robot.poll()
        tell()
    rows = np.concatenate([batch.rows for batch in batches if batch.stream == "arm"])
    return Watched(
        {spec.name: _seen(spec, [b for b in batches if b.stream == spec.name])
         for spec in robot.info.streams if _picture(spec)},
        (rows["t_mono_ns"], rows["position"]), (np.array(sent_ns), np.array(sent)))


def watch_episode(episode: EpisodeReader, pieces: int = PIECES) -> Iterator[Watched]:
    """A recorded episode in pieces; positions and commands are told whole.

    Raises:
        KeyError: it has no stream `arm` or `tick`; the message lists what it has.
        DamagedRecording: it cannot be read.
    """
    arm, tick = episode["arm"], episode["tick"]
    sent = tick.column("sent")
    said = np.isfinite(sent).all(axis=1)
    begun_ns, ended_ns = int(arm.stamps_ns[0]), int(arm.stamps_ns[-1]) + 1
    edges = [begun_ns + (ended_ns - begun_ns) * piece // pieces for piece in range(pieces + 1)]
    for begin, end in pairwise(edges):
        cameras = {}
        for name, stream in episode.streams.items():
            field = _picture(stream.spec)
            rows = np.flatnonzero((stream.stamps_ns >= begin) & (stream.stamps_ns < end))
            if field is not None and len(rows):
                frames = stream.images(field.name)
                cameras[name] = (stream.stamps_ns[rows],
                                 np.stack([shrunk(frames[int(row)]) for row in rows]))
        inside = (arm.stamps_ns >= begin) & (arm.stamps_ns < end)
        yield Watched(cameras, (arm.stamps_ns[inside], arm.column("position")[inside]),
                      (tick.stamps_ns[said], sent[said]))


def _lag(find: Callable[[], Lag]) -> Lag | NoLag:
    try:
        return find()
    except NoLag as why:
        return why


def _picture(spec: StreamSpec) -> ImageField | None:
    fields = {field.name: field for field in spec.images}
    if _PICTURE not in fields:
        return None
    return fields[picture_for(spec.images, _PICTURE, (96, 128))]


def _seen(spec: StreamSpec, batches: Sequence[Batch]) -> tuple[np.ndarray, np.ndarray]:
    field = _picture(spec)
    assert field is not None
    pictures = [shrunk(decode(images[field.name], field.encoding, (field.height, field.width, 3)))
                for batch in batches for images in batch.images]
    return np.concatenate([batch.rows["t_mono_ns"] for batch in batches]), np.stack(pictures)

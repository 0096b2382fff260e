"""Made-up demonstrations whose every number says where it belongs.

Row i of any stream is a function of i alone, so a test can tell from what it reads whether a row is
the right one, in the right place, and whole.
"""

from collections.abc import Sequence

import numpy as np

from recorders.clock import NS_PER_S
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.images import encode, picture_dtype
from recorders.streams import Batch, Column, ImageField, StreamSpec
from recorders.zarr_metadata import picture_shape

START_MONO_NS = 7 * NS_PER_S
START_WALL_NS = 1_750_000_000 * NS_PER_S

TICK = StreamSpec(name="tick", rate_hz=100.0, columns=(
    Column(name="sent", dtype="<f8", shape=(3,), unit="rad", names=("base", "elbow", "gripper")),
    Column(name="mode", dtype="u1", values=("idle", "armed")),
    Column(name="jacobian", dtype="<f4", shape=(2, 3)),
))
ARM = StreamSpec(name="arm", rate_hz=500.0, columns=(
    Column(name="position", dtype="<f8", shape=(3,), unit="rad"),
    Column(name="fault", dtype="|b1"),
))
FRONT = StreamSpec(name="front", rate_hz=30.0, images=(
    ImageField(name="rgb", height=16, width=24, encoding="jpeg"),))
WRIST = StreamSpec(name="wrist", rate_hz=30.0, columns=(Column(name="exposure", dtype="<f4"),),
                   images=(ImageField(name="rgb", height=16, width=16, encoding="jpegxl-lossless"),
                           ImageField(name="depth", height=12, width=16, encoding="zstd",
                                      unit="0.001 m")))
STREAMS = (TICK, ARM, FRONT, WRIST)


def header(
    number: int = 0, streams: Sequence[StreamSpec] = STREAMS, wall_ns: int = START_WALL_NS,
    model_xml: str = "<mujoco/>",
) -> EpisodeHeader:
    """The header of the made-up episode with a number."""
    return EpisodeHeader(
        episode=new_episode_id(wall_ns, f"{number:08x}"), task="put-cube-in-bin",
        instruction=f"put cube {number} in the bin", seed=number, operator="script",
        practice=False, robot={"name": "made-up", "home": [0.0, 0.0, 1.0]}, model_xml=model_xml,
        started_mono_ns=START_MONO_NS, started_wall_ns=wall_ns, streams=tuple(streams),
        software={"tandem-studio": "test"})


def rows(spec: StreamSpec, first: int, count: int) -> np.ndarray:
    """Rows first .. first + count of a stream, (count,) of its type."""
    made = np.zeros(count, spec.row_dtype)
    i = np.arange(first, first + count)
    made["seq"] = i
    made["t_mono_ns"] = START_MONO_NS + (i * NS_PER_S / spec.rate_hz).astype("i8")
    made["t_wall_ns"] = made["t_mono_ns"] + START_WALL_NS
    for number, column in enumerate(spec.columns):
        within = np.arange(int(np.prod(column.shape))).reshape(column.shape)
        values = np.multiply.outer(i, np.ones(column.shape)) + 0.001 * within + number
        made[column.name] = values.astype(column.dtype)
    return made


def pixels(image: ImageField, i: int) -> np.ndarray:
    """The picture of row i before it is encoded."""
    shape = picture_shape(image)
    slope = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) * 3 + 7 * i
    plane = slope if len(shape) == 2 else np.stack([slope, slope + 40, slope + 90], axis=-1)
    return (plane % (4000 if len(shape) == 2 else 256)).astype(picture_dtype(image.encoding))


def pictures(spec: StreamSpec, i: int) -> dict[str, bytes | memoryview]:
    """The encoded pictures of row i."""
    return {image.name: encode(pixels(image, i), image.encoding) for image in spec.images}


def batch(spec: StreamSpec, first: int, count: int) -> Batch:
    """Rows first .. first + count with their pictures."""
    images = tuple(pictures(spec, i) for i in range(first, first + count)) if spec.images else ()
    return Batch(spec.name, rows(spec, first, count), images)

"""Demonstrations of a made-up robot whose every number is a known function of time.

Time is counted in seconds from the episode's begin. The tool goes along a line and turns about z,
the gripper closes at 1 s and opens at 2 s, something is touched from 1.25 s to 2.25 s, and the
picture of row k is of the grey k, so a test can read off any batch where it came from. The cameras,
the arm and the control loop have rates and beginnings of their own, as real ones do. What goes
wrong in an episode is said by `Story`.
"""

import msgspec
import numpy as np

from policy.interfaces import PolicySpec
from recorders.clock import NS_PER_S, ManualClock
from recorders.episode import EpisodeHeader, EpisodeSummary, new_episode_id
from recorders.images import encode
from recorders.store import DemoStore
from recorders.streams import Batch, Column, ImageField, StreamSpec

START_NS = 5 * NS_PER_S
DURATION_S = 3.0
HEIGHT, WIDTH = 24, 32
JOINTS = 4                      # with the gripper
CLOSE_S, OPEN_S, TOUCH_S, LET_GO_S = 1.0, 2.0, 1.25, 2.25
SPEED = np.array([0.05, -0.1, 0.02])        # m/s
TURN_RAD_S = 0.4
DEPTH_COUNTS = 500

_POSE = ("x", "y", "z", "qw", "qx", "qy", "qz")


def _camera(name: str, *, depth: bool) -> StreamSpec:
    images = [ImageField(name="rgb", height=HEIGHT, width=WIDTH, encoding="jpeg")]
    if depth:
        images.append(ImageField(name="depth", height=HEIGHT, width=WIDTH, encoding="zstd",
                                 unit="0.001 m"))
    return StreamSpec(name=name, rate_hz=30.0, images=tuple(images), columns=(
        Column(name="world_from_camera", dtype="<f8", shape=(7,), unit="m", names=_POSE),
        Column(name="intrinsics", dtype="<f8", shape=(4,), unit="px")))


FRONT, WRIST = _camera("front", depth=True), _camera("wrist", depth=False)
ARM = StreamSpec(name="arm", rate_hz=100.0, columns=(
    Column(name="position", dtype="<f8", shape=(JOINTS,), unit="rad"),
    Column(name="tool_pose", dtype="<f8", shape=(7,), unit="m", names=_POSE)))
CONTACT = StreamSpec(name="contact", rate_hz=500.0, columns=(
    Column(name="wrench", dtype="<f4", shape=(6,), unit="N Nm"),
    Column(name="touch", dtype="<f4", shape=(2,), unit="N")))
SIM = StreamSpec(name="sim", rate_hz=100.0, columns=(
    Column(name="objects", dtype="<f8", shape=(2, 7), unit="m"),))
MODES = ("IDLE", "ARMED", "AUTO", "SHARED", "HUMAN", "HANDBACK", "HOLD", "REWIND")
TICK = StreamSpec(name="tick", rate_hz=100.0, columns=(
    Column(name="mode", dtype="u1", values=MODES),
    Column(name="intervention", dtype="<i4"),
    Column(name="rewinds", dtype="<i4"),
    Column(name="rewound_ns", dtype="<i8"),
    Column(name="human_twist", dtype="<f4", shape=(6,)),
    Column(name="human_gripper", dtype="<f4"),
    Column(name="human_corrective", dtype="<f4", shape=(7,)),
    Column(name="blended", dtype="<f8", shape=(JOINTS,), unit="rad"),
    Column(name="sent", dtype="<f8", shape=(JOINTS,), unit="rad"),
    Column(name="sent_tool", dtype="<f8", shape=(7,), unit="m", names=_POSE)))
STREAMS = (TICK, ARM, CONTACT, SIM, FRONT, WRIST)
# Where each stream begins, in ms: nothing falls together.
_OFFSET_MS = {"tick": 3, "arm": 3, "contact": 0, "sim": 3, "front": 4, "wrist": 11}

SPEC = PolicySpec(cameras={"front": "rgb", "wrist": "rgb"}, picture_size=(HEIGHT, WIDTH), steps=8,
                  proprioception=("tool", "gripper", "lag", "touch", "force", "joints", "objects"))


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What is special about an episode; times in seconds."""

    token: str = "00000000"
    task: str = "move"
    instruction: str = "move the tool"
    label: str = "success"
    robot: str = "made-up"
    shift_m: float = 0.0                            # where along x it begins
    erring: tuple[tuple[float, float], ...] = ()    # spans in which the operator errs on purpose
    edits: tuple[tuple[float, str], ...] = ()       # new instructions
    modes: tuple[tuple[float, str], ...] = ((0.0, "HUMAN"),)        # when each began
    went_back: tuple[tuple[float, float], ...] = ()     # when, and to which moment
    subtasks: tuple[tuple[float, str], ...] = ((0.02, "reach it"), (CLOSE_S, "carry it"))
    told: tuple[tuple[float, str], ...] = ()        # by a person in System 2's place; "": over
    broken: tuple[str, str, int] | None = None      # stream, column, row that is not a number
    streams: tuple[StreamSpec, ...] = STREAMS


def stamps_ns(spec: StreamSpec) -> np.ndarray:
    """(N,) of all rows of a stream."""
    count = int(DURATION_S * spec.rate_hz) - 1
    return START_NS + _OFFSET_MS[spec.name] * 1_000_000 \
        + (np.arange(count) * NS_PER_S / spec.rate_hz).astype(np.int64)


def command(story: Story, since_s: np.ndarray) -> np.ndarray:
    """(..., 8) the tool pose that is sent and the gripper that is wanted, at any times."""
    start = np.array([0.4 + story.shift_m, 0.1, 0.2])
    position = start + SPEED * since_s[..., None]
    half = TURN_RAD_S * since_s / 2
    zero = np.zeros_like(half)
    turned = np.stack([np.cos(half), zero, zero, np.sin(half)], axis=-1)
    return np.concatenate([position, turned, _wanted(since_s)[..., None]], axis=-1)


def joints(since_s: np.ndarray) -> np.ndarray:
    """(..., 4) the joints that are sent and the gripper as it glides."""
    glide = np.clip(1 - (since_s - CLOSE_S) / 0.4, 0, 1) + np.clip((since_s - OPEN_S) / 0.4, 0, 1)
    return np.stack([0.3 * since_s, -0.2 * since_s, 0.1 * since_s, glide], axis=-1)


def batches(story: Story) -> list[Batch]:
    """All that the robot and the control loop produce, stream by stream."""
    made = []
    for spec in story.streams:
        rows = np.zeros(len(stamps_ns(spec)), spec.row_dtype)
        rows["t_mono_ns"] = stamps_ns(spec)
        rows["seq"] = np.arange(len(rows))
        since_s = (rows["t_mono_ns"] - START_NS) / NS_PER_S
        for column in spec.columns:
            rows[column.name] = _column(story, column.name, since_s)
        if story.broken and story.broken[0] == spec.name:
            rows[story.broken[1]][story.broken[2]] = np.nan
        pictures = [_pictures(spec, k) for k in range(len(rows))] if spec.images else []
        made.append(Batch(spec.name, rows, tuple(pictures)))
    return made


def record(store: DemoStore, story: Story) -> EpisodeSummary:
    """Write the episode with the real writer."""
    writer = store.begin(EpisodeHeader(
        episode=new_episode_id(1_700_000_000 * NS_PER_S, story.token), task=story.task,
        instruction=story.instruction, seed=0, operator="script", practice=False,
        robot={"name": story.robot, "joint_names": ["a", "b", "c", "gripper"]}, model_xml="",
        started_mono_ns=START_NS, started_wall_ns=0, streams=story.streams, software={}))
    for batch in batches(story):
        writer.append(batch)
    before = story.instruction
    for at_s, text in story.edits:
        writer.event(START_NS + int(at_s * NS_PER_S), "instruction", before=before, after=text)
        before = text
    for at_s, text in story.subtasks:
        writer.event(START_NS + int(at_s * NS_PER_S), "subtask", text=text)
    for at_s, text in story.told:
        writer.event(START_NS + int(at_s * NS_PER_S), "operator subtask", text=text)
    detector = story.label if story.label in ("success", "failure") else ""
    return writer.commit(START_NS + int(DURATION_S * NS_PER_S), detector)


def open_store(path) -> DemoStore:
    """A store to record into."""
    return DemoStore.open(path, write=True, create=True, clock=ManualClock(), reserve_bytes=0)


def _wanted(since_s: np.ndarray) -> np.ndarray:
    return np.where((since_s >= CLOSE_S) & (since_s < OPEN_S), 0.0, 1.0)


def _column(story: Story, name: str, since_s: np.ndarray) -> np.ndarray:
    erring = np.zeros(len(since_s), bool)
    for first_s, last_s in story.erring:
        erring |= (since_s >= first_s) & (since_s < last_s)
    count, sent = len(since_s), command(story, since_s)
    match name:
        case "mode":
            return _modes(story, since_s)
        case "intervention":
            modes = _modes(story, since_s)
            began = np.cumsum(np.diff(modes, prepend=modes[0]) != 0)
            by_hand = np.isin(modes, (MODES.index("HUMAN"), MODES.index("SHARED")))
            after_policy = np.cumsum(modes == MODES.index("AUTO")) > 0
            return np.where(by_hand & after_policy, began, 0)
        case "rewinds":
            return np.searchsorted([at_s for at_s, _ in story.went_back], since_s, side="right")
        case "rewound_ns":
            to_ns = [0, *(START_NS + int(to_s * NS_PER_S) for _, to_s in story.went_back)]
            return np.array(to_ns)[_column(story, "rewinds", since_s)]
        case "sent_tool":
            return sent[:, :7]
        case "tool_pose":
            late = command(story, since_s - 0.05)       # the arm follows its command
            return late[:, :7]
        case "sent" | "position":
            return joints(since_s)
        case "blended":
            return np.concatenate([joints(since_s)[:, :-1], sent[:, 7:]], axis=1)
        case "human_twist":
            return np.where(erring[:, None], 0.2, 0.0) * np.ones(6)
        case "human_gripper":
            return np.where(erring, 1 - sent[:, 7], sent[:, 7])
        case "human_corrective":
            return np.concatenate([np.zeros((count, 6)), sent[:, 7:]], axis=1)
        case "touch":
            touched = (since_s >= TOUCH_S) & (since_s < LET_GO_S)
            return np.where(touched, 4.0, 0.0)[:, None] * np.ones(2)
        case "wrench":
            return np.sin(np.outer(since_s, np.arange(1, 7)))
        case "objects":
            return np.broadcast_to(np.arange(14).reshape(2, 7) / 10, (count, 2, 7))
        case "world_from_camera":       # 0.5 m above the table, looking straight down
            return np.tile([0.5, 0.0, 0.5 + 0.1, 0.0, 1.0, 0.0, 0.0], (count, 1))
        case "intrinsics":
            return np.tile([WIDTH, WIDTH, WIDTH / 2, HEIGHT / 2], (count, 1))
    raise KeyError(name)


def _modes(story: Story, since_s: np.ndarray) -> np.ndarray:
    begins = np.searchsorted([at_s for at_s, _ in story.modes], since_s, side="right") - 1
    return np.array([MODES.index(name) for _, name in story.modes])[np.maximum(begins, 0)]


def _pictures(spec: StreamSpec, row: int) -> dict[str, bytes | memoryview]:
    return {image.name: _picture(image, row) for image in spec.images}


def _picture(image: ImageField, row: int) -> bytes:
    if image.name == "depth":
        return encode(np.full((image.height, image.width), DEPTH_COUNTS, np.uint16), "zstd")
    return encode(np.full((image.height, image.width, 3), row, np.uint8), image.encoding)

"""A store of short demonstrations by a toy arm: everything that learning and exporting look at.

Two joints and a gripper go to one of two places, which the instruction names by a colour; the
pictures show the place as a bright square in that colour. Small, but each column means what it
means in the real robot's streams, so what is learned here is learned the same way.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recorders.clock import NS_PER_S
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.images import encode
from recorders.store import DemoStore
from recorders.streams import Batch, Column, ImageField, StreamSpec

HEIGHT, WIDTH = 64, 96
JOINTS = ("joint1", "joint2", "gripper")
COLOURS = {"red": (230, 30, 30), "blue": (30, 30, 230)}
GOALS = {"red": (0.6, -0.2), "blue": (-0.5, 0.3)}
SECONDS = 1.6
START_NS, START_WALL_NS = 9 * NS_PER_S, 1_760_000_000 * NS_PER_S

_POSE = ("x", "y", "z", "qw", "qx", "qy", "qz")
TICK = StreamSpec(name="tick", rate_hz=100.0, columns=(
    Column(name="sent", dtype="<f8", shape=(3,), names=JOINTS),
    Column(name="blended", dtype="<f8", shape=(3,), names=JOINTS),
    Column(name="sent_tool", dtype="<f8", shape=(7,), names=_POSE),
    Column(name="human_twist", dtype="<f4", shape=(6,)),
    Column(name="human_gripper", dtype="<f4"),
    Column(name="human_corrective", dtype="<f4", shape=(7,))))
ARM = StreamSpec(name="arm", rate_hz=100.0, columns=(
    Column(name="position", dtype="<f8", shape=(3,), names=JOINTS),
    Column(name="tool_pose", dtype="<f8", shape=(7,), names=_POSE)))
CONTACT = StreamSpec(name="contact", rate_hz=500.0, columns=(
    Column(name="touch", dtype="<f4", shape=(2,)),
    Column(name="wrench", dtype="<f4", shape=(6,))))
SIM = StreamSpec(name="sim", rate_hz=100.0, columns=(
    Column(name="objects", dtype="<f8", shape=(2, 7)),))
CAMERAS = tuple(StreamSpec(name=name, rate_hz=30.0, images=(
    ImageField(name="rgb", height=HEIGHT, width=WIDTH, encoding="jpeg"),))
    for name in ("front", "wrist"))
ROBOT = {"name": "toy", "joint_names": list(JOINTS)}
STREAMS = (TICK, ARM, CONTACT, SIM, *CAMERAS)


def make_store(path: Path, episodes: int = 6, perturbed: bool = True, first: int = 0,
               robot: Mapping[str, Any] = ROBOT) -> Path:
    """Write a store, or more into it; every second episode goes to red, the others to blue."""
    with DemoStore.open(path, write=True, create=True) as store:
        for number in range(first, first + episodes):
            _record(store, number, perturbed, robot)
    return path


def _record(store: DemoStore, number: int, perturbed: bool, robot: Mapping[str, Any]) -> None:
    colour = ("red", "blue")[number % 2]
    wall_ns = START_WALL_NS + number * 10 * NS_PER_S
    writer = store.begin(EpisodeHeader(
        episode=new_episode_id(wall_ns, f"{number:08x}"), task="toy",
        instruction=f"go to the {colour} place", seed=number, operator="script", practice=False,
        robot=dict(robot), model_xml="", started_mono_ns=START_NS,
        started_wall_ns=wall_ns, streams=STREAMS, software={}))
    for spec in (TICK, ARM, CONTACT, SIM):
        writer.append(Batch(spec.name, numbers(spec, number, colour, perturbed)))
    for spec in CAMERAS:
        rows = stamped(spec, number)
        writer.append(Batch(spec.name, rows, tuple(
            {"rgb": encode(picture(spec.name, colour, i), "jpeg")} for i in range(len(rows)))))
    writer.event(START_NS, "subtask", text=f"reach {colour} place")
    writer.commit(START_NS + round(SECONDS * NS_PER_S), "success")


def stamped(spec: StreamSpec, number: int) -> np.ndarray:
    """Rows with regular stamps; a camera's jitter by a millisecond and begin a little later."""
    count = round(SECONDS * spec.rate_hz)
    rows = np.zeros(count, spec.row_dtype)
    since_s = np.arange(count) / spec.rate_hz
    if spec.images:
        since_s = since_s + 0.015 + np.random.default_rng(number).uniform(0, 0.001, count)
    rows["seq"] = np.arange(count)
    rows["t_mono_ns"] = START_NS + np.round(since_s * NS_PER_S).astype(np.int64)
    rows["t_wall_ns"] = rows["t_mono_ns"] + START_WALL_NS
    return rows


def numbers(spec: StreamSpec, number: int, colour: str, perturbed: bool) -> np.ndarray:
    """The rows of a stream without pictures."""
    rows = stamped(spec, number)
    share = np.linspace(0, 1, len(rows))
    start = np.random.default_rng(number).uniform(-0.1, 0.1, 2)
    joints = start + np.outer(share, np.asarray(GOALS[colour]) - start)
    closing = np.clip((share - 0.5) * 8, 0, 1)
    tool = np.zeros((len(rows), 7))
    tool[:, :2], tool[:, 2], tool[:, 3] = 0.3 * joints + [0.5, 0.0], 0.2, 1.0
    if spec.name == "tick":
        rows["sent"] = np.column_stack([joints, 1 - closing])
        rows["blended"] = np.column_stack([joints, share < 0.5])
        rows["sent_tool"] = tool
        rows["human_gripper"] = share < 0.5
        rows["human_corrective"] = np.nan
        if perturbed:
            erring = slice(len(rows) // 4, len(rows) // 4 + 12)
            rows["human_twist"][erring, 0] = 0.1
            rows["human_corrective"][erring] = 0.0
            rows["human_corrective"][erring, 6] = 1.0
    elif spec.name == "arm":
        rows["position"] = np.column_stack([joints - 0.01, 1 - closing])
        rows["tool_pose"] = tool - [0.003, 0, 0, 0, 0, 0, 0]
    elif spec.name == "contact":
        rows["touch"] = closing[:, None] * 4.0
    else:
        rows["objects"][:, :, 3] = 1.0
        rows["objects"][:, 0, :2], rows["objects"][:, 1, :2] = GOALS["red"], GOALS["blue"]
    return rows


def picture(camera: str, colour: str, i: int) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) u1: a grey slope that brightens with i, and the coloured square."""
    slope = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) // 2 + i
    made = np.stack([slope] * 3, axis=-1).astype(np.uint8)
    left = 10 if camera == "front" else 60
    made[20:44, left:left + 24] = COLOURS[colour]
    return made

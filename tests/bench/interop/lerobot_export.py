"""Out to LeRobot: read by its own loader, and the same frames written by its own writer.

Beside the seconds stand those of all cores, and what of them the encoder alone takes, which is the
same library with the same settings on both sides: on a machine whose cores are all at work, nobody
can be faster by more than theirs over the encoder's.
"""

from pathlib import Path

import numpy as np
from row import FPS, Row, Timer, episodes_of, frames_of, recorded, timed

from recorders.exchange.videos import LEROBOT_AV1, VideoWriter
from recorders.lerobot_v3 import export_lerobot
from recorders.store import DemoStore

CAMERAS = ("front", "wrist")


def run(work: Path) -> list[Row]:
    """Export, read back, and write the same with LeRobot's writer in both its modes."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    store = recorded(work)
    to = exported(work)
    meant = frames_of(store)
    with timed() as reading:
        dataset = LeRobotDataset("tandem/interop", root=to)
        wrong = _differences(dataset, meant)
    rows = sum(len(frames.moments_ns) for _, frames in meant)
    found = [Row(path="store → LeRobot v3.0 → LeRobot's loader", rows=dataset.num_frames,
                 frames=dataset.num_frames * len(CAMERAS), seconds=reading.seconds,
                 check="numbers bit for bit, timestamps k/fps, tasks, pictures > 30 dB",
                 ok=dataset.num_frames == rows and not wrong, figures={"differ": ", ".join(wrong)})]
    ours, encoder_s = _ours(store, work / "timed"), _encoder_s(meant, work)
    for streaming, name in ((False, "its default, PNG first"), (True, "streaming")):
        theirs = _theirs(meant, work / f"theirs-{streaming}", streaming)
        found.append(Row(
            path=f"the same frames by LeRobot's writer, {name}", rows=rows,
            frames=rows * len(CAMERAS), seconds=theirs.seconds, ok=True,
            check=f"ours {ours.seconds:.1f} s, same codec and settings: "
                  f"{theirs.seconds / ours.seconds:.1f} times as fast; of all cores "
                  f"{ours.cpu_s:.1f} and {theirs.cpu_s:.1f} s, the encoder {encoder_s:.1f} of each",
            figures={"ours_s": ours.seconds, "theirs_s": theirs.seconds,
                     "times": theirs.seconds / ours.seconds, "ours_cpu_s": ours.cpu_s,
                     "theirs_cpu_s": theirs.cpu_s, "encoder_cpu_s": encoder_s}))
    return found


def exported(work: Path) -> Path:
    """The recorded store as a LeRobot dataset; exported once."""
    to = work / "lerobot"
    if not to.exists():
        store = recorded(work)
        with DemoStore.open(store) as opened:
            export_lerobot(opened, episodes_of(store), to)
    return to


def _ours(store: Path, to: Path) -> Timer:
    with timed() as timer, DemoStore.open(store) as opened:
        export_lerobot(opened, episodes_of(store), to)
    return timer


def _encoder_s(meant: list, work: Path) -> float:
    """Seconds of all cores that the encoder takes for the same pictures, decoded beforehand."""
    total = 0.0
    for name in CAMERAS:
        pictures = [episode[name]["rgb"][int(row)] for episode, frames in meant
                    for row in frames.picture_rows[name]]
        height, width, _ = pictures[0].shape
        with timed() as timer:
            video = VideoWriter(work / f"{name}.mp4", FPS, height, width, LEROBOT_AV1)
            for picture in pictures:
                video.add(picture)
            video.close()
        total += timer.cpu_s
    return total


def _theirs(meant: list, to: Path, streaming: bool) -> Timer:
    """LeRobot's writer, for frames that are decoded from the store as ours are."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    first = meant[0][0]
    features = {f"observation.images.{name}": {
        "dtype": "video", "shape": first[name]["rgb"][0].shape,
        "names": ["height", "width", "channels"]} for name in CAMERAS}
    for name in ("observation.state", "action"):
        features[name] = {"dtype": "float32", "shape": (meant[0][1].state.shape[1],), "names": None}
    with timed() as timer:
        dataset = LeRobotDataset.create(
            "tandem/theirs", FPS, features, root=to, streaming_encoding=streaming,
            image_writer_threads=4 * len(CAMERAS), encoder_queue_maxsize=10_000)
        for episode, frames in meant:
            for k, task in enumerate(frames.instructions):
                dataset.add_frame({
                    **{f"observation.images.{name}": episode[name]["rgb"][int(rows[k])]
                       for name, rows in frames.picture_rows.items()},
                    "observation.state": frames.state[k], "action": frames.action[k],
                    "task": task})
            dataset.save_episode()
        dataset.finalize()
    return timer


def _differences(dataset, meant: list) -> list[str]:
    table = dataset.hf_dataset.with_format("numpy")
    wrong: list[str] = []
    for name, column in (("state", "observation.state"), ("action", "action")):
        want = np.concatenate([getattr(frames, name) for _, frames in meant])
        wrong += [name] * (not np.array_equal(np.stack(list(table[column])), want))
    lengths = [len(frames.moments_ns) for _, frames in meant]
    times = np.concatenate([(np.arange(n) / FPS).astype("f4") for n in lengths])
    wrong += ["timestamp"] * (not np.array_equal(np.asarray(table["timestamp"][:]), times))
    at = 0
    for (episode, frames), length in zip(meant, lengths, strict=True):
        for k in (0, length // 2, length - 1):
            frame = dataset[at + k]
            wrong += ["task"] * (frame["task"] != frames.instructions[k])
            for name, rows in frames.picture_rows.items():
                got = frame[f"observation.images.{name}"].numpy().transpose(1, 2, 0) * 255
                error = np.mean((got - episode[name]["rgb"][int(rows[k])]) ** 2)
                wrong += [f"picture {name} {k}"] * bool(10 * np.log10(255**2 / error) < 30)
        at += length
    return wrong

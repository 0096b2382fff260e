"""LeRobot's own recorder, left in the middle of an episode: to be killed.

    python lerobot_recorder.py FOLDER MODE:FINISHED[:FRAMES] …

Makes FOLDER/MODE-FINISHED for every word, in one process: `stream` encodes while recording, `png`
after each episode, `batch` after every fourth, `image` keeps pictures in the table. Each has
FINISHED saved episodes and half of another; then it prints "ready" and waits for the kill. Frame k
of episode e shows what `picture` says, and its numbers are what `numbers` says.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

FPS, HEIGHT, WIDTH, FRAMES, AXES = 30, 64, 96, 12, 3
CAMERAS = ("front", "wrist")


def numbers(episode: int, k: int) -> np.ndarray:
    """(AXES,) f4: no two frames have the same."""
    return (episode + k / 100 + np.arange(AXES) / 7).astype(np.float32)


def picture(camera: str, episode: int, k: int) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) u1: smooth, brighter from frame to frame and from episode to episode."""
    slope = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) // 4
    value = slope + (40 if camera == "wrist" else 0) + episode * 5 + k * 8
    return np.stack([value % 256] * 3, axis=-1).astype(np.uint8)


def main(folder: Path, words: list[str]) -> None:
    """Record, say so, and wait."""
    from lerobot.configs.video import RGBEncoderConfig
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    kept: list[Any] = []
    for word in words:
        mode, finished, *rest = word.split(":")
        frames = int(rest[0]) if rest else FRAMES
        kind = "image" if mode == "image" else "video"
        features = {f"observation.images.{name}": {
            "dtype": kind, "shape": (HEIGHT, WIDTH, 3), "names": ["height", "width", "channels"]}
            for name in CAMERAS}
        for name in ("observation.state", "action"):
            features[name] = {"dtype": "float32", "shape": (AXES,),
                              "names": [f"joint{axis}.pos" for axis in range(AXES)]}
        dataset = LeRobotDataset.create(
            f"killed/{mode}", FPS, features, root=folder / f"{mode}-{finished}",
            use_videos=mode != "image", robot_type="toy",
            rgb_encoder=RGBEncoderConfig(vcodec="h264", crf=18, preset="veryfast"),
            streaming_encoding=mode == "stream", encoder_queue_maxsize=frames + 1,
            batch_encoding_size=4 if mode == "batch" else 1)
        for episode in range(int(finished) + 1):
            half = episode == int(finished)
            for k in range(frames // 2 if half else frames):
                dataset.add_frame({
                    **{f"observation.images.{name}": picture(name, episode, k) for name in CAMERAS},
                    "observation.state": numbers(episode, k), "action": -numbers(episode, k),
                    "task": ("pour the water", "wipe the table")[episode % 2]})
            if not half:
                dataset.save_episode(parallel_encoding=False)
        kept.append(dataset)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

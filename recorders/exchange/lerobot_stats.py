"""The statistics of a LeRobot dataset: of an episode, and of all of them together.

As LeRobot computes them (`lerobot/datasets/compute_stats.py`), with two differences: quantiles are
exact instead of from a histogram of 5000 bins, and pictures are counted value by value, because
a pixel has only 256. Shapes: numbers (D,), pictures (3, 1, 1) in [0, 1], depth (1, 1, 1) in its
unit, "count" (1,).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
COLOURS = np.arange(256) / 255
_LARGE, _SAMPLED = 300, 150         # pictures with a side of 300 are looked at every few pixels

Stats = dict[str, np.ndarray]


def of_numbers(values: np.ndarray) -> Stats:
    """Statistics over the frames of (N, …) numbers."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    quantiles = np.quantile(flat, list(QUANTILES.values()), axis=0)
    return {"min": flat.min(axis=0), "max": flat.max(axis=0), "mean": flat.mean(axis=0),
            "std": flat.std(axis=0), "count": np.array([len(values)]),
            **dict(zip(QUANTILES, quantiles, strict=True))}


class PictureStats:
    """Counts how often each value occurs in each channel.

    Args:
        channels: three of colours, one of depth.
        values: what the counts 0, 1, … mean.
    """

    def __init__(self, channels: int = 3, values: np.ndarray = COLOURS) -> None:
        self._counts, self._values = np.zeros((channels, len(values)), np.int64), values
        self._pictures = 0

    def add(self, picture: np.ndarray) -> None:
        """Look at a picture, (H, W, channels)."""
        height, width = picture.shape[:2]
        step = max(height, width) // _SAMPLED if max(height, width) >= _LARGE else 1
        seen = picture[::step, ::step]
        for channel, counts in enumerate(self._counts):
            counts += np.bincount(seen[..., channel].ravel(), minlength=len(counts))
        self._pictures += 1

    def result(self) -> Stats:
        """The statistics so far; at least one picture was seen."""
        values = self._values
        total = self._counts[0].sum()
        mean = self._counts @ values / total
        spread = np.sqrt(np.maximum(self._counts @ values ** 2 / total - mean ** 2, 0))
        there = self._counts > 0
        below = np.cumsum(self._counts, axis=1) / total
        found = {"min": values[there.argmax(axis=1)],
                 "max": values[len(values) - 1 - there[:, ::-1].argmax(axis=1)],
                 "mean": mean, "std": spread,
                 **{name: values[(below >= share).argmax(axis=1)]
                    for name, share in QUANTILES.items()}}
        return {**{name: value.reshape(-1, 1, 1) for name, value in found.items()},
                "count": np.array([self._pictures])}


def together(episodes: Sequence[Stats]) -> Stats:
    """Statistics of all frames, from those of episodes; quantiles are means, as LeRobot's are."""
    counts = np.array([int(stats["count"][0]) for stats in episodes])
    share = counts / counts.sum()
    stacked = {name: np.stack([stats[name] for stats in episodes])
               for name in episodes[0] if name != "count"}
    mean = np.tensordot(share, stacked["mean"], axes=1)
    variance = np.tensordot(share, stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2, axes=1)
    return {"min": stacked["min"].min(axis=0), "max": stacked["max"].max(axis=0), "mean": mean,
            "std": np.sqrt(variance), "count": np.array([counts.sum()]),
            **{name: np.tensordot(share, stacked[name], axes=1) for name in QUANTILES}}


def plain(stats: dict[str, Stats]) -> dict[str, Any]:
    """Statistics as JSON and Parquet take them."""
    return {key: {name: value.tolist() for name, value in of.items()} for key, of in stats.items()}

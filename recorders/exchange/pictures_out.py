"""An episode's pictures on their way out: decoded when asked for, in the size that is wanted.

Knows pictures; knows no other format.
"""

from collections.abc import Iterator

import numpy as np

from recorders.episode_reader import EpisodeReader

PICTURE, DEPTH = "rgb", "depth"


def colours(episode: EpisodeReader, camera: str, rows: np.ndarray,
            size: tuple[int, int] | None) -> Iterator[np.ndarray]:
    """Pictures of colours, in some rows of a camera, made `size` (height, width)."""
    reader = episode[camera].images(PICTURE)
    for row in rows:
        yield resized(reader[int(row)], size)


def depths(episode: EpisodeReader, camera: str, rows: np.ndarray,
           size: tuple[int, int] | None) -> Iterator[np.ndarray]:
    """(H, W) u2 of depth, made smaller by leaving pixels out: a mean of two is in neither place."""
    import cv2

    reader = episode[camera].images(DEPTH)
    for row in rows:
        counts = reader[int(row)]
        yield counts if size in (None, counts.shape) else cv2.resize(
            counts, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def resized(picture: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """(H, W, 3) u1 made `size` (height, width), every pixel the mean of what it covers."""
    if size is None or picture.shape[:2] == size:
        return picture
    import cv2

    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)

"""A coloured point cloud of the table, from one camera's depth.

FiS-VLA's third sense (arXiv 2506.01953, section 3.1): what stands on the table, in metres in the
world's frame, wherever the camera is. The same function serves training and driving; both shrink
the pictures first. The table's own top is cut away: it is most of the picture and tells nothing.
Knows cameras as FORMAT.md's columns describe them; knows no files.

Letters: H, W of the small pictures, N points.
"""

from functools import lru_cache

import cv2
import numpy as np

from policy import rotations

# Above the table and within the arm's reach (studio/station/loop/safety.py holds the tool inside).
LOW_M = (0.15, -0.60, 0.006)
HIGH_M = (0.85, 0.60, 0.60)


def prepare_depth(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Make a depth picture smaller by leaving pixels out: a mean of two depths is in neither place.

    Args:
        depth: (any, any) u2 counts.
        size: (H, W).

    Returns:
        (H, W) u2.
    """
    height, width = size
    if depth.shape == (height, width):
        return depth
    return cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def metres_per_count(unit: str) -> float:
    """What one count of a depth picture means; its declared unit is "<number> m"."""
    number, _, metre = unit.partition(" ")
    if metre != "m":
        raise ValueError(f"depth in '{unit}': its unit must be a number and 'm', as in '0.001 m'")
    return float(number)


def point_cloud(
    depth: np.ndarray, picture: np.ndarray, world_from_camera: np.ndarray,
    intrinsics: np.ndarray, full_size: tuple[int, int], unit_m: float, points: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """A random part of what is seen above the table.

    Args:
        depth: (H, W) u2 counts, 0 where nothing was seen; from `prepare_depth`.
        picture: (H, W, 3) u1, the colours.
        world_from_camera: (7,) pose; the camera looks along z, x right, y down.
        intrinsics: (4,) fx fy cx cy in pixels of the full picture, edges counted from 0.
        full_size: (height, width) of the full picture.
        unit_m: metres per count.
        points: N.
        rng: chooses; where fewer are seen, points come twice.

    Returns:
        (N, 6) f4: x y z in m in the world and r g b in 0..1; zeros if nothing is there.
    """
    rays = _rays(depth.shape, full_size, tuple(intrinsics.tolist()))
    ahead_m = depth.ravel() * np.float32(unit_m)
    pose = world_from_camera.astype(np.float32)
    places = rotations.to_matrix(pose[3:]) @ (rays * ahead_m) + pose[:3, None]      # (3, H W)
    kept = ahead_m > 0
    for place, low_m, high_m in zip(places, LOW_M, HIGH_M, strict=True):
        kept &= (place > low_m) & (place < high_m)
    seen = np.flatnonzero(kept)
    if len(seen) == 0:
        return np.zeros((points, 6), np.float32)
    chosen = seen[rng.permutation(len(seen))[np.arange(points) % len(seen)]]
    colours = picture.reshape(-1, 3)[chosen].astype(np.float32) / 255
    return np.concatenate([places[:, chosen].T, colours], axis=1)


@lru_cache(maxsize=8)
def _rays(
    size: tuple[int, ...], full_size: tuple[int, int], intrinsics: tuple[float, ...]
) -> np.ndarray:
    """(3, H W) f4: for every pixel, by rows, where it looks at 1 m ahead, in the camera's frame."""
    (height, width), (fx, fy, cx, cy) = size, intrinsics
    right = ((np.arange(width) + 0.5) * (full_size[1] / width) - cx) / fx
    down = ((np.arange(height) + 0.5) * (full_size[0] / height) - cy) / fy
    rays = np.stack([*np.meshgrid(right, down), np.ones((height, width))]).reshape(3, -1)
    rays = rays.astype(np.float32)
    rays.flags.writeable = False        # shared by all calls
    return rays

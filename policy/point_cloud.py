"""A coloured point cloud of the table, from one camera's depth.

FiS-VLA's third sense (arXiv 2506.01953, section 3.1): what stands on the table, in metres in the
world's frame, wherever the camera is. The same function serves training and driving; both shrink
the pictures first. The table's own top is cut away: it is most of the picture and tells nothing.
Knows cameras as FORMAT.md's columns describe them; knows no files.

Letters: H, W of the small pictures, N points.
"""

import cv2
import numpy as np

from policy import rotations

# Above the table and within the arm's reach (studio/station/safety.py holds the tool inside).
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
    seen = np.flatnonzero(depth)
    rows, columns = np.divmod(seen, depth.shape[1])
    fx, fy, cx, cy = intrinsics
    right = ((columns + 0.5) * (full_size[1] / depth.shape[1]) - cx) / fx
    down = ((rows + 0.5) * (full_size[0] / depth.shape[0]) - cy) / fy
    ahead_m = depth.ravel()[seen] * np.float32(unit_m)
    in_camera = np.stack([right * ahead_m, down * ahead_m, ahead_m], axis=1)        # (S, 3)
    places = in_camera @ rotations.to_matrix(world_from_camera[3:]).T + world_from_camera[:3]
    kept = np.flatnonzero((places > LOW_M).all(axis=1) & (places < HIGH_M).all(axis=1))
    if len(kept) == 0:
        return np.zeros((points, 6), np.float32)
    chosen = kept[rng.permutation(len(kept))[np.arange(points) % len(kept)]]
    colours = picture.reshape(-1, 3)[seen[chosen]].astype(np.float32) / 255
    return np.concatenate([places[chosen].astype(np.float32), colours], axis=1)

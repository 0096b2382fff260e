"""Where the plan leads, as seen by a camera: a path of points in its picture.

A camera says with every picture where it is and how it projects (FORMAT.md: it looks along z, x to
the right, y down). What lies behind it, or far outside the picture, is left out. Knows geometry;
refuses to know what a camera or a plan is made of.
"""

import cv2
import numpy as np

from policy import rotations
from studio.station.messages import RunningChunk

NEAR_M = 0.02               # nearer points blow up in the projection
AHEAD_RGB, EDGE_RGB = (185, 155, 255), (40, 20, 80)
_SHIFT = 3                  # bits below a pixel
_FINE = 1 << _SHIFT
_MARGIN = 0.5               # of the picture, beyond which a point is not drawn


def path_of(running: RunningChunk | None) -> np.ndarray:
    """(N, 3) tool positions of a plan that are still to come, the next one first.

    Joint plans have none here: they say where joints go, not where the tool does.
    """
    if running is None or running.space != "tool":
        return np.empty((0, 3))
    return np.array([target[:3] for target in running.targets[running.step:]]).reshape(-1, 3)


def projected(points: np.ndarray, world_from_camera: np.ndarray, intrinsics: np.ndarray,
              size: tuple[int, int]) -> np.ndarray:
    """Pixels (M, 2) of those points that the camera could show; M is at most N.

    Args:
        points: (N, 3) in the world, m.
        world_from_camera: (7,) position, then (w, x, y, z).
        intrinsics: (4,) fx, fy, cx, cy in pixels.
        size: width and height of the picture.
    """
    if not len(points) or not (np.isfinite(world_from_camera).all()
                               and np.isfinite(intrinsics).all()):
        return np.empty((0, 2))
    turned = rotations.to_matrix(np.asarray(world_from_camera[3:], float))
    seen = (np.asarray(points, float) - world_from_camera[:3]) @ turned             # (N, 3)
    seen = seen[seen[:, 2] > NEAR_M]
    pixels = seen[:, :2] / seen[:, 2:] * intrinsics[:2] + intrinsics[2:]            # (M, 2)
    room = np.array(size) * _MARGIN
    inside = ((pixels > -room) & (pixels < np.array(size) + room)).all(axis=1)
    return pixels[inside]


def ghost(running: RunningChunk | None, tool: tuple[float, ...], row: np.void | None,
          size: tuple[int, int]) -> np.ndarray:
    """Pixels (M, 2) of the way from the tool along the plan, in one camera's picture.

    Args:
        running: the plan.
        tool: where the tool is now, position first.
        row: the camera's newest; it may say nothing of its pose.
        size: width and height of the picture.
    """
    ahead = path_of(running)
    names = () if row is None else row.dtype.names or ()
    if row is None or len(ahead) == 0 or len(tool) < 3 \
            or not {"world_from_camera", "intrinsics"} <= set(names):
        return np.empty((0, 2))
    points = np.concatenate((np.array(tool[:3])[None], ahead))
    return projected(points, row["world_from_camera"], row["intrinsics"], size)


def with_path(picture: np.ndarray, way: np.ndarray) -> np.ndarray:
    """A copy of a picture (H, W, 3) u1 with the way (M, 2) drawn into it: a line, and its steps."""
    drawn = np.ascontiguousarray(picture).copy()
    pixels = np.round(way * _FINE).astype(np.int32)
    cv2.polylines(drawn, [pixels.reshape(-1, 1, 2)], False, EDGE_RGB, 3, cv2.LINE_AA, _SHIFT)
    cv2.polylines(drawn, [pixels.reshape(-1, 1, 2)], False, AHEAD_RGB, 1, cv2.LINE_AA, _SHIFT)
    for pixel in pixels[1:]:
        cv2.circle(drawn, tuple(map(int, pixel)), 2 * _FINE, AHEAD_RGB, -1, cv2.LINE_AA, _SHIFT)
    return drawn

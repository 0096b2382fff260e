"""Pictures as a policy sees them: small, the same in training and when driving.

Shrinking averages (every pixel of the camera counts), so a thin thing does not vanish between two
samples. In training a picture is kept a few pixels larger, its edge repeated, and cut out at a
random place: a shift of ±4 px and a change of light keep a small network from learning pictures by
heart (random shifts: DrQ, arXiv 2004.13649). Knows no cameras and no files.
Letters: H, W of the policy's picture.
"""

import cv2
import numpy as np

SHIFT_PX = 4
LIGHT = (0.85, 1.15)


def prepare_picture(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Make a picture as large as the policy wants it.

    Args:
        picture: (any, any, 3) u1.
        size: (H, W).

    Returns:
        (H, W, 3) u1.
    """
    height, width = size
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def prepare_padded(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The same for training: (3, H + 8, W + 8) u1, colours first, the edge repeated around it."""
    small = prepare_picture(picture, size)
    edge = ((SHIFT_PX, SHIFT_PX), (SHIFT_PX, SHIFT_PX), (0, 0))
    return np.ascontiguousarray(np.pad(small, edge, mode="edge").transpose(2, 0, 1))


def cut_out(
    padded: np.ndarray, out: np.ndarray, down_px: int = SHIFT_PX, right_px: int = SHIFT_PX,
    light: float = 1.0,
) -> None:
    """Cut a training picture out of a padded one.

    Args:
        padded: (3, H + 8, W + 8) u1.
        out: (3, H, W) u1, C-contiguous; filled.
        down_px, right_px: 0..8, where the cut begins; 4 and 4 is the picture as it was.
        light: every value times this, at most 255.
    """
    height, width = out.shape[1:]
    cut = padded[:, down_px:down_px + height, right_px:right_px + width]
    if light == 1.0:
        out[...] = cut
    else:
        flat = out.reshape(-1, width)       # cv2 knows at most two dimensions and channels
        cv2.convertScaleAbs(np.ascontiguousarray(cut).reshape(-1, width), dst=flat, alpha=light)

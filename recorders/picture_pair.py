"""A camera's colour picture as the bytes that are recorded: itself, and its reduced copy.

Everything that takes pictures calls `encode_colours` in the thread that took them, never in the
control thread. The copy is made of the picture, not of its encoding, so that errors do not add up.
Knows a camera's declared pictures; knows no robot and no files.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from recorders.images import encode
from recorders.streams import ImageField


def encode_colours(picture: np.ndarray, name: str, images: Sequence[ImageField]
                   ) -> dict[str, bytes | memoryview]:
    """Encode a picture, and its copies if its camera declares any.

    Args:
        picture: (H, W, 3) u1, of the size declared for `name`.
        name: of the picture.
        images: all that the camera declares; others, such as depth, are left out.

    Returns:
        Name to encoded bytes, in the order declared.

    Raises:
        ValueError: if the picture is not of the declared size or type.
    """
    encoded: dict[str, bytes | memoryview] = {}
    for image in images:
        if image.name == name:
            if picture.shape[:2] != (image.height, image.width):
                raise ValueError(f"a picture of {picture.shape[:2]} came where '{name}' was "
                                 f"declared as ({image.height}, {image.width})")
            encoded[name] = encode(picture, image.encoding)
        elif image.reduced_from == name:
            encoded[image.name] = encode(reduced(picture, image.factor), image.encoding,
                                         fine_colours=True)
    return encoded


def reduced(picture: np.ndarray, factor: int) -> np.ndarray:
    """The mean over squares of factor x factor pixels, rounded.

    Args:
        picture: (H, W, 3) u1; `factor` divides H and W.

    Returns:
        (H / factor, W / factor, 3) u1.
    """
    height, width = picture.shape[:2]
    # With whole factors OpenCV's area interpolation is exactly the mean, ten times NumPy's speed.
    return cv2.resize(picture, (width // factor, height // factor), interpolation=cv2.INTER_AREA)

"""Depth pictures as LeRobot 0.6.1 keeps them, out and in.

In the table, as TIFF files of u2 millimetres or f4 metres: bit for bit; that is how depth goes out
here. In a video, as 12-bit codes of a logarithmic scale (`lerobot/datasets/depth_utils.py`), which
its recorder writes by default: those come in as the millimetres that LeRobot reads there. Where
counts are no millimetres, metres go out, and the unit is noted to come back by.
Knows numbers and TIFF; knows no dataset.
"""

import io
from typing import Any

import numpy as np

MILLIMETRE, METRES = "0.001 m", "m"
CODES = 4095                            # the largest of a video
_DEFAULTS = {"depth_min": 0.01, "depth_max": 10.0, "shift": 3.5, "use_log": True}
_MOST = 65535


def lerobot_unit(unit: str) -> str:
    """What LeRobot is told of a camera's unit, "<number> m": "mm" of u2, "m" of f4."""
    return "mm" if _metres(unit) == _metres(MILLIMETRE) else METRES


def outgoing(counts: np.ndarray, unit: str) -> np.ndarray:
    """(H, W) u2 counts as LeRobot takes them: u2 mm, or f4 m."""
    if lerobot_unit(unit) == "mm":
        return counts
    return (counts * _metres(unit)).astype(np.float32)


def incoming(picture: np.ndarray, unit: str = MILLIMETRE) -> np.ndarray:
    """(H, W) u2 counts of a unit, from u2 mm or f4 m; too far for it is the farthest."""
    if picture.dtype.kind == "f":
        return _counts(picture / _metres(unit))
    return picture.astype(np.uint16)


def from_codes(codes: np.ndarray, info: dict[str, Any]) -> np.ndarray:
    """(H, W) u2 mm of a video's 12-bit codes; LeRobot, in float32, may round to the next.

    Args:
        codes: (H, W) 0..4095.
        info: of the feature, with `video.depth_min` … where they are not LeRobot's defaults.
    """
    near, far, shift, log = (info.get(f"video.{name}", value) for name, value in _DEFAULTS.items())
    ends = np.log([near + shift, far + shift]) if log else np.array([near, far])
    scale = (ends[1] - ends[0]) / CODES
    metres = codes * scale + ends[0]
    metres = np.exp(metres) - shift if log else metres
    return _counts(np.clip(metres, near, far) * 1000)


def as_tiff(picture: np.ndarray) -> bytes:
    """(H, W) u2 or f4 as a TIFF file, packed without loss."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "TIFF",
                                                        compression="tiff_adobe_deflate")
    return file.getvalue()


def from_tiff(data: bytes) -> np.ndarray:
    """(H, W) u2 or f4 of a picture file with one channel."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def _metres(unit: str) -> float:
    return float(unit.split()[0])


def _counts(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(np.nan_to_num(values)), 0, _MOST).astype(np.uint16)

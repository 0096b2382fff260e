"""The pictures of a LeRobot dataset as cameras of an episode that comes in.

They lie in videos, in folders of files where no video was made of them, or in the table. Nothing is
decoded before it is asked for. Knows which picture is a camera's depth; knows no store.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorders.exchange import depth
from recorders.exchange import lerobot_layout as layout
from recorders.exchange.incoming import Camera
from recorders.exchange.lerobot_reader import Recorded
from recorders.exchange.videos import pictures_of
from recorders.store_errors import StoreError

_DEPTH = "_depth"


def cameras_of(recorded: Recorded, info: layout.Info, units: dict[str, str]
               ) -> tuple[Camera, ...]:
    """Cameras of colours with their depth, which LeRobot calls NAME_depth; then depth alone.

    Args:
        recorded: as it lies there; cameras whose pictures are lost are left out.
        info: of its dataset.
        units: camera to what a count of its depth shall mean, where that is known.
    """
    found = [_camera(key, recorded, info, units) for key in info.pictures()
             if key in recorded.videos or key in recorded.folders
             or info.features[key]["dtype"] == "image"]
    deep = {one.name: one for one in found if one.depth_unit}
    both = [msgspec.structs.replace(one, depth=deep.pop(f"{one.name}{_DEPTH}", None))
            for one in found if not one.depth_unit]
    return (*both, *deep.values())


def _camera(key: str, recorded: Recorded, info: layout.Info, units: dict[str, str]) -> Camera:
    feature, name = info.features[key], layout.camera_of(key)
    height, width = _size(feature)
    deep = layout.is_depth(feature)
    unit = units.get(name.removesuffix(_DEPTH), depth.MILLIMETRE) if deep else ""

    def pictures() -> Iterator[np.ndarray]:
        if key in recorded.videos:
            span = recorded.videos[key]
            if not deep:
                return pictures_of(span.path, span.first, span.count)
            return (depth.from_codes(codes, feature.get("info") or {}) for codes in
                    pictures_of(span.path, span.first, span.count, "gray12le"))
        files = (_in_folder(recorded.folders[key], recorded.rows.num_rows)
                 if key in recorded.folders
                 else _in_column(cell.as_py() for cell in recorded.rows[key]))
        return _each(files, _decoded if not deep else
                     lambda data: depth.incoming(depth.from_tiff(data), unit))

    return Camera(name=name, height=height, width=width, pictures=pictures, depth_unit=unit)


def _size(feature: dict[str, Any]) -> tuple[int, int]:
    shape, names = list(feature["shape"]), feature.get("names") or []
    first = str(names[0]).startswith("channel") if names else shape[0] in (1, 3)
    return (shape[1], shape[2]) if first else (shape[0], shape[1])


def _in_folder(folder: Path, frames: int) -> Iterator[bytes]:
    files = layout.frame_files(folder, frames)
    if len(files) < frames:
        raise StoreError(f"{folder} has no picture {len(files)} of {frames}: copy the dataset anew")
    for path in files:
        yield path.read_bytes()


def _in_column(pictures: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for picture in pictures:
        if not picture["bytes"]:
            raise StoreError(f"a picture lies outside the table, in {picture['path']}: "
                             f"such datasets are not read; make videos of it with "
                             f"lerobot-edit-dataset")
        yield picture["bytes"]


def _each(files: Iterator[bytes], decoded: Callable[[bytes], np.ndarray]) -> Iterator[np.ndarray]:
    for number, data in enumerate(files):
        try:
            yield decoded(data)
        except (OSError, SyntaxError, ValueError) as error:       # what Pillow raises
            raise StoreError(f"picture {number} ({len(data)} bytes) cannot be read: copy it anew, "
                             f"or import with --damaged ({error})") from error


def _decoded(data: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))

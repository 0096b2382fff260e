"""Pictures over HTTP: what cameras show now, frames of recorded episodes, thumbnails.

A picture that was stored as JPEG goes out as it is; others are encoded anew, because browsers do
not know them. A picture that cannot be had is an answer with a sentence, never an exception. Knows
the library and the feed; refuses to know pages.
"""

from collections.abc import Callable
from functools import lru_cache
from io import BytesIO

import imagecodecs
import numpy as np
from fastapi import APIRouter, Response
from PIL import Image

from studio.station.messages import Snapshot
from studio.views.ghost import ghost, with_path
from studio.web.desk_feed import DeskFeed
from studio.web.library import PICTURE, UNREADABLE, Library, cameras_of

JPEG_LEVEL = 85
THUMB_SIZE = (160, 120)
THUMB_AT = 0.5              # of the episode: the middle shows what it is about
THUMBS = 2000               # kept in memory, some kB each
_JPEG_MARK = b"\xff\xd8"
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}    # recordings never change
_NEVER = {"cache-control": "no-store"}


def pictures(feed: DeskFeed, library: Callable[[], Library]) -> APIRouter:
    """The routes.

    Args:
        feed: of the desk.
        library: gives the library as it is now.
    """
    router = APIRouter()

    @router.get("/live/camera/{camera}.jpg")
    def live(camera: str) -> Response:
        view = feed.look()
        if (data := view.pictures.get(camera)) is None:
            return _sentence(f"camera '{camera}' has shown nothing yet")
        return _jpeg(with_plan(for_browser(data), view.snapshot, view.cameras.get(camera)), _NEVER)

    @router.get("/episodes/{episode}/{camera}/{row}.jpg")
    def frame(episode: str, camera: str, row: int) -> Response:
        try:
            frames = library().reader(episode)[camera].images(PICTURE)
            return _jpeg(for_browser(frames.encoded(row)), _FOREVER)
        except (*UNREADABLE, IndexError) as error:
            return _sentence(str(error))

    @router.get("/episodes/{episode}/thumb.jpg")
    def thumb(episode: str) -> Response:
        try:
            return _jpeg(_thumb(library(), episode), _FOREVER)
        except (*UNREADABLE, IndexError) as error:
            return _sentence(str(error))

    return router


def for_browser(data: bytes) -> bytes:
    """A recorded picture as JPEG."""
    if data[:2] == _JPEG_MARK:
        return data
    return bytes(imagecodecs.jpeg8_encode(imagecodecs.jpegxl_decode(data), level=JPEG_LEVEL))


def with_plan(data: bytes, snapshot: Snapshot | None, row: np.void | None) -> bytes:
    """A picture with the way along the plan that runs drawn into it, if there is any.

    Args:
        data: a JPEG.
        snapshot: of the same desk.
        row: the camera's, of that picture.
    """
    if snapshot is None or snapshot.chunk is None or row is None:
        return data
    picture = imagecodecs.jpeg8_decode(data)
    height, width = picture.shape[:2]
    way = ghost(snapshot.chunk, snapshot.tool_pose, row, (width, height))
    if len(way) < 2:
        return data
    return bytes(imagecodecs.jpeg8_encode(with_path(picture, way), level=JPEG_LEVEL))


def shrunk(data: bytes, size: tuple[int, int] = THUMB_SIZE) -> bytes:
    """A picture as JPEG that fits into `size` (width, height)."""
    with Image.open(BytesIO(for_browser(data))) as picture:
        picture.draft("RGB", size)      # decodes at a fraction of the cost
        picture.thumbnail(size)
        return bytes(imagecodecs.jpeg8_encode(np.asarray(picture), level=JPEG_LEVEL))


@lru_cache(THUMBS)
def _thumb(library: Library, episode: str) -> bytes:
    reader = library.reader(episode)
    frames = reader[cameras_of(reader)[0]].images(PICTURE)
    return shrunk(frames.encoded(round(THUMB_AT * (len(frames) - 1))))


def _jpeg(data: bytes, headers: dict[str, str]) -> Response:
    return Response(data, media_type="image/jpeg", headers=headers)


def _sentence(why: str) -> Response:
    return Response(why, 404, media_type="text/plain; charset=utf-8", headers=_NEVER)

"""Pictures into MP4 files and out of them, one frame for one picture.

Frame k of a file has the presentation time k/fps exactly: nothing is dropped and nothing doubled.
Knows PyAV and codecs. Knows no dataset.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from recorders.store_errors import StoreError


class Codec(msgspec.Struct, frozen=True, kw_only=True):
    """How pictures are compressed.

    Attributes:
        name: of the encoder, as ffmpeg calls it.
        pixels: its pixel format.
        options: as ffmpeg takes them; "g" frames lie between pictures that stand by themselves.
    """

    name: str
    pixels: str
    options: dict[str, str]


# What LeRobot 0.6.1 writes unless told otherwise.
LEROBOT_AV1 = Codec(name="libsvtav1", pixels="yuv420p",
                    options={"g": "2", "crf": "30", "preset": "12"})
# Every pixel's own colour, about 45 dB; AV1 with a quarter of the colours blurs small things.
SHARP_H264 = Codec(name="h264", pixels="yuv444p", options={"g": "2", "crf": "12"})


class VideoWriter:
    """A file that takes pictures of one size. Close it, or its last pictures are missing.

    Args:
        path: the file.
        fps: pictures in a second.
        height, width: of every picture.
        codec: see there.
        threads: of the encoder; 0 lets it choose.
    """

    def __init__(self, path: Path, fps: int, height: int, width: int, codec: Codec,
                 threads: int = 0) -> None:
        import av

        path.parent.mkdir(parents=True, exist_ok=True)
        self._tick = Fraction(1, fps)
        self._file = av.open(str(path), "w")
        options = dict(codec.options)
        if codec.name == "libsvtav1" and threads:
            options["svtav1-params"] = f"lp={threads}"
        self._stream: Any = self._file.add_stream(codec.name, fps, options=options)
        self._stream.pix_fmt = codec.pixels
        self._stream.height, self._stream.width = height, width
        self._stream.time_base = self._tick
        self.frames, self.bytes = 0, 0

    def add(self, picture: np.ndarray) -> None:
        """Append a picture, (H, W, 3) u1."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = self.frames, self._tick
        self.frames += 1
        self._mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds, and the file's index."""
        self._mux(self._stream.encode())
        self._file.close()

    def abandon(self) -> None:
        """Let go of a file that nobody wants."""
        with suppress(OSError):             # a full disk
            self._file.close()

    def _mux(self, packets: Any) -> None:
        self.bytes += sum(packet.size for packet in packets)
        self._file.mux(packets)


def quiet() -> None:
    """Tell the libraries below to be silent, what fails is said by us; before the first video."""
    # SVT-AV1 greets with every video unless told otherwise before it is loaded.
    os.environ.setdefault("SVT_LOG", "0")
    import av

    # With av's own callback a decoder's thread that has something to say waits for the GIL, and
    # whoever closes the decoder holds it: both wait for ever.
    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.FATAL)


def pictures_of(path: Path, first: int = 0, count: int | None = None, pixels: str = "rgb24"
                ) -> Iterator[np.ndarray]:
    """Decode pictures of a file in order.

    Args:
        path: a video.
        first: number of the first picture that is wanted.
        count: how many; None means all that follow.
        pixels: as ffmpeg calls them; "gray12le" of depth.

    Yields:
        (H, W, 3) u1, or (H, W) u2.

    Raises:
        StoreError: if the file is no video, is cut short, or ends too early.
    """
    import av

    with opened(path) as video:
        stream = video.streams.video[0]
        rate, base = stream.average_rate, stream.time_base
        if rate is None or base is None:
            raise StoreError(f"{path} does not say how many pictures it has in a second")
        start = stream.start_time or 0
        if first:
            video.seek(start + int(first / rate / base), stream=stream, backward=True)
        given = 0
        try:
            for frame in video.decode(stream):
                number = round(((frame.pts or 0) - start) * base * rate)
                if number < first:
                    continue
                if given == count:
                    return
                given += 1
                yield frame.to_ndarray(format=pixels)
        except av.FFmpegError as error:
            raise StoreError(f"{path} breaks off after {first + given} pictures: copy it anew, or "
                             f"import with --damaged ({error.strerror})") from error
        if count is not None and given < count:
            raise StoreError(f"{path} ends after {first + given} pictures, and {first + count} "
                             f"are wanted: copy it anew, or import with --damaged")


def frames_in(path: Path) -> int:
    """How many pictures a file holds, up to the first that is cut short; reads all of it.

    Raises:
        StoreError: as `opened`.
    """
    import av

    whole = 0
    with opened(path) as video:
        try:
            for packet in video.demux(video.streams.video[0]):
                if packet.is_corrupt:
                    break
                whole += packet.size > 0
        except av.FFmpegError:
            pass            # the rest is missing
    return whole


def opened(path: Path) -> Any:
    """A file opened for decoding.

    Raises:
        StoreError: if it is not there, is no video, or was copied only in part.
    """
    import av

    try:
        video = av.open(str(path))
    except FileNotFoundError:
        raise StoreError(f"{path} is not there: copy the dataset anew") from None
    except av.FFmpegError as error:
        raise StoreError(f"{path} is no whole video ({error.strerror}): copy it anew, or import "
                         f"with --damaged what can be had without it") from error
    if not video.streams.video:
        video.close()
        raise StoreError(f"{path} holds no pictures")
    return video

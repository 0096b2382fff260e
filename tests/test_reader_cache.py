"""Kept pictures are the stored pictures, and never more of them than memory was given."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.array_layout import DamagedRecording
from recorders.episode_reader import EpisodeReader
from recorders.picture_cache import PictureCache
from recorders.shard_reader import FrameReader
from recorders.streams import ImageField, StreamSpec
from recorders.windows import WindowSampler

COUNT, BYTES = 10, 8 * 8 * 3
FRONT = StreamSpec(name="front", rate_hz=30.0, images=(
    ImageField(name="rgb", height=8, width=8, encoding="jpegxl-lossless"),))


@pytest.fixture(scope="module")
def episode_path(tmp_path_factory, write_episode) -> Path:
    pictures = np.broadcast_to(np.arange(1, COUNT + 1, dtype=np.uint8)[:, None, None, None],
                               (COUNT, 8, 8, 3)).copy()
    return write_episode(tmp_path_factory.mktemp("cache") / "e", [(FRONT, {"rgb": pictures})],
                         picture_checksums=True)


@pytest.fixture(scope="module")
def frames(episode_path: Path) -> FrameReader:
    return FrameReader(episode_path / "front" / "rgb")


@given(rows=st.lists(st.integers(0, COUNT - 1), max_size=60), room=st.integers(0, COUNT))
@settings(deadline=None, max_examples=60)
def test_what_is_read_is_what_is_stored_within_the_memory_given(
    rows: list[int], room: int, frames: FrameReader
) -> None:
    cache = PictureCache(room * BYTES + 5)
    for row in rows:
        np.testing.assert_array_equal(cache.read(frames, row), frames[row])
        assert cache.used_bytes <= cache.max_bytes
    if room == COUNT:
        assert cache.decoded == len(set(rows))      # nothing is decoded twice while there is room


def test_room_is_made_for_new_pictures_by_letting_the_first_go(frames: FrameReader) -> None:
    cache = PictureCache(2 * BYTES)
    for row in (0, 1, 2, 2, 1):
        cache.read(frames, row)
    assert cache.decoded == 3
    cache.read(frames, 0)
    assert cache.decoded == 4


def test_pictures_are_kept_as_they_were_prepared_and_cannot_be_changed(
    frames: FrameReader,
) -> None:
    cache = PictureCache(COUNT * BYTES, prepare=lambda picture: picture[::2, ::2])
    small = cache.read(frames, 3)
    assert small.shape == (4, 4, 3) and cache.used_bytes == BYTES // 4
    with pytest.raises(ValueError, match="read-only"):
        small[0] = 0


def test_windows_are_the_same_with_threads_and_with_a_cache(episode_path: Path) -> None:
    episode = EpisodeReader(episode_path)
    plain = WindowSampler([episode], images={"front": "rgb"}, frames=3)
    with ThreadPoolExecutor(2) as pool:
        others = [WindowSampler([episode], images={"front": "rgb"}, frames=3, pool=pool),
                  WindowSampler([episode], images={"front": "rgb"}, frames=3, pool=pool,
                                cache=PictureCache(4 * BYTES))]
        for sampler in others:
            for number in (*range(COUNT), *range(COUNT)):
                np.testing.assert_array_equal(sampler[number].images["front"],
                                              plain[number].images["front"])


def test_a_damaged_picture_is_not_kept(tmp_path: Path, write_episode) -> None:
    pictures = np.full((2, 8, 8, 3), 9, np.uint8)
    path = write_episode(tmp_path / "e", [(FRONT, {"rgb": pictures})], picture_checksums=True)
    shard = path / "front" / "rgb" / "c" / "0" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[-6] ^= 1
    shard.write_bytes(bytes(data))
    cache, frames = PictureCache(COUNT * BYTES), FrameReader(path / "front" / "rgb")
    for _ in range(2):
        with pytest.raises(DamagedRecording, match="checksum"):
            cache.read(frames, 1)
    assert cache.used_bytes == 0

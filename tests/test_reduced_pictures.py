"""Large pictures have a reduced copy: a true one, stored like them, and read where it suffices."""

import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zarr
from doubles.synthetic_episodes import START_MONO_NS, TICK, batch, header, rows
from hypothesis import given
from hypothesis import strategies as st

from recorders.array_layout import DamagedRecording
from recorders.episode_reader import EpisodeReader
from recorders.images import decode
from recorders.picture_pair import encode_colours, reduced
from recorders.quality import assess
from recorders.reduced_pictures import (
    LEAST_FACTOR,
    LEAST_SIZE,
    misfit,
    picture_for,
    reduction_factor,
    with_reduced,
)
from recorders.rerun_entities import cameras
from recorders.rerun_file import slices
from recorders.store import DemoStore, DiskFull, StoreError
from recorders.streams import Batch, ImageField, StreamSpec
from recorders.windows import WindowSampler

HEIGHT, WIDTH, FACTOR = 288, 384, 3
RGB = ImageField(name="rgb", height=HEIGHT, width=WIDTH, encoding="jpeg")
DEPTH = ImageField(name="depth", height=12, width=16, encoding="zstd", unit="0.001 m")
FRONT = StreamSpec(name="front", rate_hz=30.0, images=(*with_reduced(RGB), DEPTH))
OLD_FRONT = StreamSpec(name="front", rate_hz=30.0, images=(RGB, DEPTH))
EPISODE = header().episode
PICTURES = 6

sides = st.integers(1, 2500)


def seen(i: int) -> np.ndarray:
    """What the camera sees in row i: a slope, 20 brighter than before."""
    slope = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) // 6 + 20 * i
    return np.stack([slope, slope + 20, slope + 40], axis=-1).astype(np.uint8)


def is_near(picture: np.ndarray, truth: np.ndarray) -> bool:
    return picture.shape == truth.shape and np.abs(picture.astype(int) - truth).mean() < 2


def camera_batch(spec: StreamSpec, first: int, count: int) -> Batch:
    """Rows of a camera with the pictures that it declares."""
    return Batch(spec.name, rows(spec, first, count), tuple(
        encode_colours(seen(i), "rgb", spec.images)
        | batch(msgspec.structs.replace(spec, images=(DEPTH,)), i, 1).images[0]
        for i in range(first, first + count)))


def record(path: Path, *specs: StreamSpec) -> list[EpisodeReader]:
    """One episode a camera."""
    with DemoStore.open(path, write=True, create=True, reserve_bytes=4096) as store:
        for number, spec in enumerate(specs):
            writer = store.begin(header(number, [TICK, spec]))
            writer.append(batch(TICK, 0, 30))
            writer.append(camera_batch(spec, 0, PICTURES))
            writer.commit(START_MONO_NS, "success")
    opened = DemoStore.open(path)
    return [EpisodeReader(opened.episode_path(number)) for number in range(len(specs))]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reduced") / "store"
    record(path, FRONT)
    return path


@pytest.fixture
def group(sound: Path, tmp_path: Path) -> Path:
    """The group of an episode in a store that a test may damage."""
    return shutil.copytree(sound, tmp_path / "store") / "data.zarr" / EPISODE


def problems_of(group: Path) -> list[tuple[str, str]]:
    found = DemoStore.open(group.parent.parent).check()
    return [(problem.path.removeprefix(f"data.zarr/{EPISODE}/"), problem.what)
            for problem in found]


# ---- which pictures get a copy -------------------------------------------------------------------

@given(height=sides, width=sides)
def test_a_copy_shows_the_whole_picture_and_is_the_smallest_that_suffices(height, width):
    factor = reduction_factor(height, width)
    fitting = [f for f in range(LEAST_FACTOR, 30) if height % f == width % f == 0
               and height // f >= LEAST_SIZE[0] and width // f >= LEAST_SIZE[1]]
    assert factor == max(fitting, default=1)
    images = with_reduced(ImageField(name="rgb", height=height, width=width, encoding="jpeg"))
    assert len(images) == (1 if factor == 1 else 2)
    assert [misfit(image, images) for image in images] == [""] * len(images)


@pytest.mark.parametrize(("size", "copy"), [
    ((480, 640), (96, 128)), ((480, 848), (120, 212)), ((720, 1280), (144, 256)),
    ((1080, 1920), (108, 192)), ((240, 320), None), ((224, 224), None), ((96, 128), None)])
def test_usual_cameras_get_copies_of_these_sizes(size, copy):
    images = with_reduced(ImageField(name="rgb", height=size[0], width=size[1], encoding="jpeg"))
    assert [(image.height, image.width) for image in images[1:]] == ([copy] if copy else [])


@given(height=st.integers(96, 110), width=st.integers(128, 140), factor=st.integers(3, 7),
       seed=st.integers(0, 99))
def test_every_pixel_of_a_copy_is_the_mean_of_its_square(height, width, factor, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height * factor, width * factor, 3),
                                                   dtype=np.uint8)
    mean = picture.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    copy = reduced(picture, factor)
    assert copy.dtype == np.uint8 and copy.shape == mean.shape
    assert np.abs(copy - mean).max() <= 0.5 + 1e-9


def test_a_copy_keeps_the_colours_of_single_pixels():
    squares = np.zeros((HEIGHT // FACTOR, WIDTH // FACTOR, 3), np.uint8)
    squares[::2, ::2] = (200, 40, 40)
    squares[1::2, 1::2] = (40, 40, 200)
    picture = squares.repeat(FACTOR, axis=0).repeat(FACTOR, axis=1)
    encoded = encode_colours(picture, "rgb", FRONT.images)
    assert list(encoded) == ["rgb", "rgb_small"]
    copy = decode(encoded["rgb_small"], "jpeg", squares.shape).astype(int)
    assert np.abs(copy - squares).mean() < 6


def test_a_camera_without_loss_has_a_copy_without_loss():
    images = with_reduced(ImageField(name="rgb", height=HEIGHT, width=WIDTH,
                                     encoding="jpegxl-lossless"))
    picture = seen(3)
    encoded = encode_colours(picture, "rgb", images)
    copy = decode(encoded["rgb_small"], "jpegxl-lossless", (HEIGHT // 3, WIDTH // 3, 3))
    np.testing.assert_array_equal(copy, reduced(picture, 3))


def test_a_picture_of_another_size_than_declared_is_refused():
    with pytest.raises(ValueError, match=r"\(96, 128\) came where 'rgb' was declared"):
        encode_colours(np.zeros((96, 128, 3), np.uint8), "rgb", FRONT.images)


# ---- stored --------------------------------------------------------------------------------------

def test_plain_zarr_reads_copies_and_what_they_are_copies_of(sound: Path):
    small = zarr.open_group(sound / "data.zarr" / EPISODE, mode="r")["front/rgb_small"]
    assert isinstance(small, zarr.Array)
    assert small.attrs.asdict() == {"reduced_from": "rgb", "factor": FACTOR}
    read = np.asarray(small[...])
    assert read.shape == (PICTURES, HEIGHT // FACTOR, WIDTH // FACTOR, 3)
    for i in range(PICTURES):
        assert is_near(read[i], reduced(seen(i), FACTOR))
    ours = EpisodeReader(sound / "data.zarr" / EPISODE)["front"].images("rgb_small")
    np.testing.assert_array_equal(ours[:], read)


@pytest.mark.parametrize(("changes", "why"), [
    ({"reduced_from": "colour"}, "reduced from 'colour', which the camera has not"),
    ({"factor": 4}, "128x96 is not 384x288 reduced 4 times"),
    ({"height": 95}, "128x95 is not 384x288 reduced 3 times"),
    ({"reduced_from": "rgb_small"}, "which the camera has not"),
    ({"reduced_from": ""}, "factor 3 but names no picture"),
    ({"encoding": "zstd"}, "depth has no mean")])
def test_a_copy_that_cannot_be_one_is_refused_before_anything_is_written(
    tmp_path: Path, changes, why
):
    rgb, small, depth = FRONT.images
    wrong = msgspec.structs.replace(
        FRONT, images=(rgb, msgspec.structs.replace(small, **changes), depth))
    with DemoStore.open(tmp_path / "s", write=True, create=True, reserve_bytes=4096) as store:
        with pytest.raises(StoreError, match=f"front/rgb_small.*{why}"):
            store.begin(header(0, [wrong]))
        assert store.interrupted() == []


def test_a_sound_store_with_copies_has_no_problems(group: Path):
    assert problems_of(group) == []


def test_a_flipped_bit_in_a_copy_is_found_and_named_when_read(group: Path):
    shard = group / "front/rgb_small/c/0/0/0/0"
    data = bytearray(shard.read_bytes())
    data[-100] ^= 4
    shard.write_bytes(data)
    assert problems_of(group) == [("front/rgb_small/c/0/0/0/0",
                                   f"picture {PICTURES - 1} is damaged: its checksum is wrong")]
    sampler = WindowSampler([EpisodeReader(group)], images={"front": "rgb"}, size=LEAST_SIZE)
    with pytest.raises(DamagedRecording, match="rgb_small"):
        sampler[PICTURES - 1]


@pytest.mark.parametrize(("old", "new", "what"), [
    (b'"factor": 3', b'"factor": 5', "attributes is"),
    (b'"reduced_from": "rgb"', b'"reduced_from": "bgr"', "attributes is"),
    (f"[\n    {PICTURES},".encode(), f"[\n    {PICTURES - 1},".encode(), "shape is")])
def test_a_copy_that_no_longer_belongs_to_its_picture_is_found(group: Path, old, new, what):
    metadata = group / "front/rgb_small/zarr.json"
    text = metadata.read_bytes()
    assert old in text
    metadata.write_bytes(text.replace(old, new))
    assert [(path, said[:len(what)]) for path, said in problems_of(group)] == [
        ("front/rgb_small/zarr.json", what)]


def test_a_declaration_of_a_copy_that_cannot_be_one_is_found(group: Path):
    metadata = group / "zarr.json"
    metadata.write_bytes(metadata.read_bytes().replace(b'"reduced_from": "rgb"',
                                                       b'"reduced_from": "bgr"'))
    assert ("zarr.json", "'front/rgb_small': it is said to be reduced from 'bgr', which the "
            "camera has not") in problems_of(group)


@pytest.mark.parametrize("torn", ["rgb", "rgb_small", "depth"])
def test_after_a_crash_a_picture_and_its_copy_have_the_same_rows(tmp_path: Path, torn: str):
    path = tmp_path / "store"
    with DemoStore.open(path, write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header(0, [TICK, FRONT]))
        writer.append(camera_batch(FRONT, 0, PICTURES))
    [shard] = (path / f"open/{EPISODE}/front/{torn}").rglob("*.partial")
    with shard.open("r+b") as file:
        file.truncate(shard.stat().st_size - 5)         # in the middle of the last picture
    with DemoStore.open(path, write=True, reserve_bytes=4096) as store:
        assert store.recover(EPISODE, keep=True).rows_kept["front"] == PICTURES - 1
    opened = DemoStore.open(path)
    assert opened.check() == []
    front = EpisodeReader(opened.episode_path(EPISODE))["front"]
    for i in range(PICTURES - 1):
        assert is_near(front.images("rgb")[i], seen(i))
        assert is_near(front.images("rgb_small")[i], reduced(seen(i), FACTOR))


@pytest.mark.parametrize("sizes", [(50_000, 6_000), (6_000, 50_000)])
def test_on_a_full_disk_a_picture_and_its_copy_have_the_same_rows(tmp_path: Path, sizes):
    encoded: dict[str, bytes | memoryview] = {"rgb": bytes(sizes[0]), "rgb_small": bytes(sizes[1])}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with DemoStore.open(tmp_path, write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header(0, [msgspec.structs.replace(FRONT, images=with_reduced(RGB))]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))    # of the larger's shard
        try:
            with pytest.raises(DiskFull):
                for i in range(20):
                    writer.append(Batch("front", rows(FRONT, i, 1), (encoded,)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert store.episodes()[0].rows == {"front": (300_000 - 4100) // 50_004}
        assert store.check() == []


def test_a_copied_episode_brings_its_reduced_pictures(sound: Path, tmp_path: Path):
    DemoStore.open(sound).copy_to(tmp_path / "to", [EPISODE])
    target = DemoStore.open(tmp_path / "to")
    assert target.check() == []
    brought = EpisodeReader(target.episode_path(EPISODE))["front"].images("rgb_small")
    kept = EpisodeReader(sound / "data.zarr" / EPISODE)["front"].images("rgb_small")
    assert [brought.encoded(i) for i in range(PICTURES)] == [
        kept.encoded(i) for i in range(PICTURES)]


# ---- read where it suffices, and nowhere else ----------------------------------------------------

@pytest.mark.parametrize(("size", "name"), [
    (None, "rgb"), ((96, 128), "rgb_small"), ((48, 64), "rgb_small"), ((97, 128), "rgb"),
    ((96, 129), "rgb"), ((288, 384), "rgb")])
def test_the_smallest_picture_that_suffices_is_chosen(size, name):
    assert picture_for(FRONT.images, "rgb", size) == name
    assert picture_for(OLD_FRONT.images, "rgb", size) == "rgb"
    assert picture_for(FRONT.images, "depth", size) == "depth"


def test_windows_read_copies_where_there_are_some_and_older_episodes_as_ever(tmp_path: Path):
    episodes = record(tmp_path / "store", FRONT, OLD_FRONT)
    small = WindowSampler(episodes, images={"front": "rgb"}, size=LEAST_SIZE)
    full = WindowSampler(episodes, images={"front": "rgb"})
    for number in range(2 * PICTURES):
        copy, whole = small[number].images["front"], full[number].images["front"]
        assert whole.shape == (2, HEIGHT, WIDTH, 3)
        if number >= PICTURES:
            np.testing.assert_array_equal(copy, whole)
            continue
        assert copy.shape == (2, *LEAST_SIZE, 3)
        for one, other in zip(copy, whole, strict=True):
            assert is_near(one, reduced(other, FACTOR))


def test_the_viewer_shows_a_camera_once(tmp_path: Path):
    assert [camera.image.name for camera in cameras([FRONT])] == ["rgb", "depth"]
    [episode] = record(tmp_path / "store", FRONT)
    sent = {name for batches in slices(episode) for batch in batches
            for images in batch.images for name in images}
    assert sent == {"rgb", "depth"}


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[EpisodeReader]:
    """A camera whose picture changes by less than its copy can show."""
    with DemoStore.open(tmp_path / "s", write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header(0, [FRONT]))
        for i in range(4):
            picture = seen(0)
            picture[0, i] ^= 1
            images = camera_batch(FRONT, i, 1).images[0] | encode_colours(
                picture, "rgb", FRONT.images)
            writer.append(Batch("front", rows(FRONT, i, 1), (images,)))
        yield EpisodeReader(store.episode_path(writer.commit(START_MONO_NS).episode))


def test_a_copy_that_stays_the_same_is_no_frozen_camera(moving: EpisodeReader):
    assert len(moving["front"].images("rgb_small").repeated()) == 3
    assert len(moving["front"].images("rgb").repeated()) < 3
    assert not [flag for flag in assess(moving).flags if "frozen" in flag]

"""Policies, in training and when they drive, look at reduced copies; exports and reports do not."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from doubles import moving_tool
from doubles.moving_tool import SPEC, Story

from policy.data.batches import TrainingSet
from policy.data.pictures import prepare_picture
from policy.interfaces import PolicySpec
from recorders.clock import NS_PER_S, ManualClock
from recorders.episode_reader import EpisodeReader
from recorders.images import decode
from recorders.lerobot_v3 import cameras_of, features_of
from recorders.reduced_pictures import with_reduced
from recorders.store import DemoStore
from recorders.streams import Batch, ImageField
from studio.commands.episode_report import print_episode
from studio.commands.output import Screen
from studio.console.library import thumbnail
from studio.devices.absent import AbsentTeleoperator
from studio.sim.robot import SimRobot
from studio.station.commands import ResetScene
from studio.station.loop.control_loop import TickRecord
from studio.station.recording.store_sink import StoreSink
from studio.station.serving.policy_feed import PolicyFeed, Shown
from studio.station.serving.policy_link import wanted_batches
from studio.station.station import Station

SIZE, SMALL = (288, 384), (96, 128)
RGB = ImageField(name="rgb", height=SIZE[0], width=SIZE[1], encoding="jpeg")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three episodes of cameras with large pictures; row k is of the grey k."""
    return record(tmp_path_factory.mktemp("large") / "store", with_reduced(RGB))


def record(path: Path, colours: tuple[ImageField, ...]) -> Path:
    streams = tuple(msgspec.structs.replace(spec, images=(*colours, *spec.images[1:]))
                    if spec.images else spec for spec in moving_tool.STREAMS)
    with moving_tool.open_store(path) as store:
        for token in ("00000000", "00000001", "00000002"):
            moving_tool.record(store, Story(token=token, streams=streams))
    return path


@pytest.fixture
def episode(store: Path) -> EpisodeReader:
    return EpisodeReader(DemoStore.open(store).episode_path(0))


# ---- learning ------------------------------------------------------------------------------------

def learn(store: Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Greys that a batch shows and ages of its rows, drawn with the same chance."""
    lessons = TrainingSet.open([store], msgspec.structs.replace(SPEC, picture_size=size),
                               hold_out=0.5)
    batch = lessons.held_out_batch(np.random.default_rng(5), 12)
    assert batch is not None and batch.images.shape[-2:] == size
    return batch.images[:, :, 0, 50, 60].numpy(), batch.age_steps.numpy()


def test_training_touches_no_full_picture_where_the_copy_suffices(store: Path, tmp_path: Path):
    greys, ages = learn(store, SMALL)
    assert len(np.unique(greys)) > 12
    without = shutil.copytree(store, tmp_path / "store")
    for shards in without.glob("data.zarr/*/*/rgb/c"):
        shutil.rmtree(shards)               # what was never written reads as black
    again, same_ages = learn(without, SMALL)
    np.testing.assert_array_equal(again, greys)
    np.testing.assert_array_equal(same_ages, ages)
    assert not learn(without, (97, 128))[0].any()       # larger than the copy: the full picture


def test_with_and_without_copies_a_policy_learns_from_the_same_pictures(
    store: Path, tmp_path: Path
):
    older = record(tmp_path / "older", (RGB,))
    greys, ages = learn(store, SMALL)
    same_greys, same_ages = learn(older, SMALL)
    np.testing.assert_allclose(greys.astype(int), same_greys, atol=1)
    np.testing.assert_array_equal(ages, same_ages)


# ---- driving -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def ticks() -> Iterator[tuple[SimRobot, Station, list[TickRecord]]]:
    """A fifth of a second of the simulated arm with a large front camera."""
    clock = ManualClock(NS_PER_S)
    robot = SimRobot(clock, image_size=SIZE, cameras=("front",))
    robot.connect()
    station = Station(clock=clock, robot=robot, teleop=AbsentTeleoperator(clock), sink=StoreSink())
    seen: list[TickRecord] = []

    class Listener:
        def on_tick(self, tick: TickRecord) -> None:
            seen.append(tick)

    station.loop.subscribers.append(Listener())
    assert station.handle(ResetScene("put-cube-in-bin", 3)).accepted
    for _ in range(20):
        clock.advance(NS_PER_S // 100)
        station.loop.tick()
    yield robot, station, seen
    robot.disconnect()


def pictures_of(seen: list[TickRecord]) -> list[Batch]:
    return [batch for tick in seen for batch in tick.batches if batch.images]


@pytest.mark.gl
def test_the_simulated_cameras_take_the_picture_and_its_copy_of_one_moment(ticks):
    robot, _, seen = ticks
    batches = pictures_of(seen)
    spec = next(one for one in robot.info.streams if one.name == "front")
    assert [image.name for image in spec.images] == ["rgb", "rgb_small", "depth"]
    assert len(batches) >= 4
    for batch in batches:
        assert list(batch.images[0]) == ["rgb", "rgb_small", "depth"]
        full = decode(batch.images[0]["rgb"], "jpeg", (*SIZE, 3))
        copy = decode(batch.images[0]["rgb_small"], "jpeg", (*SMALL, 3))
        assert np.abs(copy.astype(int) - prepare_picture(full, SMALL)).mean() < 3
        assert len(batch.images[0]["rgb_small"]) < len(batch.images[0]["rgb"]) / 2


@pytest.mark.gl
@pytest.mark.parametrize(("changes", "pictures"), [
    ({}, ("rgb_small",)), ({"cloud_points": 50}, ("rgb_small", "depth")),
    ({"picture_size": (144, 192)}, ("rgb",))])
def test_a_driving_policy_is_sent_and_shown_the_copy_where_it_suffices(ticks, changes, pictures):
    robot, station, seen = ticks
    spec = PolicySpec(**({"cameras": {"front": "rgb"}, "picture_size": SMALL} | changes))
    shown: list[Shown] = []
    feed = PolicyFeed(spec, (station.loop.spec, *robot.info.streams), shown.append)
    assert feed.pictures == {"front": pictures}
    for tick in seen:
        feed.take(wanted_batches(tick.batches, feed.pictures), tick.assignment)
    full = decode(pictures_of(seen)[-1].images[0]["rgb"], "jpeg", (*SIZE, 3))
    observed = shown[-1].observation.images["front"]
    truth = prepare_picture(full, spec.picture_size)
    assert observed.shape == truth.shape
    assert np.abs(observed.astype(int) - truth).mean() < 3


# ---- told of, but no camera ----------------------------------------------------------------------

def test_an_export_to_lerobot_has_the_full_pictures_and_no_copies(episode: EpisodeReader):
    features = features_of([episode], cameras_of(episode), None)
    videos = {name: feature["shape"] for name, feature in features.items()
              if feature["dtype"] == "video"}
    assert videos == dict.fromkeys(
        ("observation.images.front", "observation.images.wrist"), (*SIZE, 3))


def test_a_report_says_what_a_copy_is(episode: EpisodeReader, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "240")
    out = io.StringIO()
    print_episode(Screen(json=False, out=out), episode.path)
    told = " ".join(out.getvalue().split())
    assert "rgb_small 128×96 jpeg" in told and "rgb reduced 3 times" in told


def test_a_thumbnail_is_made_of_the_copy(store: Path, tmp_path: Path):
    without = shutil.copytree(store, tmp_path / "store")
    for shards in without.glob("data.zarr/*/*/rgb/c"):
        shutil.rmtree(shards)
    episode = EpisodeReader(DemoStore.open(without).episode_path(0))
    assert thumbnail(episode).mean() == pytest.approx(44 / 255, abs=2 / 255)

"""The quality of an episode: what is wrong is counted and said, and a good one is left in peace."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.episode_reader import EpisodeReader
from recorders.quality import Quality, StreamQuality, assess
from recorders.streams import Column, ImageField, StreamSpec

TICKS = 300
FRONT = StreamSpec(name="front", rate_hz=30.0, images=(
    ImageField(name="rgb", height=8, width=8, encoding="jpegxl-lossless"),))
TICK = StreamSpec(name="tick", rate_hz=100.0, columns=(
    Column(name="sent_velocity", dtype="<f8", shape=(2,), unit="rad/s"),
    Column(name="lateness_ns", dtype="<i8", unit="ns"),
    Column(name="guards", dtype="<u4", values=("STOPPED", "RATE_LIMITED"))))


def changing_pictures(count: int = 90) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(1, 255, (count, 8, 8, 3)).astype(np.uint8)


@pytest.fixture(scope="session")
def recorded(write_episode):
    """Three good seconds, with some arrays replaced; limits are 1 and 2 rad/s."""
    def write(path: Path, tick: dict[str, Any] | None = None,
              front: dict[str, Any] | None = None) -> EpisodeReader:
        ticks = {"sent_velocity": np.full((TICKS, 2), 0.5),
                 "lateness_ns": np.full(TICKS, 80_000), "guards": np.zeros(TICKS, np.uint32)}
        return EpisodeReader(write_episode(
            path, [(FRONT, {"rgb": changing_pictures()} | (front or {})),
                   (TICK, ticks | (tick or {}))], robot={"max_velocity": [1.0, 2.0]}))
    return write


def stream(quality: Quality, name: str) -> StreamQuality:
    return next(s for s in quality.streams if s.name == name)


def flags(quality: Quality) -> str:
    return "\n".join(quality.flags)


def test_a_good_episode_is_left_in_peace(tmp_path: Path, recorded) -> None:
    quality = assess(recorded(tmp_path / "e"))
    assert quality.flags == ()
    assert stream(quality, "front").rate_hz == pytest.approx(30, rel=1e-3)
    assert stream(quality, "tick").jitter_p99_ms == 0
    assert (quality.idle_share, quality.saturated_share, quality.late_ticks) == (0, 0, 0)


@given(lost=st.sets(st.integers(1, 88), min_size=1, max_size=40))
@settings(deadline=None, max_examples=10)
def test_every_dropped_sample_is_counted(lost: set[int], tmp_path_factory, recorded) -> None:
    kept = np.array([row for row in range(90) if row not in lost])
    stamps = 5_000_000_000 + (kept * 33_333_333)
    quality = assess(recorded(tmp_path_factory.mktemp("q") / "e", front={
        "rgb": changing_pictures()[kept], "seq": kept, "t_mono_ns": stamps}))
    front = stream(quality, "front")
    assert front.dropped == len(lost)
    assert front.gaps == int((np.diff(kept) >= 3).sum())
    assert front.longest_gap_s == pytest.approx(np.diff(kept).max() / 30, rel=1e-3)
    assert f"front lost {len(lost)} of 90 samples" in flags(quality)


def test_a_pause_without_lost_samples_is_told_apart(tmp_path: Path, recorded) -> None:
    stamps = 5_000_000_000 + np.arange(90) * 33_333_333 + (np.arange(90) > 40) * 400_000_000
    quality = assess(recorded(tmp_path / "e", front={"t_mono_ns": stamps}))
    assert (stream(quality, "front").dropped, stream(quality, "front").gaps) == (0, 1)
    assert "front paused 1 times, for up to 0.43 s" in flags(quality)


def test_a_slow_camera_is_told_from_its_declared_rate(tmp_path: Path, recorded) -> None:
    stamps = 5_000_000_000 + np.arange(90) * 66_666_666
    quality = assess(recorded(tmp_path / "e", front={"t_mono_ns": stamps}))
    assert "front came at 15.0 Hz instead of 30.0 Hz" in flags(quality)


def test_uneven_intervals_are_told(tmp_path: Path, recorded) -> None:
    uneven = np.where(np.arange(90) % 2, 25_000_000, 0)
    stamps = 5_000_000_000 + np.arange(90) * 33_333_333 + uneven
    quality = assess(recorded(tmp_path / "e", front={"t_mono_ns": stamps}))
    assert stream(quality, "front").jitter_p99_ms > 20
    assert "front came unevenly" in flags(quality)


def test_standing_still_and_moving_at_the_limit_are_measured(tmp_path: Path, recorded) -> None:
    velocity = np.zeros((TICKS, 2))
    velocity[:90, 1] = -2.0         # the second joint's limit
    velocity[90:120, 0] = 0.5
    quality = assess(recorded(tmp_path / "e", tick={"sent_velocity": velocity}))
    assert quality.idle_share == pytest.approx(180 / 300)
    assert quality.saturated_share == pytest.approx(90 / 300)
    assert "stood still for 60%" in flags(quality) and "limit for 30%" in flags(quality)


def test_late_ticks_and_guards_are_counted_by_name(tmp_path: Path, recorded) -> None:
    lateness = np.full(TICKS, 50_000)
    lateness[:7] = 11_000_000
    guards = np.zeros(TICKS, np.uint32)
    guards[:30] = 2
    quality = assess(recorded(tmp_path / "e", tick={"lateness_ns": lateness, "guards": guards}))
    assert quality.late_ticks == 7
    assert quality.guard_shares == {"RATE_LIMITED": pytest.approx(0.1)}
    assert "7 of 300 control ticks came more than a period late" in flags(quality)


def test_a_frozen_camera_is_told_only_while_the_arm_moves(tmp_path: Path, recorded) -> None:
    frozen = changing_pictures()
    frozen[31:41] = frozen[30]
    moving = assess(recorded(tmp_path / "moving", front={"rgb": frozen}))
    assert stream(moving, "front").frozen_pictures == 10
    assert "front showed 10 frozen pictures" in flags(moving)
    at_rest = assess(recorded(tmp_path / "rest", front={"rgb": frozen},
                              tick={"sent_velocity": np.zeros((TICKS, 2))}))
    assert stream(at_rest, "front").frozen_pictures == 0


def test_pictures_that_were_never_written_are_counted(tmp_path: Path, recorded) -> None:
    pictures = changing_pictures()
    pictures[[3, 50]] = 0           # zarr-python leaves out what holds only fill values
    quality = assess(recorded(tmp_path / "e", front={"rgb": pictures}))
    assert stream(quality, "front").missing_pictures == 2
    assert "front misses 2 pictures" in flags(quality)


def test_a_damaged_stream_is_named_and_the_others_are_assessed(tmp_path: Path, recorded) -> None:
    episode = recorded(tmp_path / "e")
    episode.path.joinpath("front", "seq", "c", "0").write_bytes(b"rubbish")
    quality = assess(EpisodeReader(episode.path))
    assert [s.name for s in quality.streams] == ["tick"]
    assert "front cannot be read" in flags(quality) and "front/seq" in flags(quality)


def test_a_recording_without_ticks_is_assessed_all_the_same(tmp_path: Path, write_episode) -> None:
    path = write_episode(tmp_path / "e", [(FRONT, {"rgb": changing_pictures()})])
    quality = assess(EpisodeReader(path))
    assert quality.flags == () and quality.streams[0].rows == 90


def test_an_empty_stream_is_named(tmp_path: Path, recorded) -> None:
    quality = assess(recorded(tmp_path / "e", front={"rgb": changing_pictures(0)}))
    assert "front recorded 0 samples" in flags(quality)


def test_a_stream_that_stops_before_the_episode_ends_is_told(tmp_path: Path, recorded) -> None:
    quality = assess(recorded(tmp_path / "e", front={"rgb": changing_pictures(30)}))
    assert flags(quality) == "front said nothing for the last 2.0 s: check the device"

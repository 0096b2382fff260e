"""Windows show what the policy could have seen, and the actions that really followed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.episode_reader import EpisodeReader
from recorders.streams import Column, ImageField, StreamSpec
from recorders.windows import ActionWindow, WindowSampler

START_NS = 5_000_000_000
IMAGES = {"front": "rgb", "wrist": "rgb"}


def camera(name: str, rate_hz: float) -> StreamSpec:
    return StreamSpec(name=name, rate_hz=rate_hz, images=(
        ImageField(name="rgb", height=8, width=8, encoding="jpegxl-lossless"),))


TICK = StreamSpec(name="tick", rate_hz=100.0, columns=(
    Column(name="sent", dtype="<f8", shape=(2,)), Column(name="owner", dtype="u1")))
ARM = StreamSpec(name="arm", rate_hz=100.0, columns=(
    Column(name="position", dtype="<f8", shape=(2,)),))


def numbered_pictures(count: int) -> np.ndarray:
    """Picture i is filled with the value i + 1."""
    return np.broadcast_to(np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None],
                           (count, 8, 8, 3)).copy()


def seconds_since_start(stamps_ns: np.ndarray) -> np.ndarray:
    return (stamps_ns - START_NS) / 1e9


@pytest.fixture(scope="session")
def record(write_episode) -> Callable[..., EpisodeReader]:
    """An episode whose `sent` is the time since its start, so actions can be read off."""
    def write(path: Path, pictures: int, wrist_late_ns: int = 0, tick_s: float = 2.0,
              **changes: np.ndarray) -> EpisodeReader:
        ticks = START_NS + np.arange(round(tick_s * 100)) * 10_000_000
        line = np.stack([seconds_since_start(ticks), -seconds_since_start(ticks)], 1)
        front = START_NS + np.arange(pictures) * 33_333_333
        tick = {"t_mono_ns": ticks, "sent": line,
                "owner": (np.arange(len(ticks)) // 50).astype(np.uint8)} | changes
        return EpisodeReader(write_episode(path, [
            (camera("front", 30), {"rgb": numbered_pictures(pictures), "t_mono_ns": front}),
            (camera("wrist", 30), {"rgb": numbered_pictures(pictures),
                                   "t_mono_ns": front + wrist_late_ns}),
            (TICK, tick), (ARM, {"position": line, "t_mono_ns": ticks})]))
    return write


@pytest.fixture(scope="module")
def one_second(record, tmp_path_factory) -> EpisodeReader:
    """Thirty pictures, and ticks for 1.2 s."""
    return record(tmp_path_factory.mktemp("second") / "a", 30, tick_s=1.2)


def test_every_picture_of_the_first_camera_begins_one_window(tmp_path: Path, record) -> None:
    episodes = [record(tmp_path / "a", 3), record(tmp_path / "b", 5)]
    sampler = WindowSampler(episodes, images=IMAGES)
    assert len(sampler) == 8
    newest = [(sampler[i].episode, int(sampler[i].images["front"][-1, 0, 0, 0])) for i in range(8)]
    assert newest == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]
    with pytest.raises(IndexError, match="window 8 of 8"):
        sampler[8]


def test_earlier_frames_come_first_and_the_first_one_stands_in_for_what_was_not(
    tmp_path: Path, record
) -> None:
    sampler = WindowSampler([record(tmp_path / "a", 4)], images=IMAGES, frames=3)
    window = sampler[1]
    assert window.images["front"][:, 0, 0, 0].tolist() == [1, 1, 2]
    assert window.image_valid["front"].tolist() == [False, True, True]
    assert sampler[3].images["front"][:, 0, 0, 0].tolist() == [2, 3, 4]
    assert sampler[3].image_valid["wrist"].all()


@given(late_ns=st.integers(-40_000_000, 40_000_000), number=st.integers(0, 9))
@settings(deadline=None, max_examples=12)
def test_nothing_observed_is_newer_than_the_moment(
    late_ns: int, number: int, tmp_path_factory, record
) -> None:
    episode = record(tmp_path_factory.mktemp("late") / "a", 10, wrist_late_ns=late_ns)
    window = WindowSampler([episode], images=IMAGES, state=("arm", "position"))[number]
    for camera_name in IMAGES:
        seen_ns = window.image_ns[camera_name][window.image_valid[camera_name]]
        assert np.all(seen_ns <= window.moment_ns)
        shown = window.images[camera_name][:, 0, 0, 0].astype(int) - 1
        np.testing.assert_array_equal(episode[camera_name].stamps_ns[shown],
                                      window.image_ns[camera_name])
    assert window.state is not None
    age_s = seconds_since_start(np.array(window.moment_ns)) - window.state[0]
    assert 0 <= age_s < 0.01


@given(step_s=st.floats(0.005, 0.2), steps=st.integers(1, 20), number=st.integers(0, 29))
@settings(deadline=None, max_examples=40)
def test_actions_follow_at_the_policys_own_step_and_the_last_one_holds(
    step_s: float, steps: int, number: int, one_second: EpisodeReader
) -> None:
    actions = ActionWindow(steps=steps, step_s=step_s)
    window = WindowSampler([one_second], images=IMAGES, actions=actions)[number]
    wanted_s = number * 0.033333333 + step_s * np.arange(steps)
    last_s = 1.19
    assert window.actions is not None and window.action_valid is not None
    np.testing.assert_allclose(window.actions[:, 0], np.minimum(wanted_s, last_s), atol=1e-6)
    np.testing.assert_allclose(window.actions[:, 1], -window.actions[:, 0])
    clear = np.abs(wanted_s - last_s) > 1e-6
    np.testing.assert_array_equal(window.action_valid[clear], (wanted_s < last_s)[clear])


def test_actions_that_nobody_gave_are_not_valid(tmp_path: Path, record) -> None:
    sent = np.zeros((200, 2))
    sent[30:60, 1] = np.nan
    window = WindowSampler([record(tmp_path / "a", 5, sent=sent)], images=IMAGES,
                           actions=ActionWindow(steps=10, step_s=0.1))[0]
    assert window.action_valid is not None
    assert window.action_valid.tolist() == [True] * 3 + [False] * 3 + [True] * 4


def test_codes_are_taken_from_the_nearest_tick(tmp_path: Path, record) -> None:
    window = WindowSampler([record(tmp_path / "a", 5)], images=IMAGES,
                           actions=ActionWindow(column="owner", steps=4, step_s=0.4))[0]
    assert window.actions is not None and window.actions.tolist() == [0, 0, 1, 2]


def test_random_windows_reach_every_moment_and_repeat_with_their_seed(
    tmp_path: Path, record
) -> None:
    sampler = WindowSampler([record(tmp_path / "a", 3), record(tmp_path / "b", 4)], images=IMAGES)
    def draw(seed: int) -> list[tuple[int, int]]:
        rng = np.random.default_rng(seed)
        return [(w.episode, w.moment_ns) for w in (sampler.sample(rng) for _ in range(80))]
    assert draw(1) == draw(1) != draw(2)
    assert len(set(draw(1))) == 7


def test_an_episode_without_a_wanted_stream_is_refused_at_once(tmp_path: Path, record) -> None:
    episode = record(tmp_path / "a", 3)
    with pytest.raises(KeyError, match="front, wrist, tick, arm"):
        WindowSampler([episode], images={"front": "rgb", "top": "rgb"})
    with pytest.raises(KeyError, match="sent, owner"):
        WindowSampler([episode], images=IMAGES, actions=ActionWindow(column="wanted"))
    with pytest.raises(ValueError, match="nothing to draw windows from"):
        WindowSampler([], images=IMAGES)
    with pytest.raises(ValueError, match="at least one camera"):
        WindowSampler([episode], images={})

"""Repeating an episode in the simulator."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode import EpisodeHeader, new_episode_id
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from recorders.streams import Batch
from studio.devices.interfaces import DeviceError
from studio.sim.replay import replay_in_simulator
from studio.sim.robot import SimRobot


def record(folder: Path, *, lose: range = range(0), pause_s: float = 0.0) -> EpisodeReader:
    """Two seconds of a moving arm; commands come between the robot's samples, as in real time."""
    clock = ManualClock(9 * NS_PER_S)
    robot = SimRobot(clock, render=False)
    robot.connect()
    instruction = robot.reset("push-button", 5)
    robot.poll()                                        # what was seen before the reset
    with DemoStore.open(folder, write=True, create=True) as store:
        writer = store.begin(EpisodeHeader(
            episode=new_episode_id(clock.wall_ns(), "0badcafe"), task="push-button",
            instruction=instruction, seed=5, operator="test", practice=False, robot={},
            model_xml="", started_mono_ns=clock.now_ns(), started_wall_ns=clock.wall_ns(),
            streams=robot.info.streams, software={}))
        target = np.array(robot.info.home)
        rng = np.random.default_rng(1)
        for turn in range(300):
            clock.advance(int(rng.integers(3, 10)) * 1_000_000)
            if turn == 150 and pause_s:
                clock.advance(round(pause_s * NS_PER_S))
                robot.world.skip_to(clock.now_ns())     # the machine was too busy to simulate
            for batch in robot.poll():
                if turn not in lose:
                    writer.append(Batch(batch.stream, batch.rows, batch.images))
            target[:4] += rng.uniform(-0.01, 0.01, 4)
            robot.send(target)
        summary = writer.commit(clock.now_ns(), "failure")
        return EpisodeReader(store.episode_path(summary.episode))


@pytest.mark.parametrize("meddling", [{}, {"pause_s": 0.4}])
def test_a_repetition_is_exact_whenever_commands_came_and_whatever_time_was_skipped(
        tmp_path: Path, meddling: dict[str, Any]) -> None:
    replayed = replay_in_simulator(record(tmp_path / "store", **meddling))
    assert replayed.max_joint_error_rad == 0.0 and replayed.max_object_error_m == 0.0
    assert replayed.same and replayed.recorded == "failure"


def test_lost_rows_are_bridged_and_the_difference_is_told(tmp_path: Path) -> None:
    replayed = replay_in_simulator(record(tmp_path / "store", lose=range(100, 104)))
    assert 0.0 < replayed.max_joint_error_rad < 0.1


def test_an_episode_of_another_robot_is_refused_in_words(tmp_path: Path) -> None:
    samples = Path(__file__).parent.parent / "datasets" / "samples" / "format-1"
    with DemoStore.open(samples) as store:
        path = store.episode_path(store.episodes()[0].episode)
    with pytest.raises(DeviceError, match=r"--robot sim|another simulator"):
        replay_in_simulator(EpisodeReader(path))

"""What goes wrong on purpose: a covered camera shows nothing, a stuck gripper holds still."""

import numpy as np
import pytest

from recorders.clock import ManualClock
from recorders.images import decode
from studio.sim.mishaps import Mishaps
from studio.sim.robot import SimRobot
from studio.sim.world import SimWorld

AT_S = (1.0, 1.5)


def advance(clock: ManualClock, robot: SimRobot, seconds: float) -> list:
    batches = []
    for _ in range(round(seconds * 100)):
        clock.advance(10_000_000)
        batches += robot.poll()
    return batches


@pytest.mark.gl
def test_a_covered_camera_shows_one_colour_from_its_moment_on():
    clock = ManualClock(1_000_000_000, 0)
    mishaps = Mishaps(cover_chance=1.0, between_s=AT_S)
    with SimRobot(clock, mishaps=mishaps, image_size=(48, 64), cameras=("front", "wrist"),
                  depth=False) as robot:
        robot.reset("put-cube-in-bin", 5000)
        spread = {"front": [], "wrist": []}
        for batch in advance(clock, robot, 2.0):
            for image in batch.images or ():
                spread[batch.stream].append(
                    decode(image["rgb"], "jpeg", (48, 64, 3)).std())
    front = np.array(spread["front"])
    assert front[:20].min() > 20 and front[-10:].max() < 12
    assert min(spread["wrist"]) > 5


def test_a_stuck_gripper_stays_and_the_next_scene_is_well_again():
    clock = ManualClock(1_000_000_000, 0)
    world = SimWorld(clock, mishaps=Mishaps(stick_chance=1.0, between_s=AT_S))
    world.reset("put-cube-in-bin", 5000)

    def close_after(seconds: float) -> float:
        world.advance_to(world.stamp_ns + round(seconds * 1e9))
        world.command(np.append(world.position[:-1], 0.0))
        world.advance_to(world.stamp_ns + 700_000_000)
        return float(world.position[-1])

    assert close_after(2.0) > 0.9
    world.reset("put-cube-in-bin", 5000)
    assert close_after(0.1) < 0.3


def test_no_mishaps_change_nothing():
    clock = ManualClock(1_000_000_000, 0)
    plain, spared = SimWorld(clock), SimWorld(clock, mishaps=Mishaps())
    for world in (plain, spared):
        world.reset("put-cube-in-bin", 5001)
        world.command(np.append(world.position[:-1], 0.0))
        world.advance_to(world.stamp_ns + 500_000_000)
    assert (plain.data.qpos == spared.data.qpos).all()

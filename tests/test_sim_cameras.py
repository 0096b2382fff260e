"""The simulated cameras: when pictures arrive, what their stamps say, and that they are true."""

from collections.abc import Iterator

import mujoco
import numpy as np
import pytest

from recorders import images
from recorders.clock import ManualClock
from recorders.streams import Batch
from studio.devices.interfaces import DeviceError
from studio.sim.cameras import LATENCY_NS, CameraOptions, CameraRig, Snapshot
from studio.sim.offscreen import OffscreenView, choose_backend
from studio.sim.robot import SimRobot
from studio.sim.scene import OBJECT_NAMES
from studio.sim.world import STEP_NS

pytestmark = pytest.mark.gl

MS = 1_000_000
SIZE = (96, 128)


class RealTimeClock(ManualClock):
    """Turned by hand, but the robot is told that it is the machine's."""

    virtual = False


@pytest.fixture(scope="module", autouse=True)
def opengl() -> None:
    """Skips the file where neither EGL nor OSMesa is installed."""
    try:
        choose_backend()
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def robot(clock: ManualClock) -> Iterator[SimRobot]:
    robot = SimRobot(clock, image_size=SIZE)
    robot.connect()
    yield robot
    robot.disconnect()


def pictures(robot: SimRobot, clock: ManualClock, ticks: int) -> list[tuple[int, Batch]]:
    """Every camera batch with the clock's time at which it arrived."""
    seen = []
    for _ in range(ticks):
        clock.advance(10 * MS)
        seen += [(clock.now_ns(), batch) for batch in robot.poll() if batch.images]
    return seen


def test_pictures_are_taken_every_thirtieth_of_a_second_and_arrive_a_fixed_time_later(
    robot: SimRobot, clock: ManualClock,
) -> None:
    seen = pictures(robot, clock, 50)
    for camera in ("front", "wrist"):
        mine = [(now_ns, batch.rows[0]) for now_ns, batch in seen if batch.stream == camera]
        assert len(mine) == 15
        for number, (arrived_ns, row) in enumerate(mine):
            assert row["seq"] == number
            assert 0 <= row["t_mono_ns"] - number * 1e9 / 30 < STEP_NS
            assert LATENCY_NS <= arrived_ns - row["t_mono_ns"] < LATENCY_NS + 10 * MS
            assert row["t_wall_ns"] - row["t_mono_ns"] == clock.wall_ns() - clock.now_ns()


def test_two_runs_give_the_same_bytes_and_drawing_does_not_touch_the_physics() -> None:
    def play(render: bool) -> tuple[bytes, list[bytes]]:
        clock = ManualClock()
        robot = SimRobot(clock, image_size=SIZE, render=render)
        with robot:
            robot.reset("stack-cubes", 2)
            robot.send(np.array([0.2, 0.6, 0.1, 1.7, 0.1, 0.8, 0.2, 0.4]))
            seen = pictures(robot, clock, 30)
        state = robot.world.state.tobytes()
        return state, [bytes(image) for _, batch in seen for image in batch.images[0].values()]

    first, second, blind = play(True), play(True), play(False)
    assert first == second
    assert len(first[1]) > 20
    assert blind == (first[0], [])


def test_a_picture_decodes_to_what_was_declared(robot: SimRobot, clock: ManualClock) -> None:
    batch = pictures(robot, clock, 10)[-1][1]
    spec = next(spec for spec in robot.info.streams if spec.name == batch.stream)
    assert batch.rows.dtype == spec.row_dtype
    rgb = images.decode(batch.images[0]["rgb"], "jpeg", (*SIZE, 3))
    assert rgb.std() > 20
    assert {field.name for field in spec.images} == set(batch.images[0]) == {"rgb", "depth"}


def test_depth_and_pose_together_find_the_cubes(robot: SimRobot, clock: ManualClock) -> None:
    robot.reset("put-cube-in-bin", 1)
    seen = pictures(robot, clock, 20)
    batch = [batch for _, batch in seen if batch.stream == "front"][-1]
    row, depth = batch.rows[0], images.decode(batch.images[0]["depth"], "zstd", SIZE)
    pose, (fx, fy, cx, cy) = row["world_from_camera"], row["intrinsics"]
    mujoco.mju_quat2Mat(rotation := np.empty(9), pose[3:])
    for cube in ("cube_red", "cube_green", "cube_blue"):
        place_m = robot.world.objects[OBJECT_NAMES.index(cube), :3]
        x, y, z = rotation.reshape(3, 3).T @ (place_m - pose[:3])
        column, line = fx * x / z + cx, fy * y / z + cy
        measured_m = depth[int(line), int(column)] * 0.001
        # The camera sees the cube's near side: 22 to 38 mm before its centre.
        assert 0.015 < z - measured_m < 0.045
        colour = images.decode(batch.images[0]["rgb"], "jpeg", (*SIZE, 3))[int(line), int(column)]
        assert np.argmax(colour) == ("cube_red", "cube_green", "cube_blue").index(cube)


def test_depth_is_what_a_ray_measures(robot: SimRobot) -> None:
    world, camera = robot.world, robot.world.model.camera("front").id
    view = OffscreenView(world.model, height=SIZE[0], width=SIZE[1])
    _, depth = view.render(world.data, camera, depth=True)
    view.close()
    assert depth is not None
    focal = SIZE[0] / 2 / np.tan(np.radians(world.model.cam_fovy[camera]) / 2)
    world_from_camera = world.data.cam_xmat[camera].reshape(3, 3)
    drawn_groups = np.array([1, 1, 1, 0, 0, 0], np.uint8)
    errors_m = []
    for line in range(3, SIZE[0], 7):
        for column in range(2, SIZE[1], 9):
            ray = np.array([column + 0.5 - SIZE[1] / 2, SIZE[0] / 2 - line - 0.5, -focal])
            ray /= np.linalg.norm(ray)
            distance_m = mujoco.mj_ray(world.model, world.data, world.data.cam_xpos[camera],
                                       world_from_camera @ ray, drawn_groups, 1, -1,
                                       np.zeros(1, np.int32))
            errors_m.append(abs(depth[line, column] + distance_m * ray[2]))
    # A few rays meet an edge, where a drawn polygon is not quite the round shape.
    assert len(errors_m) > 150
    assert np.quantile(errors_m, 0.9) < 0.001


def test_a_busy_camera_skips_a_picture_and_its_number() -> None:
    clock = RealTimeClock()
    numbers = []
    with SimRobot(clock, image_size=SIZE, depth=False, cameras=("front",)) as robot:
        for duration_ms in (99, 31):    # 0, 1 and 2 come due at once; only two may be in the making
            clock.advance(duration_ms * MS)
            batches = [batch for batch in robot.poll() if batch.images] + robot.rig.collect_all()
            numbers += [int(batch.rows["seq"][0]) for batch in batches]
    assert numbers == [0, 1, 3]


def test_a_camera_that_fails_is_a_fault_and_the_arm_goes_on(
    robot: SimRobot, clock: ManualClock,
) -> None:
    robot.rig.capture(Snapshot(0, 0, 0, 0, state=np.zeros(3)))
    clock.advance(50 * MS)
    streams = {batch.stream for batch in robot.poll()}
    assert "the simulated cameras failed" in robot.fault
    assert "arm" in streams


def test_lerobots_observation_is_exactly_what_its_features_say(
    robot: SimRobot, clock: ManualClock,
) -> None:
    clock.advance(10 * MS)
    observation = robot.get_observation()
    assert list(observation) == list(robot.observation_features)
    for name, kind in robot.observation_features.items():
        if kind is float:
            assert type(observation[name]) is float
        else:
            assert observation[name].shape == kind == (*SIZE, 3)
            assert observation[name].dtype == np.uint8
    assert set(robot.cameras) == {"front", "wrist"}


def test_an_unknown_camera_is_refused_with_the_valid_names(robot: SimRobot) -> None:
    with pytest.raises(DeviceError, match=r"unknown camera 'left': valid are front, wrist"):
        CameraRig(robot.world.model, CameraOptions(names=("left",)))


def test_disconnecting_ends_the_thread_and_connecting_starts_anew(
    robot: SimRobot, clock: ManualClock,
) -> None:
    pictures(robot, clock, 5)
    robot.disconnect()
    clock.advance(3_000 * MS)
    robot.connect()
    seen = pictures(robot, clock, 5)
    assert seen and seen[0][1].rows["t_mono_ns"][0] == 3_050 * MS


def test_without_any_opengl_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(DeviceError, match="install libegl1"):
        choose_backend()

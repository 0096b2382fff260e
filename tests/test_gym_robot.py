"""Gymnasium environments as robots: the real Meta-World, the real PushT, the real station."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio import cli
from studio.devices.interfaces import DeviceError, Resettable
from studio.sim.gym import catalog
from studio.sim.gym.catalog import open_world, packages, tasks_of_environment
from studio.sim.gym.robot import GymRobot
from studio.station.loop.kinematics import ArmKinematics
from studio.station.loop.safety import SafetyLimits
from studio.station.recording.store_sink import StoreSink
from studio.station.robots import make_operator, open_robot, replay, robot_names, tasks_of
from studio.station.session import Session, SessionPlan
from studio.station.station import Station

TICK_NS = NS_PER_S // 100
REACH, PUSH, PUSHT = "gym:metaworld/reach-v3", "gym:metaworld/push-v3", "gym:pusht"
MISSING = [name for name, version in packages().items() if not version]
needs_packages = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


class Desk:
    """A robot under a virtual clock."""

    def __init__(self, name: str, **options: Any) -> None:
        self.clock = ManualClock()
        robot = open_robot(name, self.clock, **options)
        assert isinstance(robot, GymRobot) and isinstance(robot, Resettable)
        self.robot = robot
        self.task = next(iter(robot.world.tasks))

    def run(self, seconds: float, target: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Let time pass; all rows by stream."""
        rows: dict[str, list[np.ndarray]] = {}
        for _ in range(round(seconds * 100)):
            self.clock.advance(TICK_NS)
            if target is not None:
                self.robot.send(target)
            for batch in self.robot.poll():
                rows.setdefault(batch.stream, []).append(batch.rows)
        return {stream: np.concatenate(parts) for stream, parts in rows.items()}


@pytest.fixture
def desk() -> Iterator[Callable[..., Desk]]:
    """Opens a connected robot; closes it afterwards."""
    opened: list[Desk] = []

    def open_desk(name: str, **options: Any) -> Desk:
        opened.append(Desk(name, **options))
        opened[-1].robot.connect()
        return opened[-1]

    yield open_desk
    for one in opened:
        one.robot.disconnect()


# ------------------------------------------------------------------------------- without packages

def test_every_name_that_is_listed_has_tasks_with_words():
    for name in robot_names():
        for task in tasks_of(name.replace("<task>", "push-v3")).values():
            assert task.instructions and task.max_duration_s > 0 and task.phases[-1] == "done"


def test_metaworlds_tasks_speak_lerobots_words():
    assert tasks_of("gym:metaworld")["push-v3"].instructions == ("Push the puck to a goal",)
    assert len(tasks_of("gym:metaworld")) == 50
    assert list(tasks_of(PUSH)) == ["push-v3"]


@pytest.mark.parametrize("name", ["gym:nothing", "gym:metaworld/nothing", "gym:pusht/pusht",
                                  "gym:metaworld/", "nothing"])
def test_an_unknown_robot_is_refused_with_the_names_that_are_known(name):
    with pytest.raises(DeviceError, match=r"valid are .*(gym:pusht|push-v3)"):
        open_robot(name, ManualClock())


@pytest.mark.parametrize("robot", [REACH, PUSHT])
def test_a_missing_package_is_one_line_that_says_how_to_install_it(monkeypatch, robot):
    monkeypatch.setattr(catalog, "packages", lambda: {"metaworld": "", "gym-pusht": ""})
    with pytest.raises(DeviceError, match=r"is not installed: .*tandem-studio\[gym\]"):
        open_robot(robot, ManualClock())


@pytest.mark.parametrize(("words", "help_words"), [
    (("--robot", PUSHT), "use --teleop expert"),
    (("--teleop", "expert"), "use --teleop scripted"),
    (("--robot", PUSHT, "--teleop", "expert", "--task", "stack-cubes"), "valid are pusht"),
    (("--robot", REACH, "--teleop", "spacemouse", "--fast"), "needs --teleop expert"),
], ids=str)
def test_what_does_not_fit_the_robot_is_refused_before_anything_starts(
        capsys, tmp_path, words, help_words):
    assert cli.main(["record", *words, "--to", str(tmp_path / "s"), "--json"]) == 2
    assert help_words in json.loads(capsys.readouterr().out)["error"]
    assert not (tmp_path / "s").exists()


# -------------------------------------------------------------------------------------- the robot

@needs_packages
@pytest.mark.parametrize("name", [PUSH, PUSHT])
def test_the_slides_are_the_tool(desk, name):
    """Forward kinematics of the declared model says where the rows say that the hand is."""
    at = desk(name, render=False)
    arm = at.run(0.3)["arm"]
    kinematics = ArmKinematics(at.robot.info)
    for row in arm:
        np.testing.assert_allclose(kinematics.forward(row["position"]), row["tool_pose"],
                                   atol=1e-9)


@needs_packages
@pytest.mark.parametrize("name", [REACH, PUSHT])
def test_the_hand_can_go_everywhere_it_says_within_what_safety_allows(desk, name):
    info, limits = desk(name, render=False).robot.info, SafetyLimits()
    margin = limits.joint_margin
    kinematics = ArmKinematics(info)
    for end in (np.array(info.lower) + margin, np.array(info.upper) - margin):
        tool = kinematics.forward(end)[:3]
        assert np.all(tool >= np.array(limits.workspace_low) - 1e-9)
        assert np.all(tool <= np.array(limits.workspace_high) + 1e-9)


@needs_packages
@pytest.mark.parametrize(("name", "off_m"), [(REACH, 0.012), (PUSHT, 0.001)])
def test_the_hand_goes_where_it_is_sent_and_stays(desk, name, off_m):
    at = desk(name, render=False)
    for step in (0.05, -0.04):
        target = np.array(at.robot.info.home)
        target[:2] += step
        target[-1] = 0.25
        rows = at.run(2.0, target)
        assert np.abs(rows["arm"]["position"][-1] - target)[:-1].max() < off_m
        assert np.abs(rows["arm"]["velocity"][-1][:-1]).max() < 0.005
    at.robot.hold()
    moved = at.run(0.5)["arm"]["position"][:, :-1]
    assert np.ptp(moved, axis=0).max() < off_m


@needs_packages
@pytest.mark.parametrize("name", [PUSH, PUSHT])
def test_streams_keep_their_rate_and_lose_nothing(desk, name):
    at = desk(name, image_size=(48, 64))
    specs = {spec.name: spec for spec in at.robot.info.streams}
    rows = at.run(1.0, np.array(at.robot.info.home))
    assert set(rows) == set(specs)
    for stream, spec in specs.items():
        got = rows[stream]
        assert got.dtype == spec.row_dtype
        assert abs(len(got) - spec.rate_hz) <= 2
        assert np.all(np.diff(got["seq"]) == 1)
        assert np.abs(np.diff(got["t_mono_ns"]) * 1e-9 * spec.rate_hz - 1).max() < 0.5


@needs_packages
@pytest.mark.parametrize("name", [PUSH, PUSHT])
def test_pictures_show_what_happens(desk, name):
    at = desk(name, image_size=(96, 128))
    target = np.array(at.robot.info.home)
    at.run(0.2, target)
    before = {camera: picture.copy() for camera, picture in at.robot.rig.newest.items()}
    target[:2] += 0.1
    at.run(1.5, target)
    for camera, picture in at.robot.rig.newest.items():
        spec = next(s for s in at.robot.info.streams if s.name == camera)
        assert picture.shape == (spec.images[0].height, spec.images[0].width, 3)
        assert np.ptp(picture) > 60                                         # not one colour
        assert np.abs(picture.astype(int) - before[camera]).max() > 40      # and it has changed


@needs_packages
@pytest.mark.gl
def test_what_a_metaworld_camera_sees_lies_where_its_row_says(desk):
    """The puck's place, projected through the row's camera, is coloured as the puck is."""
    at = desk(PUSH, image_size=(240, 320))
    at.robot.reset("push-v3", 5003)
    rows = at.run(0.2)
    theirs = at.robot.world.reading.observation[4:7]
    puck_m = np.array([theirs[1] - 0.2, -theirs[0], theirs[2] + 0.2])
    camera = rows["front"][-1]
    x, y, z = _rotated(camera["world_from_camera"][3:], puck_m - camera["world_from_camera"][:3])
    fx, fy, cx, cy = camera["intrinsics"]
    red, green, blue = at.robot.rig.newest["front"][int(cy + fy * y / z), int(cx + fx * x / z)]
    assert z > 0 and red > 60 and red > 2.5 * green and red > 2.5 * blue


def _rotated(quat: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """A vector of the world in the frame that has this orientation in it."""
    w, x, y, z = quat
    world_from_frame = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]])
    return vector @ world_from_frame


@needs_packages
@pytest.mark.parametrize("name", [PUSH, PUSHT])
@settings(max_examples=3)
@given(seed=st.integers(0, 2**31 - 1), other=st.integers(0, 2**31 - 1))
def test_a_seed_gives_the_same_scene_whatever_was_before(name, seed, other):
    world = WORLDS.setdefault(name, open_world(name))
    task = next(iter(world.tasks))
    world.reset(task, seed)
    scene = world.state
    world.reset(task, other)
    for _ in range(5):
        world.step(np.array([*world.reading.position[:-1] + 0.05, 0.0]))
    assert other == seed or not np.array_equal(world.state, scene)
    world.reset(task, seed)
    np.testing.assert_array_equal(world.state, scene)


WORLDS: dict[str, Any] = {}     # opening one takes half a second, and a reset forgets everything


@needs_packages
@pytest.mark.parametrize(("name", "off"), [(PUSH, 0.0), (PUSHT, 1e-6)])
def test_a_restored_state_goes_on_as_it_did(name, off):
    world = WORLDS.setdefault(name, open_world(name))
    world.reset(next(iter(world.tasks)), 7)
    target = world.reading.position - [*([0.04] * (len(world.reading.position) - 1)), 1.0]
    for _ in range(10):
        world.step(target)
    saved = world.state
    went = [_stepped(world, target) for _ in range(10)]
    world.restore(saved)
    again = [_stepped(world, target) for _ in range(10)]
    np.testing.assert_allclose(again, went, rtol=0, atol=off)


def _stepped(world: Any, target: np.ndarray) -> np.ndarray:
    world.step(target)
    return world.state


@needs_packages
def test_one_robot_does_all_of_metaworlds_tasks(desk):
    at = desk("gym:metaworld", image_size=(48, 64))
    for task in ("door-lock-v3", "assembly-v3"):
        assert at.robot.reset(task, 1) == tasks_of("gym:metaworld")[task].instructions[0]
        rows = at.run(0.2)
        assert {len(row) for row in rows["sim"]["state"]} == {64}
        assert "front" in rows
    with pytest.raises(DeviceError, match="no task 'pusht': valid are assembly-v3"):
        at.robot.reset("pusht", 0)


@needs_packages
def test_a_starved_robot_counts_what_it_could_not_do_as_dropped():
    """Against the machine's clock, here one that jumps."""
    clock = ManualClock()
    clock.virtual = False
    robot = open_robot(PUSHT, clock, render=False)
    robot.connect()
    clock.advance(TICK_NS)
    robot.poll()
    clock.advance(NS_PER_S)
    [arm] = [batch.rows for batch in robot.poll() if batch.stream == "arm"]
    assert 5 <= len(arm) <= 10 and arm["seq"][0] >= 90
    assert clock.now_ns() - arm["t_mono_ns"][-1] < 2 * TICK_NS


@needs_packages
def test_wrong_use_is_refused(desk):
    at = desk(PUSHT, render=False)
    for wrong in ([0.4, 0.0], [0.4, np.nan, 1.0]):
        with pytest.raises(DeviceError, match="x, y, gripper"):
            at.robot.send(np.array(wrong))
    with pytest.raises(DeviceError, match="connected already"):
        at.robot.connect()
    with pytest.raises(DeviceError, match="its tasks are fixed"):
        at.robot.set_instruction("push the square")
    with pytest.raises(DeviceError, match="no camera 'wrist': valid are front"):
        open_robot(PUSHT, at.clock, cameras=("wrist",))
    at.robot.disconnect()
    with pytest.raises(DeviceError, match="connect"):
        at.robot.poll()
    at.robot.connect()


# ------------------------------------------------------------------- experts, recording, repeating

@pytest.fixture
def recorded(tmp_path):
    """Records episodes of an environment through the real station; their readers."""

    def record(name: str, episodes: int, seed: int, **errors: Any) -> list[EpisodeReader]:
        clock = ManualClock()
        robot = open_robot(name, clock, image_size=(48, 64))
        operator = make_operator("expert", clock, name, **errors)
        robot.connect()
        operator.connect()
        task = next(iter(tasks_of_environment(name).values()))
        with DemoStore.open(tmp_path / "store", write=True, create=True) as store:
            station = Station(clock=clock, robot=robot, teleop=operator, sink=StoreSink(store))
            session = Session(station, SessionPlan(
                tasks=(task.name,) * episodes, seed=seed, max_duration_s=task.max_duration_s),
                simulated=True)
            station.run()
            assert not session.problem
        robot.disconnect()
        with DemoStore.open(tmp_path / "store") as store:
            return [EpisodeReader(store.episode_path(e.episode)) for e in store.episodes()]

    return record


@needs_packages
def test_an_expert_succeeds_and_its_episode_repeats_to_the_last_bit(recorded):
    [episode] = recorded(PUSH, 1, seed=5000)
    assert episode.attrs["detector"] == "success"
    assert episode.instruction == "Push the puck to a goal"
    assert episode.attrs["robot"]["name"] == PUSH
    again = replay(episode)
    assert again.replayed == "success"
    assert again.max_object_error_m == again.max_joint_error_rad == 0.0
    sim = episode["sim"]["observation"]
    assert np.abs(sim[-1] - sim[0])[4:7].max() > 0.05           # the puck was pushed
    touch = episode["contact"]["touch"]
    assert np.all(touch[0] == 0) and touch.max() > 1.0          # by fingers that felt it


@needs_packages
def test_a_perturbed_expert_errs_alike_for_a_seed_and_leaves_what_it_should_have_done(recorded):
    first, second = (recorded(REACH, 1, seed=5001, perturbed=True)[-1] for _ in range(2))
    np.testing.assert_array_equal(first["tick"]["sent"], second["tick"]["sent"])
    tick = first["tick"]
    given, clean = tick["human_twist"], tick["human_corrective"][:, :6]
    assert np.isfinite(clean).all() and first.attrs["detector"] == "success"
    assert np.abs(given - clean).max() > 0.02 and not given[:, 3:].any()


@needs_packages
@pytest.mark.slow
def test_the_scripted_pusher_brings_the_t_home_and_its_episode_repeats(recorded):
    [episode] = recorded(PUSHT, 1, seed=5003)
    assert episode.attrs["detector"] == "success"
    assert episode["sim"]["progress"][0] < 0.9 and episode["contact"]["touch"].max() > 0
    again = replay(episode)
    assert again.same and again.max_object_error_m < 1e-6


@needs_packages
def test_an_episode_without_an_environments_state_cannot_be_repeated(write_episode, tmp_path):
    spec = next(s for s in open_robot(PUSHT, ManualClock(), render=False).info.streams
                if s.name == "arm")
    rows = np.zeros(5, spec.row_dtype)
    path = write_episode(tmp_path / "e", [(spec, {c.name: rows[c.name] for c in spec.columns})],
                         robot={"name": PUSHT})
    with pytest.raises(DeviceError, match="no recorded state"):
        replay(EpisodeReader(path))

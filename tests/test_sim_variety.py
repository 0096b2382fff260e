"""What makes scripted episodes differ: edits, nudges, drifting cubes and styles."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio.commands.output import UsersMistakeError
from studio.commands.variety import Variety
from studio.devices.interfaces import DeviceError
from studio.sim.disturbance import Disturbance
from studio.sim.edits import CARRIED_M, HAND_M, can_be_edited
from studio.sim.instructions import COLOURS, request_from_instruction
from studio.sim.operator import ScriptedOperator
from studio.sim.placement import CUBE_AREA_M, CUBE_GAP_M
from studio.sim.reference import CLEAR_M, gap_m, resolve
from studio.sim.replay import replay_in_simulator
from studio.sim.robot import SimRobot
from studio.sim.scene import OBJECT_NAMES
from studio.sim.scene_view import SceneView
from studio.sim.styles import draw_style
from studio.sim.subtasks import goal_in, subtask, subtask_in
from studio.sim.tasks import TASKS, moves_a_cube, phases_of
from studio.sim.world import SimWorld
from studio.station.recording.store_sink import StoreSink
from studio.station.session import Session, SessionPlan
from studio.station.station import Station

LATE_SEED = 5007            # its edit comes with the cube in hand
BUMP = Disturbance(bump_chance=1.0)
DRIFT = Disturbance(drift_m_s=0.015)


def record(folder: Path, plan: SessionPlan, *, disturbance: Disturbance | None = None,
           many_styles: bool = False) -> list[EpisodeReader]:
    """The episodes of a session of the scripted operator, without pictures."""
    clock = ManualClock(7 * NS_PER_S)
    robot = SimRobot(clock, render=False, disturbance=disturbance)
    operator = ScriptedOperator(many_styles=many_styles)
    robot.connect()
    operator.connect()
    with DemoStore.open(folder, write=True, create=True) as store:
        station = Station(clock=clock, robot=robot, teleop=operator, sink=StoreSink(store))
        session = Session(station, plan, simulated=True)
        station.run()
        robot.disconnect()
        assert not session.problem
        return [EpisodeReader(store.episode_path(summary.episode))
                for summary in store.episodes()]


def events(episode: EpisodeReader, kind: str) -> list[dict[str, Any]]:
    return [event for event in episode.events if event["kind"] == kind]


def row_at(episode: EpisodeReader, stream: str, column: str, stamp_ns: int) -> np.ndarray:
    """The newest value at a moment."""
    return episode[stream][column][np.searchsorted(episode[stream].stamps_ns, stamp_ns, "right")
                                   - 1]


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> list[EpisodeReader]:
    """Two episodes in which everything happens, of a task whose words describe the cube."""
    plan = SessionPlan(tasks=("bin-by-place", "stack-by-place"), seed=5000, max_duration_s=25,
                       edits=1.0)
    return record(tmp_path_factory.mktemp("varied") / "store", plan, disturbance=BUMP,
                  many_styles=True)


# ------------------------------------------------------------------------------------ as recorded


def test_an_edit_is_an_ordinary_instruction_and_the_new_goal_is_what_counts(varied):
    for episode in varied:
        (edit,) = events(episode, "instruction")
        assert edit["before"] == episode.instruction != edit["after"]
        assert request_from_instruction(edit["after"]).task == episode.attrs["task"]
        rows = episode["sim"].stamps_ns
        cubes = episode["sim"]["goal_cubes"]
        before = cubes[np.searchsorted(rows, edit["t_mono_ns"]) - 1]
        after = cubes[np.searchsorted(rows, edit["t_mono_ns"], "right") + 1]
        assert tuple(before) != tuple(after)
        assert tuple(cubes[-1]) == tuple(after)
        assert episode.attrs["detector"] == "success"


def place_of_the_asked_cube(episode: EpisodeReader, moment_ns: int) -> tuple[np.ndarray, float]:
    """Its place in m, and how high it stands above where it was to begin with."""
    colour = COLOURS[int(row_at(episode, "sim", "goal_cubes", moment_ns)[0]) - 1]
    cube = OBJECT_NAMES.index(f"cube_{colour}")
    place_m = row_at(episode, "sim", "objects", moment_ns)[cube, :3]
    return place_m, float(place_m[2] - episode["sim"]["objects"][0, cube, 2])


def test_the_hand_was_on_its_way_when_the_words_changed(varied):
    for episode in varied:
        (edit,) = events(episode, "instruction")
        moment = edit["t_mono_ns"] - NS_PER_S // 50
        cube_m, _ = place_of_the_asked_cube(episode, moment)
        hand_m = row_at(episode, "arm", "tool_pose", moment)[:3]
        assert HAND_M[0] - 0.02 < np.linalg.norm(cube_m - hand_m) < HAND_M[1] + 0.02


def test_some_change_their_mind_with_the_cube_in_hand_and_put_it_down_first(tmp_path):
    plan = SessionPlan(tasks=("put-cube-in-bin",), seed=LATE_SEED, max_duration_s=30, edits=1.0)
    (episode,) = record(tmp_path / "s", plan)
    (edit,) = events(episode, "instruction")
    cube_m, height_m = place_of_the_asked_cube(episode, edit["t_mono_ns"] - NS_PER_S // 50)
    hand_m = row_at(episode, "arm", "tool_pose", edit["t_mono_ns"])[:3]
    assert height_m > CARRIED_M[0] - 0.005 and np.linalg.norm(cube_m - hand_m) < 0.02
    assert episode.attrs["detector"] == "success"
    said = [event["text"].split()[0] for event in events(episode, "subtask")]
    assert said.index("carry") < len(said) - 1 - said[::-1].index("reach")


def test_sub_tasks_name_the_cube_that_the_words_only_describe(varied):
    for episode in varied:
        said = [episode.instruction, *(edit["after"] for edit in events(episode, "instruction"))]
        texts = [event["text"] for event in events(episode, "subtask")]
        assert texts[0].startswith("reach ")
        assert texts[-1].startswith("done ")
        moved = {text.split()[1] for text in texts}
        assert moved <= set(COLOURS)
        goals = {text.partition(" ")[2] for text in texts}
        assert len(goals) == 2                              # the first one, and the new one
        if episode.attrs["task"] == "bin-by-place":
            assert not any(colour in words for colour in COLOURS for words in said)


def test_a_nudge_is_told_and_moves_the_cube_by_three_to_seven_centimetres(varied):
    for episode in varied:
        (bump,) = events(episode, "bump")
        cube = OBJECT_NAMES.index(f"cube_{bump['cube']}")
        pushed = episode["contact"].stamps_ns[np.any(episode["contact"]["push"], axis=(1, 2))]
        before = row_at(episode, "sim", "objects", pushed[0])[cube, :2]
        after = row_at(episode, "sim", "objects", pushed[-1] + NS_PER_S // 20)[cube, :2]
        assert 0.028 < np.linalg.norm(after - before) < 0.073
        assert 0.3 < (pushed[-1] - pushed[0]) / NS_PER_S < 0.4


def test_edits_and_nudges_are_repeated_to_the_last_bit(varied):
    for episode in varied:
        replayed = replay_in_simulator(episode)
        assert replayed.max_object_error_m == 0.0 == replayed.max_joint_error_rad
        assert replayed.recorded == replayed.replayed == "success"


def test_the_same_seed_varies_alike(varied, tmp_path):
    plan = SessionPlan(tasks=("bin-by-place",), seed=5000, max_duration_s=25, edits=1.0)
    (again,) = record(tmp_path / "store", plan, disturbance=BUMP, many_styles=True)
    assert [event | {"t_mono_ns": 0, "tick": 0} for event in again.events] == [
        event | {"t_mono_ns": 0, "tick": 0} for event in varied[0].events]
    assert np.array_equal(again["sim"]["state"], varied[0]["sim"]["state"])


def test_without_variety_nothing_is_edited_or_pushed(tmp_path):
    (episode,) = record(tmp_path / "store", SessionPlan(tasks=("bin-by-place",), seed=5000))
    assert not events(episode, "instruction")
    assert not events(episode, "bump")
    assert "push" not in episode["contact"]
    assert "bumps" not in episode["sim"]


def test_a_share_of_the_episodes_is_edited(tmp_path):
    plan = SessionPlan(tasks=("put-cube-in-bin",) * 4, seed=5005, max_duration_s=20, edits=0.5)
    edited = [bool(events(episode, "instruction")) for episode in record(tmp_path / "s", plan)]
    assert set(edited) == {True, False}


def test_only_a_task_with_a_choice_can_be_edited_and_only_one_with_a_cube_bumped():
    assert {task for task in TASKS if not can_be_edited(task)} == {
        "push-button", "open-drawer", "press-force"}
    assert {task for task in TASKS if not moves_a_cube(task)} == {
        "push-button", "open-drawer", "press-force"}


@pytest.mark.parametrize(("options", "task", "why"), [
    ({"edits": 0.3}, "push-button", "one thing only.*put-cube-in-bin"),
    ({"bumps": 0.3}, "open-drawer", "moves no cube.*put-cube-in-bin"),
    ({"edits": 1.5}, "put-cube-in-bin", "0 to 1, not 1.5"),
    ({"clumsy": True, "perturbed": True}, "push-button", "exclude each other"),
])
def test_variety_that_a_task_cannot_have_is_refused_with_what_can(options, task, why):
    with pytest.raises(UsersMistakeError, match=why):
        Variety(**options).require(robot="sim", script=True, task=task)


@pytest.mark.parametrize("options", [{"edits": 0.1}, {"bumps": 0.1}, {"styles": "mixed"}])
def test_variety_is_for_the_script_on_the_simulated_arm(options):
    variety = Variety(**options)
    variety.require(robot="sim", script=True, task="stack-cubes")
    for robot, script in (("sim", False), ("gym:pusht", True)):
        with pytest.raises(UsersMistakeError, match="need --robot sim and --teleop scripted"):
            variety.require(robot=robot, script=script, task="stack-cubes")


# -------------------------------------------------------------------------- a scene that moves


class Watched:
    """A disturbed world without a hand in it, unless the test brings the tool near."""

    def __init__(self, disturbance: Disturbance) -> None:
        self.world = SimWorld(ManualClock(), disturbance=disturbance)

    def cube_m(self, colour: str) -> np.ndarray:
        return self.world.objects[COLOURS.index(colour), :3]

    def run(self, duration_s: float) -> Iterator[None]:
        """Let time pass, stopping every 10 ms."""
        for _ in range(round(duration_s * 100)):
            self.world.advance_to(self.world.stamp_ns + NS_PER_S // 100)
            yield


@pytest.fixture(scope="module")
def drifting() -> Watched:
    return Watched(DRIFT)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_drifting_cube_keeps_its_speed_and_its_distance_and_the_words_stay_true(drifting, seed):
    world = drifting.world
    world.reset("bin-by-place", seed)
    goal, request = world.run.goal, world.run.request
    others = [colour for colour in COLOURS if colour != goal.colour]
    still = [drifting.cube_m(colour) for colour in others]
    way_m, before = 0.0, drifting.cube_m(goal.colour)
    for _ in drifting.run(4.0):
        now = drifting.cube_m(goal.colour)
        way_m, before = way_m + float(np.linalg.norm(now - before)), now
        places = SceneView(world).places_m
        assert resolve(request, places) == goal
        assert gap_m(request, places) > CLEAR_M - 0.004
        assert min(np.linalg.norm(now[:2] - other[:2]) for other in still) > CUBE_GAP_M - 0.004
        (x_low, x_high), (y_low, y_high) = CUBE_AREA_M
        assert x_low - 0.004 < now[0] < x_high + 0.004
        assert y_low - 0.004 < now[1] < y_high + 0.004
        assert abs(now[2] - 0.022) < 0.001          # it slides, and does not tip
    assert way_m == pytest.approx(4.0 * 0.015, rel=0.15)
    for colour, place in zip(others, still, strict=True):
        assert np.abs(drifting.cube_m(colour) - place).max() < 1e-3


def test_a_drifting_cube_stops_for_good_once_the_hand_was_near():
    watched = Watched(Disturbance(drift_m_s=0.015, drift_until_m=10.0))
    watched.world.reset("put-cube-in-bin", 3)
    start = watched.cube_m(watched.world.run.goal.colour)
    for _ in watched.run(1.0):
        pass
    assert np.linalg.norm(watched.cube_m(watched.world.run.goal.colour) - start) < 1e-3


def test_the_operator_follows_a_drifting_cube(tmp_path):
    (episode,) = record(tmp_path / "s", SessionPlan(tasks=("put-cube-in-bin",), seed=5001,
                                                    max_duration_s=20), disturbance=DRIFT)
    assert episode.attrs["detector"] == "success"
    assert replay_in_simulator(episode).max_object_error_m == 0.0


def test_a_disturbed_moment_comes_back_and_goes_on_as_it_did():
    watched = Watched(DRIFT)
    world = watched.world
    world.reset("put-cube-in-bin", 8)
    for _ in watched.run(0.55):
        pass
    saved = world.save()
    for _ in watched.run(1.0):
        pass
    ended = world.state
    world.reset("push-button", 0)
    world.restore(saved)
    for _ in watched.run(1.0):
        pass
    assert world.state.tobytes() == ended.tobytes()


def test_a_task_without_a_cube_is_not_disturbed():
    calm, disturbed = SimWorld(ManualClock()), SimWorld(ManualClock(), disturbance=DRIFT)
    for world in (calm, disturbed):
        world.reset("push-button", 5)
        world.advance_to(NS_PER_S)
    assert calm.state.tobytes() == disturbed.state.tobytes()


def test_a_disturbance_comes_over_the_bus_as_a_plain_mapping():
    robot = SimRobot(ManualClock(), render=False, disturbance={"bump_chance": 0.5})
    assert robot.world.disturbed
    assert not SimRobot(ManualClock(), render=False).world.disturbed
    with pytest.raises(DeviceError, match="Valid are bump_chance"):
        SimRobot(ManualClock(), render=False, disturbance={"bumps": 0.5})


# ------------------------------------------------------------------------------ goals and styles


@pytest.mark.parametrize("task", TASKS)
def test_a_goal_survives_being_written_into_a_row(task):
    robot = SimRobot(ManualClock(), render=False)
    robot.connect()
    robot.reset(task, 4)
    robot.world.advance_to(20_000_000, robot._sampler.sample)
    rows = next(batch.rows for batch in robot.poll() if batch.stream == "sim")
    assert goal_in(rows[-1]) == robot.world.run.goal
    assert subtask_in(rows[-1]) == subtask(robot.world.run.goal, 0)
    robot.disconnect()


def test_the_words_of_every_phase_tell_phases_of_one_goal_apart():
    goal = request_from_instruction("put the red cube in the bin, then the blue cube")
    meant = resolve(goal, {})
    texts = [subtask(meant, phase) for phase in range(len(phases_of(meant)))]
    assert texts == ["reach red cube for bin", "grasp red cube for bin", "carry red cube for bin",
                     "release red cube for bin", "reach blue cube for bin",
                     "grasp blue cube for bin", "carry blue cube for bin",
                     "release blue cube for bin", "done blue cube for bin"]


def test_a_simulator_that_tells_no_goal_has_no_sub_task():
    row = np.zeros(1, [("phase", "u1"), ("success", "u1")])[0]
    assert goal_in(row) is None
    assert subtask_in(row) == ""


def test_styles_go_around_by_both_sides_in_low_and_high_arcs_slowly_and_quickly():
    styles = [draw_style(seed) for seed in range(40)]
    assert {np.sign(style.detour_rad) for style in styles} == {-1.0, 1.0}
    assert {style.arc_m > 0.0 for style in styles} == {True, False}
    assert {style.pace < 0.7 for style in styles} == {True, False}
    assert all(0.4 < style.pace <= 1.0 for style in styles)


def test_other_styles_take_other_ways_to_the_same_end(tmp_path):
    def way(many_styles: bool, name: str) -> np.ndarray:
        plan = SessionPlan(tasks=("put-cube-in-bin",), seed=5003, max_duration_s=20)
        (episode,) = record(tmp_path / name, plan, many_styles=many_styles)
        assert episode.attrs["detector"] == "success"
        return episode["arm"]["tool_pose"][:, :3]

    plain, own = way(False, "plain"), way(True, "own")
    apart = min(len(plain), len(own))
    assert np.abs(plain[:apart] - own[:apart]).max() > 0.01

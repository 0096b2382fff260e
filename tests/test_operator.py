"""The scripted operator: it does every task through the real chain, as a hand on a device would."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from studio.devices.interfaces import DeviceStatus, HumanInput
from studio.devices.mapping import AxisMapping, deflections, twist_of
from studio.sim.human_errors import CLUMSY, ErringHand, Errors
from studio.sim.operator import HAND_S, ScriptedOperator
from studio.sim.scripted_teleoperator import axes_for, deflections_for
from studio.sim.tasks import TASKS

SEEDS = (3000, 3001, 3002, 3003)


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """The benchmark's own desk: what it measures is what is tested."""
    path = Path(__file__).parent / "bench" / "scripted_operator.py"
    spec = importlib.util.spec_from_file_location("bench_scripted_operator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def desk(bench: ModuleType) -> Any:
    return bench.Desk()


def listen(desk: Any) -> list[HumanInput]:
    """Every input that the operator gives from now on."""
    given_inputs: list[HumanInput] = []
    read: Callable[[], HumanInput] = type(desk.operator).read.__get__(desk.operator)

    def reading() -> HumanInput:
        given_inputs.append(read())
        return given_inputs[-1]

    desk.operator.read = reading
    return given_inputs


# ----------------------------------------------------------------------------------- doing tasks


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_task_is_done_within_its_time(desk, task, seed):
    episode = desk.episode(task, seed)
    assert episode.success_s is not None
    assert episode.done


def test_the_same_seed_gives_the_same_episode_to_the_last_bit(bench):
    def ending() -> tuple[float, np.ndarray, np.ndarray]:
        desk = bench.Desk(CLUMSY)
        episode = desk.episode("push-button", 3004)
        return episode.success_s, desk.robot.world.state, desk.loop.limiter.position

    (first_s, first_state, first_sent), (again_s, again_state, again_sent) = ending(), ending()
    assert first_s == again_s
    assert np.array_equal(first_state, again_state)
    assert np.array_equal(first_sent, again_sent)


def test_an_edited_instruction_redirects_it_with_the_wrong_cube_in_its_hand(desk):
    desk.reset("put-cube-in-bin", 3005, "put the red cube in the bin")
    judge = desk.robot.world.run
    for _ in desk.ticks(10.0):
        if judge.phases[judge.phase] == "carry":
            break
    desk.loop.instruction = "put the green cube in the bin"
    judge.set_instruction(desk.loop.instruction)
    for _ in desk.ticks(20.0):
        pass
    assert judge.success
    red_m, bin_m = desk.robot.world.objects[0, :3], desk.robot.world.objects[3, :3]
    assert np.linalg.norm(red_m[:2] - bin_m[:2]) > 0.1
    assert red_m[2] == pytest.approx(0.022, abs=0.002)


def test_a_cube_that_slipped_is_fetched_again(desk):
    desk.reset("put-cube-in-bin", 3006)
    world, colour = desk.robot.world, desk.robot.world.run.goal.colour
    joint = world.model.joint(f"cube_{colour}")
    start = world.data.qpos[joint.qposadr[0]:joint.qposadr[0] + 3].copy()
    for _ in desk.ticks(10.0):
        if world.run.phases[world.run.phase] == "carry":
            break
    world.data.qpos[joint.qposadr[0]:joint.qposadr[0] + 7] = (start[0], start[1], 0.05, 1, 0, 0, 0)
    world.data.qvel[joint.dofadr[0]:joint.dofadr[0] + 6] = 0
    for _ in desk.ticks(15.0):
        pass
    assert world.run.success


@pytest.mark.parametrize("instruction", [
    "put the blue cube in the bin", "stack the blue cube on the red cube",
    "stack the green cube on the blue cube",
])
def test_a_cube_that_stands_in_the_way_is_put_aside(desk, instruction):
    desk.reset("stack-cubes", 3005, instruction)
    world = desk.robot.world
    red, blue = (world.model.joint(f"cube_{colour}").qposadr[0] for colour in ("red", "blue"))
    world.data.qpos[red:red + 7] = world.data.qpos[blue:blue + 7]
    world.data.qpos[red + 2] += 0.0441
    for _ in desk.ticks(25.0):
        pass
    assert world.run.success


def test_an_instruction_that_it_does_not_understand_leaves_the_arm_alone(desk):
    desk.reset("push-button", 3007)
    desk.loop.instruction = "sing a song"
    before = desk.robot.world.position.copy()
    for _ in desk.ticks(1.0):
        assert not desk.operator.read().enabled
    assert "not understood" in desk.operator.problem
    assert np.abs(desk.robot.world.position - before).max() < 1e-3


# ----------------------------------------------------------------------------------- as a device


def test_it_gives_what_a_device_with_the_same_mapping_would_give(bench):
    desk = bench.Desk()
    given_inputs = listen(desk)
    desk.episode("put-cube-in-bin", 3008)
    mapping = AxisMapping()
    for human in given_inputs:
        assert human.raw.shape == (8,)
        assert np.abs(human.raw).max() <= 1.0
        assert np.allclose(human.twist, twist_of(deflections(human.raw, mapping), mapping))
        assert human.enabled == bool(np.any(human.twist))
        assert human.corrective is None
    assert {human.gripper for human in given_inputs} >= {0.0, 1.0}
    assert any(human.enabled for human in given_inputs)


def test_its_hand_has_inertia(bench):
    desk = bench.Desk()
    given_inputs = listen(desk)
    desk.episode("open-drawer", 3009)
    twists = np.array([human.twist for human in given_inputs]) / AxisMapping().scale
    assert np.abs(np.diff(twists, axis=0)).max() <= 0.01 / HAND_S + 1e-9


@given(twist=arrays(float, 6, elements=st.floats(-0.25, 0.25)), expo=st.floats(0, 1),
       dead_zone=st.floats(0, 0.3), source=st.permutations(range(6)),
       sign=st.tuples(*[st.sampled_from((1, -1))] * 6))
def test_the_axes_for_a_twist_are_read_as_that_twist(twist, expo, dead_zone, source, sign):
    mapping = AxisMapping(source=tuple(source), sign=sign, expo=expo, dead_zone=dead_zone)
    axes = axes_for(deflections_for(twist, mapping), mapping)
    assert np.abs(axes).max() <= 1.0
    assert np.allclose(twist_of(deflections(axes, mapping), mapping), twist, atol=1e-4)


def test_without_samples_or_a_connection_it_asks_for_nothing():
    operator = ScriptedOperator("push-button")
    assert operator.read().status is DeviceStatus.OFF
    operator.connect()
    operator.send_feedback({"stamp_ns": 5, "instruction": "push the button", "rows": {}})
    assert not operator.read().enabled
    assert "arm, contact, sim" in operator.problem
    operator.disconnect()
    assert operator.read().status is DeviceStatus.OFF
    assert set(operator.get_action()) == set(operator.action_features)


def test_unknown_feedback_is_ignored():
    operator = ScriptedOperator()
    operator.connect()
    operator.send_feedback({"led": True})
    assert not operator.read().enabled


# ----------------------------------------------------------------------------------- human errors


def test_with_errors_it_mostly_succeeds_and_its_label_differs_exactly_while_it_errs(bench):
    desk = bench.Desk(CLUMSY)
    given_inputs = listen(desk)
    successes, erring, clean = 0, 0, 0
    for task, seed in (("put-cube-in-bin", 3000), ("push-button", 3001), ("open-drawer", 3002),
                       ("push-button", 3003)):
        desk.reset(task, seed)
        for _ in desk.ticks(TASKS[task].max_duration_s):
            human, errs = given_inputs[-1], desk.operator.erring
            assert human.corrective is not None
            assert human.corrective[6] == human.gripper
            differs = not np.array_equal(human.corrective[:6], human.twist)
            assert differs <= bool(errs)
            erring, clean = erring + differs, clean + (not differs)
        successes += desk.robot.world.run.success
    assert successes >= 3
    assert erring > 20
    assert clean > erring


@pytest.mark.parametrize(("errors", "kind"), [
    (Errors(pause_rate_hz=5.0), "pause"),
    (Errors(noise_rate_hz=5.0), "noise"),
    (Errors(overshoot=1.0), "overshoot"),
])
def test_each_kind_of_error_happens_and_ends(errors, kind):
    hand = ErringHand(errors, np.random.default_rng(0))
    fast, slow = np.array([0.9, 0, 0, 0, 0, 0]), np.array([0.1, 0, 0, 0, 0, 0])
    seen = []
    for tick in range(600):
        clean = fast if tick % 100 < 60 else slow
        given_deflection = hand.disturb(clean, 0.01)
        assert np.abs(given_deflection).max() <= 1.0
        seen.append(hand.erring)
        if not hand.erring:
            assert np.array_equal(given_deflection, clean)
    assert set(seen) == {"", kind}


def test_a_perfect_hand_changes_nothing():
    hand = ErringHand(Errors(), np.random.default_rng(0))
    for clean in np.random.default_rng(1).uniform(-1, 1, (200, 6)):
        assert np.array_equal(hand.disturb(clean, 0.01), clean)

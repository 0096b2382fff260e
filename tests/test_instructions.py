"""Words become requests, and requests become goals in the scene in which they are said."""

from typing import Any

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.clock import NS_PER_S, ManualClock
from studio.sim.instructions import (
    COLOURS,
    LANDMARKS,
    RELATIONS,
    Described,
    Goal,
    InstructionError,
    Request,
    draw_request,
    held_out_instructions_of,
    held_out_words,
    instructions_of,
    request_from_instruction,
    requests_of,
)
from studio.sim.reference import CLEAR_M
from studio.sim.scene import OBJECT_NAMES
from studio.sim.tasks import TASKS
from studio.sim.world import SimWorld


@pytest.fixture(scope="module")
def world() -> SimWorld:
    return SimWorld(ManualClock())


def put_cube(world: SimWorld, colour: str, at_m: tuple[float, float, float]) -> None:
    """Move a cube by hand, standing still and upright."""
    joint = world.model.joint(f"cube_{colour}")
    world.data.qpos[joint.qposadr[0]:joint.qposadr[0] + 7] = (*at_m, 1, 0, 0, 0)
    world.data.qvel[joint.dofadr[0]:joint.dofadr[0] + 6] = 0
    mujoco.mj_step1(world.model, world.data)


# ------------------------------------------------------------------------------------- words


@pytest.mark.parametrize("task", TASKS)
def test_every_phrasing_is_understood_as_its_own_task_and_names_what_is_not_left_to_find_out(task):
    for text in instructions_of(task) + held_out_instructions_of(task):
        request = request_from_instruction(text)
        assert request in requests_of(task)
        named = {request.onto, request.then} | ({request.colour} if task != "stack-odd" else set())
        assert all(colour in text for colour in named)


@pytest.mark.parametrize("task", TASKS)
def test_held_out_phrasings_are_never_drawn_and_use_no_word_that_was_not_heard_somewhere(task):
    held_out, heard = set(held_out_instructions_of(task)), set(" ".join(
        " ".join(instructions_of(name)) for name in TASKS).replace(",", "").split())
    assert held_out
    assert held_out.isdisjoint(instructions_of(task))
    assert {word for text in held_out for word in text.replace(",", "").split()} <= heard
    drawn = {draw_request(task, np.random.default_rng(seed))[1] for seed in range(100)}
    assert drawn <= set(instructions_of(task))


@given(task=st.sampled_from(list(TASKS)), seed=st.integers(0, 2**32 - 1),
       shout=st.booleans(), ending=st.sampled_from(["", ".", "!", " please"]))
def test_a_drawn_request_survives_being_said_and_understood(task, seed, shout, ending):
    request, text = draw_request(task, np.random.default_rng(seed))
    assert request in requests_of(task)
    assert request_from_instruction((text.upper() if shout else text) + ending) == request
    other_words = held_out_words(request, np.random.default_rng(seed))
    assert other_words in held_out_instructions_of(task)
    assert request_from_instruction(other_words) == request


@pytest.mark.parametrize(("text", "request_"), [
    ("Put the green cube in the bin!", Request("put-cube-in-bin", "green")),
    ("on the blue cube, stack the red one", Request("stack-cubes", "red", "blue")),
    ("push the button after you put the red cube in the bin", Request("bin-then-button", "red")),
    ("open the drawer, please", Request("open-drawer")),
    ("put the red cube in the bin after the blue cube", Request("bin-in-order", "blue",
                                                                then="red")),
    ("the one farthest away from the button belongs in the box",
     Request("bin-by-place", which=Described("farthest", "button"))),
    ("stack the cube closest to the red one on it",
     Request("stack-by-place", onto="red", which=Described("nearest", "red"))),
])
def test_other_words_for_the_same_thing_are_understood(text, request_):
    assert request_from_instruction(text) == request_


@pytest.mark.parametrize("text", [
    "", "make me a coffee", "put the cube in the bin", "put the red and the blue cube in the bin",
    "do not push the button", "close the drawer", "stack the red cube on the red cube",
    "open the drawer and push the button", "put the cube that is not blue on the blue one",
    "put the red cube in the bin, then stack it on the blue one",
    "stack the cube nearest the drawer on it", "put the red cube nearest the drawer in the bin",
    "put the cube nearest the red cube in the bin",
    "put the cube nearest the drawer and closest to the button in the bin",
    "stack the cube that is neither red nor green on the blue one",
])
def test_what_cannot_be_done_is_refused_with_examples(text):
    with pytest.raises(InstructionError, match="Say for example: put the red cube in the bin"):
        request_from_instruction(text)


# ------------------------------------------------------------------- which one the words mean


def ranked_by_hand(world: SimWorld, which: Any) -> list[tuple[float, str]]:
    """Distance and colour, the best fitting first, from the poses that a recording holds."""
    objects: dict[str, np.ndarray] = dict(zip(OBJECT_NAMES, world.objects[:, :2], strict=True))
    landmark = f"cube_{which.landmark}" if which.landmark in COLOURS else which.landmark
    place_m = objects["drawer_handle" if landmark == "drawer" else landmark]
    return sorted(((float(np.hypot(*(objects[f"cube_{colour}"] - place_m))), colour)
                   for colour in COLOURS if colour != which.landmark),
                  reverse=which.relation == "farthest")


@pytest.mark.parametrize("seed", range(12))
def test_a_cube_described_by_its_place_is_the_one_that_stands_there(world, seed):
    world.reset("bin-by-place", seed)
    (_, colour), *_ = ranked_by_hand(world, world.run.request.which)
    assert world.run.goal == Goal("put-cube-in-bin", colour)
    assert colour not in world.run.instruction
    world.reset("stack-by-place", seed)
    (_, colour), *_ = ranked_by_hand(world, world.run.request.which)
    assert world.run.goal == Goal("stack-cubes", colour, world.run.request.which.landmark)
    assert colour not in world.run.instruction


@settings(max_examples=25, deadline=None)
@given(task=st.sampled_from(["bin-by-place", "stack-by-place"]), seed=st.integers(0, 2**32 - 1))
def test_whatever_such_a_task_may_ask_for_has_a_plain_answer(world, task, seed):
    world.reset(task, seed)
    for request in requests_of(task):
        (best_m, _), (second_m, _), *_ = ranked_by_hand(world, request.which)
        assert abs(best_m - second_m) > CLEAR_M - 0.002     # they settle by less


def test_every_relation_and_every_answer_is_asked_for(world):
    asked, answers = set(), set()
    for seed in range(60):
        world.reset("bin-by-place", seed)
        which = world.run.request.which
        asked.add((which.relation, which.landmark))
        answers.add(world.run.goal.colour)
    assert asked == {(relation, landmark) for relation in RELATIONS for landmark in LANDMARKS}
    assert answers == set(COLOURS)


def test_the_same_words_mean_another_cube_in_another_scene(world):
    words = "put the cube nearest the drawer in the bin"
    assert len({(world.reset("bin-by-place", seed, words), world.run.goal.colour)
                for seed in range(10)}) > 1


def test_words_that_fit_two_cubes_alike_are_refused_and_the_goal_stays(world):
    world.reset("put-cube-in-bin", 4, "put the green cube in the bin")
    x_m, y_m = world.objects[3, :2]
    for colour, side in (("red", 1), ("blue", -1)):
        put_cube(world, colour, (x_m + 0.14 * side, y_m - 0.05, 0.022))
    with pytest.raises(InstructionError, match="Name the cube by its colour"):
        world.set_instruction("put the cube nearest the bin in the bin")
    assert world.run.goal == Goal("put-cube-in-bin", "green")


def test_the_goal_is_kept_when_the_scene_changes_under_it(world):
    world.reset("bin-by-place", 3, "put the cube nearest the bin in the bin")
    goal = world.run.goal
    others = [colour for colour in COLOURS if colour != goal.colour]
    put_cube(world, others[0], (*world.objects[3, :2], 0.04))
    world.advance_to(world.stamp_ns + NS_PER_S)
    assert world.run.goal == goal and not world.run.success
    # Asked anew, the words would mean another one.
    world.set_instruction(world.run.instruction)
    assert world.run.goal.colour == others[0]

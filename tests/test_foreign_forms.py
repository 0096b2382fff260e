"""Other projects' numbers and ours say the same thing in two languages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import rotations
from policy.actions import actions_between
from policy.errors import CheckpointError
from policy.foreign.action_forms import DROID_STEP_RAD, FORMS, OSC_M, OSC_RAD, targets
from policy.foreign.policy_map import PolicyMap, state_form
from policy.foreign.states import Felt, StateForm

numbers = st.floats(-3, 3, allow_nan=False)
poses = st.tuples(*[numbers] * 3, *[st.floats(-1, 1)] * 4).filter(
    lambda pose: np.linalg.norm(pose[3:]) > 0.1).map(
    lambda pose: np.concatenate([pose[:3], rotations.normalised(np.array(pose[3:]))]))


def felt(pose: np.ndarray, gripper: float = 0.25, joints: tuple[float, ...] = (1.0, 0.5)
         ) -> np.ndarray:
    matrix = rotations.to_matrix(pose[None, 3:])[0]
    return np.concatenate([pose[:3], matrix[:, 0], matrix[:, 1], [gripper, 1.0], joints])


@given(poses)
def test_a_pose_is_felt_as_place_and_quaternion_and_as_place_and_vector(pose):
    forms = [StateForm.parse(text) for text in ("position+quaternion", "position+axis-angle",
                                                "opening+joints")]
    sense = Felt(forms)
    assert sense.parts == ("tool", "gripper", "joints")
    place = sense.numbers(forms[0], felt(pose))
    assert np.allclose(place[:3], pose[:3], atol=1e-5)
    assert abs(abs(place[3:] @ pose[3:]) - 1) < 1e-5        # q and -q are one rotation
    turned = rotations.from_vector(sense.numbers(forms[1], felt(pose))[None, 3:].astype(float))[0]
    assert abs(abs(turned @ pose[3:]) - 1) < 1e-5


def test_grippers_and_degrees_are_told_as_each_project_means_them():
    forms = {text: StateForm.parse(text)
             for text in ("closing", "fingers", "arm-deg", "joints-deg")}
    sense = Felt([*forms.values()])
    told = {text: sense.numbers(form, np.concatenate([[0.25, 1.0], [np.pi / 2, 0.5]]))
            for text, form in forms.items()}
    assert sense.parts == ("gripper", "joints")
    assert np.allclose(told["closing"], [0.75])
    assert np.allclose(told["fingers"], [0.01, -0.01])
    assert np.allclose(told["arm-deg"], [90])
    assert np.allclose(told["joints-deg"], [90, 50])


@given(poses, st.lists(poses, min_size=1, max_size=5))
def test_changes_of_a_pose_lead_where_the_targets_were(base, path):
    wanted = np.array([np.append(pose, 0.5) for pose in path])
    rows = actions_between(np.append(base, 1.0), wanted, "tool")
    found = targets("pose-changes", rows, np.append(base, 1.0))
    assert np.allclose(found[:, :3], wanted[:, :3], atol=1e-9)
    assert np.allclose(np.abs((found[:, 3:7] * wanted[:, 3:7]).sum(axis=1)), 1, atol=1e-6)


def test_liberos_and_droids_actions_have_their_controllers_scale_and_close_where_theirs_do():
    base = np.array([0.4, 0, 0.2, 1, 0, 0, 0, 1.0])
    found = targets("libero", np.array([[1, 0, 0, 0, 0, 1, 1], [5, 0, 0, 0, 0, 0, -1.0]]), base)
    assert np.allclose(found[:, 0], [0.4 + OSC_M, 0.4 + 2 * OSC_M])     # 5 is limited to 1
    assert np.allclose(rotations.to_vector(found[:1, 3:7])[0], [0, 0, OSC_RAD])
    assert found[:, -1].tolist() == [0.0, 1.0]                          # 1 closes, -1 opens
    arm = np.zeros(8)
    moved = targets("droid", np.array([[2.0, 1, 0, 0, 0, 0, 0, 1.0]]), arm)[0]
    assert np.allclose(moved[:2], [DROID_STEP_RAD, DROID_STEP_RAD / 2])     # slowed together
    assert moved[-1] == 0.0


@pytest.mark.parametrize("name", FORMS)
def test_an_answer_of_another_width_is_refused_with_what_to_do(name):
    with pytest.raises(ValueError, match=f"action={name} means .* --policy-map action"):
        targets(name, np.zeros((4, 5)), np.zeros(8))


def test_a_map_is_read_pair_by_pair_and_later_ones_go_first():
    presets = {"libero": PolicyMap(fields={"observation/image": "front"}, action="libero",
                                   rate_hz=20)}
    found = PolicyMap.parse(["libero", "observation/image=wrist", "rate=10"], presets)
    assert found == PolicyMap(fields={"observation/image": "wrist"}, action="libero", rate_hz=10)


@pytest.mark.parametrize(("pair", "says"), [
    ("front", "wants the policy's name and ours"), ("=front", "wants the policy's name"),
    ("rate=fast", "a number above 0"), ("rate=0", "a number above 0"),
    ("action=fly", "valid are joints"),
])
def test_a_pair_that_is_none_is_refused_with_what_would_be_right(pair, says):
    with pytest.raises(CheckpointError, match=says):
        PolicyMap.parse([pair])


def test_numbers_that_nobody_feels_are_refused_with_the_valid_words():
    with pytest.raises(CheckpointError, match=r"'jonts'; valid.*joints-deg.*tool"):
        state_form("observation.state", "jonts+opening")
    with pytest.raises(ValueError, match="cannot both be felt"):
        Felt([StateForm.parse("joints+touch")])

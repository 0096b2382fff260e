"""Which of our cameras and numbers a LeRobot policy's inputs are, and whether a robot has them.

Cameras go by name, `observation.images.front` is our camera `front`; numbers by the names that our
exports gave them. Whatever a person says with `--policy-map` goes before that. What does not fit is
named one by one, each with the option that would put it right. Knows names; knows no network.
"""

from collections.abc import Sequence

import msgspec

from policy.data.proprioception import layout
from policy.data.signals import MissingSignal
from policy.errors import CheckpointError
from policy.foreign.action_forms import FORMS
from policy.foreign.lerobot_folder import ACTION, PICTURES, LeRobotFolder
from policy.foreign.policy_map import PolicyMap, state_form
from policy.foreign.states import WORDS, Felt, StateForm
from policy.interfaces import PolicySpec
from recorders.streams import StreamSpec

USUAL_HZ = 30.0             # LeRobot's own default
PICTURE = "rgb"


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """A policy's names beside ours.

    Attributes:
        cameras: input to our camera.
        states: input to the form of its numbers.
        action: name of the form of its answers.
        step_s: between two actions.
        said: names that a person gave; nobody argues with those.
    """

    cameras: dict[str, str]
    states: dict[str, StateForm]
    action: str
    step_s: float
    said: frozenset[str] = frozenset()

    @property
    def felt(self) -> Felt:
        """Where its numbers lie in an observation."""
        return Felt(tuple(self.states.values()))

    def spec(self, folder: LeRobotFolder, steps: int) -> PolicySpec:
        """What it wants of a robot, and how it answers in `steps`."""
        heights, widths = zip(*folder.pictures.values(), strict=True)
        return PolicySpec(
            cameras=dict.fromkeys(self.cameras.values(), PICTURE),
            picture_size=(max(heights), max(widths)), proprioception=self.felt.parts,
            action_space=FORMS[self.action].space, step_s=self.step_s, steps=steps)


def wiring_of(folder: LeRobotFolder, wishes: PolicyMap) -> Wiring:
    """What goes where, as far as names tell.

    Raises:
        CheckpointError: something does not; everything of that kind is named at once.
    """
    known = {*folder.pictures, *folder.numbers}
    if strange := [name for name in wishes.fields if name not in known]:
        raise CheckpointError(f"{folder.path} has no input {', '.join(strange)}: it has "
                              f"{', '.join(sorted(known))}")
    states, unsaid = {}, []
    for name in folder.numbers:
        if name in wishes.fields:
            states[name] = state_form(name, wishes.fields[name])
        elif folder.ours and name == "observation.state":
            states[name] = StateForm(("joints",))
        else:
            unsaid.append((name, _called(folder, name, folder.numbers[name])))
    if not wishes.action and not folder.ours:
        unsaid.append((ACTION, _called(folder, ACTION, folder.actions)))
    if unsaid:
        where = (f"it learned from {folder.dataset}, which is none of our exports"
                 if folder.dataset else "the dataset that it learned from is not here")
        forms = {name: FORMS if name == ACTION else WORDS for name, _ in unsaid}
        raise CheckpointError(
            f"{folder.path} does not say what its numbers mean ({where}): say it with "
            + "; ".join(f"--policy-map {name}=… for {called}, one of {', '.join(forms[name])}"
                        for name, called in unsaid))
    return Wiring(
        cameras={name: wishes.fields.get(name, name.removeprefix(PICTURES))
                 for name in folder.pictures},
        states=states, action=wishes.action or "joints",
        step_s=1 / (wishes.rate_hz or folder.rate_hz or USUAL_HZ),
        said=frozenset(wishes.fields) | ({ACTION} if wishes.action else set()))


def misfits(folder: LeRobotFolder, wiring: Wiring, robot: str, joint_names: Sequence[str],
            streams: Sequence[StreamSpec]) -> list[str]:
    """What of a policy does not fit a robot, each with the option that would put it right."""
    cameras = [spec.name for spec in streams if any(i.name == PICTURE for i in spec.images)]
    found = [f"{name} would be camera '{camera}', but {robot} has {', '.join(cameras) or 'none'}: "
             f"--policy-map {name}={next(iter(cameras), 'CAMERA')}"
             for name, camera in wiring.cameras.items() if camera not in cameras]
    for name, form in wiring.states.items():
        found += _state_misfit(folder, wiring, name, form, robot, joint_names, streams)
    wanted = FORMS[wiring.action].width or len(joint_names)
    if wanted != folder.actions:
        found.append(f"its {ACTION} is {_called(folder, ACTION, folder.actions)}, but "
                     f"'{wiring.action}' means {wanted} for {robot}: --policy-map {ACTION}=…, one "
                     f"of {', '.join(FORMS)}")
    elif ACTION not in wiring.said and (wrong := _other_names(folder, ACTION, joint_names)):
        found.append(f"its {ACTION} is {wrong}, but {robot} has {', '.join(joint_names)}: "
                     f"--policy-map {ACTION}=joints if they mean the same")
    return found


def _state_misfit(folder: LeRobotFolder, wiring: Wiring, name: str, form: StateForm, robot: str,
                  joint_names: Sequence[str], streams: Sequence[StreamSpec]) -> list[str]:
    try:
        places = layout(form.parts, streams)
    except MissingSignal as missing:
        return [f"{name}={form.text}: {missing}"]
    width = sum(_width(word, places) for word in form.words)
    if width != folder.numbers[name]:
        return [f"{name} is {_called(folder, name, folder.numbers[name])}, but '{form.text}' of "
                f"{robot} is {width} numbers: --policy-map {name}=…, made of {', '.join(WORDS)}"]
    if name not in wiring.said and (wrong := _other_names(folder, name, joint_names)):
        return [f"{name} is {wrong}, but {robot} has {', '.join(joint_names)}: --policy-map "
                f"{name}=joints if they mean the same"]
    return []


def _width(word: str, places: dict[str, slice]) -> int:
    if word not in WORDS:
        return places[word].stop - places[word].start
    width, part = WORDS[word].width, places[WORDS[word].part]
    return width if width > 0 else part.stop - part.start + width


def _other_names(folder: LeRobotFolder, name: str, joint_names: Sequence[str]) -> str:
    """The names that its dataset gave, if they are not the robot's."""
    called = [one.removesuffix(".pos") for one in folder.names.get(name, ())]
    return ", ".join(called) if called and called != list(joint_names) else ""


def _called(folder: LeRobotFolder, name: str, count: int) -> str:
    names = folder.names.get(name)
    return f"{count} numbers" + (f" ({', '.join(names)})" if names else "")


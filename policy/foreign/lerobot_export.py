"""A dual-system run as the folder of a LeRobot policy of the type `tandem`.

    export_policy(Path("runs/x"), Path("out/x"), "tandem_sim", JOINT_NAMES)
    policy = load_exported(Path("out/x"))

The folder holds what LeRobot 0.6.1 looks for: config.json, the weights in one safetensors file, and
the two processors; and what the run was trained with, so that it drives nothing else. LeRobot knows
the type where studio/lerobot_plugin is imported. Knows runs and LeRobot's files; knows no robot but
by its name and those of its joints.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from policy.driving.dual_policy import DualPolicy
from policy.errors import CheckpointError
from policy.foreign.lerobot_folder import CONFIG, PICTURES, WEIGHTS
from policy.foreign.trained_with import TYPE, said_in
from policy.interfaces import PolicySpec
from policy.network.building import DualDescription, build
from policy.network.dual_system import DualSystem
from policy.runs.checkpoints import (
    find_checkpoint,
    load_weights,
    read_weights,
    run_of,
    weights_of,
)
from policy.runs.tensor_files import write_tensors
from policy.versions.misfit import robot_misfit
from recorders.exchange.destination import moved_when_whole
from recorders.files import write_durably

STATE, MODEL, POSITION = "observation.state", "model.", ".pos"      # LeRobot's name of a position
TOUCH, WRENCH = ("left", "right"), ("fx", "fy", "fz", "tx", "ty", "tz")
STANDS = ("x", "y", "z", "qw", "qx", "qy", "qz", "fx", "fy", "cx", "cy")
FEELS = {"touch": ("touch",), "force": ("wrench",)}         # a part to the senses that it needs
NEVER = ("objects",)                                        # what only a simulator tells


class ExportedPolicy(msgspec.Struct, frozen=True):
    """What was written: the checkpoint's step, and what the policy wants to be shown, by name."""

    step: int
    inputs: dict[str, tuple[int, ...]]


def export_policy(run: Path, to: Path, robot: str, joint_names: Sequence[str]) -> ExportedPolicy:
    """Write a run's newest checkpoint, or the one that is meant, for LeRobot's commands.

    Args:
        run: folder of a run or of a checkpoint.
        to: a folder that is not there yet.
        robot: that it drives in LeRobot's commands.
        joint_names: of that robot, the gripper last.

    Raises:
        CheckpointError: it is no dual-system run, is damaged, was trained on another robot, or
            feels what no robot tells.
        StoreError: something lies at `to`.
    """
    checkpoint = find_checkpoint(run)
    config = run_of(checkpoint).config
    if config.get("kind") != "dual":
        raise CheckpointError(f"{run} is a run of the kind {config.get('kind')!r}: only dual "
                              "systems (`tandem train`) become LeRobot policies of our type")
    if wrong := robot_misfit(_plain(config), robot, joint_names):
        raise CheckpointError(f"{run} cannot be exported: {wrong}; in LeRobot's commands it would "
                              f"have the kinematics of {robot}")
    description = msgspec.convert(config["dual"], DualDescription)
    if untold := [part for part in description.spec.proprioception if part in NEVER]:
        raise CheckpointError(f"{run} feels {', '.join(untold)}, which only the simulator tells")
    model = build(description)
    load_weights(model, read_weights(checkpoint), checkpoint)
    inputs = inputs_of(description.spec, len(joint_names))
    with moved_when_whole(to) as partial:
        partial.mkdir()
        write_tensors(partial / WEIGHTS, {f"{MODEL}{name}": tensor.contiguous()
                                          for name, tensor in weights_of(model).items()})
        for one in processors("cpu"):
            one.save_pretrained(partial)
        write_durably(partial / CONFIG, msgspec.json.format(msgspec.json.encode({
            "type": TYPE, "device": "cpu", "push_to_hub": False,
            "weights_version": int(checkpoint.name), **said_in(config),
            "joints": [f"{name}{POSITION}" for name in joint_names],
            "input_features": {name: {"type": "VISUAL" if name.startswith(PICTURES) else "STATE",
                                      "shape": shape} for name, shape in inputs.items()},
            "output_features": {"action": {"type": "ACTION", "shape": (len(joint_names),)}},
            "description": config["dual"]}), indent=2))
    return ExportedPolicy(int(checkpoint.name), inputs)


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's config with its joints as we call them: recordings of LeRobot say "joint1.pos"."""
    return {**config, "joint_names": [str(name).removesuffix(POSITION)
                                      for name in config.get("joint_names") or ()]}


def load_exported(folder: Path, device: str = "cpu") -> DualPolicy:
    """The policy that such a folder holds, as the run would give it; LeRobot is not needed.

    Raises:
        CheckpointError: it is damaged, or its weights do not fit.
    """
    try:
        told = msgspec.json.decode((folder / CONFIG).read_bytes())
        description = msgspec.convert(told["description"], DualDescription)
        weights = load_file(folder / WEIGHTS, device=device)
    except (OSError, KeyError, msgspec.MsgspecError, SafetensorError) as error:
        raise CheckpointError(f"{folder} holds no whole policy: export it anew ({error})"
                              ) from error
    model = build(description).to(device)
    load_exported_weights(model, weights, folder)
    return DualPolicy(model, description.spec, description.normaliser,
                      weights_version=int(told.get("weights_version", 0)),
                      subtasks=description.subtasks)


def load_exported_weights(model: DualSystem, weights: Mapping[str, Tensor], whose: Path) -> None:
    """Give a network the weights of such a folder.

    Raises:
        CheckpointError: all of them do not fit.
    """
    load_weights(model, {name.removeprefix(MODEL): tensor for name, tensor in weights.items()},
                 whose)


def inputs_of(spec: PolicySpec, joints: int) -> dict[str, tuple[int, ...]]:
    """What a policy wants to be shown by LeRobot: name to shape; pictures channels first."""
    height, width = spec.picture_size
    inputs: dict[str, tuple[int, ...]] = {
        f"{PICTURES}{camera}": (3, height, width) for camera in spec.cameras}
    inputs[STATE] = (joints,)
    inputs |= {f"observation.{name}": (len(names),) for name, names in senses_of(spec).items()}
    if spec.cloud_points:
        inputs[f"{PICTURES}{depth_of(spec)}"] = (1, height, width)
    return inputs


def senses_of(spec: PolicySpec) -> dict[str, tuple[str, ...]]:
    """Numbers besides the joints: sense to the names of its numbers."""
    every = all_senses(next(iter(spec.cameras)))
    wanted = {name for part in spec.proprioception for name in FEELS.get(part, ())}
    if spec.cloud_points:
        wanted.add(next(reversed(every)))
    return {name: names for name, names in every.items() if name in wanted}


def all_senses(camera: str) -> dict[str, tuple[str, ...]]:
    """Every such sense; the last one is where a camera stands and how it projects."""
    return {"touch": TOUCH, "wrench": WRENCH, f"{camera}_camera": STANDS}


def depth_of(spec: PolicySpec) -> str:
    """What LeRobot's pictures call the depth of the first camera."""
    return f"{next(iter(spec.cameras))}_depth"


def processors(device: str) -> tuple[Any, Any]:
    """LeRobot's two pipelines around the policy; they change no number: the policy does that."""
    from lerobot.processor import (
        AddBatchDimensionProcessorStep,
        DeviceProcessorStep,
        RenameObservationsProcessorStep,
    )
    from lerobot.processor.factory import make_policy_processor_pipelines

    return make_policy_processor_pipelines(
        input_steps=[RenameObservationsProcessorStep(rename_map={}),
                     AddBatchDimensionProcessorStep(), DeviceProcessorStep(device=device)],
        output_steps=[DeviceProcessorStep(device="cpu")])

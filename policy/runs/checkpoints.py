"""Networks and policies out of a run's folder, and back into it.

    policy = load_policy("runs/x")

Knows which class makes a policy of which kind of run. Refuses to know how files are kept safe
(run_folder.py) and how a network is trained (policy/training).
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from policy.errors import CheckpointError, CheckpointNotSaved
from policy.interfaces import Policy
from policy.runs.bounds import impossible
from policy.runs.run_folder import CONFIG, STATE, RunFolder, RunState, read_state
from policy.runs.tensor_files import DamagedTensors, read_tensors

__all__ = [
    "KINDS", "CheckpointError", "CheckpointNotSaved", "RunFolder", "RunState", "find_checkpoint",
    "load_policy", "load_weights", "read_group", "read_state", "read_weights", "run_of",
    "weights_of",
]

# What a run's "kind" may be, and the class that makes a policy of it by
# `from_checkpoint(checkpoint: Path, config: dict, device: str) -> Policy`.
KINDS: dict[str, str] = {
    "dual": "policy.driving.dual_policy:DualPolicy",
    "act": "policy.peers.lerobot_policy:LeRobotPolicy",
    "diffusion": "policy.peers.lerobot_policy:LeRobotPolicy",
    "mlp": "policy.peers.mlp_policy:MlpPolicy",
}


def load_policy(folder: Path | str, device: str = "cpu") -> Policy:
    """The policy that a run or one of its checkpoints holds.

    Args:
        folder: `runs/x`, or `runs/x/checkpoints/000120`.
        device: "cpu" or "cuda".

    Raises:
        CheckpointError: if it is neither, of an unknown kind, or damaged.
    """
    checkpoint = find_checkpoint(Path(folder))
    config = run_of(checkpoint).config
    kind = config.get("kind")
    if kind not in KINDS:
        raise CheckpointError(f"{folder} holds a policy of the unknown kind {kind!r}; "
                              f"known are {', '.join(KINDS)}")
    module, _, name = KINDS[kind].partition(":")
    maker = getattr(importlib.import_module(module), name)
    # JSON, but perhaps not what a training wrote: somebody changed it, or it lost a part.
    said = _Said(config)
    said.path = run_of(checkpoint).path / CONFIG
    described = config.get(kind)
    if kind == "dual" and isinstance(described, Mapping) and (wrong := impossible(
            {"spec": described.get("spec"), "dual": described.get("config")})):
        raise CheckpointError(f"{said.path} is damaged ({wrong})")
    try:
        return maker.from_checkpoint(checkpoint, said, device=device)
    except msgspec.ValidationError as mistake:
        raise CheckpointError(f"{said.path} is damaged ({mistake})") from mistake
    except (ValueError, TypeError) as mistake:
        raise CheckpointError(f"no policy can be made of what {said.path} says: "
                              f"{str(mistake).splitlines()[0]}") from mistake


class _Said(dict[str, Any]):
    """What a run says about itself; a part that is asked for and missing is its own error, so that
    no other KeyError is taken for one."""

    path: Path

    def __missing__(self, part: str) -> Any:
        raise CheckpointError(f"{self.path} is damaged (it has no {part!r})")


def find_checkpoint(folder: Path) -> Path:
    """The checkpoint that is meant by a run's folder, or by a checkpoint's own.

    Raises:
        CheckpointError: if there is none.
    """
    return folder if (folder / STATE).exists() else RunFolder.open(folder).latest()


def run_of(checkpoint: Path) -> RunFolder:
    """The run that a checkpoint belongs to."""
    return RunFolder.open(checkpoint.absolute().parent.parent)


def read_group(checkpoint: Path, stem: str, device: str | torch.device = "cpu"
               ) -> dict[str, Tensor]:
    """One file of tensors of a checkpoint.

    Raises:
        CheckpointError: if the checkpoint has no such file, or it is damaged; others are named.
    """
    files, name = read_state(checkpoint).files, f"{stem}.safetensors"
    if name not in files:
        raise CheckpointError(f"{checkpoint} has no {name}; it has {', '.join(sorted(files))}")
    try:
        return read_tensors(checkpoint / name, files[name], device)
    except DamagedTensors as error:
        others = [f.name for f in run_of(checkpoint).checkpoints() if f.name != checkpoint.name]
        hint = f"beside it lie {', '.join(others)}" if others else "it is the only one"
        raise CheckpointError(
            f"checkpoint {checkpoint} cannot be used: {error}; {hint}") from error


def read_weights(checkpoint: Path, device: str | torch.device = "cpu", *, mean: bool = True
                 ) -> dict[str, Tensor]:
    """All parameters and buffers of a network.

    Args:
        checkpoint: its folder, inside a run.
        device: where the tensors shall lie.
        mean: take the running mean (what drives) where there is one; False: the newest weights.

    Raises:
        CheckpointError: if a file is missing or damaged; others are named.
    """
    weights = run_of(checkpoint).read_frozen(device) | read_group(checkpoint, "model", device)
    if mean and "ema.safetensors" in read_state(checkpoint).files:
        weights |= read_group(checkpoint, "ema", device)
    return weights


def weights_of(model: nn.Module, *, learning: bool | None = None) -> dict[str, Tensor]:
    """A network's parameters and those buffers that belong to its state; shared ones once.

    Args:
        model: the network.
        learning: None: all of them; True: buffers, and parameters that want gradients; False: the
            other parameters.
    """
    parameters = {name: p.detach() for name, p in model.named_parameters()
                  if learning is None or p.requires_grad == learning}
    if learning is False:
        return parameters
    kept = model.state_dict(keep_vars=True)
    return parameters | {name: b for name, b in model.named_buffers() if name in kept}


@torch.no_grad()
def load_weights(model: nn.Module, weights: Mapping[str, Tensor], whose: object) -> None:
    """Give a network its weights.

    Args:
        model: the network.
        weights: as `weights_of` gave them.
        whose: named when they do not fit.

    Raises:
        CheckpointError: if a name or a shape does not fit.
    """
    own = weights_of(model)
    for what, names in (("lacks", own.keys() - weights.keys()),
                        ("has the unknown", weights.keys() - own.keys())):
        if names:
            raise CheckpointError(f"{whose} does not fit the network: it {what} "
                                  f"{', '.join(sorted(names)[:3])}")
    for name, tensor in own.items():
        if tensor.shape != weights[name].shape:
            raise CheckpointError(f"{whose} does not fit the network: {name} is "
                                  f"{tuple(weights[name].shape)}, not {tuple(tensor.shape)}")
        tensor.copy_(weights[name])

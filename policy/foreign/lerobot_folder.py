"""What the folder of a LeRobot policy says, as lerobot-train leaves it, read without LeRobot.

config.json names the policy's inputs and outputs by shape only. What their numbers are called, and
how many make a second, stands in the dataset that it learned from: train_config.json says where
that was. A dataset of ours (its meta/tandem.json, or a robot of ours) is in our units. Knows files
and names; knows no network and no robot.
"""

from pathlib import Path
from typing import Any, Self

import msgspec

from policy.errors import CheckpointError

CONFIG, WEIGHTS, TRAINED = "config.json", "model.safetensors", "train_config.json"
BEFORE, AFTER = "policy_preprocessor.json", "policy_postprocessor.json"
ACTION, PICTURES = "action", "observation.images."
OUR_ROBOTS = "tandem_"


class _Feature(msgspec.Struct):
    type: str
    shape: tuple[int, ...]


class _Config(msgspec.Struct):
    type: str
    input_features: dict[str, _Feature] | None = None
    output_features: dict[str, _Feature] | None = None
    n_obs_steps: int = 1
    use_peft: bool = False


class LeRobotFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as its files describe it.

    Attributes:
        path: the folder.
        type: as registered in LeRobot.
        pictures: input to (height, width).
        numbers: input to how many.
        actions: how many an action has.
        history: observations that one answer is made of.
        dataset: where it learned, if that is still there.
        names: input or "action" to what its numbers are called there.
        rate_hz: of that dataset; 0 if it is not there.
        ours: that dataset's numbers are in our units.
    """

    path: Path
    type: str
    pictures: dict[str, tuple[int, int]]
    numbers: dict[str, int]
    actions: int
    history: int = 1
    dataset: Path | None = None
    names: dict[str, tuple[str, ...]] = {}
    rate_hz: float = 0.0
    ours: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a folder.

        Raises:
            CheckpointError: a file is missing or damaged, or says what this cannot drive with.
        """
        config = _config(path)
        for name in (WEIGHTS, BEFORE, AFTER):
            if not (path / name).is_file():
                raise CheckpointError(f"{path} has a LeRobot policy's {CONFIG}, but no {name}: "
                                      "give the folder pretrained_model of a checkpoint, whole")
        if config.use_peft:
            raise CheckpointError(f"{path} holds an adapter alone: merge it into its policy first")
        inputs, outputs = config.input_features or {}, config.output_features or {}
        if ACTION not in outputs:
            raise CheckpointError(f"{path / CONFIG} says of no output that it is the {ACTION}")
        pictures = {name: feature.shape[-2:] for name, feature in inputs.items()
                    if feature.type == "VISUAL"}
        if not pictures:
            raise CheckpointError(f"{path} holds a policy without pictures: its inputs are "
                                  f"{', '.join(inputs) or 'none'}; a picture says when a moment is")
        return cls(path=path, type=config.type,
                   pictures={name: (int(h), int(w)) for name, (h, w) in pictures.items()},
                   numbers={name: feature.shape[0] for name, feature in inputs.items()
                            if feature.type in ("STATE", "ENV")},
                   actions=outputs[ACTION].shape[0], history=config.n_obs_steps,
                   **_learned_from(path))


def is_lerobot_folder(path: Path) -> bool:
    """Whether a folder holds a LeRobot policy, or something that claims to."""
    told = _json(path / CONFIG)
    return "type" in told and "format" not in told


def inner_folder(path: Path) -> Path:
    """The folder of the policy itself, where an output directory of lerobot-train is given."""
    for inside in (path / "pretrained_model", path / "checkpoints/last/pretrained_model"):
        if not (path / CONFIG).exists() and (inside / CONFIG).exists():
            return inside
    return path


def _config(path: Path) -> _Config:
    try:
        return msgspec.json.decode((path / CONFIG).read_bytes(), type=_Config)
    except OSError as error:
        raise CheckpointError(f"{path / CONFIG} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise CheckpointError(f"{path / CONFIG} is no LeRobot policy's: {error}") from error


def _learned_from(path: Path) -> dict[str, Any]:
    """The fields that only the dataset knows."""
    told = _json(path / TRAINED).get("dataset")
    root = told.get("root") if isinstance(told, dict) else None
    if not isinstance(root, str) or not (dataset := Path(root)).is_dir():
        return {}
    info = _json(dataset / "meta/info.json")
    features = info.get("features")
    names = {name: tuple(map(str, feature["names"]))
             for name, feature in (features if isinstance(features, dict) else {}).items()
             if isinstance(feature, dict) and isinstance(feature.get("names"), list)
             and feature.get("dtype") not in ("video", "image")}
    rate = info.get("fps")
    return {"dataset": dataset, "names": names,
            "rate_hz": float(rate) if isinstance(rate, int | float) else 0.0,
            "ours": (dataset / "meta/tandem.json").exists()
            or str(info.get("robot_type")).startswith(OUR_ROBOTS)}


def _json(path: Path) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}
    return told if isinstance(told, dict) else {}

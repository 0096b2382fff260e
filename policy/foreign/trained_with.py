"""What a policy was trained with, as its folder says: the robot, its joints, how late cameras were.

    trained_with("runs/x").get("robot")

A run says it in its config.json; exported for LeRobot, in LeRobot's. Policies of others do not.
Knows files and names; knows no network, and refuses nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from policy.errors import CheckpointError
from policy.foreign.lerobot_folder import CONFIG, inner_folder
from policy.runs.checkpoints import find_checkpoint, run_of
from policy.runs.latencies import LATENCY

HUB, TYPE = "hf:", "tandem"         # of sources; of exported policies in LeRobot
SAID = ("robot", "joint_names", LATENCY)


def trained_with(source: str | Path) -> Mapping[str, Any]:
    """What a policy says, by the names that a run's config has for it; empty if it does not say.

    Args:
        source: as `open_policy` takes it; one of the hub says nothing before it was fetched.
    """
    folder = _there(str(source).removeprefix(HUB)) if str(source).startswith(HUB) else Path(source)
    if folder is None:
        return {}
    if is_exported(inner := inner_folder(folder)):
        return said_in(msgspec.json.decode((inner / CONFIG).read_bytes()))
    try:
        return said_in(run_of(find_checkpoint(folder)).config)
    except CheckpointError:
        return {}           # no run of ours: nobody noted it


def said_in(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config that tells of the training's robot and cameras."""
    return {name: config[name] for name in SAID if config.get(name)}


def is_exported(folder: Path) -> bool:
    """Whether a folder of a LeRobot policy was written here."""
    try:
        return msgspec.json.decode((folder / CONFIG).read_bytes()).get("type") == TYPE
    except (OSError, msgspec.DecodeError, AttributeError):
        return False


def _there(hub_id: str) -> Path | None:
    """The folder of a policy that was fetched from Hugging Face's hub; None if none was."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None

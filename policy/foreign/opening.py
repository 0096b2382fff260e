"""A policy from whatever a person names: a run of ours, also one exported for LeRobot, a LeRobot
policy's folder or hub id, or a server that speaks openpi's protocol.

    policy = open_policy("outputs/act", wishes=("observation.images.top=front",))

Knows who opens what; refuses to know how.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path

from policy.errors import CheckpointError
from policy.foreign.lerobot_export import load_exported
from policy.foreign.lerobot_folder import inner_folder, is_lerobot_folder
from policy.foreign.trained_with import HUB, is_exported
from policy.interfaces import Policy
from policy.runs.checkpoints import load_policy

SERVERS = ("ws://", "wss://")


def open_policy(source: str | Path, device: str = "cpu", wishes: Sequence[str] = ()) -> Policy:
    """The policy that is meant.

    Args:
        source: a folder, hf:owner/name, or ws://host:port.
        device: "cpu" or "cuda"; a server has its own.
        wishes: pairs of `--policy-map`; for policies that are not ours.

    Raises:
        CheckpointError: there is none, or it cannot be had; says what to do.
    """
    text = str(source)
    if text.startswith(SERVERS):
        return _made("policy.foreign.openpi_client:ServedPolicy")(text, wishes)
    path = _fetched(text.removeprefix(HUB)) if text.startswith(HUB) else Path(source)
    inner = inner_folder(path)
    ours = is_exported(inner)
    if is_lerobot_folder(inner) and not ours:
        return _made("policy.foreign.lerobot_policy:FolderPolicy")(inner, device, wishes)
    if wishes:
        raise CheckpointError(f"--policy-map is for policies of LeRobot and of servers: {source} "
                              "is neither, and our runs know what they see")
    return load_exported(inner, device) if ours else load_policy(path, device)


def _made(place: str):
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name).open


def _fetched(hub_id: str) -> Path:
    """The folder of a policy on Hugging Face's hub, fetched unless it was before."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=["*.json", "*.safetensors"]))
    except HFValidationError as error:
        raise CheckpointError(f"{HUB}{hub_id} is no hub id: write {HUB}owner/name") from error
    except Exception as error:      # its own errors, httpx's, the cache's: all mean the same here
        raise CheckpointError(
            f"{hub_id} cannot be had from Hugging Face's hub ({type(error).__name__}): check the "
            "name and the network, or give the folder of a policy that is here") from error

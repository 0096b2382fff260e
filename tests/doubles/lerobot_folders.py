"""Folders of LeRobot policies as lerobot-train leaves them: LeRobot's own files of tiny networks.

Their weights never learned anything. The dataset that they claim to have learned from has the names
of the simulated arm's joints, and says or does not say that it is one of ours.
"""

import json
from pathlib import Path
from typing import Any

import torch

SIZE, JOINTS, STEPS = (64, 64), 8, 8
NAMES = [*(f"joint{i + 1}.pos" for i in range(7)), "gripper.pos"]


def write_folder(folder: Path, kind: str = "act", *, ours: bool = True, known: bool = True) -> Path:
    """One with a front and a wrist camera, eight joints and eight steps.

    Args:
        folder: that is written; its dataset lies beside it.
        kind: "act", or "diffusion", which looks back by one frame.
        ours: the dataset came out of the studio.
        known: the dataset is still there.
    """
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.factory import get_policy_class, make_policy_config
    from lerobot.policies.factory import make_pre_post_processors as processors

    torch.manual_seed(0)
    own: dict[str, Any] = {
        "act": {"chunk_size": STEPS, "n_action_steps": STEPS, "dim_model": 32, "n_heads": 2,
                "dim_feedforward": 32, "n_encoder_layers": 1, "use_vae": False},
        "diffusion": {"horizon": STEPS, "n_action_steps": 4, "n_obs_steps": 2,
                      "down_dims": (16, 32), "num_inference_steps": 2, "use_group_norm": True,
                      "noise_scheduler_type": "DDIM", "spatial_softmax_num_keypoints": 4}}[kind]
    pictures = {f"observation.images.{camera}": PolicyFeature(FeatureType.VISUAL, (3, *SIZE))
                for camera in ("front", "wrist")}
    config = make_policy_config(
        kind, device="cpu", pretrained_backbone_weights=None, push_to_hub=False,
        input_features=pictures | {"observation.state": PolicyFeature(FeatureType.STATE,
                                                                      (JOINTS,))},
        output_features={"action": PolicyFeature(FeatureType.ACTION, (JOINTS,))}, **own)
    network = get_policy_class(kind)(config)
    stats = {"observation.state": _stats(0.0, 1.0), "action": _stats(0.3, 0.05)}
    stats |= {name: {how: torch.full((3, 1, 1), value) for how, value in
                     {"mean": 0.5, "std": 0.25, "min": 0.0, "max": 1.0}.items()}
              for name in pictures}
    network.save_pretrained(folder)
    for processor in processors(config, dataset_stats=stats):
        processor.save_pretrained(folder)
    dataset = folder.parent / f"{folder.name}-dataset"
    (folder / "train_config.json").write_text(json.dumps({"dataset": {"root": str(dataset)}}))
    if known:
        (dataset / "meta").mkdir(parents=True)
        (dataset / "meta/info.json").write_text(json.dumps({
            "fps": 30, "robot_type": "so101_follower", "features": {
                name: {"dtype": "float32", "shape": [JOINTS], "names": NAMES}
                for name in ("observation.state", "action")}}))
        if ours:
            (dataset / "meta/tandem.json").write_text("{}")
    return folder


def _stats(mean: float, spread: float) -> dict[str, torch.Tensor]:
    return {how: torch.full((JOINTS,), value) for how, value in {
        "mean": mean, "std": spread, "min": mean - spread, "max": mean + spread}.items()}

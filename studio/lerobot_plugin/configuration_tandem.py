"""LeRobot's policy type `tandem`: the fields of `--policy.…`.

LeRobot finds the policy in modeling_tandem and its processors in processor_tandem by these modules'
names. Knows LeRobot's base class and no network.
"""

from dataclasses import dataclass, field
from typing import Any

from lerobot.configs.policies import PreTrainedConfig
from lerobot.optim import AdamWConfig

TRAINED_BY_US = ("a policy of the type tandem is trained by `tandem train` and made ready by "
                 "`tandem export-policy RUN --to DIR`; give --policy.path=DIR")


@PreTrainedConfig.register_subclass("tandem")
@dataclass
class TandemConfig(PreTrainedConfig):
    """A dual-system policy; what it sees and how it is built stands in `description`."""

    fps: float = 30.0
    """Frames a second of whoever asks: lerobot-eval's env.fps, lerobot-rollout's fps."""
    act_every: int = 4
    """System 1 looks after every so many steps of the policy, whose length is its own."""
    think_every: int = 4
    """System 2 looks at every so many turns of System 1, and at new words."""
    noise_seed: int = 0
    """Of the chunks' noise; counted up from episode to episode."""
    joints: list[str] = field(default_factory=list)
    """Of the robot that it drives, the gripper last, as LeRobot calls their positions."""
    robot: str = ""
    """That it was trained on; empty: it does not say."""
    joint_names: list[str] = field(default_factory=list)
    """Of that robot, as the recordings call them."""
    latency_ms: dict[str, list[float]] = field(default_factory=dict)
    """Camera to how late it was in training, the least and the most; said where it drives."""
    weights_version: int = 0
    """The checkpoint's step."""
    description: dict[str, Any] = field(default_factory=dict)
    """The network, its words and units, as in a run's config.json."""

    @property
    def observation_delta_indices(self) -> None:
        """It looks at one frame."""

    @property
    def action_delta_indices(self) -> None:
        """LeRobot's trainer does not train it."""

    @property
    def reward_delta_indices(self) -> None:
        """It knows no reward."""

    def get_optimizer_preset(self) -> AdamWConfig:
        """None."""
        raise NotImplementedError(TRAINED_BY_US)

    def get_scheduler_preset(self) -> None:
        """None."""

    def validate_features(self) -> None:
        """What a robot lacks is said with the first frame, which has all names."""

"""The pipelines around a policy of LeRobot's type `tandem`, found by this module's name."""

from typing import Any

from policy.foreign.lerobot_export import processors
from studio.lerobot_plugin.configuration_tandem import TandemConfig


def make_tandem_pre_post_processors(config: TandemConfig, dataset_stats: Any = None
                                    ) -> tuple[Any, Any]:
    """Both; a dataset's statistics are not wanted: the policy has its own."""
    return processors(config.device or "cpu")

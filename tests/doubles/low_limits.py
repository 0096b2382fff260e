"""A calibration whose limits are so low that a test knows which signals are too large."""

from policy.monitoring.band import Band
from policy.monitoring.calibration import Calibration
from policy.monitoring.signals import SIGNALS


def limited(**limits: float) -> Calibration:
    """Limits for some signals, by their names, and none for the others."""
    row = [limits.get(name) for name in SIGNALS]
    return Calibration(familiar=None, band=Band(
        signals=SIGNALS, bin_s=0.25, usual=[row], spread=[[0.0] * len(SIGNALS)], reach=1.0,
        longest_s=600.0, alpha=0.05, successes=40))

"""What alerts of a policy are measured by: its band and its familiar latents, in the run's folder.

Made from recorded rollouts that succeeded without help. Knows rows of numbers and one small file;
knows no store, no robot and no network.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from policy.monitoring.band import Band, fit_band, in_bins
from policy.monitoring.novelty import Familiar, fit_familiar
from policy.monitoring.signals import SIGNALS

FILE = "alerts.json"
BIN_S = 0.25
NOVELTY, ELAPSED = SIGNALS.index("novelty"), SIGNALS.index("elapsed")


class Rollout(msgspec.Struct, frozen=True):
    """One recorded success.

    Attributes:
        elapsed_s: (T,) time in which the policy drove, at every tick.
        signals: (T, S) as recorded; novelty may be NaN.
        signatures: (T, G) of the latent in use, NaN where there was none.
    """

    elapsed_s: np.ndarray
    signals: np.ndarray
    signatures: np.ndarray


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollout is measured by.

    Attributes:
        band: thresholds over time.
        familiar: what latents of successes are like; None if the policy leaves none.
        weights_version: of the policy that drove.
        stores: names of the stores that the rollouts came from.
    """

    band: Band
    familiar: Familiar | None
    weights_version: int = 0
    stores: tuple[str, ...] = ()

    def save(self, run: Path) -> Path:
        """Write it into a run's folder, at once or not at all; returns the file."""
        path = run / FILE
        draft = path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
        draft.replace(path)
        return path

    @classmethod
    def load(cls, policy: Path) -> Self | None:
        """That of a run or of the run that a checkpoint is in, or None if it has none.

        Raises:
            ValueError: the file is damaged; says what to do.
        """
        places = (policy / FILE, policy.absolute().parent.parent / FILE)
        path = next((path for path in places if path.exists()), None)
        if path is None:
            return None
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except msgspec.DecodeError as damage:
            raise ValueError(f"{path} is damaged ({damage}): calibrate again with "
                             f"`tandem alerts`") from damage


def calibrate(rollouts: Sequence[Rollout], *, alpha: float = 0.05, weights_version: int = 0,
              stores: Sequence[str] = ()) -> Calibration:
    """From successes without help.

    Every other rollout says what latents are like and what is usual; the rest is measured by it.

    Raises:
        ValueError: there are too few; says how many are needed.
    """
    first = [one.signatures for one in rollouts[::2]]
    seen = np.concatenate(first) if first else np.zeros((0, 0))
    seen = np.unique(seen[np.isfinite(seen).all(axis=1)], axis=0)
    familiar = fit_familiar(seen) if len(seen) else None
    curves = [in_bins(one.elapsed_s, _with_novelty(one, familiar), BIN_S) for one in rollouts]
    band = fit_band(curves, SIGNALS, bin_s=BIN_S, alpha=alpha)
    return Calibration(band=band, familiar=familiar, weights_version=weights_version,
                       stores=tuple(stores))


def _with_novelty(one: Rollout, familiar: Familiar | None) -> np.ndarray:
    """(T, S) with the novelty of latents; the time goes by how long successes take instead."""
    values = one.signals.astype(float)
    values[:, ELAPSED] = np.nan
    if familiar is not None:
        there = np.isfinite(one.signatures).all(axis=1)
        values[:, NOVELTY] = np.nan
        kinds, which = np.unique(one.signatures[there], axis=0, return_inverse=True)
        values[there, NOVELTY] = np.array([familiar.distance(kind) for kind in kinds])[which]
    return values

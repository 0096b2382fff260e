"""`tandem alerts`: how large a rollout's signals may be before the operator is asked for help.

Knows options and words; what is computed is policy/monitoring.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from recorders.store import DemoStore
from studio.commands.output import Answer, Screen, UsersMistakeError

if TYPE_CHECKING:
    from policy.monitoring.calibration import Calibration, Rollout

_AT_S = (1.0, 3.0, 5.0)     # thresholds change with time: these are shown


@dataclass(frozen=True, kw_only=True)
class CalibrateAlerts:
    """Calibrate a run's alerts on recorded rollouts that succeeded without help.

    Without stores: say how they are calibrated. Rollouts to calibrate on:
    `tandem rollout --policy RUN --task TASK --episodes 80 --fast --record STORE`.
    """

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a training run."""
    stores: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Stores with rollouts of its policy."""
    alpha: float = 0.05
    """The share of successes that may raise an alert."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def run(self, screen: Screen) -> Answer:
        """Calibrate, or show."""
        from policy.monitoring.calibration import Calibration
        from policy.runs.run_folder import RunFolder

        RunFolder.open(self.run_folder)         # refuses what is none
        if not 0.0 < self.alpha < 1.0:
            raise UsersMistakeError(f"--alpha is a share, above 0 and below 1, not {self.alpha:g}")
        try:
            found = self._calibrated(screen) if self.stores else Calibration.load(self.run_folder)
        except ValueError as mistake:
            raise UsersMistakeError(str(mistake)) from mistake
        if found is None:
            raise UsersMistakeError(f"{self.run_folder} has no calibrated alerts: give stores of "
                                    f"its rollouts")
        if self.stores:
            found.save(self.run_folder)
        _print(screen, found)
        return Answer(described(found))

    def _calibrated(self, screen: Screen) -> "Calibration":
        from policy.monitoring.calibration import calibrate

        rollouts, version = self._rollouts(screen)
        return calibrate(rollouts, alpha=self.alpha, weights_version=version,
                         stores=[store.absolute().name for store in self.stores])

    def _rollouts(self, screen: Screen) -> "tuple[list[Rollout], int]":
        """Successes without help, and the newest version that drove in them."""
        from policy.monitoring.recorded import unhelped
        from recorders.episode_reader import EpisodeReader

        found, version, left_out = [], 0, 0
        for path in self.stores:
            with DemoStore.open(path) as store:
                successes = [e for e in store.episodes() if e.label == "success"]
                with screen.progress(f"reading {path.name}", max(1, len(successes))) as progress:
                    for summary in successes:
                        episode = EpisodeReader(store.episode_path(summary.episode))
                        rollout = unhelped(episode)
                        if rollout is None:
                            left_out += 1
                        else:
                            found.append(rollout)
                            versions = episode["chunk"]["weights_version"] \
                                if "chunk" in episode.streams else []
                            version = max(version, *map(int, versions), 0)
                        progress.step(summary.episode)
        if left_out:
            screen.say(f"{left_out} successes are no rollouts without help, and were left out")
        return found, version


def described(found: "Calibration") -> dict[str, Any]:
    """As `--json` shows it; a limit of null is never reached."""
    band = found.band
    limits = {f"{at:g}": dict(zip(band.signals, (
        None if math.isinf(limit) else float(limit) for limit in band.thresholds(at)),
        strict=True)) for at in _AT_S}
    return {"successes": band.successes, "alpha": band.alpha, "reach": band.reach,
            "longest_s": band.longest_s, "weights_version": found.weights_version,
            "novelty": found.familiar is not None, "stores": list(found.stores),
            "limits_at_s": limits}


def _print(screen: Screen, found: "Calibration") -> None:
    from policy.monitoring.signals import WORDS

    band = found.band
    columns = [band.thresholds(at) for at in _AT_S]
    screen.table("", ("signal", *(f"limit at {at:g} s" for at in _AT_S), "means"), [
        (name, *(f"{column[place]:.3g}" for column in columns), WORDS[name])
        for place, name in enumerate(band.signals) if name != "elapsed"])
    screen.print(f"calibrated on {band.successes} successes, version {found.weights_version}: at "
                 f"most {band.alpha:.0%} of such raise an alert, and one takes at most "
                 f"{band.longest_s:.1f} s")

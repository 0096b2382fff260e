"""Errors that a person makes at a SpaceMouse: pauses, overshoot, and a nervous hand.

Knows the clean command of every moment and what has gone wrong so far; refuses to know the task.
The clean command goes along as the label that corrects the error (DART, arXiv 1703.09327: noise in
the act, the expert's answer as the label).
"""

import msgspec
import numpy as np

TREMOR_KEEP = 0.85          # of the tremor survives to the next tick: a hand does not jump


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how badly the operator errs; all zero is a perfect hand."""

    pause_rate_hz: float = 0.0
    """Pauses to think, per second of motion."""
    pause_s: float = 0.5
    """Mean length of a pause."""
    overshoot: float = 0.0
    """Chance that the hand goes on when it should slow down."""
    overshoot_s: float = 0.15
    """Mean time by which it goes on."""
    noise_rate_hz: float = 0.0
    """Bursts of a nervous hand, per second."""
    noise_s: float = 0.3
    """Mean length of a burst."""
    noise: float = 0.5
    """Strength of a burst, as a share of full deflection."""


CLUMSY = Errors(pause_rate_hz=0.15, overshoot=0.3, noise_rate_hz=0.25)
"""A beginner: something goes wrong about twice in an episode."""

PERTURBED = Errors(overshoot=0.2, noise_rate_hz=0.8, noise_s=0.2, noise=0.9)
"""Pushed off its way about once a second: a policy that saw how to come back drifts less (DART)."""


class ErringHand:
    """Turns the clean deflection of a tick into the one that a person would give.

    Args:
        errors: how it errs.
        rng: the episode's own, so that the same seed errs alike.

    Attributes:
        erring: the error that is going on: "pause", "overshoot", "noise", or empty.
    """

    def __init__(self, errors: Errors, rng: np.random.Generator) -> None:
        self._errors, self._rng = errors, rng
        self.erring = ""
        self._left_s = 0.0
        self._peak = 0.0                    # largest speed since the hand last slowed down
        self._going = np.zeros(6)           # deflection that an overshoot keeps
        self._tremor = np.zeros(6)

    def disturb(self, clean: np.ndarray, since_s: float, braced: bool = False) -> np.ndarray:
        """The deflection (6,) that is really given.

        Args:
            clean: (6,) in -1..1, what a perfect hand would give.
            since_s: time since the last call.
            braced: the hand is at something that does not give way, which steadies it.
        """
        self._left_s -= since_s
        if braced:
            self._left_s, self.erring = 0.0, ""
        elif self._left_s <= 0.0:
            self.erring = ""
            self._begin_an_error(clean, since_s)
        if self.erring == "pause":
            return np.zeros(6)
        if self.erring == "overshoot":
            return self._going.copy()
        if self.erring == "noise":
            fresh = self._rng.normal(0.0, self._errors.noise, 6)
            self._tremor = TREMOR_KEEP * self._tremor + np.sqrt(1 - TREMOR_KEEP**2) * fresh
            return np.clip(clean + self._tremor, -1.0, 1.0)
        return clean

    def _begin_an_error(self, clean: np.ndarray, since_s: float) -> None:
        errors, rng = self._errors, self._rng
        speed = float(np.linalg.norm(clean[:3]))
        chance_pause, chance_noise, chance_overshoot = rng.random(3)
        slowing = self._peak > 0.6 and speed < 0.5 * self._peak
        if speed >= self._peak:
            self._peak, self._going = speed, clean.copy()
        if slowing:
            going, self._peak = 0.5 * self._going, speed
            if chance_overshoot < errors.overshoot:
                self._start("overshoot", errors.overshoot_s)
                self._going = going
        elif speed > 0.0 and chance_pause < errors.pause_rate_hz * since_s:
            self._start("pause", errors.pause_s)
        elif chance_noise < errors.noise_rate_hz * since_s:
            self._start("noise", errors.noise_s)
            self._tremor = np.zeros(6)

    def _start(self, kind: str, mean_s: float) -> None:
        self.erring, self._left_s = kind, mean_s * float(self._rng.uniform(0.5, 1.5))

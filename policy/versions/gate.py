"""Whether a version of a policy's weights may take over from the one that drives.

Compares figures with bounds and says every objection in one line. A version that cannot drive at
all (damaged, not finite, of another robot) is never let through; that it does worse, or otherwise,
a person may overrule. Knows figures; refuses to know how they were measured (measuring.py).
"""

from typing import Literal

import msgspec

Rule = Literal["damage", "misfit", "held out", "actions", "trials"]
NEVER: frozenset[Rule] = frozenset({"damage", "misfit"})


class GateBounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a version may at most do worse, or otherwise, than the one that drives."""

    held_out_margin: float = 0.1
    """Its error on held-out episodes may be larger by this share of the other's."""
    position_m: float = 0.05
    """So far may its chunks lead from the other's, at their 95th percentile, over what is played
    of a chunk before the next one comes."""
    rotation_rad: float = 0.35
    """So much may they turn from the other's, measured alike."""
    gripper_flips: float = 0.1
    """In this share of the steps it may want the gripper otherwise."""
    successes_lost: int = 0
    """So many simulated scenes fewer may it succeed in, where some were tried."""


class GateFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A version beside the one that drives; None where something could not be measured.

    Attributes:
        against_run, against: run and version that drove then.
        damage: why it cannot be used at all; empty if it can.
        misfit: what of it is of another robot; empty if nothing is.
        measure: which error on held-out episodes, so many `episodes` of them.
        held_out, held_out_before: its error and the other's, on the same batches.
        position_m, rotation_rad: 95th percentile of how far its chunks lead from the other's.
        gripper_flips: share of steps in which it wants the gripper otherwise.
        moments: recorded observations that both were shown.
        successes, successes_before: of so many simulated `scenes`.
        took_s: to measure all this.
    """

    against_run: str = ""
    against: int = 0
    damage: str = ""
    misfit: str = ""
    measure: str = ""
    episodes: int = 0
    held_out: float | None = None
    held_out_before: float | None = None
    position_m: float | None = None
    rotation_rad: float | None = None
    gripper_flips: float | None = None
    moments: int = 0
    successes: int = 0
    successes_before: int = 0
    scenes: int = 0
    took_s: float = 0.0


class Objection(msgspec.Struct, frozen=True):
    """Why a version should not drive.

    Attributes:
        rule: which of the gate's.
        says: for the operator, a part of a sentence.
    """

    rule: Rule
    says: str

    @property
    def final(self) -> bool:
        """Whether nobody can overrule it."""
        return self.rule in NEVER


def objections_to(figures: GateFigures, bounds: GateBounds) -> tuple[Objection, ...]:
    """All that speaks against a version; empty if it may drive."""
    if figures.damage:
        return (Objection("damage", figures.damage),)
    if figures.misfit:
        return (Objection("misfit", figures.misfit),)
    return (*_held_out(figures, bounds), *_actions(figures, bounds), *_trials(figures, bounds))


def refusal(objections: tuple[Objection, ...], overruled: str) -> str:
    """Why a version is refused, in one line; empty if it may drive.

    Args:
        objections: to it.
        overruled: the operator's reason to let it drive nevertheless; empty for none.
    """
    weighs = [one for one in objections if one.final or not overruled.strip()]
    if not weighs:
        return ""
    hint = "" if any(one.final for one in weighs) else "; promote it with a reason to overrule this"
    return "; ".join(one.says for one in weighs) + hint


def _held_out(figures: GateFigures, bounds: GateBounds) -> list[Objection]:
    after, before = figures.held_out, figures.held_out_before
    if after is None or before is None:
        return [Objection("held out", "its error on held-out episodes could not be measured")]
    most = before * (1 + bounds.held_out_margin)
    if after <= most:
        return []
    return [Objection("held out", f"held out, its {figures.measure or 'error'} is {after:.3g}, "
                                  f"version {figures.against}'s {before:.3g}: more than "
                                  f"{most:.3g} is too much")]


def _actions(figures: GateFigures, bounds: GateBounds) -> list[Objection]:
    said = []
    for value, most, what, unit in (
            (figures.position_m, bounds.position_m, "it leads the tool elsewhere", " m"),
            (figures.rotation_rad, bounds.rotation_rad, "it turns the tool elsewhere", " rad"),
            (figures.gripper_flips, bounds.gripper_flips, "it moves the gripper otherwise",
             " of the steps")):
        if value is None:
            return [Objection("actions", "its actions could not be compared: no recorded moment "
                                         "was there to look at")]
        if value > most:
            said.append(f"{what}, by {value:.3g}{unit}, where {most:.3g} is allowed")
    return [Objection("actions", " and ".join(said))] if said else []


def _trials(figures: GateFigures, bounds: GateBounds) -> list[Objection]:
    lost = figures.successes_before - figures.successes
    if not figures.scenes or lost <= bounds.successes_lost:
        return []
    return [Objection("trials", f"in simulation it succeeds in {figures.successes} of "
                                f"{figures.scenes} scenes, version {figures.against} in "
                                f"{figures.successes_before}")]

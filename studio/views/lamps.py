"""Who drives each axis in this tick, and what a person gets who steps in: lamps and switches.

Seven lamps: the tool's six axes and the gripper. Each has a word and an icon beside its tone. What
is wished for an axis is one of three: yours, the policy's, or both, by a blend. Knows shares from 0
(the policy's) to 1 (the person's); refuses to know how an arm is shared (shared_control.py).
"""

from typing import Literal, get_args

import msgspec

from studio.station.commands import SetSharing
from studio.station.messages import Mode, Owner, Snapshot

AXES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
TOOL_AXES = 6
Wish = Literal["you", "both", "policy"]
WISHES: tuple[Wish, ...] = get_args(Wish)
HALF = 0.5


class Lamp(msgspec.Struct, frozen=True):
    """One axis.

    Attributes:
        axis, short: its name, and as it is written where room is scarce.
        word: who drives it.
        icon, tone: say the same.
        share: the person's, 0 to 1.
    """

    axis: str
    short: str
    word: str
    icon: str
    tone: str
    share: float = 0.0


_LOOKS = {"You": ("hand", "ready"), "Policy": ("bot", "policy"), "Both": ("users", "override"),
          "Held": ("pause", "offline"), "Nobody": ("circle", "offline"),
          "Safety": ("shield-alert", "warning"), "–": ("circle-dashed", "offline")}
_NOBODY = (Mode.IDLE, Mode.FAULT, Mode.STOP)
_OWNERS = {Owner.HUMAN: "You", Owner.POLICY: "Policy", Owner.BLEND: "Both", Owner.HOLD: "Held",
           Owner.SAFETY: "Safety", Owner.NOBODY: "Nobody", Owner.SCRIPT: "Policy"}


def lamps_of(snapshot: Snapshot | None, silent: bool) -> tuple[Lamp, ...]:
    """Seven lamps, as of the newest tick; without words of the station they are all out."""
    if snapshot is None or silent or len(snapshot.human_share) != len(AXES):
        return tuple(_lamp(axis, "–") for axis in AXES)
    return tuple(_lamp(axis, _word(snapshot, number, share), share)
                 for number, (axis, share) in enumerate(
                     zip(AXES, snapshot.human_share, strict=True)))


def _lamp(axis: str, word: str, share: float = 0.0) -> Lamp:
    icon, tone = _LOOKS[word]
    return Lamp(axis, "grip" if axis == "gripper" else axis,
                f"You {share:.0%}" if word == "Both" else word, icon, tone, share)


def _word(snapshot: Snapshot, number: int, share: float) -> str:
    if snapshot.mode in _NOBODY:
        return "Nobody"
    owners = [Owner(owner) for owner in snapshot.owners]
    if not owners:
        return "–"
    if number == TOOL_AXES:
        return _OWNERS[owners[-1]]
    if owners[0] is not Owner.BLEND:
        return _OWNERS[owners[0]]
    return "You" if share >= 1.0 else "Policy" if share <= 0.0 else "Both"


# ---- what is wished ------------------------------------------------------------------------------


def wish_of(share: float) -> Wish:
    """Which of the three a share is."""
    return "you" if share >= 1.0 else "policy" if share <= 0.0 else "both"


def next_wish(share: float) -> Wish:
    """What a click on an axis makes of it: yours, both, the policy's, and round again."""
    return WISHES[(WISHES.index(wish_of(share)) + 1) % len(WISHES)]


def with_axis(snapshot: Snapshot, axis: int, wish: Wish, blend: float = HALF) -> SetSharing:
    """What to ask of the station so that an axis belongs to somebody else from now on.

    Args:
        snapshot: says how it is shared now.
        axis: 0 to 5.
        wish: whose it shall be.
        blend: the person's share of what both drive, between 0 and 1.
    """
    shares = list(snapshot.sharing or (1.0,) * TOOL_AXES)
    shares[axis] = {"you": 1.0, "policy": 0.0, "both": blend}[wish]
    return SetSharing(tuple(shares), snapshot.hand_back)


def with_blend(snapshot: Snapshot, blend: float) -> SetSharing:
    """Another share of the person in every axis that both drive; in all, if none is yet."""
    shares = snapshot.sharing or (1.0,) * TOOL_AXES
    shared = any(wish_of(share) == "both" for share in shares)
    return SetSharing(tuple(blend if not shared or wish_of(share) == "both" else share
                            for share in shares), snapshot.hand_back)


def with_hand_back(snapshot: Snapshot, hand_back: bool) -> SetSharing:
    """Whether letting go of the device hands the arm back."""
    return SetSharing(snapshot.sharing or (1.0,) * TOOL_AXES, hand_back)


def blend_of(snapshot: Snapshot | None) -> float:
    """The person's share of what both drive; a half where nothing is shared yet."""
    shares = snapshot.sharing if snapshot is not None else ()
    return next((share for share in shares if wish_of(share) == "both"), HALF)

"""The one thing that everybody in the room should see: what state the arm is in.

A word, an icon, a tone and a sentence, from what the station and the desk said last. Never a tone
alone: the word and the icon say the same. Knows states; refuses to know colours (look.py) and
what may be done about them (controls.py).
"""

import msgspec

from studio.station.desk.link import DeskState
from studio.station.messages import Mode, Owner, Snapshot
from studio.views.words import duration, sentence


class Banner(msgspec.Struct, frozen=True):
    """What the banner shows.

    Attributes:
        word: the state, in one or two words.
        icon: name of an icon in look.py.
        tone: name of a tone in look.py.
        detail: a sentence about it; may be empty.
        driver: who drives: "Human", "Policy", "Nobody" …
        recording: whether an episode is open, practice included.
        time: of the open episode, or empty.
        kept: whether the open episode is kept; practice is not.
    """

    word: str
    icon: str
    tone: str
    detail: str = ""
    driver: str = ""
    recording: bool = False
    time: str = ""
    kept: bool = False


_TANDEM = (Mode.AUTO, Mode.SHARED, Mode.HANDBACK)
_MODES = {
    Mode.IDLE: ("Idle", "circle", "idle", "The arm holds and follows nobody: hold Arm to drive"),
    Mode.ARMED: ("Ready", "circle-check", "ready", "Armed: moving the device drives the arm"),
    Mode.AUTO: ("Policy drives", "bot", "policy", "Move the device to take over"),
    Mode.SHARED: ("Shared", "users", "override", "You and the policy drive together"),
    Mode.HUMAN: ("You drive", "hand", "ready", "Let go and the arm holds"),
    Mode.HANDBACK: ("Handing back", "repeat", "policy", "The policy plans from where you let go"),
    Mode.REWIND: ("Going back", "undo-2", "override", "Move the device to take over"),
    Mode.HOLD: ("Holding", "pause", "warning", "Hold Arm to go on"),
    Mode.STOP: ("Stopped", "octagon-x", "stopped", "Re-arm when it is safe"),
    Mode.FAULT: ("Fault", "triangle-alert", "fault", "Mend the fault, then re-arm"),
}
_DRIVERS = {Owner.BLEND: "You and policy", Owner.HUMAN: "You", Owner.POLICY: "Policy",
            Owner.SCRIPT: "Replay", Owner.SAFETY: "Safety"}


def driver_of(snapshot: Snapshot) -> str:
    """Who moves the arm now, in a word."""
    for owner, name in _DRIVERS.items():
        if int(owner) in snapshot.owners:
            return name
    return "Nobody"


def banner_of(snapshot: Snapshot | None, state: DeskState | None, silent: bool) -> Banner:
    """What the banner shows.

    Args:
        snapshot: the newest of the station, or None before the first.
        state: the newest of the desk, or None before the first.
        silent: the station has said nothing for a second: what it said before is old.
    """
    if state is not None and state.busy:
        return Banner("Starting", "loader-circle", "offline", sentence(state.busy))
    if state is not None and state.problem and (snapshot is None or silent):
        return Banner("No station", "unplug", "fault", sentence(state.problem))
    if snapshot is None:
        return Banner("Offline", "unplug", "offline", "Waiting for the station")
    if silent:
        return Banner("Silent", "unplug", "fault",
                      "The station says nothing: what you see is old")
    word, icon, tone, detail = _MODES[snapshot.mode]
    if snapshot.mode in (Mode.STOP, Mode.FAULT, Mode.HOLD) and snapshot.reason:
        detail = f"{sentence(snapshot.reason)} – {detail[:1].lower()}{detail[1:]}"
    if not snapshot.episode:
        return Banner(word, icon, tone, detail, driver_of(snapshot))
    if snapshot.mode is Mode.HUMAN and snapshot.intervention:
        detail = "Let go and the policy goes on" if snapshot.hand_back else detail
        tone = "override"
    in_tandem = snapshot.mode in _TANDEM or (
        snapshot.mode is Mode.HUMAN and bool(snapshot.intervention))
    if snapshot.mode not in (Mode.STOP, Mode.FAULT, Mode.HOLD) and not in_tandem:
        what = "Practice" if snapshot.practice else "Recording"
        look = ("graduation-cap", "practice") if snapshot.practice else ("record", "recording")
        detail = "Nothing of this is kept" if snapshot.practice else detail
        word, icon, tone = what, *look
    return Banner(word, icon, tone, detail, driver_of(snapshot), True,
                  duration(snapshot.episode_s), not snapshot.practice)

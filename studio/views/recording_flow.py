"""Recording as a person does it: countdown, start, end, label, discard, undo, again, next scene.

A small state machine. It is told what the person wants (`act`), what the station says (`follow`)
and how its commands were answered (`answered`), and gives commands, cues to hear and a notice to
read. Whether an episode is open is the station's word alone; only what the station does not know
(a countdown, what to do next, how to undo) is kept here. Knows no window, no socket and no clock.
"""

import msgspec

from recorders.clock import NS_PER_S
from recorders.episode import LABELS
from studio.station.commands import (
    Arm,
    Command,
    Disarm,
    DiscardEpisode,
    EndEpisode,
    LabelEpisode,
    Pause,
    ResetScene,
    RestoreEpisode,
    SettleInterrupted,
    StartEpisode,
    StartPolicy,
    TrashEpisode,
)
from studio.station.messages import Mode, Snapshot
from studio.views.alert_lamp import alert_words
from studio.views.recording_plan import ACTIONS, Flow, Plan, Turn
from studio.views.undo import Undo

WARN_S = 3                  # before the time is up
_TANDEM = (Mode.AUTO, Mode.SHARED, Mode.HANDBACK)
_DRIVABLE = (Mode.ARMED, Mode.HUMAN, Mode.AUTO, Mode.SHARED, Mode.HANDBACK)


def _with(flow: Flow, **changes: object) -> Flow:
    return msgspec.structs.replace(flow, **changes)


def act(flow: Flow, action: str, plan: Plan, snapshot: Snapshot, now_ns: int, *,
        label_before: str = "unlabelled") -> Turn:
    """What follows when a person wants something.

    Args:
        flow: as it stands.
        action: see `recording_plan.Action`.
        plan: of the next episode, and of the open one's note.
        snapshot: the newest of the station.
        now_ns: the machine's monotonic clock.
        label_before: of the last episode, so that a label can be taken back.
    """
    counting, arming, is_open = flow.starts_ns > 0, flow.arm_next, bool(snapshot.episode)
    flow = _with(flow, starts_ns=0, arm_next=False, record_next=False)
    if counting and action in ("record", "discard", "finish", "end"):
        return Turn(flow, notice="Countdown cancelled")
    if action == "record":
        if is_open:
            return Turn(flow, notice="An episode is open: end or discard it first")
        if snapshot.mode is Mode.IDLE:      # it may be about to be armed, after a new scene
            return Turn(_with(flow, arm_next=True, record_next=True)) if arming else \
                Turn(flow, notice="The arm follows nobody: hold Arm first", cues=("refused",))
        return begin(flow, plan, now_ns)
    if action == "let drive":
        return _let_drive(flow, plan, snapshot)
    if action == "end":
        return _end(flow, "", plan, snapshot) if is_open else _new_scene(flow, plan, snapshot, 1)
    if action in LABELS:
        return _end(flow, action, plan, snapshot) if is_open \
            else _label(flow, action, plan.note, label_before)
    if action == "discard":
        return _discard(flow, snapshot)
    if action == "rerecord":
        return _again(flow, plan, snapshot)
    if action == "undo":
        return _undo(flow)
    if action == "new scene":
        return _new_scene(flow, plan, snapshot, 1)
    if action == "finish":
        ended = _end(flow, "", plan, snapshot) if is_open else Turn(flow)
        return msgspec.structs.replace(ended, asks=(*ended.asks, Disarm()),
                                       notice=ended.notice or "The arm holds; nobody drives")
    raise ValueError(f"no action '{action}': valid are {', '.join(ACTIONS)}")


def begin(flow: Flow, plan: Plan, now_ns: int) -> Turn:
    """Count down, or start at once."""
    if plan.countdown_s > 0:
        starts_ns = now_ns + int(plan.countdown_s * NS_PER_S)
        return Turn(_with(flow, starts_ns=starts_ns, said_s=round(plan.countdown_s)),
                    cues=("countdown",))
    return _start(flow, plan)


def _start(flow: Flow, plan: Plan) -> Turn:
    return Turn(_with(flow, starts_ns=0, said_s=0), asks=(StartEpisode(
        task=plan.task, instruction=plan.instruction, practice=plan.practice, seed=plan.seed,
        operator=plan.operator),))


def _let_drive(flow: Flow, plan: Plan, snapshot: Snapshot) -> Turn:
    """Let the policy drive, in the open episode or in one that begins with it."""
    if snapshot.mode in _TANDEM:
        return Turn(flow, notice="The policy drives already")
    if refusal := why_not_drive(snapshot):      # before an episode begins that nobody drives
        return Turn(flow, notice=refusal, cues=("refused",))
    begun = Turn(flow) if snapshot.episode else _start(flow, plan)
    return msgspec.structs.replace(begun, asks=(*begun.asks, StartPolicy()))


def why_not_drive(snapshot: Snapshot) -> str:
    """Why no policy could be let drive now; empty if one could."""
    if snapshot.policy is None:
        return "No policy is there: choose a training run first"
    if not snapshot.policy.alive:
        return "The policy says nothing: wait until it is there again"
    if snapshot.mode in (Mode.STOP, Mode.FAULT):
        return "Re-arm first"
    if snapshot.mode is Mode.HUMAN:
        return "You drive: let go of the device first"
    if snapshot.mode is Mode.REWIND:
        return "Wait: the arm drives back"
    return "The arm follows nobody: hold Arm first" if snapshot.mode not in _DRIVABLE else ""


def _hold(snapshot: Snapshot) -> tuple[Command, ...]:
    """A policy does not drive on when its episode is over."""
    return (Pause(),) if snapshot.mode in _TANDEM else ()


def _end(flow: Flow, label: str, plan: Plan, snapshot: Snapshot) -> Turn:
    ended = "" if snapshot.practice else snapshot.episode
    return Turn(_with(flow, ending=ended, last=ended or flow.last),
                asks=(EndEpisode(label, plan.note), *_hold(snapshot)), cues=("stop",),
                notice="Practice ended; nothing was kept" if snapshot.practice else "Saving …")


def _label(flow: Flow, label: str, note: str, before: str) -> Turn:
    if not flow.last:
        return Turn(flow, notice="There is no episode to label yet", cues=("refused",))
    back = Undo(f"the label {label}", (LabelEpisode(flow.last, before),))
    return Turn(_with(flow, undo=(*flow.undo, back)),
                asks=(LabelEpisode(flow.last, label, note),), notice=f"Labelled {label}")


def _discard(flow: Flow, snapshot: Snapshot) -> Turn:
    if snapshot.episode:
        if snapshot.practice:
            return Turn(flow, asks=(DiscardEpisode(), *_hold(snapshot)), cues=("discarded",),
                        notice="Practice ended; nothing was kept")
        flow, asks = _with(flow, last=""), (DiscardEpisode(), *_hold(snapshot))
        gone = snapshot.episode
    elif flow.last:
        gone, asks = flow.last, (TrashEpisode(flow.last),)
        flow = _with(flow, last="")
    else:
        return Turn(flow, notice="There is nothing to discard", cues=("refused",))
    back = Undo("the discarded episode", (RestoreEpisode(gone),), restores=gone)
    return Turn(_with(flow, undo=(*flow.undo, back)), asks=asks, cues=("discarded",),
                notice="Discarded: Z brings it back")


def _again(flow: Flow, plan: Plan, snapshot: Snapshot) -> Turn:
    away = _discard(flow, snapshot) if snapshot.episode or flow.last else Turn(flow)
    if not plan.resettable:
        return msgspec.structs.replace(
            away, notice="Discarded: set the scene up by hand, then record again")
    anew = _new_scene(away.flow, plan, snapshot, 0)
    return Turn(_with(anew.flow, record_next=True), (*away.asks, *anew.asks), away.cues,
                "Once more, from the same scene")


def _new_scene(flow: Flow, plan: Plan, snapshot: Snapshot, ahead: int) -> Turn:
    if not plan.resettable:
        return Turn(flow, notice="Set the scene up by hand, then record")
    if snapshot.episode and ahead:
        return Turn(flow, notice="An episode is open: end or discard it first", cues=("refused",))
    return Turn(_with(flow, arm_next=snapshot.mode in _DRIVABLE),
                asks=(ResetScene(plan.task, plan.seed + ahead),), notice="Setting the scene up")


def _undo(flow: Flow) -> Turn:
    if not flow.undo:
        return Turn(flow, notice="There is nothing to undo", cues=("refused",))
    *rest, newest = flow.undo
    return Turn(_with(flow, undo=tuple(rest), last=newest.restores or flow.last),
                asks=newest.asks, notice=f"Took back {newest.what}")


def follow(flow: Flow, plan: Plan, snapshot: Snapshot, now_ns: int) -> Turn:
    """What follows from the time that passes and from what the station says."""
    if snapshot.mode in (Mode.STOP, Mode.FAULT):
        stopped = flow.starts_ns or flow.arm_next or flow.record_next
        return Turn(_with(flow, starts_ns=0, arm_next=False, record_next=False),
                    notice="Stopped: the countdown was cancelled" if stopped else "")
    recorder = snapshot.recorder
    if recorder.cut_short not in ("", flow.cut_short):
        return Turn(_with(flow, starts_ns=0, arm_next=False, record_next=False, ending="", last="",
                          cut_short=recorder.cut_short), cues=("refused",), notice=recorder.error)
    if snapshot.alert is not None and snapshot.alert.began_ns != flow.alerted_ns:
        return Turn(_with(flow, alerted_ns=snapshot.alert.began_ns), cues=("alert",),
                    notice=alert_words(snapshot.alert))
    if not flow.last and flow.cut_short and recorder.last_episode == flow.cut_short:
        return Turn(_with(flow, last=flow.cut_short))       # it was kept: labels speak of it
    if flow.starts_ns:
        return _count(flow, plan, now_ns)
    if flow.arm_next and snapshot.mode is Mode.IDLE and snapshot.position:
        return Turn(_with(flow, arm_next=False), asks=(Arm(),))
    if flow.record_next and not flow.arm_next and snapshot.mode in _DRIVABLE:
        return begin(_with(flow, record_next=False), plan, now_ns)
    if flow.ending and recorder.last_episode == flow.ending:
        label = recorder.last_label or "unlabelled"
        return Turn(_with(flow, ending=""), cues=("saved",), notice=f"Saved as {label}")
    if snapshot.episode and plan.limit_s > 0:
        return _limit(flow, plan, snapshot)
    return Turn(flow)


def _count(flow: Flow, plan: Plan, now_ns: int) -> Turn:
    left_s = flow.counts_s(now_ns)
    if left_s <= 0.0:
        return _start(flow, plan)
    whole = int(left_s) + 1
    if whole < flow.said_s:
        return Turn(_with(flow, said_s=whole), cues=("countdown",))
    return Turn(flow)


def _limit(flow: Flow, plan: Plan, snapshot: Snapshot) -> Turn:
    left_s = plan.limit_s - snapshot.episode_s
    if left_s <= 0.0:
        if flow.ending == snapshot.episode:
            return Turn(flow)               # asked already
        over = _end(flow, "", plan, snapshot)
        return msgspec.structs.replace(over, notice="The time is up: saving …",
                                       flow=_with(over.flow, ending=snapshot.episode))
    whole = int(left_s) + 1
    if whole <= WARN_S and whole != flow.said_s:
        return Turn(_with(flow, said_s=whole), cues=("warning",))
    return Turn(flow)


def answered(flow: Flow, command: Command, accepted: bool, reason: str) -> Turn:
    """What follows from the station's answer to one of our commands."""
    if not accepted:
        kept = _with(flow, arm_next=False, record_next=False, ending="")
        if isinstance(command, DiscardEpisode | TrashEpisode) and flow.undo:
            kept = _with(kept, undo=flow.undo[:-1], last=flow.undo[-1].restores)
        elif isinstance(command, LabelEpisode) and flow.undo:
            kept = _with(kept, undo=flow.undo[:-1])
        return Turn(kept, cues=("refused",), notice=reason)
    if isinstance(command, StartEpisode):
        return Turn(flow, cues=("start",), notice="Practice: nothing of this is kept"
                    if command.practice else "Recording")
    if isinstance(command, SettleInterrupted):
        return Turn(_with(flow, last=command.episode), notice="Kept what there is of it") \
            if command.keep else Turn(flow, notice="Discarded: the bin has it")
    return Turn(flow)

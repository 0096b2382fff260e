"""Which buttons of a page would be refused now, and why: those are grey, and say it as their title.

The station and the desk have the last word; this only spares a refusal that can be foreseen. What
holds the arm is never grey. Knows what the desk says; asks nothing.
"""

import msgspec

from studio.station.desk.link import DeskState
from studio.station.messages import Mode, Snapshot
from studio.views.recording_flow import why_not_drive
from studio.views.training_words import roll_back_refusal, training_words
from studio.web.desk_feed import DeskView

_SILENT, _NO_EPISODE = "The station says nothing", "No episode is open"
_ENDS = ("rollout-success", "rollout-failure", "rollout-partial", "rollout-discard")
_SAYS = ("words-now", "words-soon", "words-ask", "subtask-say", "subtask-leave", "share")
_STARTS = "rollout-start"


def refusals(view: DeskView) -> dict[str, str]:
    """Why what a button asks for would be refused, by the button; empty if it would not."""
    return _of_training(view.state) | _of_rollout(None if view.silent else view.snapshot)


def _of_training(state: DeskState | None) -> dict[str, str]:
    words = training_words(state)
    return {"train-start": words.start, "train-stop": words.stop, "train-resume": words.resume,
            "roll-back": roll_back_refusal(state)}


def _of_rollout(snapshot: Snapshot | None) -> dict[str, str]:
    if snapshot is None:
        return dict.fromkeys((_STARTS, *_ENDS, *_SAYS, "alert-fine"), _SILENT)
    return dict.fromkeys(_SAYS, "") \
        | dict.fromkeys(_ENDS, "" if snapshot.episode else _NO_EPISODE) \
        | {_STARTS: _why_not_start(snapshot),
           "alert-fine": "" if snapshot.alert is not None else "No alert stands"}


def _why_not_start(snapshot: Snapshot) -> str:
    if snapshot.mode is Mode.HUMAN:
        return "The operator drives"
    if snapshot.mode in (Mode.IDLE, Mode.HOLD):     # the page arms it, having asked for somebody
        snapshot = msgspec.structs.replace(snapshot, mode=Mode.ARMED)
    return why_not_drive(snapshot)

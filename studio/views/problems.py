"""What somebody should do something about, in sentences; the gravest first.

The desk's own trouble, what the station and its recorder say, and streams that have fallen silent.
Knows snapshots; decides nothing.
"""

from studio.station.desk.link import DeskState
from studio.station.messages import Snapshot
from studio.views.health_bar import FAULT, stream_text
from studio.views.words import sentence


def problems_of(snapshot: Snapshot | None, state: DeskState | None, silent: bool,
                misread: str = "") -> tuple[str, ...]:
    """The sentences, each once.

    Args:
        snapshot: the newest of the station.
        state: the newest of the desk.
        silent: the station has said nothing for a second: what it said before is old.
        misread: why what the station sends is not understood.
    """
    said = [state.problem] if state is not None and state.problem else []
    said += [misread] if misread else []
    if snapshot is not None and not silent:
        said += snapshot.problems
        said += [snapshot.recorder.error] if snapshot.recorder.error else []
        said += [silence(snapshot)] if silence(snapshot) else []
        said += [snapshot.policy.remark] if snapshot.policy and snapshot.policy.remark else []
    return tuple(dict.fromkeys(map(sentence, said)))


def silence(snapshot: Snapshot) -> str:
    """Which streams say nothing any more, and what to do; empty if all speak."""
    silent = [stream.name for stream in snapshot.streams if stream_text(stream)[1] == FAULT]
    if not silent:
        return ""
    recorded = "; the open episode goes on without" if snapshot.episode else ""
    return (f"Nothing comes from {' and '.join(silent)}{recorded}: replug it, or choose others in "
            "Devices")

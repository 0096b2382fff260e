"""What must be true of every recorded rollout, looked at after the fact.

The invariants of docs/safety.md ("Who drives"), as far as a recording can show them: one owner,
no plan of before, no tick lost, no jump. What a rule needs and an older recording does not say is
no finding: `unchecked` names the rule. Knows modes, owners and limits; knows no store.

Letters: N ticks, D joints + gripper.
"""

from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from recorders.episode_reader import EpisodeReader
from studio.station.chunks.log import CHUNK, TARGET
from studio.station.recording.recorded_rollout import RecordedRollout

ROOM = 1e-3                 # of a bound: rounding
CLOSE = 1e-7                # rad: less is rounding, too

# Mode -> who may own a joint, who may own the gripper.
_HELD = ({"HOLD", "SAFETY"}, {"HOLD", "HUMAN", "SAFETY"})
OWNERS = {
    "IDLE": ({"NOBODY"}, {"NOBODY"}), "FAULT": ({"NOBODY"}, {"NOBODY"}),
    "STOP": ({"SAFETY"}, {"SAFETY"}), "HOLD": ({"HOLD"}, {"HOLD"}),
    "ARMED": _HELD, "HANDBACK": _HELD,
    "AUTO": ({"POLICY", "HOLD", "SAFETY"}, {"POLICY", "HOLD", "SAFETY"}),
    "SHARED": ({"BLEND", "SAFETY"}, {"HUMAN", "POLICY", "HOLD", "SAFETY"}),
    "HUMAN": ({"HUMAN", "SAFETY"}, {"HUMAN", "HOLD", "SAFETY"}),
    "REWIND": ({"SCRIPT", "HOLD", "SAFETY"}, {"SCRIPT", "HOLD", "SAFETY"}),
}


class Finding(msgspec.Struct, frozen=True):
    """A rule that a recording breaks.

    Attributes:
        tick: its number (`seq`), or -1 where it is of no tick.
        rule: its name.
        what: in one line.
    """

    tick: int
    rule: str
    what: str


class Checked(msgspec.Struct, frozen=True):
    """What was found in an episode.

    Attributes:
        findings: in the rules' order.
        unchecked: rules that need what this recording does not say.
    """

    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]


def check_rollout(episode: EpisodeReader) -> Checked:
    """Look at an episode, whoever drove in it.

    Raises:
        DamagedRecording: it cannot be read.
    """
    if "tick" not in episode:
        return Checked((), tuple(RULES))
    rollout = RecordedRollout(episode)
    findings: list[Finding] = []
    unchecked: list[str] = []
    for name, (can_tell, look) in RULES.items():
        if not len(rollout.seq) or not can_tell(rollout):
            unchecked.append(name)
            continue
        findings += (Finding(tick, name, what) for tick, what in look(rollout))
    return Checked(tuple(findings), tuple(unchecked))


Found = Iterator[tuple[int, str]]


def _runs(rollout: RecordedRollout, found: npt.ArrayLike, say: Callable[[int], str]) -> Found:
    """One line for every run of ticks of which something was found (N,)."""
    wrong = np.append(np.asarray(found, bool), False)
    begins = np.flatnonzero(wrong & ~np.append(False, wrong[:-1]))
    for begin in begins:
        more = int(np.argmin(wrong[begin:])) - 1
        yield int(rollout.seq[begin]), say(int(begin)) + (
            f", and so in the {more} ticks after it" if more else "")


def _records(rollout: RecordedRollout) -> Found:
    steps = np.diff(rollout.seq)
    for at in np.flatnonzero(steps != 1):
        yield int(rollout.seq[at]), (
            f"{steps[at] - 1} ticks are missing after it" if steps[at] > 1
            else f"tick {rollout.seq[at + 1]} follows it")
    late = np.zeros(len(rollout.seq), bool)
    late[1:] = np.diff(rollout.tick.stamps_ns) <= 0
    yield from _runs(rollout, late, lambda at: "it is not later than the tick before it")


def _owner(rollout: RecordedRollout) -> Found:
    wrong = np.zeros(rollout.owners.shape, bool)
    for mode, (joints, gripper) in OWNERS.items():
        here = rollout.modes == mode
        wrong[here, :-1] = ~np.isin(rollout.owners[here, :-1], list(joints))
        wrong[here, -1] = ~np.isin(rollout.owners[here, -1], list(gripper))
    wrong[~np.isin(rollout.modes, list(OWNERS))] = True

    def say(at: int) -> str:
        number = int(np.argmax(wrong[at]))
        return f"axis {number + 1} belongs to {rollout.owners[at, number]} in {rollout.modes[at]}"

    return _runs(rollout, wrong.any(axis=1), say)


def _gripper(rollout: RecordedRollout) -> Found:
    return _runs(rollout, rollout.owners[:, -1] == "BLEND", lambda at: "the gripper is blended")


def _epoch(rollout: RecordedRollout) -> Found:
    epoch = rollout.tick["epoch"]
    for at in np.flatnonzero(np.diff(epoch) < 0):
        yield int(rollout.seq[at + 1]), f"the epoch falls from {epoch[at]} to {epoch[at + 1]}"


def _intervention(rollout: RecordedRollout) -> Found:
    number = rollout.tick["intervention"]
    at_hand = np.isin(rollout.modes, ["HUMAN", "SHARED"])
    yield from _runs(rollout, (number > 0) & ~at_hand,
                     lambda at: f"intervention {number[at]} in {rollout.modes[at]}")
    changed = np.append(True, number[1:] != number[:-1])
    expected = 1
    for at in np.flatnonzero(changed & (number > 0)):
        if number[at] != expected:
            yield int(rollout.seq[at]), f"intervention {number[at]} where {expected} is due"
        expected = int(number[at]) + 1


def _plan(rollout: RecordedRollout) -> Found:
    chunk, tick, rows = rollout.episode[CHUNK], rollout.tick, rollout.chunk_rows
    acting, named = rollout.acting, tick["chunk_id"]
    yield from _runs(rollout, acting & (named == 0), lambda at: "the policy acts without a chunk")
    yield from _runs(rollout, (named > 0) & (rows < 0),
                     lambda at: f"chunk {named[at]} was not recorded")
    known = acting & (rows >= 0)
    if not known.any():
        return
    for wrong, say in (
            (~rollout.taken[rows], "was never taken"),
            (chunk["epoch"][rows] != tick["epoch"], "is of another epoch"),
            (chunk["observation_ns"][rows] <= rollout.changed_ns,
             "was planned from before the last change of who drives"),
            (chunk["instruction_id"][rows] < _oldest_words(rollout),
             "was planned for words that were taken back"),
            (tick["chunk_step"] > chunk["steps"][rows], "has no such step"),
            (chunk.stamps_ns[rows] > tick.stamps_ns, "came later")):
        yield from _runs(rollout, known & wrong,
                         lambda at, say=say: f"chunk {named[at]}, which acts, {say}")


def _oldest_words(rollout: RecordedRollout) -> np.ndarray:
    """(N,) number of the words before which no plan holds."""
    oldest = np.zeros(len(rollout.seq), int)
    for edit in rollout.edits:
        if edit.get("flush") and "instruction_id" in edit:
            oldest[rollout.seq >= edit["tick"]] = edit["instruction_id"]
    return oldest


def _table(rollout: RecordedRollout) -> Found:
    chunk, target = rollout.episode[CHUNK], rollout.episode[TARGET]
    for stream in (chunk, target):
        if missing := int(np.maximum(np.diff(stream["seq"]) - 1, 0).sum()):
            yield -1, f"{missing} rows of {stream.spec.name} are missing"
    numbers, counts = np.unique(target["chunk_id"], return_counts=True)
    there = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    for number, steps in zip(chunk["chunk_id"].tolist(), chunk["steps"].tolist(), strict=True):
        if there.get(number, 0) != steps:
            yield -1, f"chunk {number} has {there.get(number, 0)} of its {steps} targets"


def _version(rollout: RecordedRollout) -> Found:
    rows, version = rollout.chunk_rows, rollout.tick["weights_version"]
    if not (rows >= 0).any():
        return iter(())
    made = rollout.episode[CHUNK]["weights_version"][rows]
    return _runs(rollout, (rows >= 0) & (made != version),
                 lambda at: f"version {version[at]} is said to act, and chunk "
                            f"{rollout.tick['chunk_id'][at]} is of version {made[at]}")


def _words(rollout: RecordedRollout) -> Found:
    number = rollout.tick["instruction_id"]
    due, said = np.zeros(len(number), int), rollout.episode.instruction
    for edit in rollout.edits:
        due[rollout.seq >= edit["tick"]] = edit["instruction_id"]
        if edit["before"] != said:
            yield int(edit["tick"]), f"the words before this edit were {said!r}, not " \
                                     f"{edit['before']!r}"
        said = edit["after"]
    yield from _runs(rollout, number != due,
                     lambda at: f"instruction {number[at]} where {due[at]} holds")


def _motion(rollout: RecordedRollout) -> Found:
    sent, dt_s = rollout.tick["sent"], 1 / rollout.tick.spec.rate_hz
    yield from _runs(rollout, ~np.isfinite(sent).all(axis=1), lambda at: "no number was sent")
    broken, differences = _breaks(rollout), sent
    for order, name in enumerate(("velocity", "acceleration", "jerk"), 1):
        differences = np.diff(differences, axis=0) / dt_s               # (N - order, D)
        if name not in rollout.limits:
            continue
        bound = rollout.limits[name] * (1 + ROOM) + CLOSE / dt_s**order
        over = np.abs(differences) / bound                              # (N - order, D)
        whole = ~np.array([broken[at + 1:at + order + 1].any() for at in range(len(over))], bool)
        wrong = np.zeros(len(sent), bool)
        wrong[order:] = (over > 1.0).any(axis=1) & whole

        def say(at: int, over: np.ndarray = over, order: int = order, name: str = name) -> str:
            axis = int(np.argmax(over[at - order]))
            return f"{name} of axis {axis + 1} is {over[at - order, axis]:.2f} of its bound"

        yield from _runs(rollout, wrong, say)


def _breaks(rollout: RecordedRollout) -> np.ndarray:
    """(N,) whether what is sent in a tick need not join on to the tick before it.

    Because ticks are missing, the world was taken back, or nobody drove and the arm may have moved.
    """
    broken = np.append(True, np.diff(rollout.seq) != 1)
    if rollout.has("rewinds"):
        broken |= np.append(False, np.diff(rollout.tick["rewinds"]) > 0)
    idle = np.isin(rollout.modes, ["IDLE", "FAULT", "STOP"])
    return broken | np.append(False, idle[:-1] & ~idle[1:])


def _with_chunks(*columns: str) -> Callable[[RecordedRollout], bool]:
    """Chunks can be looked at, or nobody drove whose chunks could be."""
    def can_tell(rollout: RecordedRollout) -> bool:
        if rollout.has_chunks and rollout.has(*columns):
            return True
        return rollout.has("mode", "owner", "proposed_policy") and not rollout.acting.any()
    return can_tell


def _if_any(look: Callable[[RecordedRollout], Found]) -> Callable[[RecordedRollout], Found]:
    return lambda rollout: look(rollout) if rollout.has_chunks else iter(())


RULES: dict[str, tuple[Callable[[RecordedRollout], bool], Callable[[RecordedRollout], Found]]] = {
    "every tick one record": (lambda rollout: True, _records),
    "one owner": (lambda rollout: rollout.has("mode", "owner"), _owner),
    "gripper never blended": (lambda rollout: rollout.has("owner"), _gripper),
    "epochs never fall": (lambda rollout: rollout.has("epoch"), _epoch),
    "interventions are numbered": (
        lambda rollout: rollout.has("mode", "intervention"), _intervention),
    "no plan of before": (_with_chunks("epoch", "owner", "chunk_step"), _if_any(_plan)),
    "every chunk is there": (_with_chunks(), _if_any(_table)),
    "who acts is named": (_with_chunks("weights_version"), _if_any(_version)),
    "words as they were edited": (lambda rollout: rollout.has("instruction_id"), _words),
    "no jump": (lambda rollout: rollout.has("sent", "mode"), _motion),
}

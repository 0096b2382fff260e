"""What was asked for at each moment of a recorded episode, and what System 2 should say then.

The instruction is the one that held. What System 2 should say is the sub-task that was noted (a
simulator knows it), and before all else what a person said in its place: they saw that it was
wrong. Knows the events that a station records; knows no pictures and no numbers.

Letters: M moments, E edits of the instruction.
"""

from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from recorders import align
from recorders.episode import EpisodeSummary
from recorders.episode_reader import EpisodeReader

SHORTEST_SUBTASK_NS = 100_000_000   # a sub-task that lasts less flickers at a threshold


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """See the head of this file.

    Attributes:
        edits_ns: (E,) stamps of the instruction's edits.
        instructions: E + 1 texts; `segment` (M,) says which holds.
        phrases: what System 2 should say; `phrase` (M,) says which and when.
        told: (M,) bool, where a person said it in its place.
    """

    edits_ns: np.ndarray
    instructions: tuple[str, ...]
    segment: np.ndarray
    phrases: tuple[str, ...]
    phrase: np.ndarray
    told: np.ndarray

    def oldest(self, segment_begin: np.ndarray) -> np.ndarray:
        """(M,) the first moment from which System 2's words may still be followed.

        That is the segment's first one, but for an episode's last words. What a hand does once the
        task is done (it goes away) often begins where its work ended, and nothing else that System
        1 sees tells the two apart: whoever may learn it from outdated words learns to give up
        half-way.

        Args:
            segment_begin: (M,) the first moment under the same instruction.
        """
        changes = np.flatnonzero(np.diff(self.phrase))
        last = int(changes[-1]) + 1 if len(changes) else 0
        return np.where(np.arange(len(self.phrase)) < last, segment_begin,
                        np.maximum(segment_begin, last))


def labels_of(episode: EpisodeReader, summary: EpisodeSummary, moments_ns: np.ndarray) -> Labels:
    """Work an episode's words out.

    Args:
        episode: its recording.
        summary: what the store's log says about it; its instruction counts.
        moments_ns: (M,) ascending.
    """
    edits_ns, instructions = _instructions(episode, summary)
    segment = np.searchsorted(edits_ns, moments_ns, side="right")
    phrases, phrase = _phrases(episode, instructions, edits_ns, segment, moments_ns)
    said, which = _told(episode, moments_ns)
    return Labels(
        edits_ns=edits_ns, instructions=instructions, segment=segment, phrases=(*phrases, *said),
        phrase=np.where(which >= 0, len(phrases) + which, phrase), told=which >= 0)


def _instructions(
    episode: EpisodeReader, summary: EpisodeSummary
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(E,) stamps of the edits, and the E + 1 texts; a relabelling is about the last of them."""
    edits = _edits(episode)
    texts = _recorded_instructions(episode)
    if summary.instruction != episode.instruction:
        texts[-1] = summary.instruction
    return np.array([edit["t_mono_ns"] for edit in edits], np.int64), tuple(texts)


def _edits(episode: EpisodeReader) -> list[dict[str, Any]]:
    return [event for event in episode.events
            if event["kind"] == "instruction" and "after" in event]


def _recorded_instructions(episode: EpisodeReader) -> list[str]:
    return [episode.instruction, *(str(edit["after"]) for edit in _edits(episode))]


def _phrases(
    episode: EpisodeReader, instructions: tuple[str, ...], edits_ns: np.ndarray,
    segment: np.ndarray, moments_ns: np.ndarray,
) -> tuple[tuple[str, ...], np.ndarray]:
    """What System 2 should say, and which of it at each of M moments.

    A recorded sub-task belongs to the instruction under which it was noted; where none was noted
    (no simulator, or relabelled since) the instruction itself is all there is to say.
    """
    notes = _lasting_notes(episode)
    noted_ns = np.array([note["t_mono_ns"] for note in notes], np.int64)
    under = np.searchsorted(edits_ns, noted_ns, side="right")       # of which instruction
    texts = [str(note["text"]) for note in notes]
    phrases = (*instructions, *texts)
    phrase = segment.copy()
    for number, recorded in enumerate(_recorded_instructions(episode)):
        own = np.flatnonzero(under == number)
        if not len(own) or instructions[number] != recorded:
            continue
        here = segment == number
        # Before a segment's first note stands what it noted first: it comes one tick late.
        which = np.maximum(align.latest_before(noted_ns[own], moments_ns[here]), 0)
        phrase[here] = len(instructions) + own[which]
    return phrases, phrase


def _told(episode: EpisodeReader, moments_ns: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """What a person said in System 2's place, and (M,) which of it held; -1: none."""
    events = [event for event in episode.events if event["kind"] == "operator subtask"]
    texts = tuple(str(event["text"]) for event in events)
    begun_ns = np.array([event["t_mono_ns"] for event in events], np.int64)
    which = align.latest_before(begun_ns, moments_ns) if events else \
        np.full(len(moments_ns), -1, np.int64)
    over = np.array([not text for text in (*texts, "")], bool)      # the last: nothing was said yet
    return texts, np.where(over[which], -1, which)


def _lasting_notes(episode: EpisodeReader) -> list[dict[str, Any]]:
    """The sub-tasks that were noted, without those that were over before one could say them."""
    notes = [event for event in episode.events if event["kind"] == "subtask" and event["text"]]
    return [note for note, following in pairwise([*notes, None])
            if note and (following is None or following["t_mono_ns"] - note["t_mono_ns"]
                         >= SHORTEST_SUBTASK_NS)]

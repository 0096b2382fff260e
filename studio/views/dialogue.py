"""What a person and System 2 said to each other in this sitting, with times; and what to say again.

A line for every instruction that held and for every answer that System 2 gave: its sub-task, or
that it does not know what is asked for. Answers are not made up: a question is answered with what
System 2 said at its last look, how long ago that was, and which words it had. Knows snapshots;
refuses to know a screen.
"""

from collections.abc import Iterable

import msgspec

from studio.station.messages import Snapshot
from studio.views.policy_words import answer_of
from studio.views.words import age, duration, plain

MOST_LINES = 60
MOST_PHRASES = 30
QUESTION = "What are you doing?"
TOLD, UNTOLD = "Do this now", "Say yourself what is to be done"


class Line(msgspec.Struct, frozen=True):
    """One thing that was said.

    Attributes:
        stamp_ns: when, monotonic.
        who: "You", "System 2", or another console or program.
        words: what.
        time: of the open episode, or empty.
        instruction: whether it is one, and can be said again.
    """

    stamp_ns: int
    who: str
    words: str
    time: str = ""
    instruction: bool = False

    @property
    def icon(self) -> str:
        """Of whoever spoke."""
        return "brain" if self.who == "System 2" else "message-square"

    @property
    def tone(self) -> str:
        """Of whoever spoke."""
        return "policy" if self.who == "System 2" else "ready"


class Dialogue(msgspec.Struct, frozen=True):
    """What was said so far, oldest first, and what was last heard of either; `me` is what the
    record calls whoever looks.
    """

    lines: tuple[Line, ...] = ()
    instruction: str = ""
    answer: str = ""
    subtask: str = ""
    me: str = ""

    def follow(self, snapshot: Snapshot) -> "Dialogue":
        """After a snapshot; itself if nothing new was said."""
        said = self
        if snapshot.instruction and snapshot.instruction != self.instruction:
            said = said._with(snapshot, self._who(snapshot.instruction_by), snapshot.instruction,
                              instruction=True)
        if snapshot.subtask != self.subtask:
            said = said._with(snapshot, self._who(snapshot.subtask_by),
                              f"{TOLD}: {snapshot.subtask}" if snapshot.subtask else UNTOLD)
        answer = "" if snapshot.policy is None else answer_of(snapshot.policy)
        if answer and answer != self.answer:
            said = said._with(snapshot, "System 2", answer)
        return said

    def asked(self, snapshot: Snapshot) -> "Dialogue":
        """After somebody asked what it is doing."""
        return self._with(snapshot, "You", QUESTION)._with(snapshot, "System 2",
                                                           full_answer(snapshot))

    def instructions(self) -> tuple[str, ...]:
        """What was asked for in this sitting, newest first, each once."""
        said = (line.words for line in reversed(self.lines) if line.instruction)
        return tuple(dict.fromkeys(said))

    def _who(self, by: str) -> str:
        return "You" if by in ("", self.me) else by.capitalize()

    def _with(self, snapshot: Snapshot, who: str, words: str, *, instruction: bool = False
              ) -> "Dialogue":
        time = duration(snapshot.episode_s) if snapshot.episode else ""
        line = Line(snapshot.stamp_ns, who, plain(words), time, instruction)
        return Dialogue(
            (*self.lines, line)[-MOST_LINES:],
            snapshot.instruction if instruction else self.instruction,
            answer_of(snapshot.policy) if who == "System 2" and snapshot.policy else self.answer,
            snapshot.subtask, self.me)


def full_answer(snapshot: Snapshot) -> str:
    """What System 2 knows of what it does, from its last look; honest where that is nothing."""
    health = snapshot.policy
    if health is None or not health.alive:
        return "No policy is there to answer"
    said = answer_of(health)
    if not said:
        return "I have not looked yet"
    return f"{said}  ·  asked for: “{plain(snapshot.instruction)}”  ·  looked " \
           f"{age(health.latent_age_ms)} ago"


def before(dialogue: Dialogue, now: str) -> str:
    """The instruction that held before this one; empty if there was none."""
    return next((words for words in dialogue.instructions() if words != plain(now)), "")


def phrases(dialogue: Dialogue, remembered: Iterable[str], stored: Iterable[str],
            of_task: Iterable[str]) -> tuple[str, ...]:
    """What one might say again: of this sitting, of earlier ones, of the store, of the task."""
    every = (*dialogue.instructions(), *remembered, *stored, *of_task)
    return tuple(dict.fromkeys(plain(words) for words in every if plain(words)))[:MOST_PHRASES]

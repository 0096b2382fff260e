"""What a person says is to be done now, in place of what System 2 says.

It goes with every tick to the policy, whose System 1 follows it from its next call on. It is over
when the person takes it back or says another, when the instruction changes or the scene ends, and
when System 2 says the same by itself. Knows words; knows no policy and no arm.
"""

from typing import Any

from policy.text import split
from studio.station.messages import PolicyHealth

KIND = "operator subtask"       # of the events that say what was said, and when it was over
SHOWN = 12                      # words of a vocabulary that a refusal lists


class OperatorSubtask:
    """See the head of this file.

    Attributes:
        text: the words, or empty: System 2 says what is to be done.
        by: who said so, or took it back; empty if nobody did, or did not say who they are.
    """

    def __init__(self) -> None:
        self.text = self.by = ""
        self._news: list[dict[str, Any]] = []

    def ask(self, text: str, health: PolicyHealth | None, by: str = "") -> str:
        """This is to be done from now on, or, if empty, what System 2 says.

        Args:
            text: as somebody typed it.
            health: what the policy said of itself last; None where there is none.
            by: who asks.

        Returns:
            Why not, or an empty string.
        """
        said = spelt(text)
        if refusal := refusal_of_subtask(said, self.text, health):
            return refusal
        if said:
            self.text = said
            self._news.append({
                "text": said, "instead_of": "" if health is None else health.subtask})
        else:
            self.end("the operator took it back")
        self.by = by
        return ""

    def end(self, why: str) -> None:
        """System 2 says what is to be done again."""
        if self.text:
            self.text = self.by = ""
            self._news.append({"text": "", "why": why})

    def hear(self, said: str) -> None:
        """What System 2 says by itself."""
        if self.text and spelt(said) == self.text:
            self.end("System 2 says so itself")

    def news(self) -> list[dict[str, Any]]:
        """Fields of what happened since the last call, for the record."""
        news, self._news = self._news, []
        return news


def spelt(text: str) -> str:
    """A sub-task as System 2 would say it: its words in lower case, and nothing between them."""
    return " ".join(split(text))


def refusal_of_subtask(text: str, held: str, health: PolicyHealth | None) -> str:
    """Why a person cannot say this to a policy; empty if they can.

    Args:
        text: what is to be done, spelt; empty: take back what was said.
        held: what was said before, or empty.
        health: what the policy said of itself last; None where there is none.
    """
    if not text:
        return "" if held else "System 2 says what is to be done already"
    if health is None or not health.alive:
        return "no policy is there to be told: choose one first"
    if not health.words:
        return "this policy has no sub-tasks: edit the instruction, that is what it follows"
    if unknown := [word for word in split(text) if word not in health.words]:
        return f"the policy does not know {_listed(unknown)}: {_known(health)}"
    if spelt(health.subtask) == text and health.understood and not held:
        return "System 2 says so itself"
    return ""


def _known(health: PolicyHealth) -> str:
    if health.subtasks:
        return "say one of " + "; ".join(health.subtasks[:SHOWN]) + (
            "; …" if len(health.subtasks) > SHOWN else "")
    return f"it knows {', '.join(health.words[:SHOWN])}{', …' if len(health.words) > SHOWN else ''}"


def _listed(words: list[str]) -> str:
    return ", ".join(f"“{word}”" for word in dict.fromkeys(words))

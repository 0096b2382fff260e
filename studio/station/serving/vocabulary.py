"""What a policy understands as a sub-task, for whoever wants to tell it one."""

from typing import TypedDict

from policy.interfaces import Policy, TakesSubtasks

MOST_SUBTASKS, MOST_WORDS = 64, 512     # go with every snapshot


class Vocabulary(TypedDict):
    """Fields of `PolicyHealth`."""

    words: tuple[str, ...]
    subtasks: tuple[str, ...]


def vocabulary_of(policy: Policy) -> Vocabulary:
    """Of a policy; empty for one whose System 1 hears no words."""
    if not isinstance(policy, TakesSubtasks):
        return Vocabulary(words=(), subtasks=())
    return Vocabulary(words=policy.subtask_words[:MOST_WORDS],
                      subtasks=policy.subtasks[:MOST_SUBTASKS])

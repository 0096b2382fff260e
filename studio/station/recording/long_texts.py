"""Which words of a person are too long to be an instruction or a note.

They go with every tick and every snapshot, so a pasted book would slow the arm's loop down; it is
refused, and nothing is cut without being asked. Knows text; refuses to know what it means.
"""

MOST_LETTERS = 2000         # what is longer is no sentence


def refusal_of_text(what: str, said: str | None) -> str:
    """Why it cannot be taken; empty if it can.

    Args:
        what: how a person calls it, such as "an instruction".
        said: the words; None where none are given.
    """
    if said is None or len(said) <= MOST_LETTERS:
        return ""
    return f"{what} of {len(said):,} characters is too long: say it in {MOST_LETTERS:,} at most"

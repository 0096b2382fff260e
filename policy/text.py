"""The words of a text, as every policy counts them.

Apart from words.py, so that whoever has no torch can tell whether a policy knows a word. Knows no
vocabulary and no meaning.
"""

import re

_WORD = re.compile(r"[a-z0-9']+")


def split(text: str) -> list[str]:
    """The words of a text: runs of letters, digits or apostrophes, in lower case."""
    return _WORD.findall(text.lower())

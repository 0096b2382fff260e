"""A font of this machine for words that our typeface cannot write.

Dear PyGui draws a text in one font, so only a font with all of its letters is of use; it reads
outlines in TrueType or CFF, no colours and no variations. Knows fontconfig's list; refuses to open
a font.
"""

import subprocess
from functools import lru_cache
from pathlib import Path

from studio.views.icons import ICONS
from studio.views.look import letters

_FORMAT = "%{file}|%{weight}|%{slant}|%{spacing}|%{width}\n"
_READABLE = (".ttf", ".otf", ".ttc", ".otc")
_PATIENCE_S = 2.0           # fontconfig may build its cache the first time
_REGULAR = 80               # fontconfig's weight of a text face
_NORMAL_WIDTH = 100
_ICONS = frozenset(map(chr, ICONS.values()))


def foreign(text: str) -> str:
    """The letters of a text that our typeface lacks, each once, in order of code points."""
    return "".join(sorted(letter for letter in set(text) - letters() - _ICONS
                          if letter.isprintable()))


def system_font(text: str) -> Path | None:
    """A font that can write all of a text; None if ours can, or if there is none.

    Asks a program of the system once for each set of letters, and waits two seconds at most.
    """
    return _font_with("".join(sorted(set(text)))) if foreign(text) else None


@lru_cache(maxsize=256)
def _font_with(wanted: str) -> Path | None:
    codes = " ".join(f"{ord(letter):x}" for letter in wanted)
    try:
        listed = subprocess.run(
            ["fc-list", "-f", _FORMAT, f":charset={codes}:color=false:variable=false"],
            capture_output=True, text=True, errors="replace", timeout=_PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return plainest(listed.stdout)


def plainest(listed: str) -> Path | None:
    """The plainest font of fontconfig's list: upright, of usual width and weight, no typewriter."""
    found: list[tuple[tuple[bool, bool, int, int, str], Path]] = []
    for line in listed.splitlines():
        file, *numbers = line.split("|")
        if not file.lower().endswith(_READABLE) or len(numbers) != 4:
            continue
        weight, slant, spacing, width = (
            int(number) if number.isdigit() else usual
            for number, usual in zip(numbers, (_REGULAR, 0, 0, _NORMAL_WIDTH), strict=True))
        found.append(((slant != 0, spacing >= 100, abs(weight - _REGULAR),
                       abs(width - _NORMAL_WIDTH), file), Path(file)))
    return min(found)[1] if found else None

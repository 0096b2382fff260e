"""The typeface at the sizes of look.py, and what to do about letters that it lacks.

Our typeface has Latin, Greek and Cyrillic. A text in other scripts is drawn in a system font that
has them, where there is one; else the toolkit shows a plain box per letter, and the words stay as
they were typed.
"""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from studio.console.toolkit import dpg
from studio.views.look import Sizes, font_file

_COVERED = ((0x20, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x1E00, 0x1EFF), (0x2010, 0x2044),
            (0x20A0, 0x20BF), (0x2190, 0x2193), (0x2200, 0x22FF), (0xE000, 0xE6FF))


def covered(text: str) -> bool:
    """Whether our typeface has every letter of a text."""
    return all(any(first <= ord(letter) <= last for first, last in _COVERED) for letter in text)


@cache
def system_font(letter: str) -> Path | None:
    """A font of this machine that has a letter, by fontconfig; None if there is none."""
    if shutil.which("fc-list") is None:
        return None
    asked = subprocess.run(["fc-list", "-f", "%{file}\n", f":charset={ord(letter):x}"],
                           capture_output=True, text=True, timeout=10.0, check=False)
    files = sorted(Path(line) for line in asked.stdout.splitlines()
                   if line.endswith((".ttf", ".otf", ".ttc")))
    return next((file for file in files if "mono" not in file.name.lower()), None)


class Fonts:
    """Fonts that were opened; ids of Dear PyGui."""

    def __init__(self) -> None:
        self._registry = dpg.add_font_registry()
        regular, bold = str(font_file()), str(font_file(bold=True))
        self.small = self._add(regular, Sizes.LETTER_SMALL)
        self.normal = self._add(regular, Sizes.LETTER)
        self.strong = self._add(bold, Sizes.LETTER)
        self.title = self._add(bold, Sizes.LETTER_TITLE)
        self.banner = self._add(bold, Sizes.LETTER_BANNER)
        self.countdown = self._add(bold, Sizes.LETTER_COUNTDOWN)
        self._foreign: dict[Path, int | str] = {}

    def for_text(self, text: str) -> int | str:
        """The font in which a person's text is best drawn."""
        strange = next((letter for letter in text if not covered(letter)), None)
        found = system_font(strange) if strange else None
        if found is None:
            return self.normal
        if found not in self._foreign:
            self._foreign[found] = self._add(str(found), Sizes.LETTER)
        return self._foreign[found]

    def _add(self, file: str, size: int) -> int | str:
        return dpg.add_font(file, size, parent=self._registry)

"""The typeface at the sizes of look.py; a text in other letters gets a font of the system.

Where the machine has none, the toolkit draws a plain sign per letter; the words stay as they were
typed. Opens fonts; refuses to look for them (system_fonts.py).
"""

from pathlib import Path

from studio.console.system_fonts import foreign, system_font
from studio.console.toolkit import dpg
from studio.views.look import Sizes, font_file

Font = int | str


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
        self._foreign: dict[tuple[Path, int], Font] = {}

    def for_text(self, text: str, usual: Font, size: int) -> Font:
        """The font in which a person's text is drawn: the usual one, if that can."""
        found = system_font(text) if foreign(text) else None
        if found is None:
            return usual
        if (found, size) not in self._foreign:
            self._foreign[found, size] = self._add(str(found), size)
        return self._foreign[found, size]

    def lacks(self, text: str) -> bool:
        """Whether neither our typeface nor any font of this machine can write a text."""
        return bool(foreign(text)) and system_font(text) is None

    def _add(self, file: str, size: int) -> Font:
        return dpg.add_font(file, size, parent=self._registry)

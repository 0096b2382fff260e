"""Numbers and people's own words, as a screen can show them.

Knows how long a text may be, how a duration, a size and an age are written, and which characters a
screen had better not be given. Refuses to know where they are drawn.
"""

import math
import unicodedata

_SIZES = ("bytes", "kB", "MB", "GB", "TB")
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")    # control, formatting, unassigned


def plain(text: str) -> str:
    """A person's text on one line: unseen characters become spaces, runs of spaces one."""
    seen = (" " if unicodedata.category(letter) in _UNSEEN else letter for letter in text)
    return " ".join("".join(seen).split())


def shortened(text: str, most: int) -> str:
    """A person's text on one line of at most `most` characters; "…" says that there is more."""
    line = plain(text)
    return line if len(line) <= most else line[:max(0, most - 1)].rstrip() + "…"


def duration(seconds: float) -> str:
    """"00:08.4" below an hour, "1:02:03" above."""
    if not math.isfinite(seconds) or seconds < 0.0:
        return "–"
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    if minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}"
    return f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"


def size(count: int) -> str:
    """"212 GB": three figures, in powers of a thousand, as disks are sold."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_SIZES) - 1:
        value, unit = value / 1000.0, unit + 1
    return f"{value:.{1 if unit and value < 9.95 else 0}f} {_SIZES[unit]}"


def age(milliseconds: float) -> str:
    """"310 ms", "4.2 s", "3 min"; "–" when nothing was ever heard."""
    if not math.isfinite(milliseconds) or milliseconds < 0.0:
        return "–"
    if milliseconds < 1000.0:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000.0:
        return f"{milliseconds / 1000.0:.1f} s"
    return f"{milliseconds / 60_000.0:.0f} min"


def counted(number: int, one: str, many: str = "") -> str:
    """"1 episode", "3 episodes"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """A reason as the station says it, with a capital letter and without a last full stop."""
    line = plain(text)
    line = line[:-1] if line.endswith(".") and line.count(". ") == 0 else line
    return line[:1].upper() + line[1:]

"""Which episode does somebody mean? An id, the beginning of one, or a number in the list."""

from collections.abc import Mapping
from pathlib import Path

from recorders.episode import EpisodeSummary
from recorders.store_errors import NoSuchEpisode

_LISTED = 8         # how many valid ids an error names before it says how many more


def find_episode(
    episodes: Mapping[str, EpisodeSummary], which: str | int, store: Path
) -> EpisodeSummary:
    """Find an episode.

    Args:
        episodes: by id, in the order in which they were committed; trashed ones included.
        which: an id, the beginning of an id if that is unique, or a number among the episodes
            that are not trashed (-1 is the last).
        store: named in the error.

    Raises:
        NoSuchEpisode: naming the valid ids.
    """
    text = str(which).strip()
    if text in episodes:
        return episodes[text]
    listed = [one for one in episodes.values() if not one.trashed]
    if text.removeprefix("-").isdecimal() and -len(listed) <= int(text) < len(listed):
        return listed[int(text)]
    fitting = [one for name, one in episodes.items() if text and name.startswith(text)]
    if len(fitting) == 1:
        return fitting[0]
    ids = [one.episode for one in (fitting or listed)]
    more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
    valid = ", ".join(ids[:_LISTED]) + more if ids else "none: the store is empty"
    reason = f"'{text}' fits {len(fitting)} episodes" if fitting else f"no episode '{text}'"
    raise NoSuchEpisode(f"{reason} in {store}; valid are {valid}")

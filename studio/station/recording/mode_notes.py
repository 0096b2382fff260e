"""Who drove from when, and who made it so, written into the open episode as events of kind "mode".

A mode changes by a command, or because a hand moved; whose hand it is, is known where keys are
held. Knows the machine of modes; decides nothing.
"""

from studio.station.loop.control_loop import TickRecord
from studio.station.loop.ownership import Ownership
from studio.station.messages import Mode
from studio.station.recording.episode_feed import EpisodeFeed, asked


class ModeNotes:
    """Listens to ticks; writes what changed since the last one.

    Args:
        ownership: whose modes.
        feed: of the episode to be told.
    """

    def __init__(self, ownership: Ownership, feed: EpisodeFeed) -> None:
        self._ownership, self._feed = ownership, feed
        self._mode = ownership.mode
        self._commanded, self._commanded_by = ownership.mode, ""
        self._keys_by = ""

    def commanded_by(self, who: str) -> None:
        """The mode is what it is now by somebody's command."""
        self._commanded, self._commanded_by = self._ownership.mode, who

    def keys_by(self, who: str) -> None:
        """Somebody holds keys."""
        self._keys_by = who

    def on_tick(self, tick: TickRecord) -> None:
        """Note what is new."""
        now = self._ownership.mode
        if now is not self._mode:
            who = self._commanded_by if now is self._commanded else ""
            hand = self._keys_by if now in (Mode.HUMAN, Mode.SHARED) else ""
            self._feed.event("mode", before=self._mode.name, after=now.name,
                             why=self._ownership.reason, **asked(who or hand))
            self._mode = now
        self._commanded_by = ""

"""What a simulated scene tells in passing, written into the open episode as events.

The sub-task in words whenever it changes, which is what System 2 learns to say, and every nudge of
a cube. Reads only recorded rows, because the simulator may live in another process.
"""

from studio.sim.subtasks import goal_in, subtask_in
from studio.station.loop.control_loop import TickRecord
from studio.station.recording.episode_feed import EpisodeFeed


class SceneNotes:
    """Listens to ticks; writes events of kind "subtask" and "bump".

    Args:
        feed: of the episode to be told.
    """

    def __init__(self, feed: EpisodeFeed) -> None:
        self._feed = feed
        self._episode, self._subtask, self._bumps = "", "", 0

    def on_tick(self, tick: TickRecord) -> None:
        """Note what is new."""
        if (sim := tick.latest.get("sim")) is None or not self._feed.open:
            return
        if self._feed.episode != self._episode:
            self._episode, self._subtask, self._bumps = self._feed.episode, "", 0
        if (text := subtask_in(sim)) and text != self._subtask:
            self._subtask = text
            self._feed.event("subtask", text=text)
        bumps = int(sim["bumps"]) if "bumps" in (sim.dtype.names or ()) else 0
        if bumps > self._bumps:
            goal = goal_in(sim)
            self._feed.event("bump", number=bumps, cube=goal.colour if goal else "")
        self._bumps = bumps

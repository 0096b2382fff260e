"""What is asked about episodes, the open one and closed ones: done, or refused with a reason.

An episode begins only where somebody keeps it, and for the scene that stands there. Knows the
control loop, the episode that it feeds, and how the recorder is; knows no store.
"""

from studio.devices.interfaces import Resettable
from studio.station.commands import AboutEpisode, EndEpisode, LabelEpisode, Reply, StartEpisode
from studio.station.health import Health
from studio.station.loop.control_loop import ControlLoop
from studio.station.recording.closed_episodes import refusal_of
from studio.station.recording.episode_feed import EpisodeFeed, RecordSink
from studio.station.recording.long_texts import refusal_of_text


class EpisodeRequests:
    """Of one station.

    Args:
        loop: whose scene begins with an episode.
        feed: of the open episode.
        health: told how the recorder is.
        sink: asked how the recorder is, now.
        software: name to version, noted with every episode.
    """

    def __init__(self, loop: ControlLoop, feed: EpisodeFeed, health: Health, sink: RecordSink,
                 software: dict[str, str]) -> None:
        self._loop, self._feed, self._health = loop, feed, health
        self._sink, self._software = sink, software

    def begin(self, command: StartEpisode, scene_waits: str) -> Reply:
        """Open an episode; answers its id.

        Args:
            command: which.
            scene_waits: why its scene does not stand yet; empty if it does.
        """
        loop, feed = self._loop, self._feed
        if feed.busy:
            return Reply(False, f"episode {feed.episode} is still open: end or discard it")
        if scene_waits:
            return Reply(False, scene_waits)
        if isinstance(loop.robot, Resettable) and loop.task not in ("", command.task):
            return Reply(False, f"the scene is set up for {loop.task}: set it up for "
                         f"{command.task} first")
        if refusal := refusal_of_text("an instruction", command.instruction):
            return Reply(False, refusal)
        if not command.practice and (
                refusal := self._keeps_nothing() or self._health.recorder.unable):
            return Reply(False, f"{refusal}: nothing would be kept")
        loop.begin_scene(command.task, command.instruction or loop.instruction, command.seed)
        return Reply(True, value=feed.begin(
            task=command.task, instruction=loop.instruction, seed=command.seed,
            operator=command.operator, practice=command.practice, teleop=loop.teleop.name,
            software=self._software))

    def refusal_of_end(self, command: EndEpisode) -> str:
        """Why the open episode cannot be ended so; empty if it can."""
        if not self._feed.open:
            return "no episode is open"
        return refusal_of(LabelEpisode(self._feed.episode, command.label or "unlabelled",
                                       command.note))

    def say(self, command: AboutEpisode) -> Reply:
        """Say something of a closed episode; the recorder carries it out."""
        if refusal := refusal_of(command) or self._keeps_nothing():
            return Reply(False, refusal)
        if self._feed.open and command.episode == self._feed.episode:
            return Reply(False, f"episode {command.episode} is still open: end or discard it")
        self._feed.say(command)
        return Reply(True)

    def _keeps_nothing(self) -> str:
        """Why there is nothing to write to; empty if there is."""
        self._health.recorder = self._sink.health()
        if not self._health.recorder.wanted:
            return "no store is open: open one, or practise"
        if self._health.recorder.alive:
            return ""
        return (f"the recorder has died during episode {self._feed.episode}: end it first"
                if self._feed.open and not self._feed.practice else "the recorder is not running")

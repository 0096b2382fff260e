"""Sets a simulated scene up: at once, or as soon as the last episode is written.

An operator asks for the next scene while the last episode still goes to the disk; nobody waits, and
nothing of the new scene gets into the old episode. Knows the control loop and the episode that it
feeds; refuses to know what a task is.
"""

from collections.abc import Callable

from studio.devices.interfaces import DeviceError, Resettable
from studio.station.commands import Reply, ResetScene
from studio.station.health import Health
from studio.station.loop.control_loop import ControlLoop
from studio.station.loop.ownership import Event
from studio.station.messages import Mode, RecorderHealth
from studio.station.recording.episode_feed import EpisodeFeed

LATER = "the scene is set up as soon as the last episode is written"


class SceneSetup:
    """Scenes of one robot.

    Args:
        loop: of the station.
        feed: the episode that is recorded.
        health: told what waits.
        recorder: asks the recorder how it is, now.
    """

    def __init__(self, loop: ControlLoop, feed: EpisodeFeed, health: Health,
                 recorder: Callable[[], RecorderHealth]) -> None:
        self._loop, self._feed, self._health, self._recorder = loop, feed, health, recorder
        self._next: ResetScene | None = None

    @property
    def waiting(self) -> bool:
        """Whether a scene is to be set up as soon as the last episode is written."""
        return self._next is not None

    def ask(self, scene: ResetScene) -> Reply:
        """Set it up, now or later, or say why not."""
        robot = self._loop.robot
        if not isinstance(robot, Resettable):
            return Reply(False, f"{robot.info.name} is no simulator: set its scene up by hand")
        if scene.seed < 0:
            return Reply(False, f"a scene's number is 0 or more, not {scene.seed}")
        if self._feed.open:
            return Reply(False, "an episode is open: end or discard it first")
        self._health.recorder = self._recorder()
        if self._being_written and not self._stopped:
            self._wait_with(scene)
            return Reply(True, LATER)
        return self._set_up(scene)

    def go_on(self) -> None:
        """Set up what waits, if it is time."""
        if self._next is not None and not self._being_written:
            self._set_up(self._next)

    def forget(self) -> None:
        """Nothing is to be set up any more."""
        self._wait_with(None)

    # ---- inside ----------------------------------------------------------------------------------

    @property
    def _being_written(self) -> bool:
        return self._feed.busy or bool(self._health.recorder.writing)

    @property
    def _stopped(self) -> bool:
        return self._loop.ownership.mode in (Mode.STOP, Mode.FAULT)

    def _wait_with(self, scene: ResetScene | None) -> None:
        self._next, self._health.resetting = scene, scene is not None

    def _set_up(self, scene: ResetScene) -> Reply:
        waited = self.waiting
        self._wait_with(None)
        reply = self._reset(scene)
        unanswered = waited and not reply.accepted      # who asked was told that it would be done
        self._health.hints["scene"] = (f"the scene was not set up: {reply.reason}" if unanswered
                                       else "")
        return reply

    def _reset(self, scene: ResetScene) -> Reply:
        loop = self._loop
        assert isinstance(loop.robot, Resettable)
        if self._stopped:
            return Reply(False, "re-arm first")
        try:
            instruction = loop.robot.reset(scene.task, scene.seed)
        except DeviceError as refusal:
            return Reply(False, str(refusal))
        loop.ownership.on(Event.DISARM)
        loop.forget_posture()
        self._health.forget_sequence()
        loop.begin_scene(scene.task, instruction, scene.seed)
        if (begin := getattr(loop.teleop, "begin", None)) is not None:
            begin(scene.seed)               # a script errs alike for the same seed
        return Reply(True, value=instruction)

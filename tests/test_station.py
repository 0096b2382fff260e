"""The station's commands, episodes and sessions, on the real simulator under the manual clock."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from recorders.clock import NS_PER_S, ManualClock
from recorders.episode import EpisodeHeader
from recorders.streams import Batch
from studio.devices.absent import AbsentTeleoperator
from studio.sim.operator import ScriptedOperator
from studio.sim.robot import SimRobot
from studio.station.chunks.override_commands import OverrideCommand
from studio.station.chunks.overriding import Overriding
from studio.station.commands import (
    AboutEpisode,
    Arm,
    Disarm,
    DiscardEpisode,
    EndEpisode,
    Keys,
    LabelEpisode,
    Pause,
    Rearm,
    RelabelEpisode,
    ResetScene,
    SetInstruction,
    SetSpeed,
    StartEpisode,
    StartPolicy,
    Stop,
    TrashEpisode,
)
from studio.station.messages import Mode, PolicyHealth, RecorderHealth, Snapshot
from studio.station.recording.episode_feed import NoRecorder
from studio.station.session import Session, SessionPlan
from studio.station.station import Station


class Notebook:
    """A recorder that remembers what it was told."""

    def __init__(self) -> None:
        self.headers: list[EpisodeHeader] = []
        self.rows: dict[str, list[np.ndarray]] = {}
        self.pictures = 0
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.ends: list[tuple[int, str, str, str]] = []
        self.discarded = 0
        self.alive = True
        self.said: list[AboutEpisode] = []
        self.writing = ""

    def begin(self, header: EpisodeHeader) -> None:
        self.headers.append(header)
        self.rows = {}

    def append(self, batches: tuple[Batch, ...]) -> None:
        for batch in batches:
            self.rows.setdefault(batch.stream, []).append(batch.rows.copy())
            self.pictures += len(batch.images)

    def event(self, t_mono_ns: int, kind: str, **fields: Any) -> None:
        self.events.append((kind, fields))

    def end(self, ended_mono_ns: int, detector: str, label: str, note: str) -> None:
        self.ends.append((ended_mono_ns, detector, label, note))

    def discard(self) -> None:
        self.discarded += 1

    def say(self, about: AboutEpisode) -> None:
        self.said.append(about)

    def health(self) -> RecorderHealth:
        return RecorderHealth(alive=self.alive, writing=self.writing)

    def stamps(self, stream: str) -> np.ndarray:
        return np.concatenate([rows["t_mono_ns"] for rows in self.rows[stream]])


class Desk:
    """A station with a notebook for a recorder."""

    def __init__(self, teleop: Any = None, *, render: bool = False, kept: bool = True) -> None:
        self.clock = ManualClock(5 * NS_PER_S)
        self.robot = SimRobot(self.clock, render=render, image_size=(48, 64), depth=False)
        self.robot.connect()
        self.notebook = Notebook()
        self.snapshots: list[Snapshot] = []
        self.teleop = teleop or AbsentTeleoperator(self.clock)
        self.teleop.connect()
        self.station = Station(clock=self.clock, robot=self.robot, teleop=self.teleop,
                               sink=self.notebook if kept else NoRecorder(),
                               publish=self.snapshots.append)

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.clock.advance(NS_PER_S // 100)
            self.station.loop.tick()

    def do(self, command: Any) -> str:
        """Obeyed: its value. Refused: fails with the reason."""
        reply = self.station.handle(command)
        assert reply.accepted, reply.reason
        return reply.value

    def refused(self, command: Any) -> str:
        reply = self.station.handle(command)
        assert not reply.accepted and reply.reason
        return reply.reason

    @property
    def mode(self) -> Mode:
        return self.station.loop.ownership.mode


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.robot.disconnect()


def test_commands_walk_through_the_modes_and_refusals_say_what_to_do(desk):
    assert "not said where it is" in desk.refused(Arm())
    desk.do(ResetScene("open-drawer", 3))
    desk.ticks(3)
    desk.do(Arm())
    assert desk.mode is Mode.ARMED
    desk.do(Pause())
    assert "arm first" in desk.refused(Pause())
    desk.do(Arm())
    desk.do(Stop("test"))
    assert "re-arm" in desk.refused(Arm())
    assert "re-arm" in desk.refused(ResetScene("open-drawer", 3))
    desk.do(Rearm())
    assert desk.mode is Mode.IDLE
    desk.do(Disarm())


def test_an_unknown_task_is_refused_with_the_valid_names(desk):
    assert "put-cube-in-bin" in desk.refused(ResetScene("fold-laundry", 0))


def test_a_scene_with_a_number_that_no_robot_knows_is_refused(desk):
    assert "0 or more" in desk.refused(ResetScene("push-button", -1))


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, float("nan")])
def test_a_speed_outside_its_range_is_refused(desk, scale):
    assert "at most 1" in desk.refused(SetSpeed(scale))
    desk.do(SetSpeed(0.5))


def test_a_device_without_keys_refuses_them(desk):
    assert "takes no keys" in desk.refused(Keys(("w",), 0))


def test_an_episode_holds_every_tick_between_its_beginning_and_its_end(desk):
    desk.do(ResetScene("push-button", 1))
    desk.ticks(3)
    episode = desk.do(StartEpisode("push-button", seed=1))
    begun_ns = desk.clock.now_ns()
    desk.ticks(50)
    desk.do(EndEpisode(label="partial", note="stopped early"))
    ended_ns = desk.clock.now_ns()
    desk.ticks(20)
    assert desk.notebook.headers[0].episode == episode
    assert desk.notebook.headers[0].instruction
    assert desk.notebook.ends == [(ended_ns, "failure", "partial", "stopped early")]
    stamps = desk.notebook.stamps("tick")
    assert len(stamps) == 50 and np.all(np.diff(stamps) == NS_PER_S // 100)
    assert begun_ns <= stamps[0] and stamps[-1] == ended_ns
    contact = desk.notebook.stamps("contact")
    assert np.all(np.diff(contact) == NS_PER_S // 500)
    assert begun_ns <= contact[0] < begun_ns + NS_PER_S // 100 and contact[-1] == ended_ns
    assert not desk.station.feed.busy


def test_pictures_taken_before_the_end_arrive_after_it_and_are_kept():
    desk = Desk(render=True)
    desk.do(ResetScene("push-button", 1))
    desk.ticks(10)
    desk.do(StartEpisode("push-button"))
    desk.ticks(30)
    desk.do(EndEpisode())
    assert desk.station.feed.busy
    desk.ticks(20)
    assert not desk.station.feed.busy
    begun, ended = desk.notebook.headers[0].started_mono_ns, desk.notebook.ends[0][0]
    expected = [n for n in range(60) if begun <= 5 * NS_PER_S + n * NS_PER_S // 30 <= ended]
    assert len(desk.notebook.stamps("front")) == len(expected)
    assert desk.notebook.stamps("front").max() <= ended
    desk.robot.disconnect()


def test_no_episode_is_recorded_under_another_tasks_name_than_its_scenes(desk):
    desk.do(ResetScene("push-button", 1))
    assert "set up for push-button" in desk.refused(StartEpisode("open-drawer"))
    desk.do(StartEpisode("push-button", practice=True))


def test_a_second_episode_is_refused_while_one_is_open(desk):
    desk.ticks(2)
    episode = desk.do(StartEpisode("push-button"))
    assert episode in desk.refused(StartEpisode("push-button"))
    assert "open" in desk.refused(ResetScene("push-button", 2))
    desk.do(DiscardEpisode())
    assert desk.notebook.discarded == 1
    assert "no episode" in desk.refused(EndEpisode())


def test_an_episode_goes_on_when_it_is_to_end_in_words_that_nobody_knows(desk):
    desk.ticks(2)
    episode = desk.do(StartEpisode("push-button"))
    assert "valid are success" in desk.refused(EndEpisode(label="banana"))
    assert "too long" in desk.refused(EndEpisode(note="x" * 2001))
    assert desk.station.feed.open and desk.station.feed.episode == episode


def test_practice_keeps_nothing(desk):
    desk.do(StartEpisode("push-button", practice=True))
    desk.ticks(20)
    desk.do(EndEpisode())
    desk.ticks(20)
    assert not desk.notebook.headers and not desk.notebook.rows and not desk.notebook.ends
    assert not desk.station.feed.busy


def test_without_a_store_there_is_practice_and_nothing_else():
    desk = Desk(kept=False)
    assert "no store is open" in desk.refused(StartEpisode("push-button"))
    assert "no store is open" in desk.refused(TrashEpisode("20260101T000000-00000000"))
    desk.do(StartEpisode("push-button", practice=True))
    desk.ticks(20)
    desk.do(EndEpisode())
    desk.ticks(20)
    assert not desk.station.feed.busy
    assert not desk.snapshots[-1].recorder.wanted and not desk.snapshots[-1].problems
    desk.robot.disconnect()


CLOSED = "20260101T000000-0000000a"


def test_what_is_said_of_closed_episodes_goes_to_the_recorder_also_while_one_is_open(desk):
    said = [LabelEpisode(CLOSED, "partial", "slipped"), TrashEpisode(CLOSED)]
    desk.do(said[0])
    desk.do(StartEpisode("push-button"))
    desk.do(said[1])
    assert desk.notebook.said == said


def test_what_is_said_of_an_episode_that_is_closing_waits_until_it_is_closed():
    desk = Desk(render=True)            # its last pictures are awaited
    desk.do(ResetScene("push-button", 1))
    desk.ticks(10)
    episode = desk.do(StartEpisode("push-button"))
    assert "still open" in desk.refused(LabelEpisode(episode, "success"))
    desk.ticks(5)
    desk.do(EndEpisode())
    desk.do(LabelEpisode(episode, "failure"))
    assert not desk.notebook.said and not desk.notebook.ends
    desk.ticks(20)
    assert desk.notebook.ends and desk.notebook.said == [LabelEpisode(episode, "failure")]
    desk.robot.disconnect()


@pytest.mark.parametrize(("said", "reason"), [
    (LabelEpisode(CLOSED, "excellent"), "valid are success, failure, partial, unlabelled"),
    (TrashEpisode(""), "no episode is named"),
    (RelabelEpisode(CLOSED), "give a task, an instruction, or both"),
])
def test_what_can_be_said_of_no_episode_is_refused_at_once(desk, said, reason):
    assert reason in desk.refused(said)


def test_the_scene_is_reset_as_soon_as_the_last_episode_is_committed_and_not_before(desk):
    desk.do(ResetScene("push-button", 1))
    desk.ticks(3)
    desk.do(StartEpisode("push-button"))
    desk.notebook.writing = desk.station.feed.episode
    desk.ticks(10)
    desk.do(EndEpisode())
    desk.do(ResetScene("open-drawer", 2))
    desk.ticks(50)
    assert desk.snapshots[-1].resetting and desk.snapshots[-1].task == "push-button"
    assert "last episode" in desk.refused(Arm())
    assert "last episode" in desk.refused(StartEpisode("open-drawer"))
    desk.notebook.writing = ""          # committed
    desk.ticks(10)
    assert not desk.snapshots[-1].resetting and desk.snapshots[-1].task == "open-drawer"
    desk.do(Arm())


def test_a_reset_that_could_not_be_done_later_is_told(desk):
    desk.do(ResetScene("push-button", 1))
    desk.notebook.writing = CLOSED
    desk.do(ResetScene("fold-laundry", 2))
    desk.notebook.writing = ""
    desk.ticks(10)
    (problem,) = desk.snapshots[-1].problems
    assert problem.startswith("the scene was not set up: ") and "put-cube-in-bin" in problem
    desk.do(ResetScene("push-button", 2))
    desk.ticks(10)
    assert not desk.snapshots[-1].problems


def test_a_new_instruction_is_recorded_with_its_tick(desk):
    desk.do(StartEpisode("push-button"))
    desk.ticks(7)
    desk.do(SetInstruction("put the red cube in the bin"))
    kind, fields = desk.notebook.events[-1]
    assert kind == "instruction" and fields["after"] == "put the red cube in the bin"
    assert fields["tick"] == desk.station.loop.number


def test_the_judge_follows_new_words_and_says_when_it_cannot(desk):
    desk.do(ResetScene("put-cube-in-bin", 1))
    desk.do(SetInstruction("press the button"))
    assert desk.robot.world.run.goal.task == "push-button"
    reply = desk.station.handle(SetInstruction("make me a sandwich"))
    assert reply.accepted and "old words" in reply.reason
    assert desk.station.loop.instruction == "make me a sandwich"


def test_the_devices_light_says_that_a_human_owns_the_arm(desk):
    lights: list[object] = []
    desk.teleop.feedback_features["led"] = bool
    lit = Desk(desk.teleop)
    lit.teleop.send_feedback = lambda feedback: lights.append(feedback["led"])
    lit.do(ResetScene("push-button", 1))
    lit.ticks(3)
    lit.do(Arm())
    lit.teleop.read = lambda: _push(lit.clock)
    lit.ticks(3)
    assert lights == [False, False, False, False, True, True]
    lit.robot.disconnect()


def test_the_arm_is_held_when_the_recorder_dies_during_an_episode(desk):
    desk.do(ResetScene("push-button", 1))
    desk.ticks(3)
    desk.do(Arm())
    desk.do(StartEpisode("push-button"))
    desk.ticks(5)
    desk.notebook.alive = False
    desk.ticks(5)                       # it is asked twenty times a second
    assert desk.mode is Mode.HOLD
    assert "recorder" in desk.station.loop.ownership.reason
    assert "end it first" in desk.refused(TrashEpisode(CLOSED))
    desk.do(EndEpisode())
    desk.ticks(20)
    assert "is not running" in desk.refused(TrashEpisode(CLOSED))
    assert "nothing would be kept" in desk.refused(StartEpisode("push-button"))


def test_snapshots_tell_rates_and_age_twenty_times_a_second(desk):
    desk.do(ResetScene("push-button", 1))
    desk.ticks(300)
    last = desk.snapshots[-1]
    assert len(desk.snapshots) == 60
    assert last.control_hz == pytest.approx(100, rel=0.01)
    rates = {stream.name: stream for stream in last.streams}
    assert rates["arm"].rate_hz == pytest.approx(100, rel=0.02)
    assert rates["contact"].rate_hz == pytest.approx(500, rel=0.02)
    assert all(stream.dropped == 0 for stream in last.streams)
    assert last.task == "push-button" and last.instruction


def test_a_session_records_its_plan_and_ends():
    desk = Desk(ScriptedOperator(seed=0))
    plan = SessionPlan(tasks=("push-button", "open-drawer"), seed=11, max_duration_s=20)
    session = Session(desk.station, plan, simulated=True)
    desk.station.run()
    assert session.report.done and not session.report.problem
    assert [o.task for o in session.report.outcomes] == ["push-button", "open-drawer"]
    assert [o.detector for o in session.report.outcomes] == ["success", "success"]
    assert [h.seed for h in desk.notebook.headers] == [11, 12]
    assert len(desk.notebook.ends) == 2
    desk.robot.disconnect()


def test_a_session_of_a_person_waits_for_the_first_motion_and_ends_when_time_is_up():
    desk = Desk()
    session = Session(desk.station, SessionPlan(tasks=("push-button",), max_duration_s=1.0,
                                                attended=True), simulated=True)
    desk.ticks(200)
    assert not desk.notebook.headers and desk.mode is Mode.ARMED
    desk.teleop.read = lambda: _push(desk.clock)
    desk.ticks(150)
    assert session.report.done
    assert session.report.outcomes[0].detector == "failure"
    desk.robot.disconnect()


@pytest.mark.parametrize("end", [EndEpisode(), DiscardEpisode()])
@pytest.mark.parametrize("halt", [Pause(), Stop("space bar")])
def test_a_persons_session_whose_arm_was_held_goes_on_when_the_person_arms(halt, end):
    desk = Desk()
    session = Session(desk.station, SessionPlan(tasks=("push-button",) * 2, attended=True),
                      simulated=True)
    desk.ticks(30)
    rest, desk.teleop.read = desk.teleop.read, lambda: _push(desk.clock)
    desk.ticks(30)
    desk.teleop.read = rest
    desk.do(halt)
    desk.do(end)
    desk.ticks(60)
    if isinstance(halt, Stop):
        assert desk.mode is Mode.STOP
        desk.do(Rearm())
        desk.ticks(60)
    assert desk.mode is Mode.IDLE and not session.report.done
    assert any("arm to go on" in problem for problem in desk.snapshots[-1].problems)
    desk.do(Arm())
    desk.teleop.read = lambda: _push(desk.clock)
    desk.ticks(60)
    assert desk.station.feed.open and not desk.snapshots[-1].problems
    desk.robot.disconnect()


@pytest.mark.parametrize(("attended", "simulated", "starts"), [
    (True, True, False), (False, False, False), (False, True, True)])
def test_a_session_leaves_it_to_a_person_to_start_a_policy_that_was_lost(
        attended, simulated, starts):
    desk = Desk()
    desk.station.loop.player = Still()
    desk.station.health.policy = lambda now_ns: PolicyHealth(alive=True, unconfirmed=True)
    desk.do(ResetScene("push-button", 1))
    Session(desk.station, SessionPlan(tasks=("push-button",), attended=attended, policy=True),
            simulated=simulated)
    desk.ticks(60)
    assert desk.station.feed.open
    assert desk.mode is (Mode.AUTO if starts else Mode.ARMED)
    if not starts:
        desk.do(StartPolicy())
        assert desk.mode is Mode.AUTO
    desk.robot.disconnect()


def test_a_discarded_episode_is_recorded_anew_with_the_same_seed():
    desk = Desk(ScriptedOperator(seed=0))
    session = Session(desk.station, SessionPlan(tasks=("push-button",), seed=4), simulated=True)
    desk.ticks(100)
    desk.do(DiscardEpisode())
    desk.station.run()
    assert [h.seed for h in desk.notebook.headers] == [4, 4]
    assert desk.notebook.discarded == 1 and len(desk.notebook.ends) == 1
    assert [o.detector for o in session.report.outcomes] == ["success"]
    desk.robot.disconnect()


def test_a_stop_does_not_end_the_session_of_a_person():
    desk = Desk()
    session = Session(desk.station, SessionPlan(tasks=("push-button",), attended=True),
                      simulated=True)
    desk.ticks(30)
    desk.do(Stop("space bar"))
    desk.ticks(30)
    assert not session.report.done and desk.mode is Mode.STOP
    desk.robot.disconnect()


def test_a_session_gives_up_with_the_reason_when_the_arm_is_stopped():
    desk = Desk(ScriptedOperator(seed=0))
    session = Session(desk.station, SessionPlan(tasks=("push-button",) * 3), simulated=True)
    desk.ticks(60)
    desk.do(Stop("somebody pressed stop"))
    desk.ticks(30)
    assert session.report.done and session.report.problem == "somebody pressed stop"
    assert desk.notebook.ends           # what was recorded until then is committed
    desk.robot.disconnect()


class Still:
    """What drives in AUTO, and wants nothing."""

    chunk, place, overriding = None, (0, 0), Overriding()

    def shown(self) -> None: ...

    def override(self, command: OverrideCommand) -> str:
        return ""

    def wish(self, now_ns: int, commanded: np.ndarray, epoch: int, *, driving: bool,
             asked: np.ndarray | None) -> None:
        return None

    def rest(self, now_ns: int) -> None: ...

    def flush(self, instruction_id: int) -> None: ...

    def release(self) -> None: ...

    def begin(self) -> None: ...


def _push(clock: ManualClock) -> Any:
    from studio.devices.interfaces import DeviceStatus, HumanInput

    return HumanInput(clock.now_ns(), DeviceStatus.OK, np.zeros(8), 0, True,
                      np.array([0.05, 0, 0, 0, 0, 0]))

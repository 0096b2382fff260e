"""The policy in a process of its own: on time, watched, replaceable, and survivable."""

import math
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq
from doubles.rollout_desk import Hand
from doubles.rule_policy import RulePolicy
from doubles.rule_policy_files import LOADER, VersionedRule, write
from hypothesis import given
from hypothesis import strategies as st

from policy.driving.two_speeds import Pace
from policy.interfaces import Chunk, Held, Latent, Observation, PolicySpec
from policy.runs.run_folder import RunFolder, RunState
from recorders.clock import NS_PER_S, ManualClock, SystemClock
from recorders.streams import Batch
from studio.devices.absent import AbsentTeleoperator
from studio.sim.robot import SimRobot
from studio.station.chunks.bend import Fixed
from studio.station.chunks.decided import Decided
from studio.station.commands import Arm, Reply, ResetScene, StartEpisode, StartPolicy
from studio.station.loop.control_loop import TickRecord
from studio.station.messages import Mode, PolicyHealth
from studio.station.processes.bus import CommandClient, CommandServer, Endpoints, private_endpoints
from studio.station.processes.endpoints import address_in, open_context, private_directory
from studio.station.processes.robot_link import Describe, RobotReply, RobotRequest
from studio.station.processes.supervisor import Supervisor
from studio.station.processes.wire import WireError
from studio.station.recording.store_sink import StoreSink
from studio.station.serving.policy_link import (
    Answer,
    Attach,
    Detach,
    PolicyEnd,
    PolicyStatus,
    SwapWeights,
    Timings,
    decode_answer,
    encode_answer,
    wanted_batches,
)
from studio.station.serving.policy_process import NAME, PolicyChoice
from studio.station.serving.policy_turns import PolicyTurns, chunk_problem, warm_up
from studio.station.serving.remote_policy import RemotePolicy
from studio.station.station import Station

pytestmark = pytest.mark.alone

MS = 1_000_000
TESTS = Path(__file__).resolve().parent


# ---- the link ------------------------------------------------------------------------------------

numbers = st.floats(allow_nan=False, width=64)
stamps = st.integers(0, 2**62)


@given(targets=st.lists(st.lists(numbers, min_size=8, max_size=8), min_size=1, max_size=20),
       first_ns=stamps, latent_ns=stamps, version=st.integers(0, 2**31), subtask=st.text())
def test_an_answer_arrives_as_it_was_sent(targets, first_ns, latent_ns, version, subtask):
    chunk = Chunk(targets=np.array(targets), space="tool", first_ns=first_ns, step_ns=33,
                  observation_ns=7, latent_id=2, latent_ns=latent_ns, instruction_id=1,
                  weights_version=version, subtask=subtask, epoch=4, chunk_id=9,
                  entropy=0.4, signature=(1.0, -2.0))
    arrived = decode_answer([bytes(frame) for frame in encode_answer(
        Answer(chunk, Timings(1.0, 2.0, 3.0)))])
    np.testing.assert_array_equal(arrived.chunk.targets, chunk.targets)
    same = msgspec.structs.replace(arrived.chunk, targets=chunk.targets)
    assert msgspec.structs.asdict(same) == msgspec.structs.asdict(chunk)
    assert arrived.timings == Timings(1.0, 2.0, 3.0)


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_what_is_no_answer_is_refused(frames):
    with pytest.raises(WireError):
        decode_answer(frames)


def test_only_the_pictures_that_the_policy_looks_at_are_sent():
    rows = np.zeros(2, [("t_mono_ns", "<i8")])
    picture: dict[str, bytes | memoryview] = {"rgb": b"colours", "depth": b"distances"}
    batches = [Batch("arm", rows), Batch("front", rows, (picture, picture)),
               Batch("wrist", rows, (picture, picture))]
    sent = wanted_batches(batches, {"front": ("rgb",)})
    assert [(batch.stream, [sorted(images) for images in batch.images]) for batch in sent] == [
        ("arm", []), ("front", [["rgb"], ["rgb"]])]


# ---- its turns, under a clock turned by hand -----------------------------------------------------

@pytest.fixture(scope="module")
def ticks() -> list[TickRecord]:
    """Three seconds of a station whose arm holds, and whose first tick is at 1 s."""
    clock = ManualClock(NS_PER_S)
    robot = SimRobot(clock, image_size=(24, 32), cameras=("front",), depth=False)
    robot.connect()
    station = Station(clock=clock, robot=robot, teleop=AbsentTeleoperator(clock),
                      sink=StoreSink(None))
    seen: list[TickRecord] = []

    class Listener:
        def on_tick(self, tick: TickRecord) -> None:
            if tick.assignment.scene:
                seen.append(tick)

    station.loop.subscribers.append(Listener())
    assert station.handle(ResetScene("put-cube-in-bin", 5000)).accepted
    for number in range(300):
        clock.advance(10 * MS)
        station.loop.tick()
        if number == 20:
            assert station.handle(Arm()).accepted
    streams.extend((station.loop.spec, *robot.info.streams))
    robot.disconnect()
    return seen


streams: list[Any] = []         # of that station; filled by the fixture


class SlowThinker(RulePolicy):
    """Thinks for a long time; its calls turn the clock."""

    def __init__(self, clock: ManualClock, pieces: int, piece_ms: int, act_ms: int) -> None:
        super().__init__()
        self._clock, self._pieces, self._piece_ms, self._act_ms = clock, pieces, piece_ms, act_ms

    def think(self, observation: Observation) -> Latent:
        self._clock.advance(self._pieces * self._piece_ms * MS)
        return super().think(observation)

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        self._clock.advance(self._act_ms * MS)
        return super().act(observation, latent, held)


class PiecewiseThinker(SlowThinker):
    """The same, in pieces."""

    def think_slices(self, observation: Observation) -> Iterator[Latent | None]:
        for _ in range(self._pieces):
            self._clock.advance(self._piece_ms * MS)
            yield None
        yield RulePolicy.think(self, observation)


def play(turns: PolicyTurns, clock: ManualClock, ticks: list[TickRecord]) -> list[Answer]:
    """Let the ticks arrive at their times, whatever the policy is at; what it answers."""
    answers, waiting = [], list(ticks)
    while waiting:
        while waiting and waiting[0].stamp_ns <= clock.now_ns():
            turns.take(waiting[0].batches, waiting.pop(0).assignment)
        turns.work()
        if (answer := turns.answer()) is not None:
            answers.append(answer)
        if waiting and (rest_ns := turns.rest_ns()):
            clock.wait_until(min(waiting[0].stamp_ns, clock.now_ns() + rest_ns))
    return answers


PACE = Pace(act_every_steps=4, think_every=2)


@pytest.mark.gl
def test_system_1_is_on_time_while_system_2_thinks_piece_by_piece(ticks):
    clock = ManualClock(ticks[0].stamp_ns)
    turns = PolicyTurns(PiecewiseThinker(clock, pieces=30, piece_ms=9, act_ms=6), streams, clock,
                        pace=PACE)
    answers, health = play(turns, clock, ticks), turns.status().health
    assert health.system2_runs >= 4 and health.think_ms.p50 > 250       # longer than two turns
    assert health.system1_calls == len(answers) >= 15
    assert health.deadline_misses == 0 and health.answer_ms.max < health.deadline_ms


@pytest.mark.gl
def test_a_deadline_that_a_whole_thought_breaks_is_counted(ticks):
    clock = ManualClock(ticks[0].stamp_ns)
    turns = PolicyTurns(SlowThinker(clock, pieces=30, piece_ms=9, act_ms=6), streams, clock,
                        pace=PACE)
    play(turns, clock, ticks)
    health = turns.status().health
    assert health.deadline_misses > 0 and health.answer_ms.max > health.deadline_ms


class Holding(SlowThinker):
    """Writes down what it was told to hold."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, pieces=1, piece_ms=1, act_ms=1)
        self.was_told: list[tuple[int, Held | None]] = []

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        self.was_told.append((observation.stamp_ns, held))
        return super().act(observation, latent, held)


@pytest.mark.gl
def test_what_a_person_fixed_is_held_by_every_chunk_that_reaches_so_far(ticks):
    clock, moment_ns, free = ManualClock(ticks[0].stamp_ns), ticks[150].stamp_ns, math.nan
    turns = PolicyTurns(policy := Holding(clock), streams, clock, pace=PACE)
    turns.decided = Decided(
        epoch=int(ticks[-1].row["epoch"][0]), space="tool", stamp_ns=0, moment_ns=0,
        fixed=(Fixed(moment_ns, (free, 0.1, *(free,) * 6), policy.spec.step_ns),))
    play(turns, clock, ticks)
    step_ns = policy.spec.step_ns
    held = [(moment_ns - stamp_ns, found) for stamp_ns, found in policy.was_told
            if found is not None]
    assert len(held) >= 3
    for ahead_ns, found in held:
        (step, column), = np.argwhere(found.mask)
        assert column == 1 and found.targets[step, 1] == 0.1
        assert abs((step + 1) * step_ns - ahead_ns) <= step_ns / 2


@pytest.mark.gl
def test_what_a_person_says_goes_with_the_ticks_and_system_1_follows_it_on_the_next_picture(ticks):
    clock, wanted = ManualClock(ticks[0].stamp_ns), RulePolicy.subtasks[2]
    told = [tick if index < 150 else msgspec.structs.replace(
        tick, assignment=msgspec.structs.replace(tick.assignment, subtask=wanted))
        for index, tick in enumerate(ticks)]
    turns = PolicyTurns(PiecewiseThinker(clock, pieces=30, piece_ms=9, act_ms=6), streams, clock,
                        pace=PACE)
    answers, since_ns = play(turns, clock, told), ticks[150].stamp_ns
    said = {answer.chunk.observation_ns: answer.chunk.subtask for answer in answers}
    first_ns = min(stamp_ns for stamp_ns, subtask in said.items() if subtask == wanted)
    assert abs(first_ns - since_ns) < 50 * MS       # it did not wait for its turn, of 133 ms
    assert {said[stamp_ns] for stamp_ns in said if stamp_ns > first_ns} == {wanted}
    assert wanted not in {said[stamp_ns] for stamp_ns in said if stamp_ns < first_ns}
    health = turns.status().health
    assert health.subtask != wanted and health.subtasks == RulePolicy.subtasks


@pytest.mark.gl
def test_answers_say_what_they_were_made_from_and_what_they_cost(ticks):
    clock = ManualClock(ticks[0].stamp_ns)
    turns = PolicyTurns(PiecewiseThinker(clock, pieces=10, piece_ms=4, act_ms=6), streams, clock,
                        pace=PACE)
    for answer in play(turns, clock, ticks):
        assert answer.timings.act_ms == 6.0 and answer.timings.think_ms == 40.0
        assert answer.timings.answer_ms >= 6.0
        assert answer.chunk.latent_ns <= answer.chunk.observation_ns
        assert answer.chunk.subtask.startswith("carry")


@pytest.mark.gl
def test_a_chunk_that_is_not_finite_is_never_sent_until_other_weights_drive(ticks):
    clock = ManualClock(ticks[0].stamp_ns)
    turns = PolicyTurns(VersionedRule(3, broken=True), streams, clock, name="runs/x")
    assert play(turns, clock, ticks[:150]) == []
    health = turns.status().health
    assert health.spoiled >= 3 and "128 of its numbers are not finite" in health.problem
    assert "runs/x (version 3)" in health.problem
    turns.swap(VersionedRule(4), "runs/y")
    answers = play(turns, clock, ticks[150:])
    assert {answer.chunk.weights_version for answer in answers} == {4}
    health = turns.status().health
    assert (health.problem, health.name, health.weights_version) == ("", "runs/y", 4)
    assert health.system1_calls == health.spoiled + len(answers)    # the scene is the same


@pytest.mark.gl
def test_other_weights_think_first_and_no_answer_is_missing(ticks):
    class Numbered(PiecewiseThinker):
        def __init__(self, version: int) -> None:
            super().__init__(clock, pieces=30, piece_ms=4, act_ms=6)
            self.weights_version = version

        def think_slices(self, observation: Observation) -> Iterator[Latent | None]:
            for latent in super().think_slices(observation):
                yield latent and msgspec.structs.replace(
                    latent, weights_version=self.weights_version)

    def gaps(answers: list[Answer]) -> list[float]:
        return np.diff([answer.chunk.observation_ns for answer in answers]).tolist()

    clock = ManualClock(ticks[0].stamp_ns)
    turns = PolicyTurns(Numbered(3), streams, clock, pace=PACE)
    before = play(turns, clock, ticks[:150])
    turns.prepare(Numbered(4), "runs/y")
    assert turns.preparing and turns.policy.weights_version == 3
    after = play(turns, clock, ticks[150:])
    versions = [answer.chunk.weights_version for answer in after]
    assert versions == sorted(versions) and versions[0] == 3 and versions[-1] == 4
    assert not turns.preparing and turns.status().health.name == "runs/y"
    assert max(gaps(before[-1:] + after)) <= max(gaps(before))
    assert len({answer.chunk.chunk_id for answer in before + after}) == len(before + after)


@pytest.mark.gl
def test_weights_that_do_not_fit_the_robot_are_refused_and_the_old_ones_go_on(ticks):
    clock = ManualClock(ticks[0].stamp_ns)
    turns = PolicyTurns(VersionedRule(3), streams, clock)
    play(turns, clock, ticks[:100])
    stranger = VersionedRule(4)
    stranger.spec = PolicySpec(cameras={"ceiling": "rgb"})
    with pytest.raises(Exception, match="ceiling/rgb"):
        turns.swap(stranger, "runs/y")
    assert {answer.chunk.weights_version for answer in play(turns, clock, ticks[100:])} == {3}


@pytest.mark.gl
def test_a_scene_begins_with_its_own_seed_and_counts_anew(ticks):
    clock, policy = ManualClock(ticks[0].stamp_ns), RulePolicy()
    turns = PolicyTurns(policy, streams, clock)
    play(turns, clock, ticks[:100])
    calls = turns.status().health.system1_calls
    assert calls >= 4
    next_scene = [msgspec.structs.replace(tick, assignment=msgspec.structs.replace(
        tick.assignment, scene=9, seed=77)) for tick in ticks[100:130]]
    play(turns, clock, next_scene)
    assert policy.seeds[-1] == 77
    assert 0 < turns.status().health.system1_calls < calls


@pytest.mark.gl
def test_warming_up_calls_both_systems_and_leaves_no_trace(ticks):
    policy = VersionedRule(1)
    warm_up(policy, streams)
    assert policy.thought_of and policy.acted_on and policy.seeds == [0]


@pytest.mark.parametrize(("change", "says"), [
    ({"targets": np.full((16, 8), np.nan)}, "not finite"),
    ({"targets": np.ones((15, 8))}, r"\(15, 8\)"),
    ({"targets": np.ones((16, 7))}, r"\(16, 7\)"),
    ({"targets": np.zeros((16, 8))}, "a rotation that is none"),
    ({"space": "joints"}, "joints space"),
    ({"step_ns": 0}, "0 ns"),
], ids=str)
def test_what_is_no_chunk_is_known(change, says):
    spec = PolicySpec(cameras={"front": "rgb"})
    good = Chunk(targets=np.ones((16, 8)), space="tool", first_ns=1, step_ns=spec.step_ns,
                 observation_ns=0, latent_id=1, latent_ns=0)
    assert chunk_problem(good, spec, 8) == ""
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(chunk_problem(msgspec.structs.replace(good, **change), spec, 8))


# ---- the process ---------------------------------------------------------------------------------

class Desk:
    """A real station in this process and in real time; the policy lives in its own."""

    def __init__(self, context: zmq.Context, links: Endpoints, supervisor: Supervisor) -> None:
        self.links, self.supervisor, self.clock = links, supervisor, SystemClock()
        self.robot = SimRobot(self.clock, image_size=(24, 32), cameras=("front",), depth=False)
        self.robot.connect()
        self.station = Station(clock=self.clock, robot=self.robot,
                               teleop=(hand := Hand(self.clock)), sink=StoreSink(None))
        self.hand = hand
        self.said: list[str] = []
        self.remarks: list[str] = []
        self.policy = RemotePolicy(context, links, self.station.loop, note=self._noted)
        self.station.health.policy = self.policy.health
        self._asked: CommandServer[RobotRequest, RobotReply] = CommandServer(
            context, links.robot_request, RobotRequest)
        self._next_ns = self.clock.now_ns()

    def _noted(self, kind: str, **fields: str) -> None:
        self.said += [fields["says"]] if "says" in fields else []
        self.remarks += [fields["remark"]] if "remark" in fields else []

    def tick(self) -> TickRecord:
        self._next_ns = max(self._next_ns + 10 * MS, self.clock.now_ns())
        self.clock.wait_until(self._next_ns)
        for request, answer in self._asked.poll():
            assert isinstance(request, Describe)
            answer(RobotReply(True, info=self.robot.info, resettable=True))
        self.supervisor.poll()
        return self.station.loop.tick()

    def until(self, condition: Callable[[], bool]) -> None:
        """Go on until a condition holds; bounded by the test's time-out."""
        while not condition():
            assert not self.supervisor.ended, self.supervisor.ended
            self.tick()

    @property
    def health(self) -> Any:
        return self.policy.health(self.clock.now_ns())

    def begin(self) -> None:
        """Let the policy drive a scene."""
        self.do(ResetScene("put-cube-in-bin", 5000))
        self.until(lambda: {"arm", "sim", "front"} <= self.station.loop.latest.keys())
        self.do(Arm())
        self.do(StartEpisode(task="put-cube-in-bin", practice=True))
        self.do(StartPolicy())

    @property
    def mode(self) -> Mode:
        return self.station.loop.ownership.mode

    def moves(self) -> bool:
        """Tick; whether its command moves the arm."""
        return bool(np.abs(self.tick().row["sent_velocity"][0]).max() > 1e-6)

    def problems(self) -> tuple[str, ...]:
        """Tick; what the operator is told of it."""
        return self.station.health.snapshot(self.tick()).problems

    def do(self, command: Any) -> None:
        reply = self.station.handle(command)
        assert reply.accepted, reply.reason

    def ask(self, client: CommandClient, request: Any) -> Reply:
        return client.call(request, timeout_s=60.0)

    def close(self) -> None:
        self.policy.close()
        self.robot.disconnect()


@pytest.fixture
def news() -> list[str]:
    return []


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, news: list[str]) -> Iterator[Desk]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    with (private_endpoints() as links, Supervisor(SystemClock(), news.append) as supervisor,
          open_context() as context):
        desk = Desk(context, links, supervisor)
        yield desk
        desk.close()


def pid_of(supervisor: Supervisor) -> int:
    return next(state.pid for state in supervisor.states() if state.name == NAME)


@pytest.mark.gl
def test_a_killed_policy_leaves_a_holding_arm_and_drives_on_only_when_a_person_lets_it(
        desk, news, tmp_path):
    choice = PolicyChoice(policy=str(write(tmp_path / "run", 3)), loader=LOADER)
    desk.supervisor.start(choice.worker(desk.links.policy_request, desk.links))
    desk.until(lambda: desk.health.alive)
    desk.begin()
    desk.until(lambda: desk.health.taken >= 3)
    assert desk.health.weights_version == 3 and desk.said[-1].startswith("carry")
    os.kill(pid_of(desk.supervisor), signal.SIGKILL)
    desk.until(lambda: desk.mode is Mode.HOLD)
    assert desk.problems()[0].startswith("the policy has ")
    desk.until(lambda: not desk.moves())
    where = desk.tick().row["sent"][0]

    desk.until(lambda: any("the policy has died (killed by SIGKILL); it is started again" in line
                           for line in news) and desk.health.alive)
    answers = desk.health.system1_calls
    desk.until(lambda: desk.health.system1_calls >= answers + 5)    # it wants to
    assert desk.mode is Mode.HOLD and np.array_equal(desk.tick().row["sent"][0], where)
    assert "arm first" in desk.station.handle(StartPolicy()).reason
    desk.do(Arm())
    desk.until(lambda: desk.health.system1_calls >= answers + 10)
    assert np.array_equal(desk.tick().row["sent"][0], where)
    assert "the policy is there again, and drives when you let it" in desk.problems()

    desk.do(StartPolicy())
    taken = desk.health.taken
    desk.until(lambda: desk.health.taken >= taken + 3)
    assert np.abs(desk.tick().row["sent"][0] - where).max() > 1e-3
    assert not desk.health.unconfirmed


@pytest.fixture
def speaker(desk) -> Iterator["Speaker"]:
    with open_context() as context:
        speaker = Speaker(context, desk)
        yield speaker
        speaker.end.close()


class Speaker:
    """A policy's end of the link, in this process: says that it is well, and plans to move."""

    def __init__(self, context: zmq.Context, desk: Desk) -> None:
        self._context, self._desk, self.version, self.remark = context, desk, 0, ""
        self.begin()

    def begin(self) -> None:
        """As a process does that has just been started."""
        self.end = PolicyEnd(self._context, self._desk.links, {})
        self.version += 1
        self._chunks = 0

    def speak(self) -> None:
        """Once, and one tick."""
        loop, now_ns = self._desk.station.loop, self._desk.clock.now_ns()
        tool = loop.kinematics.forward(loop.limiter.position)
        targets = np.tile(np.append(tool, 1.0), (16, 1))
        targets[:, 2] += np.linspace(0.005, 0.08, 16)
        self._chunks += 1
        self.end.say(PolicyStatus(PolicyHealth(remark=self.remark), {}))
        self.end.send(Answer(Chunk(
            targets=targets, space="tool", first_ns=now_ns + 33 * MS, step_ns=33 * MS,
            observation_ns=now_ns, latent_id=1, latent_ns=now_ns, epoch=loop.ownership.epoch,
            weights_version=self.version, chunk_id=self._chunks), Timings(1.0, 1.0, 1.0)))
        self._desk.tick()


@pytest.mark.gl
def test_a_policy_that_was_replaced_before_its_silence_was_noticed_does_not_drive_on(desk, speaker):
    while not desk.health.alive:
        speaker.speak()
    desk.begin()
    while desk.health.taken < 3 or not desk.moves():
        speaker.speak()
    assert desk.mode is Mode.AUTO
    last = desk.policy.player.chunk.chunk_id
    speaker.end.close()
    speaker.begin()
    while desk.mode is Mode.AUTO:
        assert desk.health.alive and desk.policy.player.chunk.weights_version == 1
        speaker.speak()
    assert desk.mode is Mode.HOLD and "was started again" in desk.problems()[0]
    while desk.moves():
        speaker.speak()
    assert desk.health.unconfirmed
    desk.do(Arm())
    desk.do(StartPolicy())
    while not desk.moves():
        speaker.speak()
    assert desk.mode is Mode.AUTO and not desk.health.unconfirmed
    assert desk.policy.player.chunk.weights_version == 2
    assert desk.policy.player.chunk.chunk_id > last         # it counts anew, the station counts on


@pytest.mark.gl
def test_a_policy_that_was_lost_while_a_person_drove_is_not_handed_the_arm(desk, speaker):
    while not desk.health.alive:
        speaker.speak()
    desk.begin()
    while desk.health.taken < 3:
        speaker.speak()
    desk.hand.pushing = True
    speaker.speak()
    assert desk.mode is Mode.HUMAN
    desk.until(lambda: not desk.health.alive)
    assert desk.mode is Mode.HUMAN and desk.moves()             # the hand goes on
    while not desk.health.alive:
        speaker.speak()
    desk.hand.pushing = False
    while desk.mode is Mode.HUMAN:
        speaker.speak()
    assert desk.mode is Mode.ARMED


@pytest.mark.gl
def test_what_is_remarked_on_a_policy_is_noted_for_each_scene_while_it_serves(desk, speaker):
    speaker.remark = "its cameras were later in training"
    for number in (1, 2):
        desk.do(ResetScene("put-cube-in-bin", 5000))
        while len(desk.remarks) < number:
            speaker.speak()
    desk.policy.expect("")
    desk.do(ResetScene("put-cube-in-bin", 5000))
    for _ in range(5):
        speaker.speak()
    assert desk.remarks == [speaker.remark] * 2


@pytest.mark.gl
def test_a_policy_that_says_nothing_cannot_be_let_drive(desk, speaker):
    while not desk.health.alive:
        speaker.speak()
    desk.do(ResetScene("put-cube-in-bin", 5000))
    desk.until(lambda: "arm" in desk.station.loop.latest)
    desk.do(Arm())
    desk.until(lambda: not desk.health.alive)
    assert "wait until it is there again" in desk.station.handle(StartPolicy()).reason
    assert any("the policy says nothing" in problem for problem in desk.problems())
    while not desk.health.alive:
        speaker.speak()
    desk.do(StartPolicy())


@pytest.mark.gl
def test_a_served_policy_drives_one_station_at_a_time_and_takes_other_weights(desk, tmp_path):
    choice = PolicyChoice(policy=str(write(tmp_path / "run", 3)), loader=LOADER)
    with private_directory() as directory, open_context() as context:
        address = address_in(directory, NAME)
        desk.supervisor.start(choice.worker(address))
        desk.supervisor.wait_ready(NAME, timeout_s=100)
        client: CommandClient[Any, Reply] = CommandClient(context, address, Reply, "the policy")
        calls = Calls(client)
        desk.until(calls.answered(Attach(desk.links, 100.0)))
        assert calls.reply.accepted, calls.reply.reason
        desk.until(lambda: desk.health.alive)
        desk.begin()
        desk.until(lambda: desk.health.taken >= 2)
        desk.until(calls.answered(Attach(desk.links, 100.0)))
        assert "drives another station" in calls.reply.reason

        desk.until(calls.answered(SwapWeights(str(tmp_path / "nowhere"))))
        assert not calls.reply.accepted and "holds no rule" in calls.reply.reason
        other = RunFolder.create(tmp_path / "other", {
            "kind": "dual", "robot": "somebody's arm", "joint_names": ["hip", "knee"]})
        other.save(RunState(step=1, minutes=0.0, seed=0), {})
        desk.until(calls.answered(SwapWeights(str(other.path))))
        assert not calls.reply.accepted and "its joints are hip, knee" in calls.reply.reason
        desk.until(calls.answered(SwapWeights(str(write(tmp_path / "better", 8)))))
        assert calls.reply == Reply(True, value="8")
        desk.until(lambda: desk.policy.player.chunk.weights_version == 8)

        desk.until(calls.answered(Detach()))
        desk.until(lambda: not desk.health.alive)
        client.close()


class Calls:
    """Asks without waiting: the station goes on ticking meanwhile, in the same thread."""

    def __init__(self, client: CommandClient) -> None:
        self._client, self.reply = client, Reply(False)

    def answered(self, request: Any) -> Callable[[], bool]:
        pool = ThreadPoolExecutor(1)
        coming = pool.submit(self._client.call, request, 60.0)

        def done() -> bool:
            if not coming.done():
                return False
            self.reply = coming.result()
            pool.shutdown()
            return True

        return done

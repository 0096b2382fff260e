"""How late devices are: measured on a motion, told to the station, taken off when streams meet."""

import json

import msgspec
import numpy as np
import pytest
from doubles import synthetic_episodes as synthetic

from policy.data.live_signals import LiveSignals
from policy.data.signals import EpisodeSignals, latest
from policy.interfaces import PolicySpec
from recorders.clock import NS_PER_S, ManualClock
from recorders.episode_reader import EpisodeReader
from recorders.frames_at_rate import frames_at_rate
from recorders.images import encode
from recorders.latency import NoLag, lag_of, picture_features, shrunk
from recorders.store import DemoStore
from recorders.streams import Batch, Column, ImageField, StreamSpec
from recorders.windows import WindowSampler
from studio import cli
from studio.commands.device_options import gathered, robot_options
from studio.commands.output import UsersMistakeError
from studio.devices.absent import AbsentTeleoperator
from studio.devices.interfaces import DeviceError
from studio.devices.latency import LONGEST_MS
from studio.station.commands import ResetScene
from studio.station.loop.control_loop import TickRecord
from studio.station.recording.store_sink import StoreSink
from studio.station.robots import open_robot
from studio.station.serving.policy_feed import PolicyFeed, Shown
from studio.station.station import Station

MS = 1_000_000
BEGUN_NS = 5_000_000_000
LATE_MS = 60


def wave(times_s: np.ndarray, seed: int = 0) -> np.ndarray:
    phases = np.random.default_rng(seed).uniform(0, 6, 3)
    return np.sin(2 * np.pi * np.outer(times_s, [0.4, 0.9, 1.4]) + phases) @ [0.2, 0.1, 0.05]


# ---- measuring -----------------------------------------------------------------------------------


@pytest.mark.parametrize("late_s", [0.0, 0.0123, 0.21])
def test_a_lag_is_found_to_a_millisecond_through_a_curved_view(late_s):
    times_s = np.arange(0, 10, 0.01)
    joints = np.column_stack([wave(times_s), 0.3 * wave(times_s)])
    seen_s = np.arange(0, 10, 1 / 30)
    place = wave(seen_s - late_s)
    seen = np.column_stack([np.sin(4 * place), place ** 2, np.tanh(3 * place)])
    stamps_ns = [BEGUN_NS + np.round(t * NS_PER_S).astype(np.int64) for t in (seen_s, times_s)]
    lag = lag_of(stamps_ns[0], seen, stamps_ns[1], joints)
    assert lag.lag_s == pytest.approx(late_s, abs=1e-3) and lag.explained > 0.95


@pytest.mark.parametrize(("joints", "seen", "says"), [
    (lambda t: wave(t), lambda t: wave(t, 9), "nothing but the arm"),
    (lambda t: 0 * t, lambda t: wave(t), "nothing moved"),
    (lambda t: wave(t), lambda t: 0 * t, "nothing was seen"),
    (lambda t: np.column_stack([wave(t), wave(t, 5)]), lambda t: wave(t), "along one line")])
def test_what_cannot_be_told_says_what_to_do(joints, seen, says):
    stamps_ns = BEGUN_NS + np.arange(800) * 10 * MS
    times_s = np.arange(800) * 0.01
    columns = [np.atleast_2d(make(times_s).T).T for make in (seen, joints)]
    with pytest.raises(NoLag, match=says):
        lag_of(stamps_ns, columns[0], stamps_ns, columns[1])


def test_a_picture_shrinks_to_the_means_of_its_blocks():
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:10, :13] = 240
    small = shrunk(picture)
    assert small.shape == (24, 24) and small[0, 0] == 240 and small[1:].max() == 0
    assert picture_features(np.stack([small] * 7)).shape == (7, 6)


@pytest.mark.gl
def test_the_command_finds_how_late_the_simulated_cameras_stamp(tmp_path, capsys):
    kept = tmp_path / "latency.yaml"
    code = cli.main(["calibrate", "latency", "--delay-ms", "47", "--runs", "2", "--save", str(kept),
                     "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0 and set(answer["latency"]) == {"front", "wrist", "command"}
    for camera in ("front", "wrist"):
        assert answer["latency"][camera]["latency_ms"] == pytest.approx(47, abs=1)
        assert answer["latency"][camera]["spread_ms"] < 1
    assert 5 < answer["latency"]["command"]["latency_ms"] < 100
    options = robot_options("sim", "", "", str(kept))
    assert options["latency_ms"]["front"] == pytest.approx(47, abs=1)


def recorded_motion(folder, late_ms: int) -> None:
    """Fifteen seconds of an arm that swings, and of a camera that stamps late, in a store."""
    arm = StreamSpec(name="arm", rate_hz=100, columns=(
        Column(name="position", dtype="<f8", shape=(3,)),))
    tick = StreamSpec(name="tick", rate_hz=100, columns=(
        Column(name="sent", dtype="<f8", shape=(3,)),))
    eye = StreamSpec(name="eye", rate_hz=30, images=(
        ImageField(name="rgb", height=48, width=48, encoding="jpeg"),))

    def made(spec: StreamSpec, count: int) -> np.ndarray:
        rows = np.zeros(count, spec.row_dtype)
        rows["seq"] = np.arange(count)
        rows["t_mono_ns"] = synthetic.START_MONO_NS + (
            rows["seq"] * (NS_PER_S / spec.rate_hz)).astype(np.int64)
        return rows

    arms, ticks, eyes = made(arm, 1500), made(tick, 1500), made(eye, 450)
    ticks["sent"][:, 0] = wave(np.arange(1500) * 0.01)
    arms["position"][:, 0] = wave(np.arange(1500) * 0.01 - 0.04)        # the arm follows 40 ms late
    place = wave(np.arange(450) / 30 - 0.04 - late_ms / 1000)
    across = np.arange(48)[None, :]
    bars = np.exp(-((across - 24 - 50 * place[:, None]) / 6) ** 2) * 250      # (N, 48)
    pictures = np.broadcast_to(bars[:, None, :, None], (450, 48, 48, 3)).astype(np.uint8)
    with DemoStore.open(folder, write=True, create=True) as store:
        writer = store.begin(synthetic.header(streams=(arm, tick, eye)))
        writer.append(Batch("arm", arms))
        writer.append(Batch("tick", ticks))
        writer.append(Batch("eye", eyes, tuple(
            {"rgb": encode(np.ascontiguousarray(one), "jpeg")} for one in pictures)))
        writer.commit(synthetic.START_MONO_NS + 15 * NS_PER_S)


def test_a_recorded_episode_serves_as_well(tmp_path, capsys):
    recorded_motion(tmp_path / "store", LATE_MS)
    assert cli.main(["calibrate", "latency", str(tmp_path / "store"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["latency"]
    assert found["eye"]["latency_ms"] == pytest.approx(LATE_MS, abs=1) and found["eye"]["runs"] == 3
    assert found["command"]["latency_ms"] == pytest.approx(40, abs=1)


@pytest.mark.parametrize(("words", "says"), [
    (["--delay-ms", "900"], "0 to 300"), (["--runs", "0"], "at least one run"),
    (["--episode", "x"], "needs the store"), (["--save", "/nowhere/at/all.yaml"], "no folder"),
    (["/nowhere/at/all"], "nowhere")])
def test_a_mistake_is_one_line_and_leaves_nothing(words, says, capsys):
    assert cli.main(["calibrate", "latency", *words]) == 2
    said = capsys.readouterr()
    assert says in said.err and len(said.err.splitlines()) == 1 and not said.out


# ---- telling -------------------------------------------------------------------------------------


def test_a_latency_is_noted_in_what_the_robot_declares():
    robot = open_robot("sim", ManualClock(), latency_ms={"front": 41.5, "command": 30})
    late = {spec.name: spec.latency_ns for spec in robot.info.streams}
    assert late == {"arm": 0, "contact": 0, "sim": 0, "front": 41_500_000, "wrist": 0}
    assert robot.info.command_latency_ns == 30 * MS


def test_a_camera_that_is_not_used_today_may_have_a_latency():
    late = robot_options("sim", "", "[wrist]", '{"front": 20, "wrist": 30}')
    robot = open_robot("sim", ManualClock(), **late)
    assert [spec.latency_ns for spec in robot.info.streams if spec.images] == [30 * MS]


@pytest.mark.parametrize(("told", "says"), [
    ({"left": 10}, "valid are front, wrist, command"), ({"front": -1}, "0 to 300"),
    ({"front": LONGEST_MS + 1}, "0 to 300"), ({"front": "soon"}, "'soon'")])
def test_what_is_no_latency_is_refused_with_what_is_valid(told, says):
    with pytest.raises(DeviceError, match=says):
        open_robot("sim", ManualClock(), latency_ms=told)
    with pytest.raises(UsersMistakeError, match=says):
        robot_options("sim", "", "", json.dumps(told))


def test_a_station_file_names_the_file_beside_it(tmp_path):
    (tmp_path / "late.yaml").write_text("front: 20.5\n")
    (tmp_path / "desk.yaml").write_text("robot: {type: sim}\nlatency: late.yaml\n")
    words = gathered(["--station", str(tmp_path / "desk.yaml")])
    told = words[words.index("--latency") + 1]
    assert robot_options("sim", "", "", told) == {"latency_ms": {"front": 20.5}}
    with pytest.raises(UsersMistakeError, match=r"cannot be read"):
        robot_options("sim", "", "", str(tmp_path / "other.yaml"))


@pytest.mark.gl
def test_a_live_policy_is_shown_the_state_of_the_moment_that_its_picture_shows():
    clock = ManualClock(NS_PER_S)
    robot = open_robot("sim", clock, image_size=(48, 64), cameras=("front",), depth=False,
                       camera_delay_ms=LATE_MS, latency_ms={"front": LATE_MS})
    robot.connect()
    station = Station(clock=clock, robot=robot, teleop=AbsentTeleoperator(clock), sink=StoreSink())
    shown = list[Shown]()
    station.loop.subscribers.append(PolicyFeed(
        PolicySpec(cameras={"front": "rgb"}, picture_size=(48, 64)),
        (station.loop.spec, *robot.info.streams), shown.append))
    taken_ns = []
    station.loop.subscribers.append(_OfStream("front", taken_ns))
    station.handle(ResetScene("put-cube-in-bin", 3))
    for _ in range(40):
        clock.advance(NS_PER_S // 100)
        station.loop.tick()
    robot.disconnect()
    stamps_ns = [one.observation.stamp_ns for one in shown]
    assert len(stamps_ns) > 5 and set(stamps_ns) <= {ns - LATE_MS * MS for ns in taken_ns}
    assert (np.diff(stamps_ns) > 0).all()


class _OfStream:
    """A subscriber that keeps a stream's stamps."""

    def __init__(self, stream: str, kept: list[int]) -> None:
        self._stream, self._kept = stream, kept

    def on_tick(self, tick: TickRecord) -> None:
        self._kept += [int(ns) for batch in tick.batches if batch.stream == self._stream
                       for ns in batch.rows["t_mono_ns"]]


# ---- taking off ----------------------------------------------------------------------------------


@pytest.fixture
def episode(write_episode, tmp_path) -> EpisodeReader:
    """Ten seconds: every number and picture says when it was taken; the eye stamps 60 ms late."""
    arm_ns = np.arange(1000) * 10 * MS
    eye_ns = np.arange(290) * 33 * MS + 100 * MS
    told = (Column(name="position", dtype="<f8", shape=(2,)),)
    sent = (Column(name="sent", dtype="<f8", shape=(2,)),)
    seconds = np.stack([arm_ns, arm_ns], axis=1) / NS_PER_S
    pictures = np.zeros((290, 8, 8, 3), np.uint8) + (eye_ns // (100 * MS)
                                                     ).astype(np.uint8)[:, None, None, None]
    stamps = {"t_mono_ns": BEGUN_NS + arm_ns}
    path = write_episode(tmp_path / "20260101T000000-00000000", [
        (StreamSpec(name="arm", rate_hz=100, columns=told), {"position": seconds} | stamps),
        (StreamSpec(name="tick", rate_hz=100, columns=sent), {"sent": seconds} | stamps),
        (StreamSpec(name="eye", rate_hz=30, latency_ns=LATE_MS * MS, images=(
            ImageField(name="rgb", height=8, width=8, encoding="jpegxl-lossless"),)),
         {"rgb": pictures, "t_mono_ns": BEGUN_NS + eye_ns + LATE_MS * MS})])
    return EpisodeReader(path)


def test_an_exported_frame_holds_what_was_true_when_its_picture_was_taken(episode):
    frames = frames_at_rate(episode, ("eye",), 30)
    taken_s = (episode["eye"].taken_ns[frames.picture_rows["eye"]] - BEGUN_NS) / NS_PER_S
    assert np.abs(frames.state[:, 0] - taken_s).max() <= 0.0101     # the arm's own period
    unshifted_s = (episode["eye"].stamps_ns[frames.picture_rows["eye"]] - BEGUN_NS) / NS_PER_S
    assert np.abs(frames.state[:, 0] - unshifted_s).min() > 0.045


def test_a_window_holds_the_state_of_the_moment_that_its_picture_shows(episode):
    window = WindowSampler([episode], images={"eye": "rgb"}, frames=1,
                           state=("arm", "position"))[100]
    assert window.state is not None
    assert window.moment_ns == episode["eye"].stamps_ns[100] - LATE_MS * MS
    assert abs(window.state[0] - (window.moment_ns - BEGUN_NS) / NS_PER_S) <= 0.0101


def test_what_is_known_live_is_what_training_reads(episode):
    spec = StreamSpec(name="late", rate_hz=100, latency_ns=LATE_MS * MS,
                      columns=(Column(name="value", dtype="<f8"),))
    live = LiveSignals([spec, episode["arm"].spec])
    rows = np.zeros(40, spec.row_dtype)
    rows["t_mono_ns"] = BEGUN_NS + np.arange(40) * 10 * MS
    rows["value"] = np.arange(40)
    live.take([Batch("late", rows)])
    moment_ns = np.array([BEGUN_NS + 200 * MS])
    assert latest(live, "late", "value", moment_ns)[0] == 20 + LATE_MS // 10
    stamps_ns, _ = EpisodeSignals(episode).series("arm", "position")
    np.testing.assert_array_equal(stamps_ns, episode["arm"].stamps_ns)


def test_a_slower_camera_shows_no_more_than_had_come_in_with_the_first_ones_picture(episode):
    slow = episode["eye"]
    moments_ns = slow.taken_ns[50:60]
    np.testing.assert_array_equal(slow.known_at(moments_ns, LATE_MS * MS), np.arange(50, 60))
    # Looked at 20 ms after each moment: the pictures of the last 40 ms were still on their way.
    early = slow.known_at(moments_ns, 20 * MS)
    assert (slow.stamps_ns[early] <= moments_ns + 20 * MS).all()
    assert (early < np.arange(50, 60)).all()


def test_an_episode_recorded_before_there_were_latencies_has_none(episode):
    older = msgspec.to_builtins(episode["arm"].spec)
    del older["latency_ns"]
    assert msgspec.convert(older, StreamSpec).latency_ns == 0
    assert episode["arm"].taken_ns is episode["arm"].stamps_ns

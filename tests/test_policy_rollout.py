"""`tandem rollout` from end to end, and what Rerun shows of a policy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rerun as rr
from doubles.random_checkpoint import write_random_run
from doubles.snapshots import snapshot
from rerun.experimental import Chunk as RerunChunk
from rerun.experimental import RrdReader

from policy.interfaces import Chunk
from recorders.clock import NS_PER_S, SystemClock
from recorders.episode_reader import EpisodeReader
from recorders.rerun_log import EpisodeLog
from recorders.store import DemoStore
from studio import cli
from studio.commands.output import Screen
from studio.commands.session_report import Narrator
from studio.sim.robot import SimRobot
from studio.station.loop.kinematics import ArmKinematics
from studio.station.messages import PolicyHealth, tick_stream
from studio.station.serving.policy_link import Answer, Timings
from studio.station.serving.policy_view import CHUNK_LINE, PolicyView

pytestmark = pytest.mark.alone


@pytest.fixture
def tandem(capsys):
    """Runs a command with `--json`; returns its exit code and its object."""

    def run(*words: object) -> tuple[int, dict[str, Any]]:
        code = cli.main([*(str(word) for word in words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.mark.gl
@pytest.mark.slow
def test_a_rollout_drives_live_reports_its_rates_and_keeps_what_was_wished(tandem, tmp_path):
    run = write_random_run(tmp_path / "run", step=7)
    words = "put the blue cube in the bin"
    code, answer = tandem("rollout", "--policy", run, "--task", words, "--max-s", 4, "--seed", 5001,
                          "--headless", "--image-size", 48, 64, "--record", tmp_path / "store")
    assert code == 0 and answer["problem"] == ""
    assert (answer["task"], answer["instruction"]) == ("put-cube-in-bin", words)
    assert answer["system1_calls"] > 3 and answer["system2_runs"] >= 1
    assert answer["system1_calls_per_s"] == pytest.approx(
        answer["system1_calls"] / answer["trials"][0]["duration_s"])
    assert answer["weights_version"] == 7 and answer["trials"][0]["subtask"]
    assert 0 < answer["latency_ms"]["p50"] <= answer["latency_ms"]["p99"]
    assert answer["latent_age_ms"]["p99"] > 0
    with DemoStore.open(tmp_path / "store") as store:
        (kept,) = store.episodes()
        episode = EpisodeReader(store.episode_path(kept.episode))
    assert kept.instruction == words and kept.operator == "policy"
    tick = episode["tick"]
    driven = tick["owner"][:, 0] == 2                       # Owner.POLICY
    assert driven.any() and np.isfinite(tick["proposed_policy"][driven]).all()
    assert "policy" in {event["kind"] for event in episode.attrs["events"]}


def test_where_no_bar_is_drawn_each_phrase_of_system_2_is_a_line_of_its_own():
    said = [("a", PolicyHealth()), ("", PolicyHealth(alive=True, subtask="reach")),
            ("a", PolicyHealth(alive=True, subtask="reach red cube", latent_age_ms=120.0,
                               system1_hz=7.5, system2_hz=2.0)),
            ("a", PolicyHealth(alive=True, subtask="reach red cube", latent_age_ms=300.0)),
            ("a", PolicyHealth(alive=True, understood=False)),
            ("b", PolicyHealth(alive=True, understood=False))]
    with Screen(json=True).progress("rollout", 1) as progress:
        narrator = Narrator(progress, [])
        lines = [narrator.news(snapshot(episode=episode, episode_s=1.25, policy=policy))
                 for episode, policy in said]
    assert lines[:2] == ["", ""] and lines[3] == ""
    for part in ("1.2 s", "reach red cube", "120 ms ago", "System 2 2.0 Hz", "System 1 7.5 Hz"):
        assert part in lines[2]
    assert "not understood" in lines[4] and "not understood" in lines[5]


@pytest.mark.parametrize(("words", "valid"), [
    (("--task", "fly away"), "put the red cube in the bin"),
    (("--teleop", "nothing"), "spacemouse"),
    (("--robot", "nothing"), "gym:pusht"),
    (("--ratio", "4:1"), "1:4"),
    (("--act-every", "0"), "at least 1"),
    (("--deadline-ms", "-1"), "0 or more"), (("--deadline-ms", "nan"), "0 or more"),
    (("--steps", "0"), "at least 1"), (("--seed", "-3"), "--seed must be 0 or more"),
    (("--max-s", "nan"), "0 or more"), (("--max-s", "-1"), "0 or more"),
    (("--teleop", "overseer", "--rewind-s", "inf"), "0 or more"),
    (("--fast", "--delay-ms", "nan", "0"), "0 or more"),
    (("--image-size", "0", "320"), "16 to"), (("--image-size", "240", "40000"), "4096"),
    (("--device", "tpu"), "cpu, cuda"), (("--device", "cuda:x"), "cpu, cuda"),
    (("--shared",), "--teleop"),
    (("--episodes", "0"), "at least one"),
], ids=str)
def test_what_cannot_be_driven_is_one_line_that_names_what_can(tandem, tmp_path, words, valid):
    code, answer = tandem("rollout", "--policy", tmp_path, *words)
    assert code == 2 and valid in answer["error"]


# ---- Rerun ---------------------------------------------------------------------------------------

def logged(path: Path) -> dict[str, list[RerunChunk]]:
    by_entity: dict[str, list[RerunChunk]] = {}
    for chunk in RrdReader(str(path)).store().stream().to_chunks():
        by_entity.setdefault(chunk.entity_path.lstrip("/"), []).append(chunk)
    return by_entity


def test_the_chunk_is_drawn_ahead_of_the_tool_and_as_joints_that_reach_it(tmp_path):
    info = SimRobot(SystemClock(), render=False).info
    kinematics, home = ArmKinematics(info), np.array(info.home)
    start = kinematics.forward(home)
    targets = np.tile(np.append(start, 1.0), (16, 1))
    targets[:, 0] += np.linspace(0.002, 0.03, 16)           # ahead along x
    chunk = Chunk(targets=targets, space="tool", first_ns=2 * NS_PER_S, step_ns=33_000_000,
                  observation_ns=2 * NS_PER_S - 33_000_000, latent_id=1, latent_ns=NS_PER_S)
    recording = rr.RecordingStream("tandem-test")
    recording.save(tmp_path / "view.rrd")
    log = EpisodeLog(recording, (tick_stream(info, 100.0), *info.streams), started_mono_ns=NS_PER_S)
    view = PolicyView(info)
    view.begin(recording)
    view.moved(home)
    view.answer(log, Answer(chunk, Timings(5.0, 20.0, 9.0)))
    view.health(log, 2 * NS_PER_S, PolicyHealth(alive=True, subtask="reach red cube",
                                                system1_hz=7.5, system2_hz=2.0))
    recording.flush()
    recording.disconnect()
    seen = logged(tmp_path / "view.rrd")
    assert {CHUNK_LINE, "policy/joint_targets", "policy/rates_hz", "policy/latent_age_ms",
            "policy/took_ms", "state/sub-task"} <= seen.keys()
    (shown,) = [c for c in seen["policy/joint_targets"] if not c.is_static]
    batch = shown.to_record_batch()
    np.testing.assert_array_equal(np.array(batch["mono"].cast("int64")),
                                  chunk.first_ns + chunk.step_ns * np.arange(16))
    solved = np.array(batch["Scalars:scalars"].to_pylist())                         # (16, D)
    for joints, target in zip(solved, targets, strict=True):
        assert np.linalg.norm(kinematics.forward(joints)[:3] - target[:3]) < 2e-3

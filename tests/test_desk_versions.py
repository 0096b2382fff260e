"""Versions at a real desk: past the gate or refused, swapped while the arm moves, brought back."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from doubles.rule_policy_files import LOADER
from doubles.seat import Seat, seated

from policy.runs.run_folder import RunFolder, RunState
from policy.versions import ledger
from policy.versions.gate import GateFigures
from recorders.episode_reader import EpisodeReader
from recorders.store import DemoStore
from studio import cli
from studio.station.commands import Arm, EndEpisode, Pause, StartEpisode, StartPolicy
from studio.station.desk.address import announce
from studio.station.desk.link import UsePolicy
from studio.station.messages import Mode
from studio.station.recording.rollout_rules import check_rollout
from studio.station.training.training_link import Promote, RollBack, StartTraining, StopTraining

pytestmark = [pytest.mark.alone, pytest.mark.gl, pytest.mark.timeout(300)]
TASK = "put-cube-in-bin"
SMALL = {"image_size": [48, 64], "cameras": ["front"], "depth": False}
ALIKE = GateFigures(against=3, measure="action error", episodes=2, held_out=0.1,
                    held_out_before=0.1, position_m=0.0, rotation_rad=0.0, gripper_flips=0.0,
                    moments=9)


def rules(folder: Path) -> RunFolder:
    """A run of rule policies: 3 drives first; 5 acts alike; 8 strays; 9 acts in NaN."""
    run = RunFolder.create(folder, {"kind": "rule"})
    for number in (3, 5, 8, 9):
        checkpoint = run.save(RunState(step=number, minutes=0.0, seed=0), {}, kept=0)
        (checkpoint / "rule.json").write_text(
            json.dumps({"version": number, "broken": number == 9}))
    measured(run, 5, 3, ALIKE)
    measured(run, 8, 5, msgspec.structs.replace(ALIKE, position_m=0.2))
    measured(run, 9, 5, ALIKE)
    return run


def measured(run: RunFolder, number: int, against: int, figures: GateFigures) -> None:
    ledger.append(run.path, ledger.Entry(
        wall_ns=1, what="measured", version=number, figures=msgspec.structs.replace(
            figures, against_run=str(run.path), against=against)))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return rules(tmp_path_factory.mktemp("runs") / "x")


@pytest.fixture(scope="module")
def seat(tmp_path_factory) -> Iterator[Seat]:
    """One desk for all, because its processes take seconds to start; nobody's policy is there."""
    folder = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(Path(__file__).resolve().parent))
        with seated(task=TASK, robot_options=SMALL, store=str(folder / "store"),
                    policy_options={"loader": LOADER}) as made:
            made.ready()
            yield made


def run_at(seat: Seat) -> Path:
    return Path(seat.state.versions.driving_run)


def decided(seat: Seat, request: Promote | RollBack) -> str:
    """What became of a request."""
    before = seat.state.versions.decisions
    reply = seat.asked(request)
    assert reply.accepted, reply.reason
    seat.until(lambda: seat.state.versions.decisions > before)
    return seat.state.versions.decision


def drives_with(seat: Seat, number: int) -> None:
    """Wait until the policy's process says that it drives with a version, and the desk, too."""
    seat.until(lambda: seat.snapshot.policy is not None
               and seat.snapshot.policy.weights_version == number
               and seat.state.versions.driving == number)


def test_a_policy_that_joins_in_the_middle_of_an_episode_leaves_its_chunks_in_it(seat, run):
    seat.until(lambda: bool(seat.client.snapshot) and seat.snapshot.task == TASK)
    assert seat.snapshot.policy is None
    seat.arm()
    episode = seat.do(StartEpisode(task=TASK, seed=5001))
    assert seat.asked(UsePolicy(str(run.path / "checkpoints" / "000003"))).accepted
    seat.until(lambda: bool(seat.snapshot.policy and seat.snapshot.policy.alive))
    seat.until(lambda: seat.client.ask(StartPolicy()).accepted)
    seat.until(lambda: bool(seat.snapshot.policy and seat.snapshot.policy.taken >= 2))
    seat.do(EndEpisode(label="success"))
    seat.until(lambda: seat.snapshot.recorder.last_episode == episode)
    with DemoStore.open(seat.state.store) as store:
        kept = EpisodeReader(store.episode_path(episode))
    named = set(kept["tick"]["chunk_id"][:].tolist()) - {0}
    assert named and named <= set(kept["chunk"]["chunk_id"][:].tolist())
    assert kept["tick"]["chunk_id"][0] == 0             # nobody's, before it joined
    kinds = [event["kind"] for event in kept.events]
    assert kinds.index("policy joined") < kinds.index("start_policy")
    assert check_rollout(kept).findings == ()
    seat.client.ask(Pause())


def test_versions_pass_the_gate_or_not_while_the_policy_drives(seat):
    seat.until(lambda: bool(seat.client.snapshot) and seat.snapshot.task == TASK)
    drives_with(seat, 3)
    assert [one.number for one in seat.state.versions.versions] == [3, 5, 8, 9]
    assert "no version to go back to" in seat.asked(RollBack()).reason
    assert "drives already" in seat.asked(Promote(version=3)).reason
    assert "there are 3, 5, 8, 9" in seat.asked(Promote(version=4)).reason
    assert "no training goes on" in seat.asked(StopTraining()).reason
    assert "kind 'rule'" in seat.asked(StartTraining()).reason

    seat.until(lambda: seat.client.ask(Arm()).accepted)
    episode = seat.do(StartEpisode(task=TASK, seed=5000))
    seat.until(lambda: seat.client.ask(StartPolicy()).accepted)
    seat.sees(Mode.AUTO)
    seat.until(lambda: bool(seat.snapshot.policy and seat.snapshot.policy.taken >= 2))

    assert decided(seat, Promote(version=5)) == "version 5 drives"
    drives_with(seat, 5)
    assert seat.state.versions.before == 3 and seat.state.policy.folder.endswith("000005")

    refused = decided(seat, Promote(version=8))
    assert "version 8 is refused: it leads the tool elsewhere" in refused
    assert seat.state.versions.refused and "with a reason" in refused
    assert (seat.state.versions.refused_run, seat.state.versions.refused_version) == (
        str(run_at(seat)), 8)
    drives_with(seat, 5)
    assert "overruled" in decided(seat, Promote(version=8, overrule="it must go round the post"))
    drives_with(seat, 8)
    assert not seat.state.versions.refused_version

    assert decided(seat, RollBack(reason="it went wrong")) == "version 5 drives again"
    drives_with(seat, 5)
    said = decided(seat, Promote(version=9))
    assert "version 9 is refused" in said and "not finite; " in said and "goes on" in said
    drives_with(seat, 5)
    assert seat.snapshot.mode is Mode.AUTO and not seat.snapshot.reason

    seat.do(EndEpisode(label="success"))
    seat.until(lambda: seat.snapshot.recorder.last_episode == episode)
    with DemoStore.open(seat.state.store) as store:
        events = [event for event in EpisodeReader(store.episode_path(episode)).events
                  if event["kind"] == "version"]
    assert [(event["what"], event["version"], event["before"]) for event in events] == [
        ("promoted", 5, 3), ("refused", 8, 5), ("promoted", 8, 5), ("rolled back", 5, 8),
        ("refused", 9, 5)]
    assert events[2]["reason"] == "it must go round the post" and events[2]["by"] == "script"
    assert events[1]["figures"]["position_m"] == 0.2
    entries = [entry for entry in ledger.read_ledger(run_at(seat)) if entry.what != "measured"]
    assert [(entry.what, entry.version) for entry in entries] == [
        ("promoted", 5), ("refused", 8), ("promoted", 8), ("rolled back", 8), ("refused", 9)]
    assert entries[3].to_version == 5 and entries[3].swap_ms


def test_a_policy_that_was_killed_comes_back_with_the_version_that_was_promoted(seat):
    drives_with(seat, 5)
    os.kill(seat.pid("policy"), signal.SIGKILL)
    seat.until(lambda: any("the policy has died" in line for line in seat.state.news))
    seat.until(lambda: bool(seat.snapshot.policy and not seat.snapshot.policy.alive))
    seat.until(lambda: bool(seat.snapshot.policy and seat.snapshot.policy.alive))
    drives_with(seat, 5)


def test_what_cannot_be_measured_is_refused_in_one_line(seat):
    drives_with(seat, 5)
    checkpoint = RunFolder.open(run_at(seat)).save(
        RunState(step=11, minutes=0.0, seed=0), {}, kept=0)
    (checkpoint / "rule.json").write_text(json.dumps({"version": 11}))
    assert "scenes 1000 to 1999" in seat.asked(
        Promote(version=8, scenes=20, first_seed=1990)).reason
    seat.asked(Promote(version=8, overrule="to look at the list again"))
    drives_with(seat, 8)
    said = decided(seat, Promote(version=11))
    assert seat.state.versions.refused and "only those of the kind 'dual'" in said


def test_the_command_line_speaks_to_the_running_desk(seat, tmp_path, monkeypatch, capsys):
    drives_with(seat, 8)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert cli.main(["rollback"]) == 2
    assert "no desk runs" in capsys.readouterr().err
    with announce(seat.links):
        assert cli.main(["versions", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["driving"] == 8 and [one["number"] for one in said["versions"]] == [
            3, 5, 8, 9, 11]
        assert cli.main(["rollback", "--reason", "enough"]) == 0
        assert capsys.readouterr().out.strip() == "version 5 drives again"
        assert cli.main(["promote", "9"]) == 1
        assert cli.main(["promote", "4"]) == 2

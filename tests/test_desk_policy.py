"""A policy joins a desk that runs, drives when a person lets it, and is taken away again."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from doubles.rule_policy_files import LOADER, write
from doubles.seat import Seat, seated

from studio.station.commands import (
    Arm,
    DiscardEpisode,
    Pause,
    Rewind,
    StartEpisode,
    StartPolicy,
)
from studio.station.desk.link import UseDevices, UsePolicy
from studio.station.desk.processes import DeskConfig, policy_worker
from studio.station.messages import Guard, Mode
from studio.station.processes.endpoints import private_endpoints
from studio.station.serving.policy_loading import PolicyConfig

pytestmark = [pytest.mark.alone, pytest.mark.gl, pytest.mark.timeout(300)]
TASK = "put-cube-in-bin"
SMALL = {"image_size": [48, 64], "cameras": ["front"], "depth": False}


@pytest.fixture
def seat(shared: Seat) -> Seat:
    """A desk at which nobody drives."""
    shared.client.ask(Pause())
    shared.until(lambda: bool(shared.client.snapshot) and shared.snapshot.mode is not Mode.AUTO)
    return shared


@pytest.fixture(scope="module")
def shared() -> Iterator[Seat]:
    """One desk for all, because its processes take seconds to start."""
    with pytest.MonkeyPatch.context() as environment, _desk(environment) as made:
        yield made


@contextmanager
def _desk(environment: pytest.MonkeyPatch) -> Iterator[Seat]:
    environment.setenv("PYTHONPATH", str(Path(__file__).resolve().parent))
    with seated(task=TASK, robot_options=SMALL, policy_options={"loader": LOADER}) as made:
        made.ready()
        yield made


def chosen(seat: Seat, folder: Path | str) -> None:
    """Ask for a policy, and wait until it is there or cannot be."""
    assert seat.asked(UsePolicy(str(folder))).accepted
    seat.until(lambda: seat.state.policy.folder == str(folder) and not seat.state.policy.loading)


def drives(seat: Seat) -> None:
    seat.until(lambda: seat.client.ask(Arm()).accepted)
    seat.until(lambda: seat.client.ask(StartPolicy()).accepted)
    seat.sees(Mode.AUTO)


def test_a_policy_joins_a_running_desk_drives_and_is_taken_away(seat, tmp_path):
    seat.until(lambda: bool(seat.client.snapshot) and seat.snapshot.task == TASK)
    assert seat.snapshot.policy is None
    seat.arm()
    refusal = seat.client.ask(StartPolicy())
    assert not refusal.accepted and "choose one first" in refusal.reason

    chosen(seat, write(tmp_path / "one", 3))
    assert not seat.state.policy.problem
    seat.until(lambda: seat.snapshot.policy is not None and seat.snapshot.policy.alive)
    assert seat.snapshot.policy is not None and seat.snapshot.policy.weights_version == 3
    seat.do(StartEpisode(TASK, practice=True))
    drives(seat)
    refusal = seat.asked(UsePolicy(""))
    assert not refusal.accepted and "the policy drives" in refusal.reason

    seat.do(Pause())
    seat.do(DiscardEpisode())
    seat.sees(Mode.HOLD)
    chosen(seat, "")
    seat.until(lambda: seat.snapshot.policy is None)
    assert not any(process.name == "policy" for process in seat.state.processes)


def test_the_world_of_a_running_desk_is_taken_back_and_the_policy_goes_on_when_it_is_let(
        seat, tmp_path):
    chosen(seat, write(tmp_path / "back", 4))
    seat.do(StartEpisode(TASK, practice=True))
    drives(seat)
    seat.until(lambda: seat.snapshot.rewind_s > 0.6)
    assert 0.3 <= float(seat.do(Rewind(0.4))) <= 0.5
    seat.until(lambda: seat.snapshot.rewinds == 1)
    assert seat.snapshot.mode is Mode.ARMED and not seat.snapshot.guards & Guard.TRACKING_ERROR
    seat.until(lambda: seat.client.ask(StartPolicy()).accepted)
    seat.sees(Mode.AUTO)
    seat.do(Pause())
    seat.do(DiscardEpisode())


def test_what_cannot_be_loaded_is_said_and_leaves_the_desk_at_work(seat, tmp_path):
    refusal = seat.asked(UsePolicy(str(tmp_path / "nowhere")))
    assert not refusal.accepted and "there is no folder" in refusal.reason
    (tmp_path / "empty").mkdir()
    chosen(seat, tmp_path / "empty")
    assert "holds no rule" in seat.state.policy.problem
    seat.until(lambda: seat.snapshot.policy is None)
    chosen(seat, write(tmp_path / "one", 1))
    assert not seat.state.policy.problem


def test_the_policy_stays_when_only_the_teleoperator_changes(seat, tmp_path):
    chosen(seat, write(tmp_path / "one", 1))
    policy = seat.pid("policy")
    assert seat.asked(UseDevices(robot="sim", robot_options=SMALL, teleop="none")).accepted
    seat.until(lambda: seat.state.teleop == "none" and not seat.state.busy)
    assert seat.pid("policy") == policy
    drives(seat)
    seat.do(Pause())


def test_a_policy_that_is_killed_is_there_again_and_waits_to_be_let(seat, tmp_path):
    chosen(seat, write(tmp_path / "one", 1))
    drives(seat)
    os.kill(seat.pid("policy"), signal.SIGKILL)
    seat.sees(Mode.HOLD)
    seat.until(lambda: seat.snapshot.policy is not None and seat.snapshot.policy.alive
               and seat.snapshot.policy.unconfirmed)
    drives(seat)


def test_the_policys_process_understands_what_the_desk_tells_it():
    with private_endpoints() as links:
        told = policy_worker(DeskConfig(policy="runs/x"), links).config
    assert set(told) <= set(PolicyConfig.__struct_fields__)
    assert msgspec.json.decode(msgspec.json.encode(told), type=PolicyConfig).policy == "runs/x"

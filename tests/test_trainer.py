"""The trainer: what it is asked to do, what it says, and how little its end matters."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from doubles.learned_toys import learned_toys
from doubles.toy_demonstrations import make_store

from policy.errors import CheckpointError
from policy.runs.run_folder import RunFolder, RunState
from policy.training.curves import read_reports
from policy.training.progress import Grown, HeldOut, Learned, Problem
from policy.versions.ledger import latest_of, read_ledger, versions_of
from recorders.clock import NS_PER_S, SystemClock
from studio.station.desk.processes import DeskConfig, gate_worker, trainer_worker
from studio.station.desk.training import explained
from studio.station.processes.bus import LatestSubscriber
from studio.station.processes.endpoints import open_context, private_endpoints
from studio.station.processes.supervisor import Supervisor
from studio.station.processes.wire import unpack
from studio.station.training.gate_worker import GateConfig
from studio.station.training.trainer_report import TrainerReport, thinned
from studio.station.training.trainer_worker import TrainerConfig, begin, means_no_memory
from studio.station.training.training_link import TRAINING, Promote, StartTraining, TrainerState
from studio.station.training.training_plan import Plan, plan_training, trials_for

pytestmark = pytest.mark.alone

NAME, PATIENCE_S = "trainer", 120.0


# ---- what is asked -------------------------------------------------------------------------------

def run_of(path: Path, *steps: int, **config: object) -> Path:
    run = RunFolder.create(path, {"kind": "dual", **config})
    for step in steps:
        run.save(RunState(step=step, minutes=0.0, seed=0), {}, 0)
    return path


def test_a_training_goes_beside_what_drives_and_counts_beyond_the_family(tmp_path):
    run = run_of(tmp_path / "x", 10, stores=[{"name": "demos"}])
    run_of(tmp_path / "x-tuned-1", 10, 30, parent={"run": "x", "step": 10})
    demos, store = tmp_path / "data" / "demos", tmp_path / "data" / "rollouts"
    demos.mkdir(parents=True)
    desk = DeskConfig(store=str(store))
    plan = plan_training(StartTraining(method="rac"), desk, latest_of(run))
    assert plan.run == str(tmp_path / "x-tuned-2") and plan.count_from == 30
    assert plan.parent == str(run / "checkpoints" / "000010") and plan.method == "rac"
    assert plan.stores == (str(demos), str(store)) and not plan.missing
    tuned = plan_training(StartTraining(), desk, latest_of(tmp_path / "x-tuned-1"))
    assert tuned.run == plan.run and tuned.parent.endswith("x-tuned-1/checkpoints/000030")
    elsewhere = plan_training(StartTraining(), DeskConfig(store=str(tmp_path / "y")),
                              latest_of(run))
    assert elsewhere.stores == (str(tmp_path / "y"),) and "demos" in elsewhere.missing


@pytest.mark.parametrize(("request_", "config", "says"), [
    (StartTraining(method="dagger"), {}, "valid are all, hg-dagger, iwr, hindsight, sirius"),
    (StartTraining(minutes=0.0), {}, "minutes must be more than 0"),
    (StartTraining(publish_every_s=-1.0), {}, "publish_every_s must be more than 0"),
    (StartTraining(stores=("/nowhere/x",)), {}, "there is no folder /nowhere/x"),
    (StartTraining(stores=("/",)), {}, "/ is no demonstration store"),
    (StartTraining(), {"kind": "act"}, "kind 'act'"),
    (StartTraining(), {}, "open a store first"),
], ids=str)
def test_a_request_that_makes_no_sense_says_why(tmp_path, request_, config, says):
    run = run_of(tmp_path / "x", 10, **config)
    with pytest.raises(CheckpointError, match=says):
        plan_training(request_, DeskConfig(), latest_of(run))


def test_scenes_that_results_are_reported_on_are_never_tried_in():
    sim, real = DeskConfig(robot="sim", task="put-cube-in-bin"), DeskConfig(robot="so101")
    assert trials_for(Promote(version=3), sim, "") is None
    assert trials_for(Promote(version=3, scenes=3), sim, "push") == {
        "task": "push", "robot": "sim", "seeds": [5000, 5001, 5002]}
    for first, scenes in ((999, 2), (1999, 1), (6999, 2), (1500, 5), (-1, 1)):
        with pytest.raises(CheckpointError, match="kept for reporting"):
            trials_for(Promote(version=3, scenes=scenes, first_seed=first), sim, "")
    with pytest.raises(CheckpointError, match="no simulator"):
        trials_for(Promote(version=3, scenes=3), real, "")
    with pytest.raises(CheckpointError, match="1 to 200"):
        trials_for(Promote(version=3, scenes=1000), sim, "")


def test_what_a_desk_tells_trainer_and_gate_is_what_they_read():
    plan = Plan(run="r", parent="p", stores=("s",), method="iwr", minutes=1.0,
                publish_every_s=9.0, memory_mb=5, count_from=3)
    with private_endpoints() as links:
        spec = trainer_worker(plan, links, resume=True)
        told = msgspec.json.decode(msgspec.json.encode(spec.config), type=TrainerConfig)
        assert told == TrainerConfig(links=links, run="r", parent="p", stores=("s",), method="iwr",
                                     minutes=1.0, publish_every_s=9.0, memory_mb=5,
                                     count_from=3, resume=True)
    trials = {"task": "push", "robot": "sim", "seeds": [5000]}
    read = msgspec.json.decode(msgspec.json.encode(
        gate_worker("v", "d", ("s",), trials).config), type=GateConfig)
    assert read.trials and read.trials.seeds == (5000,) and read.driving == "d"


# ---- what it says --------------------------------------------------------------------------------

def test_a_report_draws_curves_that_stay_short():
    report = TrainerReport("run", "iwr")
    for step in range(1000):
        report(Learned(step=step, minutes=step / 60, share=step / 1000, rate=0.1, left_s=-1.0,
                       losses={"loss": float(step)}, samples_per_s=70.0))
    report(HeldOut(step=1000, minutes=17.0, metrics={"action error": 0.2}))
    report(Grown(step=1000, minutes=17.0, episodes=2))
    report(Problem(step=1000, minutes=17.0, what="the disk is full"))
    said = report.state
    assert (said.step, said.samples_per_s, said.left_s, said.grown) == (1000, 70.0, 0.0, 2)
    assert said.held_out == {"action error": 0.2} and said.problem == "the disk is full"
    learned, held_out = said.curves
    assert learned.name == "learned/loss" and len(learned.values) <= 120
    assert sum(learned.values) / len(learned.values) == pytest.approx(499.5, rel=0.01)
    assert held_out.values == (0.2,)
    assert thinned([1.0, 2.0, 3.0], [3.0, 5.0, 7.0], 2) == ((1.5, 3.0), (4.0, 7.0))


def test_a_signal_is_explained():
    assert explained("killed by SIGKILL").endswith("as happens where memory runs out")
    assert explained("no store there") == "no store there"


@pytest.mark.parametrize("error", [
    MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("can't start new thread")])
def test_memory_that_ran_out_is_known_wherever_it_was_noticed(error):
    assert means_no_memory(error)
    later = ValueError("while saving")
    later.__context__ = error
    assert means_no_memory(later)
    assert not means_no_memory(RuntimeError("shapes do not fit"))


# ---- the process ---------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> tuple[Path, Path]:
    """A run that has learned a little, and its store."""
    return learned_toys(tmp_path_factory.mktemp("trainer"))


class Training:
    """A trainer in its own process, and somebody who hears it."""

    def __init__(self, supervisor: Supervisor, said: LatestSubscriber, start: Callable) -> None:
        self.supervisor, self._said, self.start = supervisor, said, start
        self.state = TrainerState()
        self._states = msgspec.msgpack.Decoder(TrainerState)

    def until(self, reached: Callable[[], bool]) -> None:
        """Hear it until a condition holds."""
        clock = SystemClock()
        deadline_ns = clock.now_ns() + round(PATIENCE_S * NS_PER_S)
        while not reached():
            assert clock.now_ns() < deadline_ns, self.state
            self._said.wait(50)
            if (frames := self._said.newest()) is not None:
                self.state = unpack(frames[0], self._states)
            self.supervisor.poll()

    @property
    def ended(self) -> str:
        """Why it ended; empty while it runs."""
        return self.supervisor.ended.get(NAME, "")

    @property
    def pid(self) -> int:
        return next(state.pid for state in self.supervisor.states() if state.name == NAME)


@pytest.fixture
def training() -> Iterator[Training]:
    clock = SystemClock()
    with (private_endpoints() as links, open_context() as context,
          Supervisor(clock) as supervisor):
        said = LatestSubscriber(context, links.training, TRAINING)
        yield Training(supervisor, said, lambda plan, *, resume=False: supervisor.start(
            trainer_worker(plan, links, resume=resume)))
        said.close()


def plan_for(parent: Path, store: Path, **fields: object) -> Plan:
    plan = plan_training(StartTraining(minutes=30.0, publish_every_s=0.01),
                         DeskConfig(store=str(store)), latest_of(parent))
    return msgspec.structs.replace(plan, **fields)


@pytest.mark.timeout(300)
def test_a_trainer_that_was_killed_leaves_its_versions_and_another_goes_on(parent, training):
    run, store = parent
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    plan = plan_for(run, store, count_from=50)
    training.start(plan)
    training.until(lambda: training.state.published >= 2 and training.state.step > 50)
    assert os.getpriority(os.PRIO_PROCESS, training.pid) == 10
    assert training.state.episodes == 5 and training.state.method == plan.method
    make_store(store, 2, first=6)                       # while it learns
    training.until(lambda: training.state.grown >= 2 and training.state.episodes == 7)
    os.kill(training.pid, signal.SIGKILL)
    training.until(lambda: bool(training.ended))
    assert training.ended == "killed by SIGKILL"
    found = versions_of(Path(plan.run))
    newest = RunFolder.open(Path(plan.run)).newest_whole()[0]
    assert newest is not None and found[0].number == 50 and found[0].begins
    (newest.parent / "000099.partial").mkdir()          # as a kill in mid-save leaves it
    (newest.parent / "000099.partial" / "model.safetensors").write_bytes(b"half a file")

    with private_endpoints() as links:
        config = trainer_worker(plan, links, resume=True).config
    again = begin(msgspec.convert(config, TrainerConfig, from_attributes=True))
    trainer = again.trainer(SystemClock(), stop=iter([False, True]).__next__)
    assert trainer.step == int(newest.name)
    assert trainer.train().stopped
    assert latest_of(Path(plan.run)).number == int(newest.name) + 1
    assert not list(newest.parent.glob("*.partial"))
    measured = [entry for entry in read_ledger(Path(plan.run)) if entry.what == "measured"]
    assert measured and measured[0].figures and measured[0].figures.against == 2
    assert measured[0].version > 50 and measured[0].figures.moments > 2
    assert any(isinstance(report, Learned) for report in read_reports(Path(plan.run)))
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.timeout(300)
def test_a_trainer_without_memory_says_so_in_one_line(parent, training):
    run, store = parent
    training.start(plan_for(run, store, memory_mb=8))
    training.until(lambda: bool(training.ended))
    assert "memory" in explained(training.ended)        # said by itself, or by who sees it end
    assert latest_of(run).number == 2

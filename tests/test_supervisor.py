"""Workers are started, named, watched, restarted if they may be, and ended in order."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import zmq

from recorders.clock import NS_PER_S, ManualClock, SystemClock
from studio.station.processes.supervisor import DONE, RESTARTS, Supervisor, WorkerFailed, WorkerSpec
from studio.station.processes.worker import Life, Report, resolve

pytestmark = pytest.mark.alone

ROLES = '''
import os, signal, sys, threading
from pathlib import Path
worker = sys.modules["__main__"]

def serve(config, life):
    life.ready()
    while not life.wait_for_stop(0.02):
        life.beat()

def note_end(config, life):
    import msgspec
    serve(config, life)
    with Path(msgspec.json.decode(config)["file"]).open("a") as file:
        file.write(msgspec.json.decode(config)["name"] + "\\n")

def breaks(config, life):
    print("about to break")
    raise ValueError("the left wheel is loose")

def breaks_later(config, life):
    life.ready()
    raise ValueError("the right wheel is loose")

def leaves(config, life):
    life.ready("at your service")

def stubborn(config, life):
    life.ready()
    while True:
        life.wait_for_stop(60)

def hangs(config, life):
    worker._PATIENCE_S = 0.2
    stubborn(config, life)

def has_much_to_finish(config, life):
    worker._PATIENCE_S = 0.2
    life.ready()
    assert life.wait_for_stop(60)
    threading.Event().wait(1.0)         # its last step, which takes longer than _PATIENCE_S

def prints(config, life):
    print("a library's chatter", flush=True)
    os.write(1, b"chatter below Python\\n")
    serve(config, life)
'''


@pytest.fixture
def roles(tmp_path: Path) -> dict[str, str]:
    """The environment in which `roles_for_tests` can be imported."""
    (tmp_path / "roles_for_tests.py").write_text(ROLES)
    return {"PYTHONPATH": str(tmp_path)}


@pytest.fixture
def news() -> list[str]:
    return []


@pytest.fixture
def supervisor(news: list[str]) -> Iterator[Supervisor]:
    with Supervisor(SystemClock(), news.append) as supervisor:
        yield supervisor


def spec(role: str, environment: dict[str, str], **more: object) -> WorkerSpec:
    return WorkerSpec(**{"name": role, "role": f"roles_for_tests:{role}",  # type: ignore[arg-type]
                         "environment": environment, **more})


def pid_of(supervisor: Supervisor, name: str) -> int:
    return next(state.pid for state in supervisor.states() if state.name == name)


def until_true(condition: Callable[[], bool]) -> None:
    """Look again until a condition holds; bounded by the test's time-out."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as pause:
        while not condition():
            pause.poll(10)


def test_a_worker_says_when_it_serves_and_ps_shows_its_name(
        supervisor: Supervisor, roles: dict[str, str]) -> None:
    supervisor.start(spec("serve", roles))
    supervisor.wait_ready("serve")
    process = psutil.Process(pid_of(supervisor, "serve"))
    assert process.name() == "tandem-serve"
    assert "studio.station.processes.worker" in process.cmdline()
    assert supervisor.problems() == []


def test_a_worker_that_cannot_start_is_shown_with_its_own_reason(
        supervisor: Supervisor, roles: dict[str, str], news: list[str]) -> None:
    supervisor.start(spec("breaks", roles, restart=True))
    with pytest.raises(WorkerFailed, match="the breaks did not start: ValueError: the left wheel"):
        supervisor.wait_ready("breaks")
    assert "breaks: about to break" in news
    assert any("Traceback" in line for line in news)


def test_a_role_that_does_not_exist_is_named(supervisor: Supervisor) -> None:
    supervisor.start(WorkerSpec(name="ghost", role="studio.station.ghost:run"))
    with pytest.raises(WorkerFailed, match=r"'studio.station.ghost:run' names nothing"):
        supervisor.wait_ready("ghost")


def test_two_workers_of_one_name_are_refused(
        supervisor: Supervisor, roles: dict[str, str]) -> None:
    supervisor.start(spec("serve", roles))
    with pytest.raises(ValueError, match="'serve' runs already"):
        supervisor.start(spec("serve", roles))


def test_printing_does_not_disturb_the_reports(
        supervisor: Supervisor, roles: dict[str, str], news: list[str]) -> None:
    supervisor.start(spec("prints", roles))
    supervisor.wait_ready("prints")
    until_true(lambda: "prints: chatter below Python" in news)
    assert "prints: a library's chatter" in news


def test_a_killed_recorder_is_started_again_and_a_killed_station_is_not(
        supervisor: Supervisor, roles: dict[str, str], news: list[str]) -> None:
    supervisor.start(spec("serve", roles, name="recorder", restart=True))
    supervisor.start(spec("serve", roles, name="station"))
    supervisor.wait_ready("recorder", "station")
    first = pid_of(supervisor, "recorder")
    for name in ("recorder", "station"):
        os.kill(pid_of(supervisor, name), signal.SIGKILL)
    while not supervisor.ended or not any("started again" in line for line in news):
        supervisor.poll()
    supervisor.wait_ready("recorder")
    assert pid_of(supervisor, "recorder") != first
    assert supervisor.ended == {"station": "killed by SIGKILL"}
    assert "the station has ended: killed by SIGKILL" in supervisor.problems()


def test_a_worker_that_keeps_dying_is_given_up(
        supervisor: Supervisor, roles: dict[str, str]) -> None:
    supervisor.start(spec("breaks_later", roles, restart=True))
    while not supervisor.ended:
        supervisor.poll()
    assert supervisor.ended == {"breaks_later": "ValueError: the right wheel is loose"}
    assert len(supervisor._restarts_ns["breaks_later"]) == RESTARTS


def test_a_worker_whose_work_is_done_is_not_started_again(
        supervisor: Supervisor, roles: dict[str, str]) -> None:
    supervisor.start(spec("leaves", roles, restart=True))
    supervisor.wait_ready("leaves")
    assert supervisor.serves("leaves")
    assert [state.said for state in supervisor.states()] == ["at your service"]
    while not supervisor.ended:
        supervisor.poll()
    assert supervisor.ended == {"leaves": DONE}
    with pytest.raises(WorkerFailed, match="its work is done"):
        supervisor.serves("leaves")
    supervisor.stop("leaves")
    assert supervisor.ended == {}


def test_some_may_be_ended_before_all_others(
        supervisor: Supervisor, roles: dict[str, str], tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    for name in ("robot", "recorder", "station"):
        supervisor.start(spec("note_end", roles, name=name,
                              config={"file": str(ends), "name": name}))
    supervisor.wait_ready("robot", "recorder", "station")
    supervisor.stop_all(["robot", "nobody"])
    assert ends.read_text().split() == ["robot", "station", "recorder"]


def test_workers_end_in_the_reverse_order_of_their_start_also_after_a_restart(
        supervisor: Supervisor, roles: dict[str, str], tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    names = ("robot", "recorder", "station")
    for name in names:
        supervisor.start(spec("note_end", roles, name=name, restart=True,
                              config={"file": str(ends), "name": name}))
    supervisor.wait_ready(*names)
    os.kill(pid_of(supervisor, "robot"), signal.SIGKILL)
    while not supervisor._restarts_ns["robot"]:
        supervisor.poll()
    supervisor.wait_ready("robot")
    supervisor.stop_all()
    assert ends.read_text().split() == ["station", "recorder", "robot"]
    assert supervisor.ended == {}


def test_a_worker_that_will_not_end_is_killed_and_said_so(
        supervisor: Supervisor, roles: dict[str, str], news: list[str]) -> None:
    supervisor.start(spec("stubborn", roles, patience_s=0.1))
    supervisor.wait_ready("stubborn")
    pid = pid_of(supervisor, "stubborn")
    supervisor.stop("stubborn")
    assert not psutil.pid_exists(pid)
    assert "the stubborn did not end within 0.1 s and was killed" in news


@pytest.mark.parametrize("serves", [True, False], ids=["serving", "just started"])
def test_a_worker_that_is_let_end_takes_its_time(
        supervisor: Supervisor, roles: dict[str, str], serves: bool) -> None:
    supervisor.start(spec("has_much_to_finish", roles))
    if serves:
        supervisor.wait_ready("has_much_to_finish")
    supervisor.let_end("has_much_to_finish")
    until_true(lambda: supervisor.poll() or bool(supervisor.ended))
    assert supervisor.ended == {"has_much_to_finish": DONE}


def test_a_worker_that_is_let_end_and_hangs_is_ended_when_somebody_asks_again(
        roles: dict[str, str]) -> None:
    clock = ManualClock()
    with Supervisor(clock) as supervisor:
        supervisor.start(spec("hangs", roles))
        supervisor.wait_ready("hangs")
        supervisor.let_end("hangs")
        supervisor.let_end("hangs")         # it has not been silent for long
        clock.advance(6 * NS_PER_S)
        supervisor.let_end("hangs")
        until_true(lambda: supervisor.poll() or bool(supervisor.ended))
        assert supervisor.ended == {"hangs": "ended with exit code 70"}


def test_a_silent_worker_is_a_problem_that_the_operator_sees(roles: dict[str, str]) -> None:
    clock = ManualClock()
    with Supervisor(clock) as supervisor:
        supervisor.start(spec("stubborn", roles, patience_s=0.0))
        supervisor.wait_ready("stubborn")
        clock.advance(6 * NS_PER_S)
        assert supervisor.problems() == [
            "the stubborn has said nothing for 6 s: it is stuck"]


def test_interrupt_from_the_keyboard_ends_no_worker_by_itself(
        supervisor: Supervisor, roles: dict[str, str]) -> None:
    supervisor.start(spec("serve", roles))
    supervisor.wait_ready("serve")
    pid = pid_of(supervisor, "serve")
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGINT)     # a second line of defence: it is ignored
    supervisor.poll()
    assert supervisor.ended == {}
    assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_workers_end_by_themselves_when_their_supervisor_is_killed(
        roles: dict[str, str], tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    program = f'''
import sys
from recorders.clock import SystemClock
from studio.station.processes.supervisor import Supervisor, WorkerSpec
supervisor = Supervisor(SystemClock())
for name in ("robot", "recorder"):
    supervisor.start(WorkerSpec(name=name, role="roles_for_tests:note_end",
                                config={{"file": {str(ends)!r}, "name": name}}))
supervisor.wait_ready("robot", "recorder")
print(*(state.pid for state in supervisor.states()), flush=True)
sys.stdin.read()
'''
    owner = subprocess.Popen([sys.executable, "-c", program], env=os.environ | roles, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert owner.stdout is not None and owner.stdin is not None
    workers = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    assert len(workers) == 2
    owner.kill()
    owner.wait()
    owner.stdout.close()
    owner.stdin.close()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    assert sorted(ends.read_text().split()) == ["recorder", "robot"]


def test_beats_are_sparse_however_often_they_are_called() -> None:
    clock, said = ManualClock(), []
    life = Life(clock, said.append)
    for _ in range(1000):
        life.beat()
        clock.advance(NS_PER_S // 1000)
    assert len(said) == 5


def test_a_report_is_one_line() -> None:
    said: list[bytes] = []
    Life(ManualClock(), said.append).failed("first line\nsecond line")
    assert said[0].count(b"\n") == 1
    assert Report("failed", "first line\nsecond line").text.encode()[:5] in said[0]


def test_an_entry_that_is_no_entry_is_refused() -> None:
    for entry in ("nonsense", "", "json:nothing", "no_such_module:run", ":x"):
        with pytest.raises(ValueError, match="names nothing"):
            resolve(entry)

"""Trials of one policy shared by processes, and Rerun files of those that failed.

A job says all that a process needs; a process reads it as one line of JSON from its standard input
and answers each trial with one line. Standard input stays open meanwhile: when it closes, nobody
waits for the answers any more. `python -m studio.station.trying.evaluation_jobs` is such a process.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import msgspec

from recorders.clock import SystemClock
from recorders.store_errors import DiskFull
from studio.devices.interfaces import DeviceError
from studio.station.serving.policy_loading import LOADER, loaded, require_for
from studio.station.trying.evaluation import ProvingGround
from studio.station.trying.trials import Trial, Trials


class EvaluationJob(msgspec.Struct, frozen=True, kw_only=True):
    """What to try, and with what.

    Attributes:
        policy: folder of a run, a checkpoint or a LeRobot policy; or ws://HOST:PORT.
        policy_map: pairs of a policy's name and ours; see policy/foreign/policy_map.py.
        device, threads: where, and with how many threads, the network computes.
        flow_steps: of System 1; None: as trained.
        views: folder for Rerun files of failures; empty for none.
        trials: `store` is filled in here.
    """

    policy: str
    policy_map: tuple[str, ...] = ()
    device: str = "cpu"
    threads: int = 1
    flow_steps: int | None = None
    views: str = ""
    trials: Trials


class WorkerSaid(msgspec.Struct, frozen=True):
    """A line of a process: a trial, or why it ends."""

    trial: Trial | None = None
    problem: str = ""


def run_jobs(job: EvaluationJob, workers: int, on_trial: Callable[[Trial], None]) -> None:
    """Try all seeds.

    Args:
        job: what to try.
        workers: processes; 1 runs in this one.
        on_trial: told every trial as it ends, in no order of seeds; from one thread at a time.

    Raises:
        DeviceError: a process could not go on; says why.
    """
    seeds = job.trials.seeds
    workers = min(workers, len(seeds))
    if workers == 1:
        run_job(job, on_trial)
        return
    jobs = [msgspec.structs.replace(job, trials=msgspec.structs.replace(
        job.trials, seeds=seeds[number::workers])) for number in range(workers)]
    turn = threading.Lock()

    def one_at_a_time(trial: Trial) -> None:
        with turn:
            on_trial(trial)

    processes = [_start(share) for share in jobs]
    try:
        with ThreadPoolExecutor(workers, thread_name_prefix="evaluation") as readers:
            try:
                for one in as_completed([readers.submit(_listen, process, one_at_a_time)
                                         for process in processes]):
                    if problem := one.result():
                        raise DeviceError(problem)
            finally:
                for process in processes:
                    process.terminate()     # it tidies up; the readers wait for its end
    finally:
        for process in processes:
            process.kill()
            process.communicate()           # waits, and closes its pipes


def run_job(job: EvaluationJob, on_trial: Callable[[Trial], None]) -> None:
    """Try a job's seeds in this process.

    Raises:
        CheckpointError: the policy cannot be loaded.
        DeviceError, ValueError: the robot does not show what the policy wants, or is another one
            than it was trained on.
    """
    import torch

    from policy.monitoring.calibration import Calibration

    torch.set_num_threads(job.threads)
    policy = loaded(LOADER, job.policy, job.device, job.policy_map, job.flow_steps)
    with _store_for(job.views) as store:
        trials = msgspec.structs.replace(job.trials, store=store)
        with ProvingGround(trials, policy, SystemClock(),
                           Calibration.load(Path(job.policy))) as ground:
            require_for(job.policy, ground.station.loop.robot.info)
            ground.run(lambda trial: on_trial(_viewed(job, store, trial)))


@contextmanager
def _store_for(views: str) -> Iterator[str]:
    """A store for as long as it takes to write the views, beside them; empty if none is wanted."""
    if not views:
        yield ""
        return
    Path(views).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".trials-", dir=views) as folder:
        try:
            yield str(Path(folder) / "store")
        except DiskFull as full:
            raise DiskFull(f"the disk of {views}, where Rerun files of failures go, is full: free "
                           f"some space, name another folder, or keep none of them") from full


def _viewed(job: EvaluationJob, store: str, trial: Trial) -> Trial:
    """The trial with its Rerun file, if it failed and one is wanted; an older one goes."""
    view = Path(job.views) / f"{job.trials.task}-seed{trial.seed}.rrd"
    if not trial.episode:
        if store:
            view.unlink(missing_ok=True)
        return trial
    from recorders.rerun_file import write_rrd
    from recorders.store_folders import StoreFolders

    folders = StoreFolders(Path(store))
    write_rrd(folders.group(trial.episode), view, folders.models)
    return msgspec.structs.replace(trial, view=str(view))


def _start(job: EvaluationJob) -> subprocess.Popen[bytes]:
    # One thread for the arithmetic beside the network's own: processes must not fight for cores.
    environment = os.environ | {"OMP_NUM_THREADS": str(job.threads)}
    process = subprocess.Popen([sys.executable, "-m", "studio.station.trying.evaluation_jobs"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
                               process_group=0)     # Ctrl-C reaches us only, and we end them
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(job) + b"\n")
    process.stdin.flush()
    return process


def _listen(process: "subprocess.Popen[bytes]", on_trial: Callable[[Trial], None]) -> str:
    """Hear a process to its end; returns why it gave up, if it did."""
    assert process.stdout is not None
    for line in process.stdout:
        said = msgspec.json.decode(line, type=WorkerSaid)
        if said.problem:
            return said.problem
        if said.trial is not None:
            on_trial(said.trial)
    if (code := process.wait()) < 0:
        return (f"a process of the evaluation was killed by {signal.Signals(-code).name}: if "
                f"memory ran out, try fewer --workers")
    return f"a process of the evaluation ended with code {code}: its message stands above" \
        if code else ""


def _end_with_parent() -> None:
    os.read(0, 1)           # nothing more is ever said: it returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)


def _end(_signal: int, _frame: object) -> None:
    sys.exit(1)             # on its way out it tidies up


def main() -> None:
    """Be one of the processes."""
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)           # whatever a library prints must not come between the lines
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=EvaluationJob)
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_parent, daemon=True, name="parent-watch").start()

    def say(said: WorkerSaid) -> None:
        wire.write(msgspec.json.encode(said) + b"\n")
        wire.flush()

    from policy.errors import CheckpointError
    from recorders.store_errors import StoreError

    try:
        run_job(job, lambda trial: say(WorkerSaid(trial)))
    except (CheckpointError, DeviceError, StoreError, ValueError, OSError) as problem:
        say(WorkerSaid(problem=str(problem)))
        sys.exit(1)
    finally:
        wire.close()


if __name__ == "__main__":
    main()

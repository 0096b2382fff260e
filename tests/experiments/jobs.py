"""What is missing, in which order it can be made, and making it side by side.

A job leaves something whole or nothing: folders are made under another name, or have a JSON beside
them that says that they are finished. Knows what jobs need of each other and how each is done;
knows no tables and no screen.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from experiments.definitions import (
    EXPORTING,
    Book,
    Evaluation,
    Row,
    Store,
    StoreWithout,
    Training,
)
from experiments.launching import CommandFailed, Launcher, Ran, Stopped
from experiments.measured import result_of_rates, result_of_trials
from experiments.results import (
    Made,
    Part,
    Recorded,
    Trained,
    beside,
    code_here,
    machine_here,
    read_recorded,
    read_result,
    read_trained,
    result_path,
    write,
)

REFRESH_S = 0.5


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be made.

    Attributes:
        name: its own; also of its log.
        needs: names of jobs that come before it.
        lock: jobs with the same lock, if not empty, do not run side by side.
        alone: nothing else runs meanwhile; such jobs come last.
        work: makes it; raises CommandFailed or Stopped.
    """

    name: str
    needs: frozenset[str] = frozenset()
    lock: str = ""
    alone: bool = False
    work: Callable[[], None]


class Workshop:
    """Makes stores, runs and results.

    Args:
        book: what is declared.
        launcher: runs commands.
        root: the checkout.
        results: folder of the results, relative to `root`.
        side_by_side: jobs at a time; written into results.
    """

    def __init__(self, book: Book, launcher: Launcher, root: Path, results: Path,
                 side_by_side: int) -> None:
        self._book, self._launcher, self._root = book, launcher, root
        self._results, self._side_by_side = root / results, side_by_side

    def missing(self, rows: Iterable[Row], *, again: bool = False) -> list[Job]:
        """The jobs that lead to the rows' results, without what is there already.

        Args:
            rows: blocked ones are passed over.
            again: make runs and results anew, also those that are there.
        """
        jobs: dict[str, Job] = {}
        for row in rows:
            for seed in () if row.blocked else row.seeds:
                definition = self._book.row_digest(row, seed)
                if not again and read_result(self._results, row, seed, definition) is not None:
                    continue
                training = self._book.trainings[row.training]
                needs = frozenset[str]()
                if again or read_trained(self._root, self._book, training, seed) is None:
                    needs = frozenset([self._add_training(jobs, training, seed)])
                name = f"{row.key}-seed{seed}"
                jobs[name] = Job(name=name, needs=needs, alone=row.rates is not None,
                                 work=lambda row=row, seed=seed: self.judge(row, seed))
        return list(jobs.values())

    def _add_training(self, jobs: dict[str, Job], training: Training, seed: int) -> str:
        name = f"train/{training.name}-seed{seed}"
        if name in jobs:
            return name
        needs = set[str]()
        for store in self._book.sources(training):
            if read_recorded(self._root, self._book, store) is None:
                record = f"record/{store.name}"
                before = frozenset([f"record/{store.part_of}"]) & jobs.keys()
                jobs.setdefault(record, Job(
                    name=record, needs=before, work=lambda store=store: self.record(store)))
                needs.add(record)
        jobs[name] = Job(name=name, needs=frozenset(needs),
                         lock="exports" if training.kind in EXPORTING else "",
                         work=lambda: self.train(training, seed))
        return name

    def record(self, store: Store) -> None:
        """Record a store, or copy a part of another."""
        folder = self._root / store.path
        beginning = store.path.with_name(f"{store.name}.partial")
        if folder.exists():     # minutes of work, perhaps not ours: never thrown away unasked
            raise CommandFailed(f"{store.path} holds demonstrations, but not those of data.py, or "
                                f"nothing beside it says so: move it away to record it anew")
        _remove(self._root / beginning)
        name, chosen = f"record/{store.name}", None
        if isinstance(store, StoreWithout):
            listed = self._launcher.tandem(name, store.listing()).answer["episodes"]
            chosen = store.chosen(listed)
        words = store.command(beginning, chosen)
        made = self._making(words, threads=1)
        ran = self._launcher.tandem(name, words)
        (self._root / beginning).rename(folder)
        labels = ran.answer.get("labels") or {}
        episodes = store.episodes if chosen is None else len(chosen)
        write(beside(folder), Recorded(
            definition=self._book.store_digest(store), episodes=episodes, labels=labels,
            made=_ended(made, ran)))

    def train(self, training: Training, seed: int) -> None:
        """Train a run from its beginning."""
        run = self._root / training.run(seed)
        beside(run).unlink(missing_ok=True)
        _remove(run)
        words = training.command(seed)
        made = self._making(words, training.threads)
        ran = self._launcher.tandem(f"train/{training.name}-seed{seed}", words)
        write(beside(run), Trained(
            definition=self._book.training_digest(training, seed), seed=seed,
            minutes=round(ran.answer["minutes"], 3), steps=ran.answer["step"],
            episodes=ran.answer["episodes"], made=_ended(made, ran)))

    def judge(self, row: Row, seed: int) -> None:
        """Evaluate a run, or measure its rates, and keep what came of it."""
        training = self._book.trainings[row.training]
        trained = read_trained(self._root, self._book, training, seed)
        assert trained is not None, f"{row.key} is judged before its training"
        definition, run = self._book.row_digest(row, seed), training.run(seed)
        if row.rates is not None:
            words = row.rates.command(run)
            made = self._making(words, row.rates.threads, of_tandem=False)
            ran = self._launcher.python(f"{row.key}-seed{seed}", words)
            result = result_of_rates(row, definition, trained, ran.answer, _ended(made, ran))
        else:
            parts = [self._tried(row, seed, evaluation, run) for evaluation in row.evaluations]
            result = result_of_trials(row, definition, trained, parts)
        write(result_path(self._results, row, seed), result)

    def _tried(self, row: Row, seed: int, evaluation: Evaluation, run: Path
               ) -> tuple[Part, dict]:
        words = evaluation.command(run)
        made = self._making(words, threads=1)
        ran = self._launcher.tandem(f"{row.key}-seed{seed}", words)
        answer = ran.answer
        return Part(
            task=evaluation.task, seeds=answer["seeds"], instruction=answer["instruction"],
            successes=answer["successes"], n=answer["episodes"],
            failed_seeds=answer["failed_seeds"], made=_ended(made, ran)), answer

    def _making(self, words: Sequence[str], threads: int, *, of_tandem: bool = True) -> Made:
        said = " ".join(_quoted(word) for word in words)
        return Made(command=f"{'tandem' if of_tandem else 'python'} {said}", began=_now(),
                    ended="", code=code_here(),
                    machine=machine_here(threads, self._side_by_side))


class Schedule:
    """Which job is next. Not for several threads.

    Attributes:
        done: names of what was made.
        failed: name to why not.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._waiting = list(jobs)
        self.running: list[Job] = []
        self.done, self.failed = list[str](), dict[str, str]()

    def next(self) -> Job | None:
        """Take a job that can begin now; None if there is none now."""
        names = {job.name for job in (*self._waiting, *self.running)}
        locks = {job.lock for job in self.running if job.lock}
        if any(job.alone for job in self.running):
            return None
        free = [job for job in self._waiting if not job.needs & names and job.lock not in locks]
        shared = [job for job in free if not job.alone]
        if not shared and any(not job.alone for job in (*self._waiting, *self.running)):
            return None
        if not free:
            return None
        job = (shared or free)[0]
        self._waiting.remove(job)
        self.running.append(job)
        return job

    def end(self, job: Job, problem: str = "") -> None:
        """A job is over; what needed it fails with it."""
        self.running.remove(job)
        if not problem:
            self.done.append(job.name)
            return
        self.failed[job.name] = problem
        lost = [job.name]
        while lost:
            name = lost.pop()
            for other in [other for other in self._waiting if name in other.needs]:
                self._waiting.remove(other)
                self.failed[other.name] = f"{name} failed"
                lost.append(other.name)


def run_all(jobs: Sequence[Job], workers: int, launcher: Launcher,
            on_change: Callable[[Schedule], None]) -> Schedule:
    """Do all jobs, so many side by side; on Ctrl-C stop what runs and leave.

    Args:
        jobs: in the order of preference.
        workers: at a time.
        launcher: that they use.
        on_change: told now and then.
    """
    schedule, futures = Schedule(jobs), dict[Future[None], Job]()
    with ThreadPoolExecutor(workers, thread_name_prefix="experiment") as threads:
        try:
            while True:
                while len(futures) < workers and (job := schedule.next()) is not None:
                    futures[threads.submit(job.work)] = job
                on_change(schedule)
                if not futures:
                    return schedule
                for future in wait(futures, REFRESH_S, FIRST_COMPLETED).done:
                    job = futures.pop(future)
                    problem = future.exception()
                    if problem is not None and not isinstance(problem, CommandFailed | Stopped):
                        raise problem
                    schedule.end(job, str(problem) if problem is not None else "")
        except BaseException:
            launcher.stop()
            raise


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _quoted(word: str) -> str:
    return f'"{word}"' if any(letter in word for letter in " {}[]()*?&|;") else word


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _ended(made: Made, ran: Ran) -> Made:
    ended = _now()
    took = datetime.fromisoformat(ended) - datetime.fromisoformat(made.began)
    cores = ran.cpu_s / max(took.total_seconds(), 1.0)
    return msgspec.structs.replace(made, ended=ended, cores=round(cores, 2))

"""The studio's commands, answered at once, and a small book of experiments to ask them for."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import tyro
from experiments.definitions import Book, Evaluation, Rates, Row, Store, Training
from experiments.jobs import Schedule, Workshop, run_all
from experiments.launching import CommandFailed, Ran

from studio.cli import COMMANDS
from studio.commands.evaluate import parse_seeds


def parsed(words: Sequence[str]) -> Any:
    """What the real command line makes of words; fails on an unknown option."""
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS)
    entry = COMMANDS[name]
    config = getattr(importlib.import_module(entry.module), entry.config)
    return tyro.cli(config, args=list(words[len(name.split()):]),
                    config=(tyro.conf.FlagCreatePairsOff,))


class Commands:
    """Answers as the studio's commands do, at once; a policy succeeds in all scenes but one."""

    def __init__(self, root: Path) -> None:
        self.root, self.asked = root, list[tuple[str, ...]]()
        self.fails = ""

    def tandem(self, name: str, words: Sequence[str]) -> Ran:
        self.asked.append(tuple(words))
        if self.fails and self.fails in name:
            raise CommandFailed("no such luck")
        command = parsed(words)
        if words[0] == "eval":
            seeds = parse_seeds(command.seeds)
            return Ran({"seeds": command.seeds, "instruction": command.instruction,
                    "successes": len(seeds) - 1, "episodes": len(seeds),
                    "failed_seeds": [seeds.start], "system2_hz": 1.9,
                    "latency_ms": {"p50": 30.0, "p99": 40.0},
                    "trials": [{"success_s": None if seed == seeds.start else 4.0}
                               for seed in seeds]}, 3.0)
        (self.root / (words[3] if words[0] == "data" else command.to)).mkdir(parents=True)
        if words[0] == "record":
            return Ran({"labels": {"success": command.episodes}}, 3.0)
        if words[0] == "data":
            return Ran({"copied": list(words[4:-1])}, 3.0)
        return Ran({"minutes": command.minutes, "step": 700, "episodes": 38}, 3.0)

    def python(self, name: str, words: Sequence[str]) -> Ran:
        self.asked.append(tuple(words))
        return Ran({"system1_per_s": 123.0, "deadline_misses": 0, "said": "no number"}, 3.0)

    def stop(self) -> None:
        self.asked.append(("stop",))


def small_book(**changes: Any) -> Book:
    """Two rows of one run, and rates."""
    row = Row(table="one", name="row", about="a row", training="run", evaluations=(
        Evaluation(task="push-button", seeds=(1000, 1010)),))
    return Book(
        {"one": "One"},
        {"store": Store(name="store", task="push-button", episodes=4, seed=2000)},
        {"run": Training(name="run", stores=("store",), minutes=1.0)},
        (msgspec.structs.replace(row, **changes), msgspec.structs.replace(row, name="other"),
         Row(table="one", name="speed", about="fast", training="run",
             rates=Rates(threads=1, task="push-button"))))


def run(book: Book, root: Path, commands: Commands, **options: Any) -> Schedule:
    workshop = Workshop(book, commands, root, Path("results"), 1)     # type: ignore[arg-type]
    return run_all(workshop.missing(book.rows, **options), 2, commands,    # type: ignore[arg-type]
                   lambda schedule: None)

"""How long it takes to open and list a store of 10,000 episodes.

Only the commit log is real, because nothing else is read: that is the point. Run it with
`python tests/bench/opening.py`; it prints a table and writes out/bench/opening.json.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from recorders.clock import NS_PER_S, ManualClock
from recorders.commit_log import Commit, encode_fact
from recorders.episode import EpisodeSummary, new_episode_id
from recorders.follower import StoreFollower
from recorders.store import DemoStore
from recorders.store_folders import StoreFolders

EPISODES, REPETITIONS = 10_000, 15
OUT = Path("out/bench/opening.json")


def fill(root: Path) -> None:
    """A store whose log commits many episodes."""
    with DemoStore.open(root, write=True, create=True, clock=ManualClock(), reserve_bytes=1 << 20):
        pass
    lines = []
    for number in range(EPISODES):
        episode = new_episode_id(number * NS_PER_S, f"{number:08x}")
        lines.append(encode_fact(Commit(episode=episode, wall_ns=number, summary=EpisodeSummary(
            episode=episode, task="put-cube-in-bin", instruction="put the red cube in the bin",
            label="success", label_by="detector", note="", detector="success", seed=number,
            operator="scripted", duration_s=12.5, steps=1250, dropped=0, started_wall_ns=number,
            recovered=False, trashed=False, bytes=40_000_000,
            rows={"arm": 1250, "front": 375, "wrist": 375, "tick": 1250}))))
    StoreFolders(root).commits.write_bytes(b"".join(lines))


def seconds(listing: Callable[[], int]) -> list[float]:
    """How long each repetition took; refuses to time a listing that is not complete."""
    taken = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        listed = listing()
        taken.append(time.perf_counter() - start)
        if listed != EPISODES:
            raise SystemExit(f"{listed} of {EPISODES} episodes were listed")
    return taken


def main() -> None:
    """Measure, print, and write the JSON."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "many")
        fill(root)
        taken = {
            "DemoStore.open + episodes": seconds(lambda: len(DemoStore.open(root).episodes())),
            "StoreFollower.poll": seconds(lambda: len(StoreFollower(root).poll()))}
    table = Table("", "s, min / median / max", title=f"A store of {EPISODES} episodes, "
                  f"{REPETITIONS} repetitions")
    for what, values in taken.items():
        table.add_row(what, f"{min(values):.3f} / {statistics.median(values):.3f} / "
                            f"{max(values):.3f}")
    Console().print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(
        {"episodes": EPISODES, "seconds": taken, "load_average": os.getloadavg()})))


if __name__ == "__main__":
    main()

"""Kill a recording process at random moments, many times, and count what is lost.

    python tests/torture/store_kill.py [TRIALS] [SEED]

Each trial starts a real process that records short episodes as fast as it can, kills it with
SIGKILL after a random time, and, in every third trial, kills the recovering process, too. Then the
store is opened, what was interrupted is recovered, and everything that the process had said to be
acknowledged or committed is looked for, value by value. Ends with 1 if anything was lost.
"""

import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from threading import Timer

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.append(str(Path(__file__).parent.parent))

from doubles.synthetic_episodes import FRONT, TICK, pixels, rows
from doubles.synthetic_recorder import ROWS_PER_PICTURE

from recorders.episode_reader import EpisodeReader
from recorders.images import decode, encode
from recorders.store import DemoStore
from recorders.zarr_metadata import picture_shape

RECORDER = Path(__file__).parent.parent / "doubles/synthetic_recorder.py"
TRIALS = 200
STORES_AFTER = 20           # trials in one store, so that a check of all stays short
ROWS_PER_EPISODE = (5, 60, 1500)
LONGEST_LIFE_S = 0.8        # after the first acknowledgement
RECOVERY_LIFE_S = 0.1


class Heard:
    """What recording processes said was safe."""

    def __init__(self) -> None:
        self.committed: dict[str, int] = {}
        self.acknowledged: dict[str, int] = {}

    def line(self, line: str) -> None:
        """Take a line; one torn by the kill counts for nothing."""
        words = line.split() if line.endswith("\n") else []
        if words and words[0] == "committed":
            self.committed[words[1]] = int(words[2])
        elif words and words[0] == "rows":
            self.acknowledged[words[1]] = int(words[2])


def record_and_kill(store: Path, number: int, rows_each: int, life_s: float, heard: Heard) -> None:
    """One recording process from its start to its violent end."""
    process = subprocess.Popen(
        [sys.executable, RECORDER, "record", store, str(number), str(rows_each)],
        stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    heard.line(process.stdout.readline())
    timer = Timer(life_s, process.send_signal, [signal.SIGKILL])
    timer.start()
    for line in process.stdout:
        heard.line(line)
    process.stdout.close()
    if process.wait() != -signal.SIGKILL:
        raise RuntimeError(f"the recorder ended by itself with {process.returncode}")


def recover_and_kill(store: Path, life_s: float) -> None:
    """A recovering process that does not get to its end, or does."""
    process = subprocess.Popen([sys.executable, RECORDER, "recover", store],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    timer = Timer(life_s, process.send_signal, [signal.SIGKILL])
    timer.start()
    process.wait()
    process.stdout.close()
    timer.cancel()


def recover_all(path: Path, counts: Counter[str]) -> None:
    """Open the store as the studio would and keep everything."""
    with DemoStore.open(path, write=True) as store:
        for one in store.interrupted():
            report = store.recover(one.episode)
            counts["interrupted episodes recovered"] += report.kept
            counts["records lost in recovery"] += report.rows_lost_estimate
            counts["problems found in recovery"] += len(report.problems)


def compare(path: Path, heard: Heard, counts: Counter[str]) -> None:
    """Look for everything that was said to be safe."""
    with DemoStore.open(path, write=True) as store:
        counts["problems found by check"] += len(store.check())
        found = {one.episode: one for one in store.episodes()}
        for episode in heard.committed:
            counts["committed episodes"] += 1
            counts["committed episodes lost"] += episode not in found
        for episode, acknowledged in heard.acknowledged.items():
            kept = found[episode].rows["tick"] if episode in found else 0
            counts["rows acknowledged"] += acknowledged
            counts["acknowledged rows lost"] += max(0, acknowledged - kept)
            if episode in found:
                counts["episodes with wrong content"] += not content_is_right(
                    EpisodeReader(store.episode_path(episode)), kept)


def content_is_right(episode: EpisodeReader, kept: int) -> bool:
    """Whether every row and picture is the one that belongs there."""
    ticks, pictures = rows(TICK, 0, kept), episode["front"]["rgb"]
    right = all(np.array_equal(episode["tick"][name], ticks[name])
                for name in ("seq", "t_mono_ns", "sent", "mode", "jacobian"))
    right &= kept // ROWS_PER_PICTURE <= len(pictures) <= kept // ROWS_PER_PICTURE + 1
    image = FRONT.images[0]
    for i in {0, len(pictures) // 2, len(pictures) - 1} & set(range(len(pictures))):
        wanted = decode(encode(pixels(image, i), "jpeg"), "jpeg", picture_shape(image))
        right &= np.array_equal(pictures[i], wanted)
    return bool(right)


def main() -> int:
    """Run the trials and print the counts."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    generator = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    counts: Counter[str] = Counter()
    screen = Console()
    with tempfile.TemporaryDirectory(prefix="store-kill-") as folder:
        path, heard = Path(folder) / "0", Heard()
        for trial in track(range(trials), "killing recorders", console=screen):
            record_and_kill(path, 10_000 * trial, int(generator.choice(ROWS_PER_EPISODE)),
                            generator.uniform(0, LONGEST_LIFE_S), heard)
            counts["kills while recording"] += 1
            if trial % 3 == 0:
                recover_and_kill(path, generator.uniform(0, RECOVERY_LIFE_S))
                counts["kills aimed at recovery"] += 1
            recover_all(path, counts)
            if trial % STORES_AFTER == STORES_AFTER - 1 or trial == trials - 1:
                compare(path, heard, counts)
                counts["stores filled, opened and compared"] += 1
                path, heard = Path(folder) / str(trial + 1), Heard()
    table = Table("count", "", title=f"store_kill.py: {trials} trials")
    for name, count in counts.items():
        table.add_row(f"{count}", name)
    screen.print(table)
    lost = sum(count for name, count in counts.items()
               if "lost" in name or "wrong" in name or "problems" in name)
    screen.print("nothing was lost" if lost == 0 else f"{lost} things were lost or wrong")
    return int(lost > 0)


if __name__ == "__main__":
    raise SystemExit(main())

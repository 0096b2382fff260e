"""A process that records made-up episodes as fast as it can, to be killed at any moment.

    synthetic_recorder.py record STORE FIRST_NUMBER ROWS_PER_EPISODE
    synthetic_recorder.py recover STORE

It prints a line *after* each thing that the store acknowledged: `begun ID`, `rows ID N`,
`committed ID N`, and `recovering`.
"""

import sys
from pathlib import Path

from recorders.store import DemoStore

sys.path.append(str(Path(__file__).parent.parent))

from doubles.synthetic_episodes import FRONT, START_MONO_NS, TICK, batch, header

ROWS_PER_PICTURE = 2


def record(path: Path, first_number: int, rows_per_episode: int) -> None:
    """Record until killed."""
    with DemoStore.open(path, write=True, create=True) as store:
        number = first_number
        while True:
            writer = store.begin(header(number, (TICK, FRONT)))
            episode = writer.header.episode
            say("begun", episode)
            for row in range(rows_per_episode):
                if row % ROWS_PER_PICTURE == 0:
                    writer.append(batch(FRONT, row // ROWS_PER_PICTURE, 1))
                writer.append(batch(TICK, row, 1))
                say("rows", episode, row + 1)
            writer.commit(START_MONO_NS + 1, "success")
            say("committed", episode, rows_per_episode)
            number += 1


def recover(path: Path) -> None:
    """Keep everything that was interrupted."""
    say("recovering")
    with DemoStore.open(path, write=True) as store:
        for one in store.interrupted():
            store.recover(one.episode)


def say(*words: object) -> None:
    """One line, at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        recover(Path(sys.argv[2]))

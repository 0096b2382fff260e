"""The process that leaves an .rrd file for every committed episode: role "rrd" of worker.py.

Follows the store, so it can neither hold the recording up nor miss an episode; writes beside the
store's data, at low priority, and whole files only. Knows stores and Rerun files; refuses to know
the station.
"""

import os
from pathlib import Path

import msgspec

from recorders.array_layout import DamagedRecording
from recorders.follower import Change, StoreFollower
from recorders.rerun_file import save_view
from studio.station.worker import Life

LOOK_S = 0.5
NICE = 10           # whoever records goes first


class RrdConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told."""

    store: str
    """Folder of the store; episodes that it holds already are left alone."""


def run(config: bytes, life: Life) -> None:
    """Entry point of the role: save what is committed from now on, the last one included."""
    told = msgspec.json.decode(config, type=RrdConfig)
    store = Path(told.store)
    os.nice(NICE)
    follower = StoreFollower(store)
    follower.poll()
    life.ready()
    ending = False
    while not ending:
        ending = life.wait_for_stop(LOOK_S)
        for change in follower.poll():
            if change.kind == "committed":
                _save(store, change)
            life.beat()
        life.beat()


def _save(store: Path, change: Change) -> None:
    episode = change.summary.episode
    try:
        save_view(store, change.path, episode)
    except (DamagedRecording, OSError) as error:
        print(f"no Rerun file of episode {episode}: {error}", flush=True)

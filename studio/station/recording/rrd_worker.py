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
from recorders.store_errors import StoreError
from studio.station.processes.worker import Life

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
    follower: StoreFollower | None = _follow(store)
    life.ready()
    ending = False
    while not ending:
        ending = life.wait_for_stop(LOOK_S)
        try:
            follower = follower or _follow(store)
            changes = follower.poll()
        except (StoreError, OSError):       # away for a while: the recorder says so to everybody
            follower, changes = None, []
        for change in changes:
            if change.kind == "committed":
                _save(store, change)
            life.beat()
        life.beat()


def _follow(store: Path) -> StoreFollower:
    """From now on: what the store holds already is left alone."""
    follower = StoreFollower(store)
    follower.poll()
    return follower


def _save(store: Path, change: Change) -> None:
    episode = change.summary.episode
    try:
        save_view(store, change.path, episode)
    except (DamagedRecording, OSError) as error:
        print(f"no Rerun file of episode {episode}: {error}", flush=True)

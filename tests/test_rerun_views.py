"""Rerun files beside a store: left by a session's own process, or made afterwards."""

import json
from pathlib import Path

import msgspec
import pytest
from doubles import synthetic_episodes as made

from recorders.clock import SystemClock
from recorders.store import DemoStore
from studio import cli
from studio.station.processes.worker import Life
from studio.station.recording import rrd_worker


def record(store: DemoStore, number: int, *, discard: bool = False) -> str:
    header = made.header(number)
    writer = store.begin(header)
    for spec in made.STREAMS:
        writer.append(made.batch(spec, 0, 20))
    if discard:
        writer.discard()
    else:
        writer.commit(header.started_mono_ns + 10**9, "success")
    return header.episode


class Meanwhile(Life):
    """A life in which something happens at the second look, and the end comes at the third."""

    def __init__(self, happening) -> None:
        super().__init__(SystemClock(), lambda line: None)
        self._happening, self._looks = happening, 0

    def wait_for_stop(self, timeout_s: float) -> bool:
        self._looks += 1
        if self._looks == 2:
            self._happening()
        return self._looks == 3


def test_every_episode_committed_meanwhile_gets_a_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with DemoStore.open(path, write=True, create=True) as store:
        record(store, 1)
        kept: list[str] = []

        def meanwhile() -> None:
            kept.extend([record(store, 2), record(store, 3)])
            record(store, 4, discard=True)

        rrd_worker.run(msgspec.json.encode(rrd_worker.RrdConfig(store=str(path))),
                       Meanwhile(meanwhile))
    assert sorted(p.name for p in (path / "rrd").iterdir()) == sorted(f"{e}.rrd" for e in kept)


def test_data_rrd_writes_what_is_asked_for(tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "store"
    with DemoStore.open(path, write=True, create=True) as store:
        episodes = [record(store, number) for number in (1, 2)]
    assert cli.main(["data", "rrd", str(path), "-1", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == [str(path / "rrd" / f"{episodes[1]}.rrd")]
    assert Path(files[0]).stat().st_size > 1000
    with DemoStore.open(path) as store:
        assert store.check() == []              # the data does not mind its neighbour
    assert cli.main(["data", "rrd", str(path), "nonsense"]) == 2

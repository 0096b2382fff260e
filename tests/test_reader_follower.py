"""Whoever follows a growing store hears every change once, and never half a line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.clock import ManualClock
from recorders.commit_log import (
    Commit,
    Fact,
    Labelled,
    Recovered,
    Relabelled,
    Restored,
    Trashed,
    encode_fact,
)
from recorders.episode import EpisodeSummary
from recorders.follower import StoreFollower
from recorders.store_description import create_store
from recorders.store_errors import NotAStore, StoreError
from recorders.store_folders import StoreFolders


def summary(episode: str, trashed: bool = False) -> EpisodeSummary:
    return EpisodeSummary(
        episode=episode, task="stack-cubes", instruction="stack", label="success",
        label_by="detector", note="", detector="success", seed=1, operator="", duration_s=2.0,
        steps=200, dropped=0, started_wall_ns=0, recovered=False, trashed=trashed, bytes=10,
        rows={"tick": 200})


def commit(episode: str, trashed: bool = False) -> Commit:
    return Commit(episode=episode, wall_ns=1, summary=summary(episode, trashed))


FACTS: list[Fact] = [
    commit("a"),
    Labelled(episode="a", wall_ns=2, by="ada", label="failure", note="dropped it: \u00e9"),
    commit("b", trashed=True),
    Relabelled(episode="a", wall_ns=3, by="ada", task=None, instruction="stack red on blue"),
    Trashed(episode="a", wall_ns=4, by="ada"),
    Recovered(episode="b", wall_ns=5, kept=True, rows=3, lost=0),
    Restored(episode="b", wall_ns=6, by="ada"),
]
TOLD = [("committed", "a"), ("labelled", "a"), ("trashed", "b"), ("relabelled", "a"),
        ("trashed", "a"), ("restored", "b")]
LOG = b"".join(encode_fact(fact) for fact in FACTS)


def new_store(folder: Path) -> Path:
    create_store(StoreFolders(folder / "store"), ManualClock())
    return folder / "store"


@given(cuts=st.lists(st.integers(0, len(LOG)), max_size=12))
@settings(deadline=None, max_examples=60)
def test_however_the_log_grows_every_change_is_told_once_and_none_by_halves(
    cuts: list[int], tmp_path_factory
) -> None:
    store = new_store(tmp_path_factory.mktemp("store"))
    follower = StoreFollower(store)
    told = []
    for end in [*sorted(cuts), len(LOG)]:
        store.joinpath("commits.jsonl").write_bytes(LOG[:end])      # cut anywhere, mid-line too
        told += [(change.kind, change.summary.episode) for change in follower.poll()]
        whole_lines = LOG[:end].count(b"\n")
        reported = whole_lines - (1 if whole_lines > 5 else 0)      # the sixth is only a report
        assert len(told) == reported
    assert told == TOLD
    assert follower.problems == []
    assert follower.poll() == []


def test_a_change_shows_the_episode_as_it_stands_and_where_it_lies(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.joinpath("commits.jsonl").write_bytes(LOG)
    changes = StoreFollower(store).poll()
    assert changes[3].summary.instruction == "stack red on blue"
    assert changes[3].summary.label == "failure"
    assert changes[3].path == store / "data.zarr" / "a"
    assert changes[4].path == store / "trash" / "a"
    assert changes[5].path == store / "data.zarr" / "b"


def test_a_line_whose_checksum_is_wrong_is_skipped_and_named(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    lines = LOG.splitlines(keepends=True)
    lines[1] = lines[1].replace(b"failure", b"success")
    store.joinpath("commits.jsonl").write_bytes(b"".join(lines))
    follower = StoreFollower(store)
    assert [(c.kind, c.summary.episode) for c in follower.poll()] == TOLD[:1] + TOLD[2:]
    assert [problem.line for problem in follower.problems] == [2]


def test_a_log_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.joinpath("commits.jsonl").write_bytes(LOG)
    follower = StoreFollower(store)
    follower.poll()
    store.joinpath("commits.jsonl").write_bytes(LOG[:100])
    with pytest.raises(StoreError, match="became shorter"):
        follower.poll()


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAStore, match=r"store\.json"):
        StoreFollower(tmp_path)

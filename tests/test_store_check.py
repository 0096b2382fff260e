"""The check finds every damaged byte, names its file, and leaves sound stores alone."""

import shutil
from pathlib import Path

import pytest
from doubles.synthetic_episodes import ARM, FRONT, START_MONO_NS, TICK, WRIST, batch, header
from hypothesis import given, settings
from hypothesis import strategies as st

from recorders.store import DemoStore

EPISODE = header().episode


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one episode of all streams."""
    path = tmp_path_factory.mktemp("sound") / "store"
    with DemoStore.open(path, write=True, create=True, reserve_bytes=4096) as store:
        writer = store.begin(header())
        for spec, count in ((TICK, 20), (ARM, 4200), (FRONT, 260), (WRIST, 3)):
            writer.append(batch(spec, 0, count))
        writer.commit(START_MONO_NS, "success")
    return path


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(sound, tmp_path / "store")


def test_a_sound_store_has_no_problems_and_progress_is_told(store: Path) -> None:
    heard: list[tuple[int, int]] = []
    opened = DemoStore.open(store)
    assert opened.check(deep=False) == []
    assert opened.check(progress=lambda done, total: heard.append((done, total))) == []
    assert heard == [(0, 1), (1, 1)]


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_one_flipped_bit_in_any_array_is_found_and_its_file_named(
    sound: Path, data: st.DataObject
) -> None:
    group = sound / "data.zarr" / EPISODE
    chunks = sorted(file for file in group.rglob("c/**/*") if file.is_file())
    file = data.draw(st.sampled_from(chunks))
    content = file.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    flipped = bytearray(content)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(flipped)
    try:
        problems = DemoStore.open(sound).check()
        assert [problem.path for problem in problems] == [str(file.relative_to(sound))]
        assert problems[0].episode == EPISODE
        assert "checksum" in problems[0].what
    finally:
        file.write_bytes(content)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_cut_short_is_found_and_a_missing_one_without_reading_everything(
    sound: Path, data: st.DataObject
) -> None:
    group = sound / "data.zarr" / EPISODE
    file = data.draw(st.sampled_from(sorted(one for one in group.rglob("*") if one.is_file())))
    content = file.read_bytes()
    gone = data.draw(st.booleans())
    if gone:
        file.unlink()
    else:
        file.write_bytes(content[:data.draw(st.integers(0, len(content) - 2))])
    try:
        problems = DemoStore.open(sound).check(deep=not gone)
        assert {problem.path for problem in problems} == {str(file.relative_to(sound))}
    finally:
        file.write_bytes(content)


def test_a_damaged_line_of_the_log_is_named_and_the_others_count(store: Path) -> None:
    with DemoStore.open(store, write=True, reserve_bytes=4096) as opened:
        for number in (1, 2):
            opened.begin(header(number, streams=[TICK])).commit(START_MONO_NS)
        opened.label(EPISODE, "failure")
    log = store / "commits.jsonl"
    lines = log.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b'"seed":1', b'"seed":7')
    log.write_bytes(b"\n".join(lines))
    opened = DemoStore.open(store)
    assert [one.episode for one in opened.episodes()] == [EPISODE, header(2).episode]
    assert opened.episode(EPISODE).label == "failure"
    problems = opened.check()
    assert problems[0].path == "commits.jsonl"
    assert problems[0].what.startswith("line 2 is skipped: its checksum is wrong")
    # The episode behind the lost line is still on the disk, and that is said, too.
    assert [problem.path for problem in problems[1:]] == [f"data.zarr/{header(1).episode}"]


def test_a_torn_last_line_is_no_problem_and_the_next_writer_cuts_it(store: Path) -> None:
    log = store / "commits.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + whole[:40])
    assert len(DemoStore.open(store).episodes()) == 1
    assert DemoStore.open(store).check() == []
    with DemoStore.open(store, write=True, reserve_bytes=4096) as opened:
        assert log.read_bytes() == whole
        opened.label(0, "partial")
        assert opened.episode(0).label == "partial"
    assert DemoStore.open(store).check() == []


def test_what_lies_about_or_is_missing_is_named_with_a_remedy(store: Path) -> None:
    group = store / "data.zarr" / EPISODE
    model = next((store / "models").iterdir())
    model.unlink()
    (group / "tick/sent/zarr.json.partial").write_bytes(b"")
    (store / "data.zarr/notes.txt").write_text("mine")
    shutil.copytree(group, store / "data.zarr" / header(9).episode)
    found = {problem.path: problem for problem in DemoStore.open(store).check()}
    assert found.keys() == {
        f"models/{model.name}", f"data.zarr/{EPISODE}/tick/sent/zarr.json.partial",
        "data.zarr/notes.txt", f"data.zarr/{header(9).episode}"}
    assert found["data.zarr/notes.txt"].remedy == "move it out of the store"
    shutil.rmtree(group)
    assert "folder is missing" in {
        problem.path: problem.what for problem in DemoStore.open(store).check()
    }[f"data.zarr/{EPISODE}"]


def test_a_move_that_a_crash_prevented_is_made_up_for(store: Path) -> None:
    with DemoStore.open(store, write=True, reserve_bytes=4096) as opened:
        opened.trash(EPISODE)
    (store / "trash" / EPISODE).rename(store / "data.zarr" / EPISODE)
    reader = DemoStore.open(store)
    assert [problem.what for problem in reader.check()][:1] == [
        "the episode is committed but its folder is missing"]
    with DemoStore.open(store, write=True, reserve_bytes=4096) as opened:
        assert opened.check() == []
        assert opened.episode_path(EPISODE).parent.name == "trash"
